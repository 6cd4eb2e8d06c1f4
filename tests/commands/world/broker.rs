//! What Kafka holds, as a consumer that is none of ours sees it; and what others write there.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::world::line::until;

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker.
pub(crate) struct Broker {
    pub(crate) address: String,
    /// One for all looks: its connections are there already.
    consumer: BaseConsumer,
}

impl Broker {
    pub(crate) fn new(address: String) -> Self {
        let consumer = settings(&address)
            .set("group.id", "looks")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap();
        Self { address, consumer }
    }

    /// Whether there is such a topic.
    pub(crate) fn has(&self, topic: &str) -> bool {
        let all = self.consumer.fetch_metadata(None, PATIENCE).unwrap();
        all.topics().iter().any(|one| one.name() == topic)
    }

    /// Whether a consumer sees nothing in the first partition yet.
    pub(crate) fn is_empty(&self, topic: &str) -> bool {
        let (low, high) = self.consumer.fetch_watermarks(topic, 0, PATIENCE).unwrap();
        // An aborted transaction leaves its records' places: only what is read counts.
        low == high || self.first(topic, low, high).is_none()
    }

    /// The first committed record of the first partition.
    fn first(&self, topic: &str, low: i64, high: i64) -> Option<()> {
        let consumer = &self.consumer;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, 0, Offset::Offset(low)).unwrap();
        consumer.assign(&from).unwrap();
        let reached = || {
            let position = consumer.position().unwrap();
            position.find_partition(topic, 0).and_then(|one| one.offset().to_raw())
        };
        while reached().unwrap_or(-1) < high {
            if let Some(message) = consumer.poll(Duration::from_millis(5)) {
                return message.map(drop).ok();
            }
        }
        None
    }

    /// All committed records of a topic, by partition: key and value; a tombstone's value is empty.
    pub(crate) fn committed(&self, topic: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let consumer = &self.consumer;
        let facts = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let partitions = facts.topics().first().map_or(0, |one| one.partitions().len());
        for partition in 0..i32::try_from(partitions).unwrap() {
            let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap();
            let mut from = TopicPartitionList::new();
            from.add_partition_offset(topic, partition, Offset::Offset(low))
                .unwrap();
            consumer.assign(&from).unwrap();
            let begun = Instant::now();
            let mut at = low;
            while at < high {
                assert!(begun.elapsed() < PATIENCE * 3, "cannot read {topic} to {high}: {at}");
                if let Some(message) = consumer.poll(Duration::from_millis(5)) {
                    let message = message.unwrap();
                    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
                    all.push((text(message.key()), text(message.payload())));
                }
                let reached = consumer.position().unwrap();
                let reached = reached.find_partition(topic, partition).unwrap().offset().to_raw();
                at = at.max(reached.unwrap_or(-1));
            }
        }
        all
    }

    /// Writes as a stranger does.
    pub(crate) fn write(&self, topic: &str, key: &str, value: &str) {
        let producer: BaseProducer = settings(&self.address).create().unwrap();
        producer
            .send(BaseRecord::to(topic).partition(0).key(key).payload(value))
            .unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    /// Writes as another bridge of this transactional id does, which fences those before it.
    pub(crate) fn write_as(&self, id: &str, topic: &str, key: &str, value: &str) {
        let producer: BaseProducer = settings(&self.address).set("transactional.id", id).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer
            .send(BaseRecord::to(topic).partition(0).key(key).payload(value))
            .unwrap();
        producer.commit_transaction(PATIENCE).unwrap();
    }

    /// Gives a topic so many partitions.
    pub(crate) fn widen(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = settings(&self.address).create().unwrap();
        let asked = [NewPartitions::new(topic, partitions)];
        let answer = wait(admin.create_partitions(&asked, &AdminOptions::new()));
        assert!(answer.unwrap().iter().all(Result::is_ok));
        let consumer = &self.consumer;
        until("the partitions are there", || {
            let facts = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
            facts.topics()[0].partitions().len() == partitions
        });
    }

    /// Makes a topic.
    pub(crate) fn make(&self, topic: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = settings(&self.address).create().unwrap();
        let asked = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let answer = wait(admin.create_topics(&[asked], &AdminOptions::new()));
        assert!(answer.unwrap().iter().all(Result::is_ok));
        until("the topic is there", || self.has(topic));
    }

    /// Removes a topic, and makes it again.
    pub(crate) fn make_again(&self, topic: &str, partitions: i32) {
        self.remove(topic);
        self.make(topic, partitions);
    }

    /// Removes a topic.
    pub(crate) fn remove(&self, topic: &str) {
        let admin: AdminClient<DefaultClientContext> = settings(&self.address).create().unwrap();
        let answer = wait(admin.delete_topics(&[topic], &AdminOptions::new()));
        assert!(answer.unwrap().iter().all(Result::is_ok));
        until("the topic is gone", || !self.has(topic));
    }
}

fn settings(address: &str) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", address);
    settings
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(answer)
}
