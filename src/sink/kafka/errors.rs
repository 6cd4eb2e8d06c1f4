//! What each of Kafka's error codes demands.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::finding::{Cause, Finding};
use crate::sink::SinkError;

/// What was asked of Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Making a client.
    Client,
    /// `init_transactions`
    Init,
    /// `begin_transaction`
    Begin,
    /// Handing a record over, or its delivery report.
    Produce,
    /// `commit_transaction`
    Commit,
    /// Reading a topic.
    Read,
    /// Describing or making topics.
    Topics,
}

impl Call {
    /// That it cannot be done to a thing.
    fn cannot(self, thing: &str) -> String {
        let what = match self {
            Self::Client => "cannot make a Kafka client",
            Self::Init => "cannot begin as the only producer",
            Self::Begin => "cannot begin a Kafka transaction",
            Self::Produce => "cannot write records",
            Self::Commit => "cannot commit a Kafka transaction",
            Self::Read => return format!("cannot read {thing}"),
            Self::Topics => "cannot describe or make topics",
        };
        format!("{what} of {thing}")
    }
}

/// What becomes of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A new producer, and the position read again. Also whatever is not known: a commit's outcome, a new code.
    Transient,
    /// Another producer of this transactional id, or the broker's own time-out.
    Fenced,
    /// The broker refuses the size.
    TooLarge,
    /// The broker refuses a record for what it is.
    Refused,
    /// No right to a topic.
    TopicDenied,
    /// No right to the transactional id.
    TransactionDenied,
    /// No right to the cluster (`IdempotentWrite` before Kafka 3.0, `Create`).
    ClusterDenied,
    /// `transaction.timeout.ms` above the broker's `transaction.max.timeout.ms`.
    TimeoutRefused,
    /// The broker has no transactions.
    Unsupported,
    /// The login is refused.
    Login,
    /// A topic cannot be made as asked.
    TopicRefused,
}

/// Every code that is not transient. Sources: librdkafka's transaction manager and its INTRODUCTION.md
/// (<https://github.com/confluentinc/librdkafka/blob/v2.12.1/INTRODUCTION.md#transactional-producer>).
const CLASSES: [(Code, Class); 25] = [
    (Code::Fenced, Class::Fenced),
    (Code::InvalidProducerEpoch, Class::Fenced),
    (Code::ProducerFenced, Class::Fenced),
    (Code::TransactionCoordinatorFenced, Class::Transient),
    (Code::MessageSizeTooLarge, Class::TooLarge),
    (Code::MessageBatchTooLarge, Class::TooLarge),
    (Code::InvalidTimestamp, Class::Refused),
    (Code::InvalidRecord, Class::Refused),
    (Code::PolicyViolation, Class::Refused),
    (Code::TopicAuthorizationFailed, Class::TopicDenied),
    (Code::TransactionalIdAuthorizationFailed, Class::TransactionDenied),
    (Code::ClusterAuthorizationFailed, Class::ClusterDenied),
    (Code::GroupAuthorizationFailed, Class::ClusterDenied),
    (Code::InvalidTransactionTimeout, Class::TimeoutRefused),
    (Code::UnsupportedFeature, Class::Unsupported),
    (Code::UnsupportedVersion, Class::Unsupported),
    (Code::UnsupportedForMessageFormat, Class::Unsupported),
    (Code::Authentication, Class::Login),
    (Code::SaslAuthenticationFailed, Class::Login),
    (Code::UnsupportedSASLMechanism, Class::Login),
    (Code::IllegalSASLState, Class::Login),
    (Code::InvalidPartitions, Class::TopicRefused),
    (Code::InvalidReplicationFactor, Class::TopicRefused),
    (Code::InvalidConfig, Class::TopicRefused),
    (Code::InvalidTopic, Class::TopicRefused),
];

/// What a code demands.
pub(super) fn class(call: Call, code: Code) -> Class {
    let class = CLASSES
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(Class::Transient, |(_, class)| *class);
    match (call, class) {
        // A policy that refuses a new topic says so with the code that refuses a record elsewhere.
        (Call::Topics, Class::Refused) => Class::TopicRefused,
        (_, class) => class,
    }
}

/// What to do about a record of so many bytes: nobody is told to raise a limit beyond what the config takes.
pub(super) fn less_or_more(bytes: usize, queue_bytes_max: usize) -> String {
    if bytes > queue_bytes_max {
        return format!(
            "publish fewer columns: limits.record_bytes_max can be at most {queue_bytes_max}, a quarter of limits.memory_bytes_max"
        );
    }
    "raise limits.record_bytes_max (and max.message.bytes of the topic), or publish fewer columns".to_owned()
}

/// The error for a code; `thing` is the topic or the transactional id it is about. `Class::Fenced` comes out as
/// transient: who took over is told by the position topic, not by the code.
pub(super) fn from_code(call: Call, code: Code, thing: &str) -> SinkError {
    let what = format!("{}: {code}", call.cannot(thing));
    let halt = |name: &'static str, repair: String| {
        SinkError::Halt(Box::new(
            Finding::error(Cause::Surroundings, name, what.clone()).repair(repair),
        ))
    };
    match class(call, code) {
        Class::Transient | Class::Fenced => SinkError::Transient(what),
        Class::TooLarge => halt(
            "kafka.record_too_large",
            "raise max.message.bytes of the topic; then start again, or publish fewer fields".to_owned(),
        ),
        Class::Refused => halt(
            "kafka.record_refused",
            "see the broker's log for the reason; check the topic's properties".to_owned(),
        ),
        Class::TopicDenied => halt(
            "kafka.topic_denied",
            format!("kafka-acls --add --allow-principal User:<user> --operation Read --operation Write --operation Describe --operation DescribeConfigs --operation Create --topic {thing}"),
        ),
        Class::TransactionDenied => halt(
            "kafka.transactional_id_denied",
            "kafka-acls --add --allow-principal User:<user> --operation Write --operation Describe --transactional-id walbridge. --resource-pattern-type prefixed".to_owned(),
        ),
        Class::ClusterDenied => halt(
            "kafka.cluster_denied",
            "kafka-acls --add --allow-principal User:<user> --operation IdempotentWrite --operation Create --cluster".to_owned(),
        ),
        Class::TimeoutRefused => halt(
            "kafka.transaction_timeout_refused",
            "raise transaction.max.timeout.ms of the brokers, or shorten the transaction time-out".to_owned(),
        ),
        Class::Unsupported => halt("kafka.unsupported", "use brokers of Kafka 3.3 or later".to_owned()),
        Class::Login => halt("kafka.login_refused", "correct sasl.* or ssl.* in kafka.properties".to_owned()),
        Class::TopicRefused => halt(
            "kafka.topic_refused",
            "correct [kafka.topics] (partitions, replication, state, events), or make the topic by hand".to_owned(),
        ),
    }
}

/// The error for whatever the client library says.
pub(super) fn from_kafka(call: Call, error: &KafkaError, thing: &str) -> SinkError {
    if let KafkaError::ClientConfig(_, description, key, _) = error {
        // The value is left out: it may be a secret.
        return SinkError::Halt(Box::new(
            Finding::error(
                Cause::Config,
                "kafka.property_refused",
                format!("librdkafka refuses the property {key}: {description}"),
            )
            .repair(format!("correct \"{key}\" in kafka.properties")),
        ));
    }
    match error.rdkafka_error_code() {
        Some(code) => from_code(call, code, thing),
        None => SinkError::Transient(format!("{}: {error}", call.cannot(thing))),
    }
}

/// Whether a commit inside librdkafka goes on and is to be asked for again.
pub(super) fn goes_on(error: &KafkaError) -> bool {
    if let KafkaError::Transaction(error) = error {
        return error.code() == Code::OperationTimedOut && error.is_retriable();
    }
    matches!(error, KafkaError::Flush(Code::OperationTimedOut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_fate() {
        let told = |code| from_code(Call::Commit, code, "shop");
        for code in [
            Code::OperationTimedOut,
            Code::MessageTimedOut,
            Code::BrokerTransportFailure,
            Code::ConcurrentTransactions,
            Code::NotCoordinator,
            Code::CoordinatorNotAvailable,
            Code::InvalidTransactionalState,
            Code::InvalidProducerIdMapping,
            Code::UnknownProducerId,
            Code::OutOfOrderSequenceNumber,
            Code::OperationNotAttempted,
            Code::NotEnoughReplicas,
            Code::KafkaStorageError,
            Code::UnknownTopicOrPartition,
            Code::Unknown,
            Code::Fenced,
        ] {
            assert!(matches!(told(code), SinkError::Transient(_)), "{code:?}");
        }
        for code in [
            Code::MessageSizeTooLarge,
            Code::MessageBatchTooLarge,
            Code::InvalidRecord,
            Code::TopicAuthorizationFailed,
            Code::TransactionalIdAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
            Code::InvalidTransactionTimeout,
            Code::UnsupportedFeature,
            Code::SaslAuthenticationFailed,
        ] {
            assert!(matches!(told(code), SinkError::Halt(_)), "{code:?}");
        }
        assert_eq!(class(Call::Produce, Code::PolicyViolation), Class::Refused);
        assert_eq!(class(Call::Topics, Code::PolicyViolation), Class::TopicRefused);
        assert_eq!(class(Call::Commit, Code::Fenced), Class::Fenced);
    }

    #[test]
    fn a_limit_is_raised_as_far_as_the_config_takes_it() {
        let fits = less_or_more(16 << 20, 16 << 20);
        assert!(fits.starts_with("raise limits.record_bytes_max"), "{fits}");
        let beyond = less_or_more((16 << 20) + 1, 16 << 20);
        assert!(beyond.starts_with("publish fewer columns"), "{beyond}");
        assert!(
            beyond.contains("at most 16777216") && !beyond.contains("raise"),
            "{beyond}"
        );
    }

    #[test]
    fn an_error_names_the_topic_that_cannot_be_read() {
        let read = from_code(Call::Read, Code::TopicAuthorizationFailed, "shop.orders");
        assert!(read.to_string().starts_with("cannot read shop.orders: "), "{read}");
        let commit = from_code(Call::Commit, Code::OperationTimedOut, "shop");
        let words = "cannot commit a Kafka transaction of shop: ";
        assert!(commit.to_string().starts_with(words), "{commit}");
    }

    #[test]
    fn a_refused_property_is_named_without_its_value() {
        let error = rdkafka::ClientConfig::new()
            .set("linger.ms", "secret")
            .create_native_config()
            .err()
            .unwrap();
        let SinkError::Halt(finding) = from_kafka(Call::Client, &error, "shop") else {
            panic!("{error}");
        };
        assert!(finding.what.contains("linger.ms"), "{finding}");
        assert_eq!(finding.cause, Cause::Config);
    }
}
