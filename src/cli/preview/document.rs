//! A record as one JSON document on a line: topic, key, value, and the headers that a tombstone has.

use serde_json::{Value, json};

use crate::flow::event::{EventKind, Topic};
use crate::flow::record::{RecordSpan, Records};

/// What numbers in records mean.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) topics: &'a [Topic],
    pub(super) kinds: &'a [EventKind],
}

/// The document of a record.
pub(super) fn document(records: &Records, span: &RecordSpan, named: Named<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let topic = named
        .topics
        .get(usize::from(span.topic.0))
        .map_or("", |topic| topic.name.as_str());
    let (topic, key) = (Value::from(topic), Value::from(text(records.part(&span.key))));
    if let Some(value) = &span.value {
        // The value is JSON already, with its own order and numbers.
        return format!(
            r#"{{"topic":{topic},"key":{key},"value":{}}}"#,
            text(records.part(value))
        );
    }
    let position = text(&span.position.text());
    let kind = named
        .kinds
        .get(usize::from(span.kind.0))
        .map_or("", |kind| kind.name.as_str());
    let headers = json!({
        "ce_id": position,
        "ce_sequence": position,
        "ce_time": text(records.part(&span.time)),
        "ce_type": kind,
    });
    format!(r#"{{"topic":{topic},"key":{key},"value":null,"headers":{headers}}}"#)
}
