//! Properties of librdkafka that are not the user's to set, each with the reason.

/// Those that the promises rest on.
pub const OURS: [(&str, &str); 31] = [
    ("bootstrap.servers", "brokers are named by kafka.brokers"),
    ("metadata.broker.list", "brokers are named by kafka.brokers"),
    ("transactional.id", "it fences a second bridge of the same name"),
    (
        "transaction.timeout.ms",
        "it bounds how long readers wait after a crash",
    ),
    ("enable.idempotence", "a retry must not write a record twice"),
    ("enable.gapless.guarantee", "a lost record must not be passed over"),
    (
        "acks",
        "a record counts as stored only when all in-sync replicas have it",
    ),
    (
        "request.required.acks",
        "a record counts as stored only when all in-sync replicas have it",
    ),
    ("max.in.flight", "order within a partition rests on it"),
    (
        "max.in.flight.requests.per.connection",
        "order within a partition rests on it",
    ),
    ("queuing.strategy", "order within a partition rests on it"),
    ("retries", "a retry is what keeps a batch whole"),
    ("message.send.max.retries", "a retry is what keeps a batch whole"),
    ("message.timeout.ms", "it must stay below the transaction's time-out"),
    ("delivery.timeout.ms", "it must stay below the transaction's time-out"),
    (
        "socket.timeout.ms",
        "a commit is given up before it, so that none is sent twice unseen",
    ),
    (
        "delivery.report.only.error",
        "a transaction is whole when each of its records is answered",
    ),
    ("partitioner", "partitions are computed as Kafka's Java client does"),
    (
        "sticky.partitioning.linger.ms",
        "partitions are computed as Kafka's Java client does",
    ),
    (
        "isolation.level",
        "a position of an aborted transaction must not be read",
    ),
    (
        "enable.auto.commit",
        "the position is a record, not a consumer's offset",
    ),
    (
        "enable.auto.offset.store",
        "the position is a record, not a consumer's offset",
    ),
    ("auto.offset.reset", "the position is read from the beginning"),
    ("group.id", "no consumer group is used"),
    ("message.max.bytes", "it follows from limits.record_bytes_max"),
    (
        "queue.buffering.max.messages",
        "it follows from limits.memory_bytes_max",
    ),
    ("queue.buffering.max.kbytes", "it follows from limits.memory_bytes_max"),
    ("log_level", "what keeps the bridge out of Kafka is known by its log"),
    ("log.queue", "what keeps the bridge out of Kafka is known by its log"),
    (
        "log.connection.close",
        "a connection that breaks under a commit is known by its log",
    ),
    (
        "statistics.interval.ms",
        "nobody takes the statistics: /metrics has what the bridge measures",
    ),
];

/// Those of consumers: the bridge reads its own topics alone, and in its own way.
pub const OF_CONSUMERS: [&str; 27] = [
    "group.instance.id",
    "group.protocol",
    "group.protocol.type",
    "group.remote.assignor",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "coordinator.query.interval.ms",
    "max.poll.interval.ms",
    "auto.commit.enable",
    "auto.commit.interval.ms",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "fetch.wait.max.ms",
    "fetch.queue.backoff.ms",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.error.backoff.ms",
    "offset.store.method",
    "offset.store.path",
    "offset.store.sync.interval.ms",
    "enable.partition.eof",
    "check.crcs",
    "consume.callback.max.messages",
    "allow.auto.create.topics",
];

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::error::KafkaError;
    use rdkafka::types::RDKafkaConfRes;

    use super::*;
    use crate::sink::kafka::client::{consumer, producer};
    use crate::sink::kafka::settings::{CreateTopics, Property, Settings, TopicDefaults};

    fn settings(properties: Vec<(String, Property)>) -> Settings {
        Settings {
            name: "shop".to_owned(),
            brokers: "kafka-1:9092".to_owned(),
            properties,
            oauth_token: None,
            topics: TopicDefaults {
                create: CreateTopics::No,
                partitions: 1,
                replication: 1,
                state: Vec::new(),
                events: Vec::new(),
            },
            written: Vec::new(),
            kinds: Vec::new(),
            record_bytes_max: 1_000_000,
            queue_bytes_max: 1 << 20,
            transaction_timeout_ms: 60_000,
        }
    }

    fn is_refused(key: &str) -> bool {
        OURS.iter().any(|(ours, _)| *ours == key) || OF_CONSUMERS.contains(&key)
    }

    /// Keys of a client's config for which the user's value has no effect.
    fn passed_over(client: &dyn Fn(&Settings) -> ClientConfig) -> Vec<String> {
        let config = client(&settings(Vec::new()));
        let keys = config.config_map().into_keys().map(str::to_owned);
        keys.filter(|key| {
            let users = Property::Text("the user's".to_owned());
            client(&settings(vec![(key.clone(), users)])).get(key) != Some("the user's")
        })
        .collect()
    }

    #[test]
    fn no_property_of_the_user_is_passed_over_in_silence() {
        let writes = passed_over(&|settings| producer(settings).unwrap());
        assert!(writes.iter().any(|key| key == "acks"), "{writes:?}");
        let reads = passed_over(&|settings| consumer(settings, "read_committed").unwrap());
        assert!(reads.iter().any(|key| key == "group.id"), "{reads:?}");
        // It is kept beside the others.
        let all = writes.into_iter().chain(reads).chain(["log_level".to_owned()]);
        let silent: Vec<String> = all.filter(|key| !is_refused(key)).collect();
        assert_eq!(silent, Vec::<String>::new());
    }

    #[test]
    fn librdkafka_knows_every_name() {
        // It may dislike the value.
        let is_unknown = |key: &&str| match ClientConfig::new().set(*key, "1").create_native_config() {
            Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => true,
            Ok(_) | Err(_) => false,
        };
        assert!(is_unknown(&"fetch.wait.max"));
        let names = OURS.iter().map(|(key, _)| *key).chain(OF_CONSUMERS);
        assert_eq!(names.filter(is_unknown).collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
