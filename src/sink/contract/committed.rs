//! What a consumer of a topic sees: only what is committed, to the topic's end.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// For a machine that is slow.
const READ_MAX: Duration = Duration::from_secs(30);

/// Keys of all committed records of a topic, sorted.
pub(super) fn committed_keys(brokers: &str, topic: &str) -> Vec<String> {
    // What is committed may still wait for its marker: the end is what any reader sees.
    let asking = client(brokers, "read_uncommitted");
    let described = asking.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    let (mut from, mut ends) = (TopicPartitionList::new(), Vec::new());
    for partition in described.topics().iter().flat_map(|one| one.partitions()) {
        let partition = partition.id();
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        let (low, high) = asking
            .fetch_watermarks(topic, partition, Duration::from_secs(10))
            .unwrap();
        if high > low {
            ends.push((partition, high));
        }
    }
    assert!(from.count() > 0, "{topic} is not there");
    let consumer = client(brokers, "read_committed");
    consumer.assign(&from).unwrap();
    let is_through = || {
        let position = consumer.position().unwrap();
        let reached = |partition| {
            let at = position.find_partition(topic, partition);
            at.and_then(|at| at.offset().to_raw())
        };
        ends.iter()
            .all(|(partition, end)| reached(*partition).is_some_and(|at| at >= *end))
    };
    let (begun, mut keys) = (Instant::now(), Vec::new());
    while !is_through() {
        assert!(begun.elapsed() < READ_MAX, "{topic} is not read to its end");
        if let Some(message) = consumer.poll(Duration::from_millis(50)) {
            keys.push(String::from_utf8_lossy(message.unwrap().key().unwrap()).into_owned());
        }
    }
    keys.sort();
    keys
}

fn client(brokers: &str, isolation: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "contract_seen")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap()
}
