//! Configs, good and bad.

use std::path::PathBuf;

mod bad;
mod brokers;
mod editor;
mod examples;
mod public_ids;
mod secrets;
mod texts;
mod twice;
mod urls;

use crate::backfill::ledger::NeverTold;
use crate::config::file::report::Secrets;
use crate::config::{Backfill, Colour, Config, Invalid, Loaded, SinkChoice, fingerprint, load_with, render};
use crate::finding::{Cause, Finding, Severity};
use crate::mapping::entity::{CodeValue, Move, Source};
use crate::secret::{Secret, Shape};
use crate::sink::kafka::settings::Property;
use crate::source::postgres::settings::{Address, Login, Publish, Target, Tls};

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
    assert_eq!(config.source.login.user, "walbridge");
    assert_eq!(config.source.login.trust.tls, Tls::VerifyFull);
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
fn variables_are_filled_in_and_escaped() {
    let config = good(&GOOD.replace("[kafka]", "[cloudevents]\nsource = \"a/${SET}/$${SET}/$5\"\n[kafka]"));
    assert_eq!(config.cloudevents.source, "a/from-outside/${SET}/$5");
}

#[test]
fn addresses_are_read_as_libpq_reads_them() {
    let of = |url: &str| {
        good(&GOOD.replace("postgresql://walbridge@legacy-db/shop", url))
            .source
            .login
    };
    let tcp = |host: &str, port| Address::Tcp {
        host: host.to_owned(),
        port,
    };
    let unix = |directory: &str, port| Address::Unix {
        directory: PathBuf::from(directory),
        port,
    };
    let socket = of("postgresql://w@/shop?host=/run/postgresql&port=5433");
    assert_eq!(socket.hosts, [unix("/run/postgresql", 5433)]);
    assert_eq!(socket.trust.tls, Tls::Disable);
    assert_eq!(of("postgres://w@%2Ftmp/shop").hosts, [unix("/tmp", 5432)]);
    assert_eq!(of("postgresql://w@[::1]:7/shop").hosts, [tcp("::1", 7)]);
    assert_eq!(of("postgresql://w%40x@127.0.0.1/shop").user, "w@x");
    let tls = |url: &str| of(url).trust.tls;
    assert_eq!(tls("postgresql://w@127.0.0.1/shop"), Tls::Disable);
    for (word, mode) in Tls::WORDS {
        assert_eq!(tls(&format!("postgresql://w@db:1/shop?sslmode={word}")), mode);
    }
}

#[test]
fn of_several_servers_the_primary_is_looked_for() {
    let of = |url: &str| {
        good(&GOOD.replace("postgresql://walbridge@legacy-db/shop", url))
            .source
            .login
    };
    let written = |login: &Login| login.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let several = of("postgresql://w@db-1,db-2:7,[::1]/shop");
    assert_eq!(written(&several), ["db-1:5432", "db-2:7", "[::1]:5432"]);
    assert_eq!(several.target, Target::ReadWrite);
    let listed = of("postgresql://w@/shop?host=db-1,db-2&port=1,2&target_session_attrs=any");
    assert_eq!(written(&listed), ["db-1:1", "db-2:2"]);
    assert_eq!(listed.target, Target::Any);
    assert_eq!(written(&of("postgresql://w@/shop?host=a,b&port=9")), ["a:9", "b:9"]);
    assert_eq!(
        of("postgresql://w@db/shop?target_session_attrs=read-write").target,
        Target::ReadWrite
    );
    assert_eq!(of("postgresql://w@db/shop").target, Target::Any);
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

fn warned(text: &str) -> Vec<Finding> {
    written(&[("walbridge.toml", text)], Secrets::Needed).unwrap().warnings
}

#[test]
fn what_works_and_may_hurt_is_a_warning() {
    assert_eq!(warned(GOOD), []);
    let open = warned(&GOOD.replace("db/shop", "db/shop?sslmode=disable"));
    assert!(open[0].what.contains("without encryption"), "{open:?}");
    assert_eq!(open[0].severity, Severity::Warning);
    assert_eq!(open[0].place.as_ref().unwrap().line, 4);
}

#[test]
fn old_rows_are_told_unless_the_config_says_otherwise() {
    let silent = good(&GOOD.replace("[backfill]\non_start = false\n", ""));
    assert_eq!(silent.backfill, Backfill::default());
    assert_eq!(silent.backfill.on_start, NeverTold::Tell);
    let small = "on_start = false\nrows_per_chunk = 500\nmax_snapshot_seconds = 5\n";
    let small = good(&GOOD.replace("on_start = false\n", small));
    assert_eq!(small.backfill.on_start, NeverTold::Leave);
    assert_eq!(
        (
            small.backfill.limits.rows_per_chunk,
            small.source.snapshot_max.as_secs()
        ),
        (500, 5)
    );
    let rates = "on_start = false\nmax_rows_per_second = 100\nmax_bytes_per_second = \"2MB\"\nreaders = 4\n";
    let rates = good(&GOOD.replace("on_start = false\n", rates));
    assert_eq!((rates.backfill.readers, rates.source.readers), (4, 4));
    let limits = rates.backfill.limits;
    assert_eq!((limits.rows_per_second, limits.bytes_per_second), (100, 2_000_000));
}

#[test]
fn standard_output_needs_no_kafka() {
    let text = GOOD.replace("[kafka]\nbrokers = \"kafka-1:9092\"\n", "");
    let config = good(&text.replace("name = \"shop\"", "name = \"shop\"\nsink = \"stdout\""));
    assert_eq!(config.sink, SinkChoice::Stdout);
}

#[test]
fn a_property_without_effect_is_warned_of() {
    for name in ["linger.ms", "queue.buffering.max.ms"] {
        let text = GOOD.replace("[backfill]", &format!("[kafka.properties]\n{name} = 5\n[backfill]"));
        let loaded = written(&[("walbridge.toml", &text)], Secrets::Needed).unwrap();
        assert!(loaded.config.kafka.properties.is_empty(), "{name}");
        assert!(
            loaded.warnings.iter().any(|warning| warning.code == "config.no_effect"),
            "{name}"
        );
    }
}

#[test]
fn a_secret_property_is_kept_by_its_place_and_never_printed() {
    let property = "[kafka.properties]\nsasl.password = { file = \"pw\" }\nsocket.nagle.disable = true\n[backfill]";
    let text = GOOD.replace("[backfill]", property);
    let files = [("walbridge.toml", text.as_str()), ("pw", "hunter2\n")];
    let config = written(&files, Secrets::Needed).unwrap().config;
    let properties = &config.kafka.properties;
    let of = |name: &str| properties.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    assert_eq!(properties.len(), 2);
    assert_eq!(of("socket.nagle.disable"), Some(&Property::Text("true".to_owned())));
    assert!(
        matches!(of("sasl.password"), Some(Property::Secret(Secret::File(path), Shape::OneLine)) if path.ends_with("pw"))
    );
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_connection_to_kafka_that_is_less_safe_than_it_looks_is_warned_of() {
    let scram = "\"sasl.mechanisms\" = \"SCRAM-SHA-512\"";
    for (properties, code, words) in [
        (scram.to_owned(), "config.no_effect", "sasl.* is not used"),
        (
            format!("\"security.protocol\" = \"sasl_plaintext\", {scram}"),
            "config.tls",
            "without encryption",
        ),
        (
            "\"ssl.ca.location\" = \"ca.pem\"".to_owned(),
            "config.no_effect",
            "ssl.* is not used",
        ),
        (
            "\"security.protocol\" = \"ssl\", \"enable.ssl.certificate.verification\" = false".to_owned(),
            "config.tls",
            "lets anybody answer",
        ),
    ] {
        let found = warned(&GOOD.replace("[backfill]", &format!("properties = {{ {properties} }}\n[backfill]")));
        assert_eq!(found.len(), 1, "{properties}: {found:#?}");
        assert_eq!(found[0].code, code);
        assert!(found[0].what.contains(words) && found[0].repair.is_some(), "{found:#?}");
    }
}

/// The text of every file that asks for keys.
fn asking_files() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config");
    let (mut folders, mut found) = (vec![root.join("resolve")], vec![root.join("file/value.rs")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}
