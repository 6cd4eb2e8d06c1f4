//! The position record, as it is kept in the position topic.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::sink::SinkError;
use crate::sink::kafka::client::{Told, consumer, position_topic};
use crate::sink::kafka::errors::{Call, from_kafka};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::topics;

/// How long a read may take.
const READ_MAX: Duration = Duration::from_secs(20);

/// What was aborted is never read.
const COMMITTED: &str = "read_committed";

/// Where the reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the high watermark: for who has fenced every other producer, so that nothing is open below it for long.
    HighWatermark,
    /// Where no transaction is open: for a look beside a bridge that runs.
    Stable,
}

impl End {
    fn isolation(self) -> &'static str {
        match self {
            Self::HighWatermark => "read_uncommitted",
            Self::Stable => COMMITTED,
        }
    }
}

/// The newest committed checkpoint; none where the topic is empty or missing.
pub(super) fn newest(settings: &Settings, end: End) -> Result<Option<Checkpoint>, SinkError> {
    let topic = position_topic(settings);
    let fault = |error| from_kafka(Call::Read, &error, &topic);
    let client = |isolation| -> Result<BaseConsumer<Told>, SinkError> {
        consumer(settings, isolation).create_with_context(Told).map_err(fault)
    };
    // ListOffsets answers as its client's isolation level asks: the last stable offset for read_committed.
    let asking = client(end.isolation())?;
    if !topics::describe_by(asking.client(), settings)?
        .partitions
        .contains_key(&topic)
    {
        return Ok(None);
    }
    let (low, high) = asking
        .fetch_watermarks(&topic, 0, Duration::from_secs(10))
        .map_err(fault)?;
    if high <= low {
        return Ok(None);
    }
    let reading = match end {
        End::Stable => asking,
        End::HighWatermark => {
            let_go(asking);
            client(COMMITTED)?
        }
    };
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&topic, 0, Offset::Offset(low))
        .map_err(fault)?;
    reading.assign(&from).map_err(fault)?;
    let begun = Instant::now();
    let mut last = None;
    // Markers of ended transactions take offsets too and are never handed out: only the position passes them.
    while reached(&reading, &topic).map_err(fault)? < high {
        if begun.elapsed() > READ_MAX {
            return Err(SinkError::Transient(format!(
                "cannot read {topic} to offset {high} within {} s",
                READ_MAX.as_secs()
            )));
        }
        match reading.poll(Duration::from_millis(5)) {
            Some(Ok(message)) => {
                last = Some((
                    message.offset(),
                    message.key().unwrap_or_default().to_vec(),
                    message.payload().map(<[u8]>::to_vec),
                ));
            }
            Some(Err(error)) => return Err(fault(error)),
            None => {}
        }
    }
    let_go(reading);
    match last {
        Some((offset, key, value)) => decode(settings, offset, &key, value.as_deref()),
        None => Ok(None),
    }
}

/// Closing a consumer takes a step of 100 ms of its library, for which a start need not wait.
fn let_go(consumer: BaseConsumer<Told>) {
    drop(std::thread::spawn(move || drop(consumer)));
}

fn reached(reading: &BaseConsumer<Told>, topic: &str) -> Result<i64, rdkafka::error::KafkaError> {
    let position = reading.position()?;
    Ok(position
        .find_partition(topic, 0)
        .and_then(|element| element.offset().to_raw())
        .unwrap_or(-1))
}

/// The record's value.
pub(super) fn encode(checkpoint: &Checkpoint) -> Result<Vec<u8>, SinkError> {
    serde_json::to_vec(checkpoint).map_err(|error| {
        SinkError::Halt(Box::new(Finding::error(
            Cause::Surroundings,
            "kafka.position_unwritable",
            format!("cannot write a position as JSON: {error}"),
        )))
    })
}

fn decode(settings: &Settings, offset: i64, key: &[u8], value: Option<&[u8]>) -> Result<Option<Checkpoint>, SinkError> {
    let halt = |code: &'static str, what: String| {
        SinkError::Halt(Box::new(
            Finding::error(Cause::Surroundings, code, what)
                .because("without a position it is not known what has been published")
                .repair("walbridge recover -c FILE"),
        ))
    };
    let topic = position_topic(settings);
    if key != settings.name.as_bytes() {
        return Err(halt(
            "kafka.position_foreign",
            format!(
                "the newest record of {topic} (offset {offset}) is not of bridge {}",
                settings.name
            ),
        ));
    }
    let Some(value) = value else {
        return Ok(None);
    };
    serde_json::from_slice(value).map(Some).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        halt(
            "kafka.position_unreadable",
            format!("cannot read the position in {topic} at offset {offset} ({place})"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::contract::{checkpoint, settings};

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let settings = settings("shop", "localhost:1");
        let written = checkpoint(0x16B_3748);
        let value = encode(&written).unwrap();
        assert_eq!(decode(&settings, 3, b"shop", Some(&value)).unwrap(), Some(written));
        assert_eq!(decode(&settings, 3, b"shop", None).unwrap(), None);
    }

    #[test]
    fn a_position_of_another_bridge_or_form_halts() {
        let settings = settings("shop", "localhost:1");
        for (key, value, code) in [
            ("other", "{}", "kafka.position_foreign"),
            ("shop", "{}", "kafka.position_unreadable"),
            ("shop", "", "kafka.position_unreadable"),
        ] {
            let Err(SinkError::Halt(finding)) = decode(&settings, 3, key.as_bytes(), Some(value.as_bytes())) else {
                panic!("{key} {value}");
            };
            assert_eq!(finding.code, code);
        }
    }
}
