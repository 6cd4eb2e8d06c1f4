//! The Kafka sink against a real Kafka: `WALBRIDGE_TEST_KAFKA` names its bootstrap servers.
//!
//! `WALBRIDGE_TEST_SECONDS` gives `nothing_is_lost_or_told_twice` that long; break the broker meanwhile.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are not seen as tests"
)]

mod mock;
#[path = "../stream/port.rs"]
mod port;
mod secure;
mod world;

use std::time::{Duration, Instant};

use walbridge::finding::{Finding, Severity};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::flow::record::Records;
use walbridge::sink::kafka::settings::{CreateTopics, Holds, Settings, Topic, TopicDefaults};
use walbridge::sink::kafka::{self, Kafka};
use walbridge::sink::{Sink, SinkError};

use world::{PARTITIONS, begin, halted, put, seen, settled, start, world};

#[test]
fn records_arrive_in_their_partition_with_a_guard_for_deletes() {
    let Some(settings) = world("arrive") else { return };
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap();
    let mut records = Records::default();
    put(&mut records, "A", Some("{}"), 2);
    put(&mut records, "A", None, 2);
    sink.append(records).unwrap();
    at.advance(Lsn(3)).unwrap();
    sink.commit(&at).unwrap();
    settled(&mut sink).unwrap();
    let partition = kafka::partition(b"A", PARTITIONS).unwrap();
    let row = |value: &str, headers| (partition, "A".to_owned(), value.to_owned(), headers);
    assert_eq!(seen(&settings), [row("{}", 0), row("-", 4)]);
    assert_eq!(kafka::read_position(&settings).unwrap().unwrap(), at);
}

#[test]
fn tombstones_keep_their_place_among_many_records_also_when_the_queue_is_full() {
    const COUNT: u64 = 5_000;
    const KEYS: u64 = 7;
    let Some(mut settings) = world("tombstones") else {
        return;
    };
    // The least that there is, 1 MiB: a third of what follows.
    settings.queue_bytes_max = 0;
    let filling = "abcdefgh01".repeat(100);
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap();
    let mut records = Records::default();
    let value = |number: u64| (number % 3 < 2).then(|| format!("{number} {filling}"));
    for number in 0..COUNT {
        put(&mut records, &format!("{}", number % KEYS), value(number).as_deref(), 2);
    }
    sink.append(records).unwrap();
    at.advance(Lsn(3)).unwrap();
    sink.commit(&at).unwrap();
    settled(&mut sink).unwrap();
    let all = seen(&settings);
    assert_eq!(u64::try_from(all.len()).unwrap(), COUNT);
    for key in 0..KEYS {
        let told = all.iter().filter(|(_, told, ..)| *told == key.to_string());
        let told: Vec<_> = told.map(|(_, _, value, headers)| (value.clone(), *headers)).collect();
        let numbers = (0..COUNT).filter(|number| number % KEYS == key);
        let wanted = numbers.map(|number| value(number).map_or(("-".to_owned(), 4), |value| (value, 0)));
        let first = told
            .iter()
            .zip(wanted.clone())
            .position(|(told, wanted)| *told != wanted);
        assert!(
            told.len() == wanted.count() && first.is_none(),
            "key {key}: {first:?} of {}",
            told.len()
        );
    }
}

#[test]
fn a_changed_world_halts() {
    let Some(settings) = world("changed") else { return };
    let frozen = Settings {
        topics: TopicDefaults {
            create: CreateTopics::No,
            ..settings.topics.clone()
        },
        ..settings.clone()
    };
    let worst = |findings: &[Finding]| findings.iter().map(|finding| finding.severity).max();
    assert_eq!(worst(&kafka::preflight(&settings)), Some(Severity::Note));
    assert_eq!(worst(&kafka::preflight(&frozen)), Some(Severity::Error));
    assert_eq!(kafka::read_position(&settings).unwrap(), None);
    let mut sink = Kafka::new(frozen, "one".to_owned()).unwrap();
    halted(begin(&mut sink), "kafka.topic_missing");
    assert_eq!(kafka::create_topics(&settings).unwrap().len(), 2);
    assert!(kafka::create_topics(&settings).unwrap().is_empty());
    assert_eq!(kafka::preflight(&settings), []);
    let first = Checkpoint {
        nonce: "setup".to_owned(),
        ..start()
    };
    let stored = kafka::store_first(&settings, &first).unwrap();
    assert_eq!(stored.partitions[&settings.written[0].name], PARTITIONS);
    assert_eq!(kafka::read_position(&settings).unwrap().as_ref(), Some(&stored));
    halted(kafka::store_first(&settings, &first), "kafka.position_exists");
    for (change, code) in [
        ("cluster", "kafka.other_cluster"),
        ("count", "kafka.partitions_changed"),
    ] {
        let mut other = stored.clone();
        match change {
            "cluster" => other.cluster_id = "other".to_owned(),
            _ => other.partitions.values_mut().for_each(|count| *count = 7),
        }
        let mut sink = Kafka::new(settings.clone(), "two".to_owned()).unwrap();
        sink.recover().unwrap();
        halted(sink.open(&mut other), code);
    }
    let mut lost = stored;
    let settings = Settings {
        written: vec![Topic {
            name: format!("{}.gone", settings.name),
            holds: Holds::Events,
        }],
        ..settings
    };
    lost.partitions.insert(settings.written[0].name.clone(), 1);
    let mut sink = Kafka::new(settings, "three".to_owned()).unwrap();
    sink.recover().unwrap();
    halted(sink.open(&mut lost), "kafka.topic_lost");
}

#[test]
fn a_record_that_is_too_large_is_named_and_leaves_nothing() {
    let Some(mut settings) = world("large") else { return };
    settings.record_bytes_max = 3_000_000;
    // The config's own word on new topics comes before what would fit.
    let narrow = ("max.message.bytes".to_owned(), "1000000".to_owned());
    settings.topics.state.push(narrow.clone());
    settings.topics.events.push(narrow);
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap();
    let large = |bytes: usize| {
        let mut records = Records::default();
        put(&mut records, "A", Some("{}"), 2);
        // Not compressible: the broker looks at the compressed size.
        let mut state = 1_u64;
        let mut noise = String::new();
        while noise.len() < bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            noise.push_str(&format!("{:016x}", state ^ (state >> 31)));
        }
        put(&mut records, "B", Some(&noise), 2);
        records
    };
    // Ours: before anything is sent.
    halted(sink.append(large(3_100_000)), "kafka.record_too_large");
    // The broker's.
    sink.append(large(2_900_000)).unwrap();
    at.advance(Lsn(3)).unwrap();
    let what = halted(
        sink.commit(&at).and_then(|()| settled(&mut sink).map(drop)),
        "kafka.record_too_large",
    );
    assert!(what.contains(&format!("of {}:", settings.written[0].name)), "{what}");
    let at = sink.recover().unwrap().unwrap();
    assert_eq!(at.commit_end_lsn, Lsn(1));
    assert_eq!(seen(&settings), []);
}

#[test]
fn a_transaction_that_outlives_its_time_out_is_told_apart() {
    let Some(mut settings) = world("overrun") else { return };
    settings.transaction_timeout_ms = 1_500;
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    begin(&mut sink).unwrap();
    let mut records = Records::default();
    put(&mut records, "A", Some("{}"), 2);
    sink.append(records).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(matches!(sink.progress(), Err(SinkError::Overrun(_))));
    begin(&mut sink).unwrap();
    assert_eq!(seen(&settings), []);
}

#[test]
fn a_sink_without_kafka_ends_soon() {
    let Some(mut settings) = world("away") else { return };
    settings.brokers = "127.0.0.1:1".to_owned();
    assert_eq!(kafka::preflight(&settings)[0].code, "kafka.unreachable");
    let mut sink = Kafka::new(settings, "one".to_owned()).unwrap();
    let stopper = sink.stopper();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stopper.stop();
        Instant::now()
    });
    assert!(matches!(sink.recover(), Err(SinkError::Transient(_))));
    drop(sink);
    let stopped = stopping.join().unwrap().elapsed();
    assert!(stopped < Duration::from_secs(2), "{stopped:?}");
}

#[test]
fn small_and_large_transactions_arrive_whole_in_their_order_and_in_time() {
    const SMALL: u64 = 100;
    const LARGE: u64 = 50_000;
    const KEYS: u64 = 100;
    let Some(settings) = world("order") else { return };
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut at = begin(&mut sink).unwrap();
    let filling = "abcdefgh01".repeat(45);
    let tell = |records: &mut Records, number: u64| {
        let value = format!("{number:06} {filling}");
        put(records, &format!("{}", number % KEYS), Some(&value), number + 2);
    };
    let mut took = Vec::new();
    for number in 0..SMALL {
        let begun = Instant::now();
        let mut records = Records::default();
        tell(&mut records, number);
        sink.append(records).unwrap();
        at.advance(Lsn(number + 2)).unwrap();
        sink.commit(&at).unwrap();
        assert_eq!(settled(&mut sink).unwrap(), at.commit_end_lsn);
        took.push(begun.elapsed());
    }
    took.sort();
    // A broker beside us answers within milliseconds; no wait of librdkafka's or ours is added in steps.
    assert!(took[took.len() / 2] < Duration::from_millis(100), "{took:?}");
    let begun = Instant::now();
    let mut records = Records::default();
    for number in SMALL..SMALL + LARGE {
        tell(&mut records, number);
        if number % 500 == 499 {
            records = sink.append(records).unwrap();
        }
        if number % 10_000 == 9_999 {
            at.advance(Lsn(number + 2)).unwrap();
            sink.commit(&at).unwrap();
        }
    }
    sink.append(records).unwrap();
    at.advance(Lsn(SMALL + LARGE + 2)).unwrap();
    sink.commit(&at).unwrap();
    assert_eq!(settled(&mut sink).unwrap(), at.commit_end_lsn);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let all = seen(&settings);
    for key in 0..KEYS {
        let told = all.iter().filter(|(_, told, ..)| *told == key.to_string());
        let numbers: Vec<_> = told
            .map(|(_, _, value, _)| value[..6].parse::<u64>().unwrap())
            .collect();
        let wanted: Vec<_> = (0..SMALL + LARGE).filter(|number| number % KEYS == key).collect();
        assert!(
            numbers == wanted,
            "key {key}: {} told, {} wanted",
            numbers.len(),
            wanted.len()
        );
    }
}

#[test]
fn nothing_is_lost_or_told_twice() {
    let Some(settings) = world("endure") else { return };
    let seconds = std::env::var("WALBRIDGE_TEST_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let begun = Instant::now();
    let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
    let mut faults = 0;
    let mut last = Lsn(0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let answer = begin(&mut sink).and_then(|mut at| {
            assert!(at.commit_end_lsn >= last, "the position went back");
            while begun.elapsed() < Duration::from_secs(seconds) {
                let number = at.commit_end_lsn.0 + 1;
                let mut records = Records::default();
                for row in 0..5 {
                    put(&mut records, &format!("{row}"), Some(&format!("{number:08}")), number);
                }
                sink.append(records)?;
                at.advance(Lsn(number)).unwrap();
                sink.commit(&at)?;
                while sink.progress()?.commits_in_flight > 2 {
                    std::thread::sleep(Duration::from_micros(200));
                }
                last = sink.progress()?.durable_lsn;
            }
            settled(&mut sink)
        });
        if let Err(error) = answer {
            assert!(matches!(error, SinkError::Transient(_)), "{error}");
            println!("{:?}: {error}", begun.elapsed());
            faults += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let at = loop {
        match sink.recover() {
            Ok(at) => break at.unwrap(),
            Err(error) => println!("{error}"),
        }
    };
    let all = seen(&settings);
    for row in 0..5 {
        let told: Vec<_> = all
            .iter()
            .filter(|(_, key, ..)| *key == row.to_string())
            .map(|(_, _, value, _)| value.clone())
            .collect();
        let wanted: Vec<_> = (2..=at.commit_end_lsn.0).map(|number| format!("{number:08}")).collect();
        assert!(
            told == wanted,
            "key {row}: {} told, {} wanted",
            told.len(),
            wanted.len()
        );
    }
    println!("{} transactions, {faults} faults", at.commit_end_lsn.0 - 1);
}
