//! Every code that a finding can have: what happened, what it means for the data, the repair, in words for all its cases.
//!
//! A finding says the case at hand, with its names; what holds for each of them stands here alone. `docs/messages.md` is
//! written from it, and a test holds it against the codes in the sources.

mod commands;
mod config;
mod kafka;
mod login;
mod mapping;
mod publication;
mod requests;
mod server;
mod slot;

use crate::finding::Severity;

/// What is to be known of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The code, such as `source.slot_missing`.
    pub code: &'static str,
    /// How bad it can be.
    pub severities: &'static [Severity],
    /// What happened.
    pub what: &'static str,
    /// What it means for the data.
    pub means: &'static str,
    /// The repair.
    pub repair: &'static str,
}

/// Messages on one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its heading.
    pub heading: &'static str,
    /// Its messages, those that belong together beside each other.
    pub messages: &'static [Message],
}

/// All of them, in the order in which somebody who begins meets them.
pub const SUBJECTS: [Subject; 12] = [
    on("The config", config::CONFIG),
    on("PostgreSQL: the way in", login::LOGIN),
    on("PostgreSQL: the server and the role's rights", server::SERVER),
    on("PostgreSQL: the slot and the history of the log", slot::SLOT),
    on("PostgreSQL: publications, tables, partitions", publication::PUBLICATION),
    on("The mapping", mapping::MAPPING),
    on("Rows that cannot be told", mapping::ROW),
    on("Kafka: the way in, and rights", kafka::KAFKA_LOGIN),
    on("Kafka: the position, topics, records", kafka::KAFKA),
    on("Old rows", requests::BACKFILL),
    on("Requests to a running bridge", requests::HTTP),
    on("Commands, and how a run ends", commands::COMMANDS),
];

/// The message of a code.
pub fn of(code: &str) -> Option<&'static Message> {
    let mut all = SUBJECTS.iter().flat_map(|subject| subject.messages);
    all.find(|message| message.code == code)
}

const fn on(heading: &'static str, messages: &'static [Message]) -> Subject {
    Subject { heading, messages }
}

const fn says(
    code: &'static str,
    severities: &'static [Severity],
    what: &'static str,
    means: &'static str,
    repair: &'static str,
) -> Message {
    Message {
        code,
        severities,
        what,
        means,
        repair,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_stands_once_and_says_everything() {
        let mut seen = BTreeSet::new();
        for message in SUBJECTS.iter().flat_map(|subject| subject.messages) {
            assert!(seen.insert(message.code), "{} stands twice", message.code);
            assert!(!message.severities.is_empty(), "{}: how bad?", message.code);
            for text in [message.what, message.means, message.repair] {
                let is_sentence = !text.is_empty() && !text.ends_with('.') && !text.contains(['|', '\n']);
                assert!(is_sentence, "{}: {text:?}", message.code);
            }
        }
    }

    #[test]
    fn a_code_finds_its_message() {
        let found = of("source.slot_lost").map(|message| message.code);
        assert_eq!(found, Some("source.slot_lost"));
        assert_eq!(of("source.nothing"), None);
    }
}
