//! A bridge's sink of its own for each test, and what a consumer sees of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::event::{EventKind, KindId, TopicId};
use walbridge::flow::position::{Lsn, Position};
use walbridge::flow::record::{Partition, RecordSpan, Records};
use walbridge::sink::kafka::Kafka;
use walbridge::sink::kafka::settings::{CreateTopics, Holds, Settings, Topic, TopicDefaults};
use walbridge::sink::{Sink, SinkError};

pub(super) const PARTITIONS: i32 = 3;

/// Settings of a bridge of its own; none where there is no Kafka to test with.
pub(super) fn world(test: &str) -> Option<Settings> {
    let Ok(brokers) = std::env::var("WALBRIDGE_TEST_KAFKA") else {
        println!("skipped: WALBRIDGE_TEST_KAFKA is not set");
        return None;
    };
    Some(settings(&format!("{test}_{}", std::process::id()), brokers))
}

/// Settings of a bridge with one topic.
pub(super) fn settings(name: &str, brokers: String) -> Settings {
    let name = name.to_owned();
    let kind = |name: &str| EventKind {
        name: name.to_owned(),
        entity: "Order".to_owned(),
        version: 1,
        topic: TopicId(0),
        fields: Vec::new(),
        key: vec!["number".to_owned()],
        partition_by: Vec::new(),
    };
    Settings {
        written: vec![Topic {
            name: format!("{name}.orders"),
            holds: Holds::States,
        }],
        name,
        brokers,
        properties: Vec::new(),
        oauth_token: None,
        topics: TopicDefaults {
            create: CreateTopics::Yes,
            partitions: PARTITIONS,
            replication: 1,
            state: Vec::new(),
            events: Vec::new(),
        },
        kinds: vec![kind("Order")],
        record_bytes_max: 1_000_000,
        queue_bytes_max: 16 << 20,
        transaction_timeout_ms: 20_000,
    }
}

pub(super) fn start() -> Checkpoint {
    Checkpoint {
        commit_end_lsn: Lsn(1),
        epoch: 1,
        system_identifier: "7".to_owned(),
        timeline: 1,
        slot: "walbridge_shop".to_owned(),
        nonce: String::new(),
        cluster_id: String::new(),
        publications: BTreeMap::new(),
        tables: BTreeMap::new(),
        partitions: BTreeMap::new(),
        topic_ids: BTreeMap::new(),
        mapping: String::new(),
        backfill: None,
        declared: None,
        leaves: None,
    }
}

pub(super) fn put(records: &mut Records, key: &str, value: Option<&str>, commit: u64) {
    let mut part = |text: &str| {
        let start = records.bytes.len();
        records.bytes.extend_from_slice(text.as_bytes());
        start..records.bytes.len()
    };
    let (key, value, time) = (part(key), value.map(&mut part), part("2026-11-23T09:30:00Z"));
    records.spans.push(RecordSpan {
        kind: KindId(0),
        topic: TopicId(0),
        position: Position {
            epoch: 1,
            commit_lsn: Lsn(commit),
            rank: 0,
            part: 0,
        },
        partition: Partition::Of(key.clone()),
        key,
        value,
        time,
    });
}

pub(super) fn settled(sink: &mut Kafka) -> Result<Lsn, SinkError> {
    loop {
        let progress = sink.progress()?;
        if progress.commits_in_flight == 0 {
            return Ok(progress.durable_lsn);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

pub(super) fn begin(sink: &mut Kafka) -> Result<Checkpoint, SinkError> {
    let mut at = sink.recover()?.unwrap_or_else(start);
    sink.open(&mut at)?;
    Ok(at)
}

/// All committed records: partition, key, value, number of headers.
pub(super) fn seen(settings: &Settings) -> Vec<(i32, String, String, usize)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &settings.brokers)
        .set("group.id", "seen")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let topic = &settings.written[0].name;
    let mut from = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        from.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let (mut quiet, mut all) = (Instant::now(), Vec::new());
    while quiet.elapsed() < Duration::from_secs(2) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
            let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"-")).into_owned();
            let headers = message.headers().map_or(0, |headers| headers.count());
            all.push((
                message.partition(),
                text(message.key()),
                text(message.payload()),
                headers,
            ));
            quiet = Instant::now();
        }
    }
    all
}

pub(super) fn halted<T: std::fmt::Debug>(answer: Result<T, SinkError>, code: &str) -> String {
    match answer {
        Err(SinkError::Halt(finding)) => {
            assert_eq!(finding.code, code, "{finding}");
            finding.what
        }
        other => panic!("{other:?} instead of {code}"),
    }
}
