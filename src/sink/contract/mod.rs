//! What every sink that stores positions keeps to, whichever it is.

mod committed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backfill::sweep::{Found, Rest, Span, Sweep};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::declaration::Declaration;
use crate::flow::event::{EventKind, KindId, TopicId};
use crate::flow::position::{Lsn, Position};
use crate::flow::record::{Partition, RecordSpan, Records};
use crate::sink::contract::committed::committed_keys;
use crate::sink::kafka::settings::{CreateTopics, Holds, Settings, Topic, TopicDefaults};
use crate::sink::memory::{Delay, Fault, Memory, Shared};
use crate::sink::{Progress, Sink, SinkError};

/// A checkpoint at a place.
pub(crate) fn checkpoint(lsn: u64) -> Checkpoint {
    Checkpoint {
        commit_end_lsn: Lsn(lsn),
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

/// Records of one transaction.
pub(crate) fn records(rows: &[(&str, Option<&str>)], commit: u64) -> Records {
    let mut records = Records::default();
    for (rank, (key, value)) in (0..).zip(rows) {
        let mut put = |text: &str| {
            let start = records.bytes.len();
            records.bytes.extend_from_slice(text.as_bytes());
            start..records.bytes.len()
        };
        let key = put(key);
        let value = value.map(&mut put);
        let time = put("2026-11-23T09:30:00Z");
        records.spans.push(RecordSpan {
            kind: KindId(0),
            topic: TopicId(0),
            position: Position {
                epoch: 1,
                commit_lsn: Lsn(commit),
                rank,
                part: 0,
            },
            partition: Partition::Of(key.clone()),
            key,
            value,
            time,
        });
    }
    records
}

/// Settings of a bridge with one topic.
pub(super) fn settings(name: &str, brokers: &str) -> Settings {
    Settings {
        name: name.to_owned(),
        brokers: brokers.to_owned(),
        properties: Vec::new(),
        oauth_token: None,
        topics: TopicDefaults {
            create: CreateTopics::Yes,
            partitions: 3,
            replication: 1,
            state: Vec::new(),
            events: Vec::new(),
        },
        written: vec![Topic {
            name: format!("{name}.orders"),
            holds: Holds::Events,
        }],
        kinds: vec![EventKind {
            name: "OrderPaid".to_owned(),
            entity: "Order".to_owned(),
            version: 1,
            topic: TopicId(0),
            fields: Vec::new(),
            key: vec!["number".to_owned()],
            partition_by: Vec::new(),
        }],
        record_bytes_max: 1_000_000,
        queue_bytes_max: 16 << 20,
        transaction_timeout_ms: 60_000,
    }
}

/// Waits for the commits handed over.
pub(super) fn settle(sink: &mut dyn Sink) -> Result<Lsn, SinkError> {
    let begun = Instant::now();
    loop {
        let progress = sink.progress()?;
        if progress.commits_in_flight == 0 {
            return Ok(progress.durable_lsn);
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no answer");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn a_sink_stores_both_or_neither<S: Sink>(make: &mut dyn FnMut(&str) -> S, seen: &dyn Fn() -> Vec<String>) {
    let mut sink = make("one");
    assert_eq!(sink.recover().unwrap(), None);
    let declared = Some([("Order".to_owned(), Declaration::default())].into());
    let leaves = Some(
        [(
            "public.ord".to_owned(),
            [("7.9".to_owned(), "public.ord_1".to_owned())].into(),
        )]
        .into(),
    );
    let mut at = Checkpoint {
        declared: declared.clone(),
        leaves: leaves.clone(),
        ..checkpoint(10)
    };
    sink.open(&mut at).unwrap();
    assert_eq!(at.nonce, "one");
    // It is stored once, and kept by every later position.
    (at.declared, at.leaves) = (None, None);
    sink.append(records(&[("A", Some("1")), ("B", None)], 11)).unwrap();
    at.advance(Lsn(20)).unwrap();
    sink.commit(&at).unwrap();
    assert_eq!(settle(&mut sink).unwrap(), Lsn(20));
    // An open transaction that nobody ends leaves neither records nor position.
    sink.append(records(&[("C", Some("2"))], 21)).unwrap();
    drop(sink);
    let mut sink = make("two");
    (at.declared, at.leaves) = (declared, leaves);
    assert_eq!(sink.recover().unwrap(), Some(at.clone()));
    assert_eq!(seen(), ["A", "B"]);
    sink.open(&mut at).unwrap();
    // A position without records is stored too.
    at.advance(Lsn(30)).unwrap();
    sink.commit(&at).unwrap();
    assert_eq!(settle(&mut sink).unwrap(), Lsn(30));
    // Recovering from an own error gives the own position.
    sink.append(records(&[("D", Some("3"))], 31)).unwrap();
    assert_eq!(sink.recover().unwrap(), Some(at.clone()));
    sink.open(&mut at).unwrap();
    sink.append(records(&[("E", Some("4"))], 32)).unwrap();
    at.advance(Lsn(40)).unwrap();
    sink.commit(&at).unwrap();
    settle(&mut sink).unwrap();
    assert_eq!(seen(), ["A", "B", "E"]);
    // A later instance fences: the earlier one stores nothing any more and learns who it was.
    let mut later = make("three");
    let mut from = later.recover().unwrap().unwrap();
    later.open(&mut from).unwrap();
    let mut fenced = sink.append(records(&[("F", Some("5"))], 41)).map(drop);
    if fenced.is_ok() {
        at.advance(Lsn(50)).unwrap();
        fenced = sink.commit(&at).and_then(|()| settle(&mut sink).map(drop));
    }
    let error = fenced.unwrap_err();
    assert!(matches!(error, SinkError::Fenced { .. }), "{error}");
    assert!(error.to_string().contains("three"), "{error}");
    from.advance(Lsn(60)).unwrap();
    later.commit(&from).unwrap();
    assert_eq!(settle(&mut later).unwrap(), Lsn(60));
    assert_eq!(seen(), ["A", "B", "E"]);
}

/// What one look finds, asked for until it is there.
fn swept(sink: &mut dyn Sink, sweep: &Sweep<'_>) -> Found {
    let begun = Instant::now();
    loop {
        if let Some(found) = sink.sweep(sweep).unwrap() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no answer");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn a_sink_finds_keys_that_are_gone<S: Sink>(topic: &str, make: &mut dyn FnMut(&str) -> S) {
    let mut sink = make("one");
    sink.recover().unwrap();
    let mut at = checkpoint(0x10);
    sink.open(&mut at).unwrap();
    let state = |lsn: u64| format!(r#"{{"type":"OrderPaid","sequence":"0001-{lsn:016X}-00000000-00"}}"#);
    let (before, since) = (state(0x11), state(0x21));
    let (before, since) = (Some(before.as_str()), Some(since.as_str()));
    let former = state(0x11).replace("OrderPaid", "former.OrderPaid");
    let told = [
        ("A", before),
        ("B", before),
        ("C", before),
        ("D", before),
        ("F", Some(former.as_str())),
    ];
    sink.append(records(&told, 0x11)).unwrap();
    sink.append(records(&[("B", None), ("C", since), ("E", since)], 0x21))
        .unwrap();
    at.advance(Lsn(0x30)).unwrap();
    sink.commit(&at).unwrap();
    settle(&mut sink).unwrap();
    let mut sweep = Sweep {
        look: 1,
        state: KindId(0),
        topic,
        before: "0001-0000000000000020-80000000-00",
        span: Span::default(),
    };
    let mut gone = Vec::new();
    loop {
        let found = swept(&mut sink, &sweep);
        gone.extend(found.gone.into_iter().map(|gone| String::from_utf8(gone.key).unwrap()));
        match found.rest {
            Rest::OfThis => {}
            Rest::From(next) => (sweep.look, sweep.span) = (sweep.look + 1, sweep.span.after(next)),
            Rest::Nothing => break,
        }
    }
    gone.sort();
    assert_eq!(gone, ["A", "D", "F"]);
    // An answer that nobody waited for is none to another question.
    sweep.span = Span::default();
    sweep.look += 1;
    sink.sweep(&sweep).unwrap();
    sweep.look += 1;
    sweep.before = "0001-0000000000000010-80000000-00";
    assert_eq!(swept(&mut sink, &sweep).gone, [], "all were told since");
    // What was given up is not gone on with.
    sweep.before = "0001-0000000000000020-80000000-00";
    sweep.look += 1;
    sink.sweep(&sweep).unwrap();
    let again = [("A", since), ("D", None), ("F", since)];
    sink.append(records(&again, 0x31)).unwrap();
    at.advance(Lsn(0x40)).unwrap();
    sink.commit(&at).unwrap();
    settle(&mut sink).unwrap();
    sink.end_sweep();
    assert_eq!(swept(&mut sink, &sweep).gone, []);
}

#[test]
fn memory_finds_keys_that_are_gone() {
    let store = Shared::default();
    a_sink_finds_keys_that_are_gone("orders", &mut |nonce| Memory::new(Arc::clone(&store), nonce));
}

#[test]
fn kafka_finds_keys_that_are_gone() {
    use crate::sink::kafka::Kafka;

    let Ok(brokers) = std::env::var("WALBRIDGE_TEST_KAFKA") else {
        println!("skipped: WALBRIDGE_TEST_KAFKA is not set");
        return;
    };
    let name = format!("gone_{}", std::process::id());
    let mut make = |nonce: &str| Kafka::new(settings(&name, &brokers), nonce.to_owned()).unwrap();
    a_sink_finds_keys_that_are_gone(&format!("{name}.orders"), &mut make);
}

/// A commit that is answered at once, one that is stored at once, one that is answered as it is stored, and a slow one.
const DELAYS: [Delay; 4] = [
    Delay { stored: 0, answered: 0 },
    Delay { stored: 0, answered: 2 },
    Delay { stored: 2, answered: 0 },
    Delay { stored: 2, answered: 2 },
];

#[test]
fn memory_stores_both_or_neither() {
    for delay in DELAYS {
        let store = Shared::default();
        store.lock().unwrap().delay([delay]);
        let seen = || {
            let store = store.lock().unwrap();
            store
                .records
                .iter()
                .map(|record| String::from_utf8_lossy(&record.key).into_owned())
                .collect()
        };
        a_sink_stores_both_or_neither(&mut |nonce| Memory::new(Arc::clone(&store), nonce), &seen);
    }
}

#[test]
fn memory_fills_the_next_transaction_while_a_commit_is_under_way() {
    let store = Shared::default();
    store.lock().unwrap().delay([Delay { stored: 2, answered: 2 }]);
    let stored = || store.lock().unwrap().checkpoints.last().unwrap().1.commit_end_lsn;
    let mut sink = Memory::new(Arc::clone(&store), "one");
    sink.recover().unwrap();
    sink.open(&mut checkpoint(10)).unwrap();
    for (lsn, key) in [(20, "A"), (30, "B")] {
        sink.append(records(&[(key, None)], lsn - 1)).unwrap();
        sink.commit(&checkpoint(lsn)).unwrap();
    }
    // Two calls later the first is stored, and its answer is not there.
    assert_eq!(stored(), Lsn(20));
    let progress = |lsn, commits_in_flight| Progress {
        durable_lsn: Lsn(lsn),
        commits_in_flight,
        settling: false,
    };
    assert_eq!(sink.progress().unwrap(), progress(10, 2));
    assert_eq!(sink.progress().unwrap(), progress(20, 1));
    assert_eq!(stored(), Lsn(20));
    sink.progress().unwrap();
    assert_eq!(sink.progress().unwrap(), progress(20, 1));
    assert_eq!(stored(), Lsn(30));
    // Who is gone before the answer has stored it all the same.
    drop(sink);
    assert_eq!(
        Memory::new(Arc::clone(&store), "two").recover().unwrap(),
        Some(checkpoint(30))
    );
    assert_eq!(store.lock().unwrap().records.len(), 2);
}

#[test]
fn memory_fails_when_told_to() {
    DELAYS.into_iter().for_each(memory_fails_after);
}

fn memory_fails_after(delay: Delay) {
    for (fault, kept) in [
        (Fault::Append, 10),
        (Fault::CommitLost, 10),
        (Fault::CommitUnknown, 20),
        (Fault::Overrun, 10),
        (Fault::Halt, 10),
    ] {
        let store = Shared::default();
        let mut sink = Memory::new(Arc::clone(&store), "one");
        sink.recover().unwrap();
        sink.open(&mut checkpoint(10)).unwrap();
        store.lock().unwrap().delay([delay]);
        store.lock().unwrap().fail(0, fault);
        let error = sink
            .append(records(&[("A", None)], 11))
            .and_then(|_| {
                sink.commit(&Checkpoint {
                    nonce: "one".to_owned(),
                    ..checkpoint(20)
                })
            })
            .and_then(|()| settle(&mut sink))
            .unwrap_err();
        let as_told = match fault {
            Fault::Append | Fault::CommitLost | Fault::CommitUnknown => matches!(error, SinkError::Transient(_)),
            Fault::Overrun => matches!(error, SinkError::Overrun(_)),
            Fault::Halt => matches!(error, SinkError::Halt(_)),
        };
        assert!(as_told, "{fault:?}: {error}");
        assert!(sink.progress().is_err());
        assert_eq!(sink.recover().unwrap().unwrap().commit_end_lsn, Lsn(kept));
        assert_eq!(store.lock().unwrap().records.len(), usize::from(kept == 20));
    }
}

#[test]
fn kafka_stores_both_or_neither() {
    use crate::sink::kafka::Kafka;

    let Ok(brokers) = std::env::var("WALBRIDGE_TEST_KAFKA") else {
        println!("skipped: WALBRIDGE_TEST_KAFKA is not set");
        return;
    };
    let name = format!("contract_{}", std::process::id());
    let seen = || committed_keys(&brokers, &format!("{name}.orders"));
    let mut make = |nonce: &str| Kafka::new(settings(&name, &brokers), nonce.to_owned()).unwrap();
    a_sink_stores_both_or_neither(&mut make, &seen);
}
