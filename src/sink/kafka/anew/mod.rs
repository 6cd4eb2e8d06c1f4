//! Positions that are stored by an operator's decision, where no bridge goes on from what is there.

mod epoch;
mod others;

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::record::Records;
use crate::sink::kafka::client::position_topic;
use crate::sink::kafka::reading::checkpoint::{End, ours};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::{Kafka, Stop, read_position};
use crate::sink::{Sink as _, SinkError};

pub use crate::sink::kafka::anew::epoch::{Newest, newest_epoch};
pub use crate::sink::kafka::anew::others::slot_of_another;

/// Why a bridge without a position does not begin: it has told something before. Epoch 1 would begin again, and what it
/// tells would sort before what the topics hold, so that consumers drop it.
///
/// # Errors
/// See [`SinkError`].
pub fn position_gone(settings: &Settings, stop: &Stop) -> Result<Option<Finding>, SinkError> {
    Ok(newest_epoch(settings, stop)?.map(|newest| {
        if let Some(finding) = of_another(&newest) {
            return finding;
        }
        let Newest { epoch, topic, .. } = newest;
        let what = format!(
            "the topic {} holds no position, and {topic} holds records of epoch {epoch}",
            position_topic(&settings.name)
        );
        Finding::error(Cause::Surroundings, "kafka.position_gone", what)
            .because("it is not known what was published, and records of a new epoch 1 would sort before those")
            .repair("walbridge recover -c FILE")
    }))
}

/// Why a bridge does not begin in the topics of another that has a position still: both would tell one row, each by numbers
/// of its own, and consumers would drop what one of them tells.
pub fn of_another(newest: &Newest) -> Option<Finding> {
    let other = newest.other.as_ref()?;
    let what = format!("the topic {} holds records of another bridge, {other}", newest.topic);
    Some(
        Finding::error(Cause::Surroundings, "kafka.topic_of_another", what)
            .because("of two bridges in one topic, consumers drop what the one of the lower epoch tells")
            .repair(format!(
                "other topics in this config (state_topic, event_topic); or name = \"{other}\" in [bridge], to go on in its \
                 place. Only where {other} is gone for good: delete its topic {}, then walbridge recover -c FILE",
                position_topic(other)
            )),
    )
}

/// Stores the first position of a bridge (its nonce becomes `checkpoint.nonce`); makes missing topics if it may.
///
/// # Errors
/// Halts where there is a position already.
pub fn store_first(settings: &Settings, checkpoint: &Checkpoint) -> Result<Checkpoint, SinkError> {
    if let Some(stored) = read_position(settings)? {
        return Err(SinkError::Halt(Box::new(
            Finding::error(
                Cause::Surroundings,
                "kafka.position_exists",
                format!(
                    "bridge {} has a position already ({})",
                    settings.name, stored.commit_end_lsn
                ),
            )
            .because("storing another one would lose or repeat what lies between")
            .repair("walbridge recover -c FILE"),
        )));
    }
    store_over(settings, checkpoint)
}

/// Stores a position in place of whatever is stored, readable or not; fences a bridge that runs. For an operator's
/// decision only.
///
/// An empty `cluster_id`, empty `partitions` and empty `topic_ids` accept the cluster and the topics as they are.
///
/// # Errors
/// See [`SinkError`].
pub fn store_over(settings: &Settings, checkpoint: &Checkpoint) -> Result<Checkpoint, SinkError> {
    store_with(settings, checkpoint, Records::default())
}

/// As [`store_over`], in one transaction with these records.
///
/// # Errors
/// See [`SinkError`].
pub fn store_with(settings: &Settings, checkpoint: &Checkpoint, records: Records) -> Result<Checkpoint, SinkError> {
    let mut sink = Kafka::new(settings.clone(), checkpoint.nonce.clone())?;
    sink.fence()?;
    store(sink, checkpoint, records)
}

/// As [`store_with`], where the newest position is still `expected` once nobody else can store one; none: it is not. A
/// transaction that a dead bridge left in doubt is decided by then.
///
/// # Errors
/// See [`SinkError`].
pub fn store_after(
    settings: &Settings,
    expected: &Checkpoint,
    (checkpoint, records): (&Checkpoint, Records),
) -> Result<Option<Checkpoint>, SinkError> {
    let mut sink = Kafka::new(settings.clone(), checkpoint.nonce.clone())?;
    sink.fence()?;
    if ours(settings, End::HighWatermark)?.as_ref() != Some(expected) {
        return Ok(None);
    }
    store(sink, checkpoint, records).map(Some)
}

fn store(mut sink: Kafka, checkpoint: &Checkpoint, records: Records) -> Result<Checkpoint, SinkError> {
    let mut stored = checkpoint.clone();
    sink.line_up(&mut stored)?;
    sink.append(records)?;
    sink.commit(&stored)?;
    sink.opened(&stored)?;
    Ok(stored)
}
