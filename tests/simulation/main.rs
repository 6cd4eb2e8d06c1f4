//! Seeds × faults: at every commit to the sink, a derived copy equals the table, and everything is told exactly once.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says by a panic what went wrong"
)]

mod legacy;
mod model;
mod watched;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walbridge::bridge::{BridgeError, Works, run};
use walbridge::encoding::{self, Encoder};
use walbridge::flow::catalog::{
    Catalog, ColumnFacts, Generated, Identity, Nullable, SqlType, TableFacts, TableKind, Toast, Unique, UniqueKind,
};
use walbridge::flow::change::Step;
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::flow::table::ReplicaIdentity;
use walbridge::mapping::compile::compile;
use walbridge::mapping::plan::Mapping;
use walbridge::sink::SinkError;
use walbridge::sink::memory::{Delay, Fault, Memory, Shared, Stored};
use walbridge::source::scripted::{Log, Scripted};
use walbridge::source::{Distance, Hold, Source, SourceError};
use walbridge::telemetry::{Names, Status};

use crate::legacy::{Deed, Dice, deeds, table};
use crate::model::{Copy, Told, fold};
use crate::watched::{Met, Watched, count};

const CONFIG: &str = r#"
[bridge]
name = "sim"
[source]
url = "postgresql://w@localhost/legacy?sslmode=disable"
[kafka]
brokers = "localhost:9092"
[backfill]
on_start = false
[entity.Order]
table = "public.ord"
where = "typ = 'S'"
key = "number"
state_topic = "orders"
event_topic = "order-events"
[entity.Order.fields]
number = "no"
status = { from = "sts", codes = { N = "placed", P = "paid" } }
total = { from = "ct", decimals = 2 }
note = "rmk"
[entity.Order.events]
OrderPlaced = { on = "enters" }
OrderPaid = { on = "changes", when = "new.status = 'paid' and old.status is distinct from 'paid'" }
OrderChanged = { on = "changes" }
OrderRemoved = { on = "leaves" }
"#;

/// The catalogue that goes with [`table`].
fn catalog() -> Catalog {
    let table = table();
    let column = |column: &walbridge::flow::table::Column| ColumnFacts {
        name: column.name.clone(),
        type_oid: column.type_oid,
        sql_type: if column.type_oid == 20 {
            SqlType::Int8
        } else {
            SqlType::Text
        },
        type_text: if column.type_oid == 20 { "bigint" } else { "text" }.to_owned(),
        nullable: if column.name == "rmk" {
            Nullable::Yes
        } else {
            Nullable::No
        },
        collation: if column.type_oid == 20 {
            String::new()
        } else {
            "C".to_owned()
        },
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
    };
    let all = table.columns.iter().map(|column| column.name.clone()).collect();
    let facts = TableFacts {
        oid: table.oid,
        name: table.name.clone(),
        kind: TableKind::Ordinary,
        identity: Identity {
            kind: ReplicaIdentity::Full,
            columns: all,
            attnums: Vec::new(),
        },
        columns: table.columns.iter().map(column).collect(),
        uniques: vec![Unique {
            name: "ord_pkey".to_owned(),
            columns: vec!["no".to_owned()],
            kind: UniqueKind::PrimaryKey,
        }],
        leaves: Vec::new(),
        ancestors: Vec::new(),
    };
    Catalog {
        tables: [(table.name.clone(), facts)].into(),
        ctype: "C".to_owned(),
        encoding: "UTF8".to_owned(),
        ..Catalog::default()
    }
}

fn mapping() -> Mapping {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("sim.toml");
    std::fs::write(&path, CONFIG).expect("a file");
    let loaded = walbridge::config::load_offline(&path).expect("a valid config");
    compile(&loaded.config.entities, &catalog())
        .expect("a mapping that fits")
        .mapping
}

/// A source that gets more to tell whenever it has told all, and asks to stop at the end.
struct Feeding<'a> {
    inner: Scripted,
    log: Arc<Mutex<Log>>,
    waiting: &'a mut VecDeque<Deed>,
    dice: &'a mut Dice,
    stop: &'a AtomicBool,
    idle: u32,
}

impl Source for Feeding<'_> {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.inner.hold()
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Checkpoint, SourceError> {
        self.inner.prove(stored)
    }

    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        let step = self.inner.next(wait)?;
        if let Step::Drained { .. } = step {
            let mut log = self.log.lock().expect("a log");
            self.idle = if self.waiting.is_empty() { self.idle + 1 } else { 0 };
            for deed in self.waiting.drain(..(1 + self.dice.index(4)).min(self.waiting.len())) {
                log.commit(deed.entries);
            }
            if self.dice.one_in(3) {
                log.pass(1 + self.dice.below(40_000_000));
            }
            if self.dice.one_in(3) {
                log.ask();
            }
            if self.idle > 3 {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(step)
    }

    fn distance(&self) -> Distance {
        self.inner.distance()
    }

    fn silence(&self) -> Duration {
        self.inner.silence()
    }

    fn acknowledge(&mut self, lsn: Lsn) {
        self.inner.acknowledge(lsn);
    }
}

/// Faults to come, at random places.
fn plan_faults(dice: &mut Dice, log: &Arc<Mutex<Log>>, store: &Shared) {
    let mut log = log.lock().expect("a log");
    let mut store = store.lock().expect("a store");
    for _ in 0..dice.below(6) {
        log.disconnect_after(dice.index(300));
    }
    for _ in 0..dice.below(6) {
        let fault = [Fault::Append, Fault::CommitLost, Fault::CommitUnknown, Fault::Overrun];
        store.fail(dice.index(12), fault[dice.index(4)]);
    }
    // Fewer calls than a bridge that stops has time for.
    store.delay((0..dice.below(6)).map(|_| Delay {
        stored: dice.index(5),
        answered: dice.index(5),
    }));
}

/// Runs instance after instance until everything is told.
fn live(mapping: &Mapping, world: (&Arc<Mutex<Log>>, &Shared, &Met), waiting: &mut VecDeque<Deed>, dice: &mut Dice) {
    let (log, store, met) = world;
    let written = encoding::Settings {
        source: "walbridge/sim".to_owned(),
        type_prefix: String::new(),
        dataschema_prefix: "urn:".to_owned(),
    };
    let status = Status::new(Names::default());
    for failed in 0..1_000 {
        let stop = AtomicBool::new(false);
        let inner = Scripted::new(Arc::clone(log));
        let mut source = Feeding {
            inner,
            log: Arc::clone(log),
            waiting,
            dice,
            stop: &stop,
            idle: 0,
        };
        let mut sink = Watched {
            inner: Memory::new(Arc::clone(store), format!("instance {failed}")),
            met,
        };
        let works = Works {
            mapping,
            encoder: &mut Encoder::new(&mapping.kinds, &written),
            fingerprint: "sim",
            stop: &stop,
            status: &status,
        };
        let ended = run(&mut source, &mut sink, works);
        let acknowledged = log.lock().expect("a log").confirmed_lsn();
        let stored = store
            .lock()
            .expect("a store")
            .checkpoints
            .last()
            .map(|(_, last)| last.commit_end_lsn);
        assert!(
            Some(acknowledged) <= stored,
            "acknowledged {acknowledged}, stored {stored:?}"
        );
        match ended {
            Ok(()) => return,
            Err(BridgeError::Source(SourceError::Transient(_)))
            | Err(BridgeError::Sink(SinkError::Transient(_) | SinkError::Overrun(_))) => count(&met.faults),
            Err(error) => panic!("cannot go on: {error}"),
        }
    }
    panic!("does not come to an end");
}

fn told(mapping: &Mapping, stored: &Stored) -> Told {
    let kind = &mapping.kinds[usize::from(stored.kind.0)];
    let topic = mapping.topics[usize::from(stored.topic.0)].name.as_str();
    let document: Option<serde_json::Value> = stored
        .value
        .as_ref()
        .map(|value| serde_json::from_slice(value).expect("valid JSON"));
    let names = ["Order", "OrderPlaced", "OrderPaid", "OrderChanged", "OrderRemoved"];
    let name = document.as_ref().map_or(kind.name.as_str(), |document| {
        document["type"].as_str().expect("a type")
    });
    Told {
        topic: ["orders", "order-events"]
            .into_iter()
            .find(|known| *known == topic)
            .expect("a known topic"),
        event: names.into_iter().find(|known| *known == name).expect("a known event"),
        key: String::from_utf8(stored.key.clone()).expect("a text"),
        data: document.map(|document| document["data"].clone()),
    }
}

/// Says which seed it was, wherever the panic is.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}", self.0);
        }
    }
}

fn simulate(mapping: &Mapping, seed: u64, met: &Met) {
    let _named = Named(seed);
    let mut dice = Dice(seed);
    let deeds = deeds(&mut dice, 40);
    let expected: Vec<Vec<Told>> = deeds.iter().map(|deed| deed.told.clone()).collect();
    let (log, store): (_, Shared) = (Log::shared(), Shared::default());
    let first = log.lock().expect("a log").first_position();
    store.lock().expect("a store").checkpoints.push((0, first));
    plan_faults(&mut dice, &log, &store);
    live(mapping, (&log, &store, met), &mut deeds.into(), &mut dice);

    let (log, store) = (log.lock().expect("a log"), store.lock().expect("a store"));
    let all: Vec<Told> = store.records.iter().map(|stored| told(mapping, stored)).collect();
    let should = expected.concat();
    if let Some(at) = (0..all.len().max(should.len())).find(|&at| all.get(at) != should.get(at)) {
        let shown = |told: Option<&Told>| format!("{told:?}").chars().take(300).collect::<String>();
        panic!(
            "seed {seed}: record {at} is {}, not {}",
            shown(all.get(at)),
            shown(should.get(at))
        );
    }
    assert!(
        store.records.windows(2).all(|two| two[0].position < two[1].position),
        "seed {seed}: ids do not rise"
    );
    let (mut source, mut derived) = (Copy::new(), Copy::new());
    let (mut deeds_done, mut records_done) = (0, 0);
    for (records, checkpoint) in &store.checkpoints {
        let covered = log
            .committed()
            .partition_point(|deed| deed.end_lsn <= checkpoint.commit_end_lsn);
        expected[deeds_done..covered]
            .iter()
            .flatten()
            .for_each(|told| fold(&mut source, told));
        all[records_done..*records]
            .iter()
            .for_each(|told| fold(&mut derived, told));
        (deeds_done, records_done) = (covered, *records);
        assert_eq!(
            source, derived,
            "seed {seed}: the copy differs at {}",
            checkpoint.commit_end_lsn
        );
    }
    assert_eq!(
        deeds_done,
        expected.len(),
        "seed {seed}: the last position covers everything"
    );
}

#[test]
fn a_copy_equals_its_table_at_every_commit_whatever_fails() {
    let seeds: u64 = std::env::var("WALBRIDGE_SEEDS")
        .ok()
        .map_or(100, |text| text.parse().expect("a number"));
    let first: u64 = std::env::var("WALBRIDGE_TEST_SEED")
        .ok()
        .map_or(1, |text| text.parse().expect("a number"));
    let mapping = mapping();
    let met = Met::default();
    (first..first + seeds).for_each(|seed| simulate(&mapping, seed, &met));
    let [faults, waits, late_errors, early_buffers] =
        [&met.faults, &met.waits, &met.late_errors, &met.early_buffers].map(|cell| cell.get());
    println!(
        "seeds {first} to {}: {faults} faults met; {waits} waits for a commit, {late_errors} errors and {early_buffers} buffers meanwhile",
        first + seeds - 1
    );
    let often = usize::try_from(seeds).expect("a number");
    assert!(faults > often, "the faults do not come: {faults} in {seeds} seeds");
    // One seed alone may meet none of it.
    if seeds >= 20 {
        assert!(waits > often, "commits are not under way: {waits} in {seeds} seeds");
        assert!(late_errors > 0, "no error comes while a commit is under way");
        assert!(early_buffers > 0, "no transaction fills while a commit is under way");
    }
}
