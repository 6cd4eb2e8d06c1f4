//! CloudEvents 1.0, structured mode: one JSON document a record, written over fragments rendered in advance.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>

use std::ops::Range;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use crate::contract::Naming;
use crate::flow::change::{CommitTime, Transaction};
use crate::flow::event::{DomainEvent, EventKind, KindId, Origin, Value, append_json_text};
use crate::flow::position::Position;
use crate::flow::record::{Partition, RecordSpan, Records};

/// Names under which events are told: `[cloudevents]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `source`
    pub source: String,
    /// Stands before the name of every kind in `type`.
    pub type_prefix: String,
    /// Stands before `NAME:VERSION` in `dataschema`.
    pub dataschema_prefix: String,
}

impl Settings {
    fn naming(&self) -> Naming<'_> {
        Naming {
            source: &self.source,
            type_prefix: &self.type_prefix,
            dataschema_prefix: &self.dataschema_prefix,
        }
    }
}

/// Writes events as records; everything that is the same for all events of a kind is rendered once.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub(super) kinds: Vec<Fragments>,
    pub(super) settings: Settings,
    told: Told,
    key: Vec<u8>,
}

/// What stands between the parts of one kind's documents.
#[derive(Clone, Debug)]
pub(super) struct Fragments {
    pub(super) kind: EventKind,
    /// From the id to the subject.
    after_id: Vec<u8>,
    /// From the time to the sequence.
    after_time: Vec<u8>,
    /// Names of the data's fields with the comma before them.
    fields: Vec<Vec<u8>>,
    /// Names of the key's fields, likewise.
    key: Vec<Vec<u8>>,
    /// Names of the fields of `partition_by`, likewise.
    partition_by: Vec<Vec<u8>>,
}

/// Texts of the transaction that is being told.
#[derive(Clone, Debug)]
struct Told {
    commit_time: CommitTime,
    xid: u32,
    time_text: String,
    xid_text: String,
}

impl Told {
    fn of(commit_time: CommitTime, xid: u32) -> Self {
        Self {
            commit_time,
            xid,
            time_text: rfc3339(commit_time),
            xid_text: xid.to_string(),
        }
    }
}

impl Encoder {
    /// An encoder for these kinds; a [`KindId`] is the index into them.
    pub fn new(kinds: &[EventKind], settings: &Settings) -> Self {
        Self {
            kinds: kinds.iter().map(|kind| Fragments::render(kind, settings)).collect(),
            settings: settings.clone(),
            told: Told::of(CommitTime::default(), 0),
            key: Vec::new(),
        }
    }

    /// Appends one record: key, bytes of the partition, value (or, for a tombstone, the time of its headers).
    /// An event of a kind that was not given at the start gives no record.
    pub fn encode(&mut self, event: &DomainEvent<'_>, to: &mut Records) {
        let Some(fragments) = self.kinds.get(usize::from(event.kind.0)) else {
            debug_assert!(false, "every kind is known from the start");
            return;
        };
        let Transaction { commit_time, xid, .. } = *event.transaction;
        if self.told.commit_time != commit_time || self.told.xid != xid {
            self.told = Told::of(commit_time, xid);
        }
        self.key.clear();
        append_key(event.key, &fragments.key, &mut self.key);

        let out = &mut to.bytes;
        let key = appended(out, |out| out.extend_from_slice(&self.key));
        let partition_by = match event.partition_by {
            None => key.clone(),
            Some(values) => appended(out, |out| append_key(values, &fragments.partition_by, out)),
        };
        let (value, time) = match event.data {
            Some(data) => {
                let value = appended(out, |out| fragments.write(event, (&self.told, &self.key), data, out));
                let end = value.end;
                (Some(value), end..end)
            }
            None => (
                None,
                appended(out, |out| out.extend_from_slice(self.told.time_text.as_bytes())),
            ),
        };
        to.spans.push(RecordSpan {
            kind: event.kind,
            topic: fragments.kind.topic,
            position: event.position,
            key,
            partition: Partition::Of(partition_by),
            value,
            time,
        });
    }
}

/// A key that is gone, without a change that says so.
#[derive(Clone, Copy, Debug)]
pub struct Tombstone<'a> {
    /// Kind of the state.
    pub kind: KindId,
    /// Its place.
    pub position: Position,
    /// The key, as it was written.
    pub key: &'a [u8],
    /// Where it was written to.
    pub partition: i32,
    /// When that was seen.
    pub time: CommitTime,
}

impl Encoder {
    /// Appends a tombstone for a key that was read from its topic.
    pub fn tombstone(&mut self, gone: &Tombstone<'_>, to: &mut Records) {
        let Some(fragments) = self.kinds.get(usize::from(gone.kind.0)) else {
            debug_assert!(false, "every kind is known from the start");
            return;
        };
        let key = appended(&mut to.bytes, |out| out.extend_from_slice(gone.key));
        let time = appended(&mut to.bytes, |out| {
            out.extend_from_slice(rfc3339(gone.time).as_bytes());
        });
        to.spans.push(RecordSpan {
            kind: gone.kind,
            topic: fragments.kind.topic,
            position: gone.position,
            key,
            partition: Partition::Number(gone.partition),
            value: None,
            time,
        });
    }
}

impl Fragments {
    fn render(kind: &EventKind, settings: &Settings) -> Self {
        let event_type = format!("{}{}", settings.type_prefix, kind.name);
        let schema = settings.naming().dataschema(&kind.name, kind.version);
        let mut after_id = br#"","source":"#.to_vec();
        append_json_text(settings.source.as_bytes(), &mut after_id);
        after_id.extend_from_slice(br#","type":"#);
        append_json_text(event_type.as_bytes(), &mut after_id);
        after_id.extend_from_slice(br#","subject":"#);
        let mut after_time = br#"","datacontenttype":"application/json","dataschema":"#.to_vec();
        append_json_text(schema.as_bytes(), &mut after_time);
        after_time.extend_from_slice(br#","sequence":""#);
        Self {
            after_id,
            after_time,
            fields: labels(&kind.fields),
            key: labels(&kind.key),
            partition_by: labels(&kind.partition_by),
            kind: kind.clone(),
        }
    }

    fn write(&self, event: &DomainEvent<'_>, (told, key): (&Told, &[u8]), data: &[Value<'_>], out: &mut Vec<u8>) {
        let id = event.position.text();
        out.extend_from_slice(br#"{"specversion":"1.0","id":""#);
        out.extend_from_slice(&id);
        out.extend_from_slice(&self.after_id);
        append_json_text(key, out);
        out.extend_from_slice(br#","time":""#);
        out.extend_from_slice(told.time_text.as_bytes());
        out.extend_from_slice(&self.after_time);
        out.extend_from_slice(&id);
        match event.origin {
            Origin::Change => {
                out.extend_from_slice(br#"","transaction":""#);
                out.extend_from_slice(told.xid_text.as_bytes());
                out.extend_from_slice(br#"","data":"#);
            }
            Origin::Backfill(generation) => {
                out.extend_from_slice(br#"","origin":"backfill","generation":"#);
                out.extend_from_slice(generation.to_string().as_bytes());
                out.extend_from_slice(br#","data":"#);
            }
        }
        append_object(data, &self.fields, out);
        out.push(b'}');
    }
}

/// Runs `append` and says which bytes it appended.
pub(super) fn appended(out: &mut Vec<u8>, append: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = out.len();
    append(out);
    start..out.len()
}

/// `"name":` of each field, from the second on with a comma before it.
fn labels(names: &[String]) -> Vec<Vec<u8>> {
    let label = |(index, name): (usize, &String)| {
        let mut out = if index == 0 { Vec::new() } else { vec![b','] };
        append_json_text(name.as_bytes(), &mut out);
        out.push(b':');
        out
    };
    names.iter().enumerate().map(label).collect()
}

fn append_object(values: &[Value<'_>], labels: &[Vec<u8>], out: &mut Vec<u8>) {
    debug_assert_eq!(values.len(), labels.len(), "values follow the kind's fields");
    out.push(b'{');
    for (label, value) in labels.iter().zip(values) {
        out.extend_from_slice(label);
        value.append_json(out);
    }
    out.push(b'}');
}

/// One value as text, several as a compact JSON object, or as an array where they have no names.
fn append_key(values: &[Value<'_>], labels: &[Vec<u8>], out: &mut Vec<u8>) {
    if let [value] = values {
        value.append_text(out);
    } else if labels.len() == values.len() {
        append_object(values, labels, out);
    } else {
        let mut before = b'[';
        for value in values {
            out.push(before);
            value.append_json(out);
            before = b',';
        }
        out.push(b']');
    }
}

/// Always six digits after the point, so that it sorts as text.
pub(super) fn rfc3339(time: CommitTime) -> String {
    let micros = time.unix_micros();
    let nearest = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let time = Timestamp::from_microsecond(micros).unwrap_or(nearest);
    DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&time)
}
