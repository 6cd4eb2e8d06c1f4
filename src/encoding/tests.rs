//! Records against the documented example, and the writer against `serde_json`.

use proptest::prelude::*;

use super::{Encoder, Settings, headers};
use crate::flow::change::{CommitTime, Transaction};
use crate::flow::event::{DomainEvent, EventKind, KindId, Origin, TopicId, Value, append_json_text};
use crate::flow::position::{Lsn, Position};
use crate::flow::record::{Partition, Records};

pub(super) fn settings() -> Settings {
    Settings {
        source: "walbridge/shop".to_owned(),
        type_prefix: String::new(),
        dataschema_prefix: "urn:walbridge:shop:".to_owned(),
    }
}

pub(super) fn kind(name: &str, fields: &[&str], key: &[&str]) -> EventKind {
    let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
    EventKind {
        name: name.to_owned(),
        entity: "Order".to_owned(),
        version: 1,
        topic: TopicId(2),
        fields: owned(fields),
        key: owned(key),
        partition_by: Vec::new(),
    }
}

/// 2026-11-23 09:30:00.123456 UTC
const TRANSACTION: Transaction = Transaction {
    commit_lsn: Lsn(0x1_6B37_4800),
    commit_time: CommitTime(848_741_400_123_456),
    xid: 734_211,
};

fn event<'a>(key: &'a [Value<'a>], data: Option<&'a [Value<'a>]>) -> DomainEvent<'a> {
    DomainEvent {
        kind: KindId(0),
        position: Position {
            epoch: 1,
            commit_lsn: TRANSACTION.commit_lsn,
            rank: 3,
            part: 1,
        },
        transaction: &TRANSACTION,
        origin: Origin::Change,
        key,
        partition_by: None,
        data,
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn an_event_is_the_documented_example() {
    let mut encoder = Encoder::new(
        &[kind(
            "OrderPaid",
            &["number", "placedAt", "total", "status"],
            &["number"],
        )],
        &settings(),
    );
    let data = [
        Value::Text(b"A-1042"),
        Value::Text(b"2026-11-23T08:12:00Z"),
        Value::Text(b"19.99"),
        Value::Text(b"paid"),
    ];
    let mut records = Records::default();
    encoder.encode(&event(&data[..1], Some(&data)), &mut records);
    let span = &records.spans[0];
    assert_eq!(records.part(&span.key), b"A-1042");
    assert_eq!(span.partition, Partition::Of(span.key.clone()));
    assert_eq!((span.topic, records.part(&span.time)), (TopicId(2), b"".as_slice()));
    assert_eq!(
        text(records.part(span.value.as_ref().unwrap())),
        concat!(
            r#"{"specversion":"1.0","id":"0001-000000016B374800-00000003-01","source":"walbridge/shop","type":"OrderPaid","#,
            r#""subject":"A-1042","time":"2026-11-23T09:30:00.123456Z","datacontenttype":"application/json","#,
            r#""dataschema":"urn:walbridge:shop:OrderPaid:1","sequence":"0001-000000016B374800-00000003-01","#,
            r#""transaction":"734211","data":{"number":"A-1042","placedAt":"2026-11-23T08:12:00Z","total":"19.99","#,
            r#""status":"paid"}}"#
        )
    );
}

#[test]
fn an_old_row_says_that_it_is_one() {
    let mut encoder = Encoder::new(&[kind("Order", &["number"], &["number"])], &settings());
    let mut records = Records::default();
    let data = [Value::Number(b"7")];
    let old = DomainEvent {
        origin: Origin::Backfill(12),
        ..event(&data, Some(&data))
    };
    encoder.encode(&old, &mut records);
    let value = records.part(records.spans[0].value.as_ref().unwrap());
    let mut value: serde_json::Value = serde_json::from_slice(value).unwrap();
    assert_eq!(
        (&value["origin"], &value["generation"]),
        (&"backfill".into(), &12.into())
    );
    let attributes = value.as_object_mut().unwrap();
    assert_eq!(attributes.remove("transaction"), None, "no transaction told it");
    assert_eq!(attributes["data"], serde_json::json!({"number": 7}));
}

#[test]
fn a_tombstone_has_no_value_and_says_in_headers_when_and_of_what() {
    let kinds = [kind("Order", &["number"], &["number"])];
    let prefixed = Settings {
        type_prefix: "com.example.".to_owned(),
        ..settings()
    };
    let mut encoder = Encoder::new(&kinds, &prefixed);
    let mut records = Records::default();
    encoder.encode(&event(&[Value::Number(b"7")], None), &mut records);
    let span = &records.spans[0];
    assert_eq!(records.part(&span.key), b"7");
    assert_eq!(span.value, None);
    let id = span.position.text();
    let told = headers(&id, (&records, span), &kinds).map(|(name, said)| (name, text(said)));
    let place = "0001-000000016B374800-00000003-01";
    let expected = [
        ("ce_id", place),
        ("ce_sequence", place),
        ("ce_time", "2026-11-23T09:30:00.123456Z"),
        ("ce_type", "Order"),
    ];
    assert_eq!(told, expected, "the entity's name has no prefix here");
}

#[test]
fn keys_of_one_field_are_text_and_of_several_an_object() {
    let cases: [(&[&str], &[Value<'_>], &str); 6] = [
        (&["a"], &[Value::Text(b"x\"y")], "x\"y"),
        (&["a"], &[Value::Number(b"12")], "12"),
        (&["a"], &[Value::Bool(true)], "true"),
        (&["a"], &[Value::Json(b"{\"k\": 1}")], "{\"k\": 1}"),
        (&["a"], &[Value::Null], "null"),
        (
            &["company", "number"],
            &[Value::Number(b"1"), Value::Text(b"x\"y")],
            r#"{"company":1,"number":"x\"y"}"#,
        ),
    ];
    for (names, key, expected) in cases {
        let mut encoder = Encoder::new(&[kind("Order", &[], names)], &settings());
        let mut records = Records::default();
        encoder.encode(&event(key, Some(&[])), &mut records);
        let span = &records.spans[0];
        assert_eq!(text(records.part(&span.key)), expected);
        let value: serde_json::Value = serde_json::from_slice(records.part(span.value.as_ref().unwrap())).unwrap();
        assert_eq!(value["subject"], expected);
        assert_eq!(value["data"], serde_json::json!({}));
    }
}

#[test]
fn partition_fields_are_written_as_a_key_of_them_would_be() {
    let by = |names: &[&str]| {
        let partition_by = names.iter().map(|&n| n.to_owned()).collect();
        let kind = kind("Line", &[], &["line"]);
        Encoder::new(&[EventKind { partition_by, ..kind }], &settings())
    };
    let values = [Value::Number(b"1"), Value::Text(b"A")];
    let mut records = Records::default();
    let key = [Value::Number(b"9")];
    let event_by = |by| DomainEvent {
        partition_by: Some(by),
        ..event(&key, Some(&[]))
    };
    by(&["number"]).encode(&event_by(&values[1..]), &mut records);
    by(&["company", "number"]).encode(&event_by(&values), &mut records);
    let parts: Vec<_> = records
        .spans
        .iter()
        .map(|span| match &span.partition {
            Partition::Of(bytes) => text(records.part(bytes)),
            Partition::Number(number) => panic!("{number}"),
        })
        .collect();
    assert_eq!(parts, ["A", r#"{"company":1,"number":"A"}"#]);
}

#[test]
fn records_follow_each_other_and_can_be_split() {
    let mut encoder = Encoder::new(&[kind("Order", &["n"], &["n"])], &settings());
    let mut records = Records::default();
    for (n, xid) in [(b"1", 5), (b"2", 5), (b"3", 6)] {
        let transaction = Transaction { xid, ..TRANSACTION };
        let value = [Value::Number(n)];
        let told = DomainEvent {
            transaction: &transaction,
            ..event(&value, Some(&value))
        };
        encoder.encode(&told, &mut records);
    }
    let mut rest = Records::default();
    records.split_into(1, &mut rest);
    assert_eq!((records.spans.len(), rest.spans.len()), (1, 2));
    let value: serde_json::Value = serde_json::from_slice(rest.part(rest.spans[1].value.as_ref().unwrap())).unwrap();
    assert_eq!((&value["transaction"], &value["data"]["n"]), (&"6".into(), &3.into()));
}

#[test]
fn times_keep_six_digits() {
    let cases = [
        (0, "2000-01-01T00:00:00.000000Z"),
        (-1, "1999-12-31T23:59:59.999999Z"),
        (848_741_400_500_000, "2026-11-23T09:30:00.500000Z"),
    ];
    for (micros, expected) in cases {
        assert_eq!(super::cloudevents::rfc3339(CommitTime(micros)), expected);
    }
    for micros in [i64::MIN, i64::MAX] {
        assert!(super::cloudevents::rfc3339(CommitTime(micros)).ends_with('Z'));
    }
}

#[test]
fn every_byte_that_json_demands_is_escaped() {
    for code in 0..=0x2FF_u32 {
        let plain: String = char::from_u32(code).into_iter().collect();
        for padded in [
            plain.clone(),
            format!("1234567{plain}9"),
            format!("12345678{plain}{plain}abcdefgh"),
        ] {
            let mut out = Vec::new();
            append_json_text(padded.as_bytes(), &mut out);
            assert_eq!(text(&out), serde_json::to_string(&padded).unwrap());
        }
    }
}

#[test]
fn names_are_escaped_too() {
    let odd = Settings {
        source: "a\"b".to_owned(),
        type_prefix: "p\\".to_owned(),
        dataschema_prefix: "\n".to_owned(),
    };
    let mut encoder = Encoder::new(&[kind("Q\"", &["f\"", "g"], &["f\""])], &odd);
    let mut records = Records::default();
    let values = [Value::Null, Value::Bool(false)];
    encoder.encode(&event(&values[..1], Some(&values)), &mut records);
    let value: serde_json::Value =
        serde_json::from_slice(records.part(records.spans[0].value.as_ref().unwrap())).unwrap();
    assert_eq!(value["source"], "a\"b");
    assert_eq!(value["type"], "p\\Q\"");
    assert_eq!(value["dataschema"], "\nQ\":1");
    assert_eq!(value["data"], serde_json::json!({"f\"": null, "g": false}));
}

proptest! {
    #[test]
    fn any_text_is_written_as_serde_json_writes_it(any in "(?s).{0,80}") {
        let mut out = Vec::new();
        append_json_text(any.as_bytes(), &mut out);
        prop_assert_eq!(text(&out), serde_json::to_string(&any).unwrap());
    }

    #[test]
    fn any_event_reads_back(texts in prop::collection::vec("(?s).{0,40}", 1..6), number in any::<i32>()) {
        let names: Vec<String> = (0..=texts.len()).map(|n| format!("f{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut encoder = Encoder::new(&[kind("Any", &names, &["f0"])], &settings());
        let number_text = number.to_string();
        let mut values: Vec<Value<'_>> = texts.iter().map(|t| Value::Text(t.as_bytes())).collect();
        values.push(Value::Number(number_text.as_bytes()));
        let mut records = Records::default();
        encoder.encode(&event(&values[..1], Some(&values)), &mut records);
        let span = &records.spans[0];
        let value: serde_json::Value = serde_json::from_slice(records.part(span.value.as_ref().unwrap())).unwrap();
        for (name, told) in names.iter().zip(&texts) {
            prop_assert_eq!(value["data"][*name].as_str(), Some(told.as_str()));
        }
        prop_assert_eq!(value["data"][names[texts.len()]].as_i64(), Some(i64::from(number)));
        prop_assert_eq!(value["subject"].as_str(), Some(texts[0].as_str()));
        prop_assert_eq!(text(records.part(&span.key)), texts[0].as_str());
    }
}
