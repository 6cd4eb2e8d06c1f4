//! Words of librdkafka in the log: each kind at most once in a while, since a broker that is away is told by every client
//! at every attempt to reach it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

/// Between two lines of one kind.
const EVERY: Duration = Duration::from_secs(30);

/// Of the whole process: clients come and go while a broker is away.
static SAID: Mutex<Said> = Mutex::new(Said(BTreeMap::new()));

/// More kinds than there ever are; whoever makes up more is not remembered for ever.
const KINDS_MAX: usize = 200;

/// When each kind was last said, and how often it was passed over since.
struct Said(BTreeMap<String, (Instant, u64)>);

impl Said {
    /// How many of this kind were passed over since the last that was said; none: this one is, too.
    fn say(&mut self, kind: &str, now: Instant) -> Option<u64> {
        match self.0.get_mut(kind) {
            Some((last, more)) if now.duration_since(*last) < EVERY => {
                *more = more.saturating_add(1);
                None
            }
            Some((last, more)) => {
                *last = now;
                Some(std::mem::take(more))
            }
            None => {
                if self.0.len() >= KINDS_MAX {
                    self.0.clear();
                }
                self.0.insert(kind.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}

/// Lines of one kind differ in numbers only: ports, milliseconds, counts.
fn kind(facility: &str, words: &str) -> String {
    let same = words.chars().filter(|letter| !letter.is_ascii_digit());
    facility.chars().chain([' ']).chain(same).collect()
}

fn say(kind: &str) -> Option<u64> {
    SAID.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .say(kind, Instant::now())
}

/// A line of the library's log; they name brokers, topics and partitions, never contents.
pub(super) fn line(level: RDKafkaLogLevel, facility: &str, words: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => {
            if let Some(passed_over) = say(&kind(facility, words)) {
                tracing::warn!(facility, words, passed_over, "librdkafka warns");
            }
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, words, "librdkafka tells");
        }
    }
}

/// An error that a client reports beside its answers.
pub(super) fn error(error: &KafkaError, reason: &str) {
    if let Some(passed_over) = say(&error.to_string()) {
        tracing::info!(%error, reason, passed_over, "the Kafka client reports an error");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_said_once_in_a_while() {
        assert_eq!(kind("FAIL", "b:9092 after 3ms"), kind("FAIL", "b:9093 after 14ms"));
        assert_ne!(kind("FAIL", "refused"), kind("FAIL", "time-out"));
        let (mut said, begun) = (Said(BTreeMap::new()), Instant::now());
        assert_eq!(said.say("FAIL", begun), Some(0));
        assert_eq!(said.say("FAIL", begun), None);
        assert_eq!(said.say("FAIL", begun + EVERY / 2), None);
        assert_eq!(said.say("REQTMOUT", begun + EVERY / 2), Some(0));
        assert_eq!(said.say("FAIL", begun + EVERY), Some(2));
        assert_eq!(said.say("FAIL", begun + EVERY), None);
    }
}
