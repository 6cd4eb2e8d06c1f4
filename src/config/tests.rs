//! Configs, good and bad, and what is said of them.

use std::path::{Path, PathBuf};

use crate::config::file::report::Secrets;
use crate::config::{Colour, Config, Invalid, Loaded, SinkChoice, fingerprint, load_with, render};
use crate::finding::{Cause, Finding};
use crate::mapping::entity::{CodeValue, Move, Source};
use crate::source::postgres::settings::{Address, Publish, Tls};

const GOOD: &str = r#"[bridge]
name = "shop"
[source]
url = "postgresql://walbridge@legacy-db/shop"
[kafka]
brokers = "kafka-1:9092"
[backfill]
on_start = false
[entity.Order]
table = "public.ord_hdr"
key = "number"
state_topic = "shop.orders"
event_topic = "shop.order-events"
[entity.Order.fields]
number = "ord_no"
total = { from = "tot_ct", decimals = 2 }
[entity.Order.events]
OrderPlaced = { on = "enters" }
"#;

fn no_variables(_: &str) -> Option<String> {
    None
}

fn written(files: &[(&str, &str)], secrets: Secrets) -> Result<Loaded, Invalid> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    load_with(&dir.path().join("walbridge.toml"), secrets, &|name| {
        (name == "SET").then(|| "from-outside".to_owned())
    })
}

fn good(text: &str) -> Config {
    let loaded = written(&[("walbridge.toml", text)], Secrets::Needed);
    loaded.map_err(|invalid| invalid.findings).unwrap().config
}

/// What is found in the good config after a replacement, and each drawn.
fn bad(from: &str, to: &str) -> (Vec<Finding>, String) {
    assert!(GOOD.contains(from), "{from}");
    bad_files(&[("walbridge.toml", &GOOD.replacen(from, to, 1))])
}

fn bad_files(files: &[(&str, &str)]) -> (Vec<Finding>, String) {
    let invalid = written(files, Secrets::Needed).unwrap_err();
    let drawn = invalid
        .findings
        .iter()
        .map(|finding| render(finding, &invalid.sources, Colour::No) + "\n\n");
    let drawn: String = drawn.collect();
    assert!(invalid.findings.iter().all(|finding| finding.cause == Cause::Config));
    (invalid.findings, drawn)
}

#[test]
fn a_good_config_becomes_settings() {
    let config = good(GOOD);
    assert_eq!(config.name, "shop");
    assert_eq!(config.source.slot, "walbridge_shop");
    assert_eq!(config.source.user, "walbridge");
    assert_eq!(config.source.tls, Tls::VerifyFull);
    assert_eq!(config.source.buffer_bytes_max, 8 << 20);
    assert_eq!(config.kafka.queue_bytes_max, 16 << 20);
    assert_eq!(config.kafka.record_bytes_max, 1_000_000);
    assert_eq!(config.cloudevents.source, "walbridge/shop");
    assert_eq!(config.sink, SinkChoice::Kafka);
    assert_eq!(config.source.tables[0].publish, Publish::Everything);
    let order = &config.entities[0];
    assert_eq!(order.place.line, 9);
    assert_eq!(order.place.path, "entity.Order");
    assert_eq!(order.key[0].place.line, 11);
    assert!(matches!(&order.fields[0].from, Source::Text(text) if text.text == "ord_no"));
    assert!(matches!(&order.fields[1].from, Source::Column(column) if column.text == "tot_ct"));
    assert_eq!(order.events[0].on, [Move::Enters]);
}

#[test]
fn every_bad_line_is_named_and_has_its_repair() {
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "brokers =",
            "borkers =",
            "unknown key kafka.borkers",
            "did you mean `brokers`?",
        ),
        (
            "decimals = 2",
            "decimal = 2",
            "unknown key entity.Order.fields.total.decimal",
            "`decimals`",
        ),
        (
            "name = \"shop\"",
            "name = 7",
            "bridge.name must be a string, not an integer",
            "",
        ),
        (
            "name = \"shop\"",
            "name = \"Shop\"",
            "bridge.name must be of a-z, 0-9 and _",
            "",
        ),
        (
            "decimals = 2",
            "decimals = \"2\"",
            "fields.total.decimals must be an integer, not a string",
            "",
        ),
        ("decimals = 2", "decimals = 39", "must be from 0 to 38", ""),
        (
            "key = \"number\"\n",
            "",
            "entity.Order.key is missing",
            "key = \"number\"",
        ),
        (
            "key = \"number\"",
            "key = \"nmber\"",
            "key of Order names nmber, which is no field",
            "did you mean `number`?",
        ),
        (
            "key = \"number\"",
            "key = \"ord_no\"",
            "key of Order names ord_no",
            "its field is `number`",
        ),
        (
            "number = \"ord_no\"",
            "number = \"trim(ord_no)\"",
            "must be a plain column, not an expression",
            "from = ",
        ),
        (
            "on = \"enters\"",
            "on = \"entres\"",
            "cannot be \"entres\"",
            "did you mean `enters`?",
        ),
        (
            "on = \"enters\"",
            "on = \"enters\", version = 0",
            "version must be from 1",
            "",
        ),
        (
            "on = \"enters\"",
            "on = \"enters\", data = [\"totl\"]",
            "data of OrderPlaced names totl",
            "did you mean `total`?",
        ),
        (
            "on = \"enters\"",
            "on = \"enters\", topic = \"shop.orders\"",
            "is an event topic here and a state topic at",
            "",
        ),
        (
            "event_topic = \"shop.order-events\"\n",
            "",
            "event OrderPlaced has no topic",
            "event_topic = ",
        ),
        (
            "decimals = 2",
            "zone = \"Europe/Atlantis\"",
            "no such time zone",
            "Europe/Berlin",
        ),
        (
            "decimals = 2",
            "codes = { A = [1] }",
            "codes.A must be a string, a number or a boolean",
            "",
        ),
        (
            "\"public.ord_hdr\"",
            "\"ord_hdr\"",
            "entity.Order.table must be a schema and a table",
            "public.ord_hdr",
        ),
        ("name = \"shop\"", "name = \"shop\"\nname = \"b\"", "duplicate key", ""),
        (
            "name = \"shop\"",
            "name = \"${UNSET}\"",
            "the environment variable UNSET is not set",
            "$${",
        ),
        (
            "name = \"shop\"",
            "name = \"shop\"\ninclude = [\"none/*.toml\"]",
            "\"none/*.toml\" matches no file",
            "folder of",
        ),
        (
            "[kafka]",
            "password = { file = \"absent\" }\n[kafka]",
            "cannot read the secret file",
            "",
        ),
        (
            "[kafka]",
            "password = { env = \"WALBRIDGE_NEVER_SET\" }\n[kafka]",
            "it is not set",
            "",
        ),
        (
            "[kafka]",
            "password = \"hunter2\"\n[kafka]",
            "source.password is a secret and must not be written here",
            "{ file = ",
        ),
        (
            "walbridge@",
            "walbridge:hunter2@",
            "source.url holds a password",
            "take it out",
        ),
        (
            "shop\"\n[kafka]",
            "shop?password=hunter2\"\n[kafka]",
            "source.url holds a password",
            "take it out",
        ),
        (
            "shop\"\n[kafka]",
            "shop?sslmod=disable\"\n[kafka]",
            "unknown parameter sslmod",
            "`sslmode`",
        ),
        ("postgresql://", "mysql://", "must start with postgresql://", ""),
        (
            "[backfill]",
            "properties = { acks = 1 }\n[backfill]",
            "acks cannot be set",
            "all in-sync replicas",
        ),
        (
            "[backfill]",
            "properties = { \"sasl.password\" = \"hunter2\" }\n[backfill]",
            "is a secret",
            "{ file = ",
        ),
        (
            "[backfill]",
            "[limits]\nmemory_bytes_max = \"1MiB\"\n[backfill]",
            "memory_bytes_max must be from",
            "",
        ),
        (
            "[backfill]",
            "[limits]\nmemory_bytes_max = \"much\"\n[backfill]",
            "is no size",
            "64MiB",
        ),
        (
            "[backfill]",
            "[http]\nlisten = \"9400\"\n[backfill]",
            "must be an address and a port",
            "127.0.0.1:9400",
        ),
    ];
    for (from, to, what, repair) in cases {
        let (findings, drawn) = bad(from, to);
        assert_eq!(findings.len(), 1, "{to}: {findings:#?}");
        assert!(drawn.contains(what), "{to}: {drawn}");
        assert!(drawn.contains(repair), "{to}: {drawn}");
        assert!(findings[0].place.is_some(), "{to}");
        assert!(!drawn.contains("hunter2"), "{drawn}");
    }
}

#[test]
fn all_errors_come_at_once_and_in_the_order_of_the_file() {
    let text = GOOD
        .replace("brokers =", "borkers =")
        .replace("key = \"number\"", "key = \"nmber\"")
        .replace("on = \"enters\"", "on = 5")
        .replace("\"shop\"\n[source]", "\"shop\"\nincluded = []\n[source]");
    let (findings, drawn) = bad_files(&[("walbridge.toml", &text)]);
    let lines: Vec<usize> = findings
        .iter()
        .map(|finding| finding.place.as_ref().unwrap().line)
        .collect();
    assert_eq!(lines, [3, 6, 7, 12, 19], "{drawn}");
}

#[test]
fn a_drawing_shows_file_line_caret_and_hint() {
    let (_, drawn) = bad("brokers =", "borkers =");
    let drawn: Vec<&str> = drawn.lines().collect();
    let at = drawn
        .iter()
        .position(|line| line.contains("unknown key kafka.borkers"))
        .unwrap();
    assert!(drawn[at].starts_with("error: "), "{drawn:?}");
    assert!(drawn[at + 1].contains("walbridge.toml:6:1"), "{drawn:?}");
    assert!(drawn.contains(&"6 | borkers = \"kafka-1:9092\""), "{drawn:?}");
    assert!(
        drawn.iter().any(|line| line.trim_end().ends_with("| ^^^^^^^")),
        "{drawn:?}"
    );
    assert!(
        drawn.iter().any(|line| line.contains("hint: did you mean `brokers`?")),
        "{drawn:?}"
    );
}

#[test]
fn a_finding_without_a_place_is_told_plainly() {
    let invalid = load_with(Path::new("/nowhere/walbridge.toml"), Secrets::Needed, &no_variables).unwrap_err();
    let drawn = render(&invalid.findings[0], &invalid.sources, Colour::No);
    assert!(
        drawn.starts_with("error: cannot read the config file /nowhere/walbridge.toml"),
        "{drawn}"
    );
    assert_eq!(invalid.to_string(), "cannot use the config: 1 errors");
}

const ANOTHER: &str =
    "[entity.NAME]\ntable = \"public.b\"\nkey = \"id\"\nstate_topic = \"TOPIC\"\n[entity.NAME.fields]\nid = \"id\"\n";

fn with_another(name: &str, topic: &str) -> Result<Loaded, Invalid> {
    let main = GOOD.replace("name = \"shop\"", "name = \"shop\"\ninclude = [\"more/*.toml\"]");
    let other = ANOTHER.replace("NAME", name).replace("TOPIC", topic);
    written(&[("walbridge.toml", &main), ("more/b.toml", &other)], Secrets::Needed)
}

#[test]
fn included_files_add_entities_after_those_of_the_file() {
    let config = with_another("Bin", "shop.bins").unwrap().config;
    let names: Vec<&str> = config.entities.iter().map(|entity| entity.name.as_str()).collect();
    assert_eq!(names, ["Order", "Bin"]);
    assert!(config.entities[1].place.file.ends_with("more/b.toml"));
}

#[test]
fn what_two_files_both_claim_is_named_with_both_places() {
    let twice = with_another("Order", "shop.bins").unwrap_err().findings;
    assert!(
        twice[0]
            .what
            .starts_with("entity Order is declared twice: here and at "),
        "{twice:?}"
    );
    assert!(twice[0].what.ends_with("walbridge.toml:10"), "{twice:?}");
    assert!(twice[0].place.as_ref().unwrap().file.ends_with("more/b.toml"));
    let shared = with_another("Bin", "shop.orders").unwrap_err().findings;
    assert!(
        shared[0]
            .what
            .starts_with("shop.orders is the state topic of two entities"),
        "{shared:?}"
    );
    let section = with_another("Bin", "x\"\n[http]\nlisten = \"127.0.0.1:1");
    let findings = section.unwrap_err().findings;
    assert!(
        findings
            .iter()
            .any(|finding| finding.what == "[http] cannot stand in an included file"),
        "{findings:?}"
    );
}

#[test]
fn variables_are_filled_in_and_escaped() {
    let config = good(&GOOD.replace("[kafka]", "[cloudevents]\nsource = \"a/${SET}/$${SET}/$5\"\n[kafka]"));
    assert_eq!(config.cloudevents.source, "a/from-outside/${SET}/$5");
}

#[test]
fn addresses_are_read_as_libpq_reads_them() {
    let of = |url: &str| good(&GOOD.replace("postgresql://walbridge@legacy-db/shop", url)).source;
    let tcp = |host: &str, port| Address::Tcp {
        host: host.to_owned(),
        port,
    };
    let unix = of("postgresql://w@/shop?host=/run/postgresql&port=5433");
    assert_eq!(
        unix.address,
        Address::Unix {
            directory: PathBuf::from("/run/postgresql"),
            port: 5433
        }
    );
    assert_eq!(unix.tls, Tls::Disable);
    assert_eq!(
        of("postgres://w@%2Ftmp/shop").address,
        Address::Unix {
            directory: PathBuf::from("/tmp"),
            port: 5432
        }
    );
    assert_eq!(of("postgresql://w@[::1]:7/shop").address, tcp("::1", 7));
    assert_eq!(of("postgresql://w%40x@127.0.0.1/shop").user, "w@x");
    assert_eq!(of("postgresql://w@127.0.0.1/shop").tls, Tls::Disable);
    assert_eq!(of("postgresql://w@db/shop?sslmode=require").tls, Tls::Require);
    assert_eq!(of("postgresql://w@db:1/shop?sslmode=disable").tls, Tls::Disable);
}

#[test]
fn values_of_codes_keep_their_type_and_their_order() {
    let codes = "codes = { Z = true, A = 1, 0 = \"none\", \"\" = 1.5 }, null_when = [0, \"-\", true]";
    let config = good(&GOOD.replace("decimals = 2", codes));
    let field = &config.entities[0].fields[1];
    let expected = [
        ("Z".to_owned(), CodeValue::Bool(true)),
        ("A".to_owned(), CodeValue::Number("1".to_owned())),
        ("0".to_owned(), CodeValue::Text("none".to_owned())),
        (String::new(), CodeValue::Number("1.5".to_owned())),
    ];
    assert_eq!(field.codes.as_deref(), Some(&expected[..]));
    assert_eq!(field.null_when, ["0", "-", "t"]);
}

#[test]
fn the_fingerprint_is_of_the_meaning_and_not_of_the_places() {
    let first = fingerprint(&good(GOOD));
    assert_eq!(first.len(), 64);
    assert_eq!(
        first,
        fingerprint(&good(&format!("# moved\n\n{GOOD}").replace("kafka-1", "kafka-2")))
    );
    for (from, to) in [
        ("decimals = 2", "decimals = 3"),
        ("\"enters\"", "\"leaves\""),
        ("shop.orders", "shop.order"),
    ] {
        assert_ne!(first, fingerprint(&good(&GOOD.replace(from, to))), "{to}");
    }
}

#[test]
fn a_table_that_only_gets_rows_needs_inserts_only() {
    let config = good(&GOOD.replace("state_topic = \"shop.orders\"\n", ""));
    assert_eq!(config.source.tables[0].publish, Publish::InsertsSuffice);
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

#[test]
fn every_example_loads() {
    for name in ["reference.toml", "shop.toml", "crm.toml", "warehouse.toml"] {
        let loaded = load_with(&example(name), Secrets::Later, &no_variables);
        let loaded = loaded.map_err(|invalid| invalid.findings).unwrap();
        let only_secrets = |finding: &Finding| ["config.secret", "config.root_cert"].contains(&finding.code);
        assert!(
            loaded.warnings.iter().all(only_secrets),
            "{name}: {:?}",
            loaded.warnings
        );
    }
}

#[test]
fn every_key_whose_time_has_not_come_is_refused_by_name() {
    let reference = std::fs::read_to_string(example("reference.toml")).unwrap();
    let lines: Vec<&str> = reference.lines().collect();
    let later: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("#~ ")).collect();
    assert!(later.len() > 25);
    for at in later {
        let line = lines[at].trim_start_matches("#~ ");
        let key = line.split(" = ").next().unwrap();
        // The line takes the place of the one that it is an alternative to.
        let mut text: Vec<&str> = Vec::new();
        for (index, other) in lines.iter().enumerate() {
            let is_same = line.contains(" = ") && other.split(" = ").next() == Some(key) && at.abs_diff(index) < 5;
            let is_include = other.starts_with("include");
            text.push(if index == at {
                line
            } else if is_same || is_include {
                ""
            } else {
                other
            });
        }
        let mut text = text.join("\n");
        if line.starts_with("mirror") {
            text = format!("{line}\n{}", text.replace(line, ""));
        }
        if line.starts_with("[public_id") {
            text = text.replace(line, "[public_id.customer]\nsecret = { env = \"ID\" }\n");
        }
        let invalid = written(&[("walbridge.toml", &text)], Secrets::Later).unwrap_err();
        let errors: Vec<String> = invalid
            .findings
            .iter()
            .filter(|finding| finding.severity == crate::finding::Severity::Error)
            .map(|finding| render(finding, &invalid.sources, Colour::No))
            .collect();
        assert_eq!(errors.len(), 1, "{line}: {errors:#?}");
        assert!(errors[0].contains("not yet supported"), "{line}: {errors:#?}");
    }
}
