//! What the Kafka sink needs to know, complete and valid.

use std::fmt;

use crate::flow::event::EventKind;
pub use crate::flow::event::{Holds, Topic};
use crate::secret::{Secret, Shape};

/// How to reach Kafka and what is written there.
#[derive(Clone)]
pub struct Settings {
    /// Name of the bridge: `walbridge.<name>` is the transactional id, `walbridge.<name>.position` the position topic.
    pub name: String,
    /// `bootstrap.servers`
    pub brokers: String,
    /// librdkafka properties of the user (checked: none that the promises rest on).
    pub properties: Vec<(String, Property)>,
    /// Where tokens for SASL/OAUTHBEARER come from.
    pub oauth_token: Option<Secret>,
    /// How topics are made.
    pub topics: TopicDefaults,
    /// All topics that events go to; a `TopicId` is an index into it.
    pub written: Vec<Topic>,
    /// All kinds of events; a `KindId` is an index into it (a tombstone's `ce_type` is its kind's name).
    pub kinds: Vec<EventKind>,
    /// A larger record is refused; bytes, uncompressed.
    pub record_bytes_max: usize,
    /// Memory for librdkafka's queue.
    pub queue_bytes_max: usize,
    /// `transaction.timeout.ms`
    pub transaction_timeout_ms: u32,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A property may be a password.
        let properties: Vec<&str> = self.properties.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Settings")
            .field("name", &self.name)
            .field("brokers", &self.brokers)
            .field("properties", &properties)
            .field("topics", &self.topics)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// As it was written.
    Text(String),
    /// Read anew for each client.
    Secret(Secret, Shape),
}

/// `[kafka.topics]`
#[derive(Clone, Debug)]
pub struct TopicDefaults {
    /// Whether topics that do not exist are made.
    pub create: CreateTopics,
    /// Partitions of new topics.
    pub partitions: i32,
    /// Replication factor of new topics.
    pub replication: i32,
    /// Properties of new state topics.
    pub state: Vec<(String, String)>,
    /// Properties of new event topics.
    pub events: Vec<(String, String)>,
}

/// `create`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateTopics {
    /// They are made where they are missing.
    Yes,
    /// A missing topic halts.
    No,
}
