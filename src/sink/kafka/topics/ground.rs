//! What a position rests on in Kafka: the cluster, and each topic with its count of partitions.

use rdkafka::client::{Client, ClientContext};

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::sink::SinkError;
use crate::sink::kafka::client::position_topic;
use crate::sink::kafka::preflight;
use crate::sink::kafka::settings::{CreateTopics, Settings};
use crate::sink::kafka::topics::{Cluster, create_topics, describe, identified_by, missing, wanted};

/// A topic that is no longer as it was when the position was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub topic: String,
    /// What happened to it.
    pub how: How,
}

/// What happened to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It does not exist.
    Lost,
    /// It is another one of the same name.
    MadeAgain,
    /// It has another count of partitions.
    Counted {
        /// When the position was stored.
        stored: i32,
        /// Now.
        now: i32,
    },
}

impl How {
    /// Whether what was told is no longer in it.
    pub fn has_lost(self) -> bool {
        match self {
            Self::Lost | Self::MadeAgain => true,
            Self::Counted { .. } => false,
        }
    }
}

impl Moved {
    /// Why no bridge goes on from the position.
    pub fn finding(&self) -> Finding {
        let Self { topic, how } = self;
        let (code, what, why) = match how {
            How::Lost => (
                "kafka.topic_lost",
                format!("topic {topic} that the position rests on does not exist"),
                "what was published there is gone",
            ),
            How::MadeAgain => (
                "kafka.topic_made_again",
                format!("topic {topic} was deleted and made again since the position was stored"),
                "what was published there is gone",
            ),
            How::Counted { stored, now } => (
                "kafka.partitions_changed",
                format!("topic {topic} had {stored} partitions when the position was stored and has {now} now"),
                "keys move to other partitions, so that the order of their events is lost",
            ),
        };
        let accept = match how {
            How::Lost | How::MadeAgain => "it says what is gone, and tells again what can be told",
            How::Counted { .. } => "it accepts the new count, and tells states again where they belong now",
        };
        Finding::error(Cause::Surroundings, code, what)
            .because(why)
            .repair(format!("walbridge recover -c FILE: {accept}"))
    }
}

/// Makes what may be made, then proves that cluster and topics are those the position rests on, and writes both into the
/// checkpoint. Gives the brokers, and the partitions of the written topics in their order.
pub(in crate::sink::kafka) fn settle<C: ClientContext>(
    client: &Client<C>,
    settings: &Settings,
    checkpoint: &mut Checkpoint,
) -> Result<(Vec<i32>, Vec<i32>), SinkError> {
    let mut there = identified_by(client, settings)?;
    if let Some(moved) = same(settings, checkpoint, &there)?.first() {
        return Err(SinkError::Halt(Box::new(moved.finding())));
    }
    if wanted(settings)
        .iter()
        .any(|(name, _)| !there.partitions.contains_key(name))
    {
        match settings.topics.create {
            CreateTopics::Yes => {
                create_topics(settings)?;
                there = identified_by(client, settings)?;
            }
            CreateTopics::No => {}
        }
    }
    let mut counts = Vec::with_capacity(settings.written.len());
    for (name, partitions) in wanted(settings) {
        let count = *there
            .partitions
            .get(&name)
            .ok_or_else(|| SinkError::Halt(Box::new(missing(settings, &name))))?;
        if name != position_topic(&settings.name) {
            counts.push(count);
            // No news where the position rests on that count.
            if checkpoint.partitions.get(&name) != Some(&count)
                && let Some(finding) = preflight::counts(settings, &name, (partitions, count))
            {
                tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
            }
            checkpoint.partitions.insert(name, count);
        }
    }
    checkpoint.topic_ids.extend(there.ids);
    checkpoint.cluster_id = there.id;
    Ok((there.brokers, counts))
}

/// Written topics that are no longer as a stored position knows them; beside a bridge that may run.
///
/// # Errors
/// A halt where the position is of another cluster; see [`SinkError`].
pub fn moved(settings: &Settings, stored: &Checkpoint) -> Result<Vec<Moved>, SinkError> {
    same(settings, stored, &describe(settings)?)
}

/// Proves that the cluster is the one that the position rests on, and says which of the topics are not.
fn same(settings: &Settings, checkpoint: &Checkpoint, there: &Cluster) -> Result<Vec<Moved>, SinkError> {
    if there.id.is_empty() {
        return Err(SinkError::Transient("cannot learn the cluster's id".to_owned()));
    }
    if checkpoint.cluster_id.is_empty() || checkpoint.cluster_id == there.id {
        return Ok(differing(settings, checkpoint, there));
    }
    Err(SinkError::Halt(Box::new(
        Finding::error(
            Cause::Surroundings,
            "kafka.other_cluster",
            format!(
                "the position is of Kafka cluster {}, but {} is cluster {}",
                checkpoint.cluster_id, settings.brokers, there.id
            ),
        )
        .because("what was published to the other cluster is not known to be in this one")
        .repair("correct kafka.brokers, or accept this cluster: walbridge recover -c FILE"),
    )))
}

/// Nothing is said of the id of a topic where it is not known, then or now.
fn differing(settings: &Settings, checkpoint: &Checkpoint, there: &Cluster) -> Vec<Moved> {
    let is_written = |topic: &String| settings.written.iter().any(|written| written.name == *topic);
    let known = checkpoint.partitions.iter().filter(|(topic, _)| is_written(topic));
    let moved = known.filter_map(|(topic, &stored)| {
        let ids = (checkpoint.topic_ids.get(topic), there.ids.get(topic));
        let how = match there.partitions.get(topic) {
            None => How::Lost,
            Some(_) if matches!(ids, (Some(stored), Some(now)) if stored != now) => How::MadeAgain,
            Some(&now) if now != stored => How::Counted { stored, now },
            Some(_) => return None,
        };
        Some(Moved {
            topic: topic.clone(),
            how,
        })
    });
    moved.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::contract::{checkpoint, settings};

    #[test]
    fn a_topic_is_the_same_by_its_id_and_its_count() {
        let settings = settings("shop", "localhost:1");
        let topic = settings.written[0].name.clone();
        let how = |stored: (i32, Option<&str>), now: Option<(i32, Option<&str>)>| {
            let mut at = checkpoint(1);
            at.partitions.insert(topic.clone(), stored.0);
            at.topic_ids.extend(stored.1.map(|id| (topic.clone(), id.to_owned())));
            // Of a topic that is written no longer, nothing is asked.
            at.partitions.insert("another".to_owned(), 1);
            let mut there = Cluster::default();
            there.partitions.extend(now.map(|(count, _)| (topic.clone(), count)));
            let id = now.and_then(|(_, id)| id);
            there.ids.extend(id.map(|id| (topic.clone(), id.to_owned())));
            let moved = differing(&settings, &at, &there);
            assert!(moved.iter().all(|moved| moved.topic == topic));
            moved.first().map(|moved| moved.how)
        };
        let counted = How::Counted { stored: 3, now: 5 };
        assert_eq!(how((3, Some("a")), Some((3, Some("a")))), None);
        assert_eq!(how((3, Some("a")), Some((3, Some("b")))), Some(How::MadeAgain));
        assert_eq!(how((3, Some("a")), Some((5, Some("b")))), Some(How::MadeAgain));
        assert_eq!(how((3, Some("a")), Some((5, Some("a")))), Some(counted));
        assert_eq!(how((3, Some("a")), None), Some(How::Lost));
        for (stored, now) in [(None, Some("b")), (Some("a"), None), (None, None)] {
            assert_eq!(how((3, stored), Some((3, now))), None);
            assert_eq!(how((3, stored), Some((5, now))), Some(counted));
        }
    }
}
