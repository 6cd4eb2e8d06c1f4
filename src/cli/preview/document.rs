//! A record as one JSON document on a line: topic, key, value, and the headers that a tombstone has.

use serde_json::{Map, Value};

use crate::encoding::headers;
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
    let id = span.position.text();
    let headers: Map<String, Value> = headers(&id, (records, span), named.kinds)
        .into_iter()
        .map(|(name, said)| (name.to_owned(), Value::from(text(said))))
        .collect();
    let headers = Value::Object(headers);
    format!(r#"{{"topic":{topic},"key":{key},"value":null,"headers":{headers}}}"#)
}
