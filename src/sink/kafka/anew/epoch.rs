//! The newest epoch that the mapped topics tell of, for a bridge whose position is gone.

use std::borrow::Cow;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message};
use serde::Deserialize;

use crate::contract::header;
use crate::sink::SinkError;
use crate::sink::kafka::client::{Told, position_topic};
use crate::sink::kafka::reading::{COMMITTED, Patience, Stretch, client, epoch, extent, let_go, through};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::{Stop, topics};

/// How far from a partition's end is looked, step by step: markers and aborted records stand there too.
const LOOKS: [i64; 3] = [1_000, 100_000, i64::MAX];

/// The newest epoch that topics tell of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The epoch.
    pub epoch: u16,
    /// A topic with a record of it.
    pub topic: String,
    /// Another bridge that told it, by its name, which has a position still.
    pub other: Option<String>,
}

/// The highest epoch in the last records of the mapped topics; none where they hold no record of a bridge. Of a partition
/// that holds nothing only the ends are asked for, for which the right to read is not needed.
///
/// # Errors
/// See [`SinkError`].
pub fn newest_epoch(settings: &Settings, stop: &Stop) -> Result<Option<Newest>, SinkError> {
    let reading = client(settings, COMMITTED)?;
    let there = topics::describe_by(reading.client(), settings)?.partitions;
    let mut newest: Option<(Teller, &str)> = None;
    for topic in &settings.written {
        for partition in 0..there.get(&topic.name).copied().unwrap_or(0) {
            let whole = extent(&reading, &topic.name, partition)?;
            let last = at_end(&reading, &whole, stop)?;
            newest = newest.max(last.map(|teller| (teller, topic.name.as_str())));
        }
    }
    let_go(reading);
    let lives = |name: &String| *name != settings.name && there.contains_key(&position_topic(name));
    Ok(newest.map(|(teller, topic)| Newest {
        epoch: teller.epoch,
        topic: topic.to_owned(),
        other: teller.bridge.filter(lives),
    }))
}

/// What a record says of who told it; of one epoch, one that names the bridge is more than one that does not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Teller {
    epoch: u16,
    bridge: Option<String>,
}

fn at_end(reading: &BaseConsumer<Told>, whole: &Stretch, stop: &Stop) -> Result<Option<Teller>, SinkError> {
    let stops = [stop];
    let patience = Patience::usual(&stops);
    for look in LOOKS {
        let end = Stretch {
            low: whole.high.saturating_sub(look).max(whole.low),
            ..whole.clone()
        };
        let mut newest = None;
        through(reading, &end, patience, |message| {
            newest = newest.take().max(teller(message));
        })?;
        if newest.is_some() || end.low == whole.low {
            return Ok(newest);
        }
    }
    Ok(None)
}

/// What is read of a document.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
}

fn teller(message: &impl Message) -> Option<Teller> {
    if let Some(value) = message.payload() {
        let document: Document<'_> = serde_json::from_slice(value).ok()?;
        let source = document.source.as_deref();
        // What a config may say instead names no bridge.
        let bridge = source.and_then(|source| source.strip_prefix("walbridge/"));
        return Some(Teller {
            epoch: epoch(document.sequence.as_bytes())?,
            bridge: bridge.map(str::to_owned),
        });
    }
    let mut headers = message.headers()?.iter();
    let sequence = headers.find(|header| header.key == header::SEQUENCE)?.value?;
    Some(Teller {
        epoch: epoch(sequence)?,
        bridge: None,
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::*;

    fn message(value: Option<&str>, sequence: Option<&str>) -> OwnedMessage {
        let headers = sequence.map(|value| {
            OwnedHeaders::new().insert(Header {
                key: "ce_sequence",
                value: Some(value),
            })
        });
        let value = value.map(|value| value.as_bytes().to_vec());
        OwnedMessage::new(value, None, "orders".to_owned(), Timestamp::NotAvailable, 0, 0, headers)
    }

    #[test]
    fn an_epoch_is_read_from_values_and_tombstones_and_from_nothing_else() {
        let sequence = "001F-000000016B374800-00000003-01";
        let epoch_of = |message: &OwnedMessage| teller(message).map(|told| told.epoch);
        let value = format!(r#"{{"sequence":"{sequence}","data":{{"sequence":"7"}}}}"#);
        assert_eq!(epoch_of(&message(Some(&value), None)), Some(0x1F));
        assert_eq!(epoch_of(&message(None, Some(sequence))), Some(0x1F));
        for foreign in ["{}", "text", r#"{"sequence":"1-2"}"#, r#"{"sequence":7}"#] {
            assert_eq!(epoch_of(&message(Some(foreign), Some(sequence))), None, "{foreign}");
        }
        assert_eq!(epoch_of(&message(None, None)), None);
        let by = format!(r#"{{"sequence":"{sequence}","source":"walbridge/shop"}}"#);
        let by = teller(&message(Some(&by), None));
        assert_eq!(by.as_ref().unwrap().bridge.as_deref(), Some("shop"));
        // A tombstone behind it names none, and takes nothing back.
        assert!(by > teller(&message(None, Some(sequence))));
        assert!(by < teller(&message(None, Some("0020-000000016B374800-00000003-01"))));
    }
}
