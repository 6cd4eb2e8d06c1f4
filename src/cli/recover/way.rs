//! Whether the history of the source goes on from the position, or a new one begins.

use crate::finding::Finding;

/// What speaks of Kafka's topics alone, and leaves the position as it is.
const OF_TOPICS: [&str; 4] = [
    "kafka.topic_lost",
    "kafka.topic_made_again",
    "kafka.partitions_changed",
    "kafka.position_foreign",
];

/// How a bridge comes to run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the position, in its epoch: what the topics lost is told again, as far as it can be.
    GoOn,
    /// In a new epoch, from a new slot: changes in between are lost.
    Anew,
}

impl Way {
    /// Of what was found, where slot and position are there.
    pub(super) fn of(found: &[Finding]) -> Self {
        let of_topics = |finding: &Finding| OF_TOPICS.contains(&finding.code);
        if !found.is_empty() && found.iter().all(of_topics) {
            Self::GoOn
        } else {
            Self::Anew
        }
    }
}
