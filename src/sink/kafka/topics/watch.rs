//! Whether topics are made again while they are written.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};

use crate::flow::checkpoint::Checkpoint;
use crate::sink::SinkError;
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::topics::ground::{How, Moved};
use crate::sink::kafka::topics::ids::ids;

/// How often it is looked. A broker takes records for a topic that was made again meanwhile as if nothing had happened.
const EVERY: Duration = Duration::from_secs(15);

/// How long a look may hold up what is written.
const LOOK_MAX: Duration = Duration::from_millis(250);

/// Ids of the topics that are written.
pub(in crate::sink::kafka) struct Watch {
    /// Who can be asked: the first one is.
    brokers: VecDeque<i32>,
    ids: BTreeMap<String, String>,
    looked: Instant,
}

impl Watch {
    /// Of the written ones, whose ids a checkpoint was just given.
    pub(in crate::sink::kafka) fn of(brokers: Vec<i32>, settings: &Settings, checkpoint: &Checkpoint) -> Self {
        let written = settings.written.iter();
        let ids =
            written.filter_map(|topic| Some((topic.name.clone(), checkpoint.topic_ids.get(&topic.name)?.clone())));
        Self {
            brokers: brokers.into(),
            ids: ids.collect(),
            looked: Instant::now(),
        }
    }

    /// Looks where that is due.
    ///
    /// # Errors
    /// A halt where a topic is another one of the same name.
    pub(in crate::sink::kafka) fn look<C: ClientContext>(&mut self, client: &Client<C>) -> Result<(), SinkError> {
        if self.ids.is_empty() || self.looked.elapsed() < EVERY {
            return Ok(());
        }
        let names: Vec<&str> = self.ids.keys().map(String::as_str).collect();
        let broker = self.brokers.front().copied().unwrap_or(-1);
        let looked = ids(client, broker, &names, LOOK_MAX);
        self.looked = Instant::now();
        let now = match looked {
            Ok(now) => now,
            // What is wrong with Kafka, who writes finds out.
            Err(error) => {
                tracing::debug!(%error, broker, "whether topics were made again is asked of another broker, later");
                self.brokers.rotate_left(self.brokers.len().min(1));
                return Ok(());
            }
        };
        let mut others = self.ids.iter();
        let other = others.find(|(topic, known)| now.get(*topic).is_some_and(|id| id != *known));
        match other {
            None => Ok(()),
            Some((topic, _)) => Err(SinkError::Halt(Box::new(
                Moved {
                    topic: topic.clone(),
                    how: How::MadeAgain,
                }
                .finding(),
            ))),
        }
    }
}
