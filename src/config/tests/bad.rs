//! Bad configs and what is said of them.

use std::path::Path;

use crate::config::file::report::Secrets;
use crate::config::{Colour, load_with, render};

use super::{GOOD, bad, bad_files, no_variables, with_another};

/// What is written in place of what, what is said of it, and its repair.
const CASES: &[(&str, &str, &str, &str)] = &[
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
    ("decimals = 2", "zone = \"CET\"", "an abbreviation", "Etc/GMT-1"),
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
    ("name = \"shop\"", "name = \"shop\"\nname = \"b\"", "twice: here", ""),
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
    (
        "shop\"\n[kafka]",
        "shop?target_session_attrs=standby\"\n[kafka]",
        "target_session_attrs cannot be \"standby\"",
        "target_session_attrs=read-write",
    ),
    (
        "shop\"\n[kafka]",
        "shop?host=a,b,c&port=1,2\"\n[kafka]",
        "source.url names 3 hosts and 2 ports",
        "one port for all hosts, or one for each",
    ),
    (
        "shop\"\n[kafka]",
        "shop?sslmode=allow\"\n[kafka]",
        "sslmode=allow is not spoken",
        "sslmode=verify-full",
    ),
    (
        "[kafka]",
        "client_cert = \"a.pem\"\n[kafka]",
        "source.client_cert has no key",
        "client_key = ",
    ),
    (
        "legacy-db/shop\"\n[kafka]",
        "localhost/shop\"\nchannel_binding = \"require\"\n[kafka]",
        "channel_binding = \"require\" needs TLS",
        "sslmode=verify-full",
    ),
    (
        "[kafka]",
        "password = { command = [] }\n[kafka]",
        "source.password.command names no program",
        "{ command = ",
    ),
    (
        "[kafka]",
        "password = { command = [\"false\"] }\n[kafka]",
        "cannot get a secret from the program false: it ended with exit status: 1",
        "",
    ),
    (
        "[backfill]",
        "properties = { \"security.protocol\" = \"sasl_ssl\" }\n[backfill]",
        "sasl.mechanisms does not say which",
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
    ),
    (
        "[backfill]",
        "properties = { \"security.protocol\" = \"sasl_ssl\", \"sasl.mechanisms\" = \"GSSAPI\" }\n[backfill]",
        "the way to log in to Kafka is not spoken: GSSAPI",
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
    ),
    (
        "[backfill]",
        "properties = { \"security.protocol\" = \"sasl_ssl\", \"sasl.mechanisms\" = \"OAUTHBEARER\" }\n[backfill]",
        "OAUTHBEARER needs a token",
        "oauth_token = { command = ",
    ),
    ("postgresql://", "mysql://", "must start with postgresql://", ""),
    (
        "[backfill]",
        "properties = { \"fetch.min.bytes\" = 9 }\n[backfill]",
        "fetch.min.bytes cannot be set: it is for consumers",
        "",
    ),
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

#[test]
fn every_bad_line_is_named_and_has_its_repair() {
    for (from, to, what, repair) in CASES {
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
    assert_eq!(lines, [3, 7, 12, 19], "{drawn}");
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
    assert_eq!(invalid.to_string(), "cannot use the config: 1 error");
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
fn no_drawing_shows_what_may_be_a_secret() {
    let cases = [
        ("[kafka]", "passwrod = \"hunter2\"\n[kafka]"),
        ("[kafka]", "pw = \"hunter2\"\n[kafka]"),
        ("[kafka]", "password = \"hunter2\n[kafka]"),
        ("[kafka]", "password = 'hunter2' x\n[kafka]"),
        ("[kafka]", "password = { value = \"hunter2\" }\n[kafka]"),
        ("[kafka]", "password = [\"hunter2\"]\n[kafka]"),
        ("walbridge@", "p:hunter2@"),
        ("walbridge@", "walbridge:hunter2@${UNSET}"),
        ("walbridge@legacy-db/shop", "walbridge@legacy-db/shop?password=hunter2"),
        ("walbridge@legacy-db/shop", "w:hunter2@legacy-db/shop?sslmode=prefer"),
        (
            "[backfill]",
            "[kafka.properties]\nsasl.password = \"hunter2\"\n[backfill]",
        ),
        (
            "[backfill]",
            "properties = { \"sasl.password\" = \"a${UNSET}hunter2\" }\n[backfill]",
        ),
    ];
    for (from, to) in cases {
        let (_, drawn) = bad(from, to);
        assert!(!drawn.contains("hunter2"), "{to}: {drawn}");
    }
}

#[test]
fn a_file_cut_anywhere_gives_findings_and_no_panic() {
    let whole = include_str!("../../../config/reference.toml");
    for end in (0..whole.len()).step_by(61).filter(|end| whole.is_char_boundary(*end)) {
        let (findings, drawn) = bad_files(&[("walbridge.toml", &whole[..end])]);
        assert!(!findings.is_empty() && !drawn.is_empty());
    }
}

#[test]
fn a_property_that_librdkafka_does_not_know_is_refused() {
    let (findings, drawn) = bad("[backfill]", "[kafka.properties]\nlinger.msec = 5\n[backfill]");
    assert_eq!(findings.len(), 1, "{drawn}");
    assert!(
        drawn.contains("librdkafka does not take linger.msec: No such configuration property"),
        "{drawn}"
    );
}
