//! Partitions read from end to end, without a group.

pub(super) mod checkpoint;
pub(super) mod sweep;

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::flow::position::POSITION_TEXT_BYTES;
use crate::sink::SinkError;
use crate::sink::kafka::Stop;
use crate::sink::kafka::client::login;
use crate::sink::kafka::client::{Told, consumer};
use crate::sink::kafka::errors::{Call, from_kafka};
use crate::sink::kafka::settings::Settings;

/// What was aborted is never read.
pub(super) const COMMITTED: &str = "read_committed";
/// For who asks where a partition ends, open transactions included: ListOffsets answers as its client's isolation level
/// asks, with the last stable offset for [`COMMITTED`].
pub(super) const UNCOMMITTED: &str = "read_uncommitted";

/// How long nothing may come in a read that somebody waits for.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// A part of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The first offset.
    pub(super) low: i64,
    /// The one behind the last.
    pub(super) high: i64,
}

/// How long is waited.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    /// For anything more to come.
    pub(super) silence_max: Duration,
    /// Each of them ends every wait.
    pub(super) stops: &'a [&'a Stop],
}

impl<'a> Patience<'a> {
    /// For a read that somebody waits for.
    pub(super) fn usual(stops: &'a [&'a Stop]) -> Self {
        Self {
            silence_max: SILENCE_MAX,
            stops,
        }
    }
}

/// A client that reads.
pub(super) fn client(settings: &Settings, isolation: &str) -> Result<BaseConsumer<Told>, SinkError> {
    let made: BaseConsumer<Told> = consumer(settings, isolation)?
        .create_with_context(Told::of(settings))
        .map_err(|error| from_kafka(Call::Read, &error, &settings.brokers))?;
    login::give(made.client().native_ptr(), settings.oauth_token.as_ref())?;
    Ok(made)
}

/// What a partition holds now, as the client's isolation level sees it.
pub(super) fn extent(asking: &BaseConsumer<Told>, topic: &str, partition: i32) -> Result<Stretch, SinkError> {
    let (low, high) = asking
        .fetch_watermarks(topic, partition, Duration::from_secs(10))
        .map_err(|error| from_kafka(Call::Read, &error, topic))?;
    Ok(Stretch {
        topic: topic.to_owned(),
        partition,
        low,
        high,
    })
}

/// Reads a stretch from its first offset to its last.
///
/// # Errors
/// Transient where nothing came for too long.
pub(super) fn through(
    reading: &BaseConsumer<Told>,
    stretch: &Stretch,
    patience: Patience<'_>,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), SinkError> {
    let Stretch {
        topic,
        partition,
        low,
        high,
    } = stretch;
    let fault = |error| from_kafka(Call::Read, &error, topic);
    if high <= low {
        return Ok(());
    }
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(topic, *partition, Offset::Offset(*low))
        .map_err(fault)?;
    reading.assign(&from).map_err(fault)?;
    let mut heard = (Instant::now(), *low);
    loop {
        patience.stops.iter().try_for_each(|stop| stop.check())?;
        // librdkafka asks after the group of every consumer; none is used, so no right to it is needed.
        let of_group =
            |error: &KafkaError| error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed);
        let answer = reading.poll(Duration::from_millis(5));
        let reached = match answer.filter(|answer| !answer.as_ref().is_err_and(of_group)) {
            Some(Ok(message)) => {
                each(&message);
                message.offset().saturating_add(1)
            }
            Some(Err(error)) => return Err(fault(error)),
            // Markers of ended transactions take offsets too and are never handed out: only the position passes them. It is
            // asked of another thread of the library, which takes longer than to read a record.
            None => reached(reading, topic, *partition).map_err(fault)?,
        };
        if reached >= *high {
            return Ok(());
        }
        if reached > heard.1 {
            heard = (Instant::now(), reached);
        }
        if heard.0.elapsed() > patience.silence_max {
            return Err(SinkError::Transient(format!(
                "cannot read partition {partition} of {topic} to offset {high}: nothing came for {} s",
                patience.silence_max.as_secs()
            )));
        }
    }
}

/// Closing a consumer takes a step of 100 ms of its library, for which nobody need wait.
pub(super) fn let_go(consumer: BaseConsumer<Told>) {
    drop(std::thread::spawn(move || drop(consumer)));
}

/// The epoch of a `sequence`; none where the text is none.
pub(super) fn epoch(sequence: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(sequence).ok()?;
    let (epoch, _) = text.split_once('-')?;
    let is_one = text.len() == POSITION_TEXT_BYTES && epoch.len() == 4;
    is_one.then(|| u16::from_str_radix(epoch, 16).ok()).flatten()
}

fn reached(reading: &BaseConsumer<Told>, topic: &str, partition: i32) -> Result<i64, KafkaError> {
    let position = reading.position()?;
    Ok(position
        .find_partition(topic, partition)
        .and_then(|element| element.offset().to_raw())
        .unwrap_or(-1))
}
