//! What became of a call or a record: an earlier fault, a time-out, or another instance may be behind an error.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;

use crate::sink::SinkError;
use crate::sink::kafka::errors::{Call, Class, class, from_code, from_kafka};
use crate::sink::kafka::producer::{Stage, Worker};
use crate::sink::kafka::reading::checkpoint::{End, newest};

impl Worker {
    /// Whether something went wrong in the background.
    pub(super) fn look(&self) -> Result<(), SinkError> {
        if let Some(error) = self.overrun(&self.stage) {
            return Err(error);
        }
        let Some((code, topic)) = self.producer.context().first_error() else {
            return Ok(());
        };
        let code = self.producer.client().fatal_error().map_or(code, |(fatal, _)| fatal);
        // A transaction that failed takes its records along. Asking for another one tells why, and does nothing.
        let purged = matches!(code, Code::PurgeQueue | Code::PurgeInflight);
        let Some(cause) = purged.then(|| self.producer.begin_transaction().err()).flatten() else {
            return Err(self.demand(Call::Produce, code, &topic));
        };
        let text = cause.to_string();
        let mut names = self.settings.written.iter().map(|topic| &topic.name);
        let named = names.find(|name| speaks_of(&text, name)).unwrap_or(&topic);
        Err(self.demand(Call::Produce, cause.rdkafka_error_code().unwrap_or(code), named))
    }

    pub(super) fn overrun(&self, stage: &Stage) -> Option<SinkError> {
        let Stage::Open(since) = stage else {
            return None;
        };
        let limit = Duration::from_millis(u64::from(self.settings.transaction_timeout_ms));
        (since.elapsed() >= limit).then(|| {
            SinkError::Overrun(format!(
                "a Kafka transaction was open for longer than {} ms",
                limit.as_millis()
            ))
        })
    }

    /// What an error means; a fatal error or the first failed record behind it tells more than the call's own code.
    pub(super) fn judge(&self, call: Call, error: &KafkaError) -> SinkError {
        self.judge_of(call, error, &format!("walbridge.{}", self.settings.name))
    }

    /// The same of a call that is about a topic.
    pub(super) fn judge_of(&self, call: Call, error: &KafkaError, thing: &str) -> SinkError {
        self.producer.poll(Duration::ZERO);
        if let Err(error) = self.look() {
            return error;
        }
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        match fatal.or_else(|| error.rdkafka_error_code()) {
            Some(code) => self.demand(call, code, thing),
            None => from_kafka(call, error, thing),
        }
    }

    /// Fenced: by another instance only if its nonce is the newest; else by the broker's own time-out.
    fn demand(&self, call: Call, code: Code, thing: &str) -> SinkError {
        if let Some(error) = self.overrun(&self.stage) {
            return error;
        }
        if class(call, code) == Class::Fenced {
            match newest(&self.settings, End::Stable, &[]) {
                Ok(Some(stored)) if stored.nonce != self.nonce => return SinkError::Fenced { nonce: stored.nonce },
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        from_code(call, code, thing)
    }
}

/// Whether librdkafka's words on a failed transaction speak of this topic: by its name in quotes, or as `topic [partition]`.
fn speaks_of(text: &str, topic: &str) -> bool {
    text.contains(&format!("\"{topic}\"")) || text.contains(&format!(" {topic} ["))
}

#[cfg(test)]
mod tests {
    use super::speaks_of;

    #[test]
    fn the_topic_that_failed_is_found_in_the_words_of_the_library() {
        let request = "ProduceRequest for shop.orders [0] with 1 message(s) failed: Broker: Message size too large";
        let register = "Failed to add partition \"shop.orders\" [2] to transaction";
        for text in [request, register] {
            assert!(speaks_of(text, "shop.orders"), "{text}");
            assert!(!speaks_of(text, "orders") && !speaks_of(text, "shop"), "{text}");
        }
    }
}
