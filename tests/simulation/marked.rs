//! Markers where an operator ends a telling of old rows: told only where its beginning was.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use walbridge::backfill::Chunk;
use walbridge::backfill::order::{Action, Order};
use walbridge::backfill::pace::{Cost, Cut, Others};
use walbridge::backfill::target::{Reading, Rows, Wanted};
use walbridge::bridge::orders::Desk;
use walbridge::bridge::{Accept, Markers, Old, Works, orders, run};
use walbridge::encoding::Encoder;
use walbridge::flow::change::{CommitTime, Step};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::declaration::Declarations;
use walbridge::flow::position::Lsn;
use walbridge::sink::memory::{Memory, Shared};
use walbridge::source::scripted::{Log, Scripted};
use walbridge::source::{Distance, Hold, Proven, Source, SourceError};
use walbridge::telemetry::{Names, Status};

use crate::declared::mapping;
use crate::lives::{old, written};
use crate::{set_up, target};

/// A table of three chunks without a row that is told; an order comes in before one of them.
struct Ordered<'a> {
    inner: Scripted,
    desk: &'a Desk,
    before: usize,
    chunks: usize,
    asked: VecDeque<u64>,
    stop: &'a AtomicBool,
    idle: Cell<u32>,
}

impl Source for Ordered<'_> {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.inner.hold()
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError> {
        self.inner.prove(stored)
    }

    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        self.idle.set(self.idle.get() + 1);
        if self.idle.get() > 20 {
            self.stop.store(true, Ordering::Relaxed);
        }
        self.inner.next(wait)
    }

    fn distance(&self) -> Distance {
        self.inner.distance()
    }

    fn silence(&self) -> Duration {
        self.inner.silence()
    }

    fn ask_chunk(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError> {
        self.asked.push_back(wanted.told_before);
        Ok(())
    }

    fn next_chunk(&mut self) -> Result<Reading, SourceError> {
        let Some(told_before) = self.asked.pop_front() else {
            return Ok(Reading::Nothing);
        };
        self.chunks += 1;
        if self.chunks == self.before {
            ask(self.desk);
        }
        let key = |chunk: usize| vec![chunk.to_string()];
        Ok(Reading::Read(Rows {
            chunk: Chunk {
                snapshot: "700:700:".parse().expect("a snapshot"),
                told_before,
                horizon: Lsn::INVALID,
                rows: Vec::new(),
            },
            read_at: CommitTime(1_000_000),
            after: (self.chunks > 1).then(|| key(self.chunks - 1)),
            last: None,
            next: (self.chunks < 3).then(|| key(self.chunks)),
            cost: Cost {
                rows_max: 3,
                rows: 0,
                bytes: 0,
                spent: Duration::ZERO,
                cut: Cut::No,
                others: Others::Quiet,
            },
        }))
    }

    fn drop_chunks(&mut self) {
        self.asked.clear();
    }

    fn acknowledge(&mut self, lsn: Lsn) {
        self.inner.acknowledge(lsn);
    }
}

fn ask(desk: &Desk) {
    let order = Order {
        action: Action::Cancel,
        entities: vec!["Order".to_owned()],
        only: None,
        on_gone: None,
    };
    // Somebody waits for the answer.
    std::mem::forget(desk.hand_in(order));
}

/// Phases that are told where the order comes before this chunk; 0: before the start, none: never.
fn phases(before: Option<usize>) -> Vec<String> {
    let (mapping, targets, status) = (mapping(), [target()], Status::new(Names::default()));
    let (log, store) = (Log::shared(), Shared::default());
    set_up(&log, std::iter::empty());
    let first = log.lock().expect("a log").first_position();
    store.lock().expect("a store").checkpoints.push((0, first));
    let (stop, (desk, requests)) = (AtomicBool::new(false), orders::channel());
    if before == Some(0) {
        ask(&desk);
    }
    let mut source = Ordered {
        inner: Scripted::new(Arc::clone(&log)),
        desk: &desk,
        before: before.unwrap_or(usize::MAX),
        chunks: 0,
        asked: VecDeque::new(),
        stop: &stop,
        idle: Cell::new(0),
    };
    let works = Works {
        mapping: &mapping,
        old: Old {
            markers: Markers::Told,
            ..old(&targets, &requests, 2)
        },
        encoder: &mut Encoder::new(&mapping.kinds, &written()),
        fingerprint: "sim",
        declared: &Declarations::new(),
        accept: Accept::No,
        stop: &stop,
        status: &status,
    };
    run(
        &mut source,
        &mut Memory::new(Arc::clone(&store), "one".to_owned()),
        works,
    )
    .expect("it ends");
    assert!(source.asked.is_empty(), "no reader works for nobody");
    let store = store.lock().expect("a store");
    let phase = |value: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(value).expect("a document");
        assert_eq!(value["type"], "Order.backfill");
        value["data"]["phase"].as_str().expect("a phase").to_owned()
    };
    let values = store.records.iter().filter_map(|record| record.value.as_deref());
    values.map(phase).collect()
}

#[test]
fn an_end_is_told_only_where_the_beginning_was() {
    assert_eq!(phases(None), ["begun", "complete"]);
    assert_eq!(phases(Some(0)), [""; 0]);
    assert_eq!(phases(Some(2)), ["begun", "cancelled"]);
}
