//! Brokers as somebody who comes from elsewhere writes them.

use super::{GOOD, bad, good};

#[test]
fn a_broker_is_a_host_and_a_port_and_nothing_else() {
    for (brokers, said) in [
        ("http://kafka-1:9092", "http://"),
        ("kafka-1:9092,SASL_SSL://kafka-2:9092", "SASL_SSL://"),
        ("ann:hunter2@kafka-1:9092", "login"),
        ("SASL_SSL://ann:hunter2@kafka-1", "login"),
        ("ann:hunter2/x@kafka-1:9092", "login"),
        ("kafka-1:9092/path", "host:port"),
        ("kafka-1:", "host:port"),
        ("kafka-1:0", "host:port"),
        ("fe80::1:9092", "host:port"),
        ("ann:9092,hunter2@kafka-1:9092", "login"),
        ("kafka-1:9092,,kafka-2:9092", "host:port"),
    ] {
        let (findings, drawn) = bad("kafka-1:9092", brokers);
        assert_eq!(findings.len(), 1, "{brokers}: {drawn}");
        assert!(findings[0].what.contains(said), "{brokers}: {drawn}");
        assert!(drawn.contains("walbridge.toml:6:"), "{drawn}");
        let repair = findings[0].repair.as_deref().unwrap_or_default();
        assert!(repair.contains("brokers = \"kafka-1:9092"), "{drawn}");
        assert!(!drawn.contains("hunter2"), "{brokers}: {drawn}");
        assert!(!format!("{findings:?}").contains("hunter2"), "{brokers}");
    }
    let (findings, _) = bad("kafka-1:9092", "SASL_SSL://kafka-1:9092");
    let repair = findings[0].repair.as_deref().unwrap_or_default();
    assert!(repair.contains("\"security.protocol\" = \"sasl_ssl\""), "{repair}");
}

#[test]
fn hosts_and_addresses_are_brokers() {
    for brokers in ["kafka-1", "kafka_1.shop.svc:9092, 10.0.0.1:9093", "[::1]:9092"] {
        assert_eq!(good(&GOOD.replace("kafka-1:9092", brokers)).kafka.brokers, brokers);
    }
}

#[test]
fn a_list_and_a_string_are_not_taken_for_each_other() {
    for (good, written, repair) in [
        (
            "\"kafka-1:9092\"",
            "[\"one:9092\", \"two:9092\"]",
            "with commas between several: brokers = \"one:9092,two:9092\"",
        ),
        (
            "[bridge]",
            "[bridge]\ninclude = \"more/*.toml\"",
            "square brackets around it",
        ),
    ] {
        let (findings, drawn) = bad(good, written);
        assert!(
            findings
                .iter()
                .any(|one| one.repair.as_deref().is_some_and(|said| said.contains(repair))),
            "{drawn}"
        );
    }
}
