//! Seeds × faults: at every commit to the sink, a derived copy equals the table, and everything is told exactly once.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says by a panic what went wrong"
)]

mod feeding;
mod legacy;
mod model;
mod stored;
mod watched;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walbridge::backfill::snapshot::Xid;
use walbridge::backfill::target::{KeyColumn, Reach, Target};
use walbridge::bridge::{BridgeError, Old, Works, run};
use walbridge::encoding::{self, Encoder};
use walbridge::flow::catalog::{
    Catalog, ColumnFacts, Generated, Identity, Nullable, SqlType, TableFacts, TableKind, Toast, Unique, UniqueKind,
};
use walbridge::flow::event::KindId;
use walbridge::flow::table::{ReplicaIdentity, Table};
use walbridge::mapping::compile::compile;
use walbridge::mapping::plan::Mapping;
use walbridge::sink::SinkError;
use walbridge::sink::memory::{Delay, Fault, Memory, Shared};
use walbridge::source::scripted::{Log, Scripted};
use walbridge::source::{Source, SourceError};
use walbridge::telemetry::{Names, Status};

use crate::feeding::Feeding;
use crate::legacy::{Deed, Dice, deeds, table};
use crate::model::Told;
use crate::stored::{compare, is_old, told};
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
        rows_estimate: 0,
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
fn live(
    (mapping, targets): (&Mapping, &[Target]),
    world: (&Arc<Mutex<Log>>, &Shared, &Met),
    waiting: &mut VecDeque<Deed>,
    dice: &mut Dice,
) {
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
            store,
            waiting,
            dice,
            stop: &stop,
            idle: 0,
            settled: 0,
            reading: None,
        };
        let mut sink = Watched {
            inner: Memory::new(Arc::clone(store), format!("instance {failed}")),
            met,
        };
        let works = Works {
            mapping,
            old: Old {
                targets,
                near: Xid(700),
                rows_per_chunk: 3,
                settle: Duration::ZERO,
            },
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

/// Says which seed it was, wherever the panic is.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("seed {}", self.0);
        }
    }
}

/// What is in the table before the bridge is set up, and whether that is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing is.
    Empty,
    /// Rows are, and they are told.
    Rows,
}

/// The old rows of `Order`.
fn target() -> Target {
    Target {
        entity: "Order".to_owned(),
        // The first kind of the mapping: see `kinds`.
        state: KindId(0),
        topic: "orders".to_owned(),
        rows_estimate: 0,
        reach: Reach::Only,
        shape: Table::clone(&table()),
        key: vec![KeyColumn {
            name: "no".to_owned(),
            type_text: "text".to_owned(),
        }],
    }
}

fn simulate(mapping: &Mapping, (seed, before): (u64, Before), met: &Met) {
    let _named = Named(seed);
    let mut dice = Dice(seed);
    let mut deeds = deeds(&mut dice, 40);
    let expected: Vec<Vec<Told>> = deeds.iter().map(|deed| deed.told.clone()).collect();
    let (log, store): (_, Shared) = (Log::shared(), Shared::default());
    let old = if before == Before::Rows { dice.index(20) } else { 0 };
    let targets = if before == Before::Rows {
        vec![target()]
    } else {
        Vec::new()
    };
    set_up(&log, deeds.drain(..old));
    let first = log.lock().expect("a log").first_position();
    store.lock().expect("a store").checkpoints.push((0, first));
    plan_faults(&mut dice, &log, &store);
    live((mapping, &targets), (&log, &store, met), &mut deeds.into(), &mut dice);

    let (log, store) = (log.lock().expect("a log"), store.lock().expect("a store"));
    let all: Vec<Told> = store.records.iter().map(|stored| told(mapping, stored)).collect();
    let streamed: Vec<&Told> = store
        .records
        .iter()
        .zip(&all)
        .filter(|(s, _)| !is_old(s))
        .map(|(_, told)| told)
        .collect();
    let should = expected[old..].concat();
    if let Some(at) = (0..streamed.len().max(should.len())).find(|&at| streamed.get(at).copied() != should.get(at)) {
        let shown = |told: Option<&Told>| format!("{told:?}").chars().take(300).collect::<String>();
        panic!(
            "seed {seed}: record {at} is {}, not {}",
            shown(streamed.get(at).copied()),
            shown(should.get(at))
        );
    }
    assert!(
        store.records.windows(2).all(|two| two[0].position < two[1].position),
        "seed {seed}: ids do not rise"
    );
    let mut old_keys = BTreeSet::new();
    for (stored, told) in store.records.iter().zip(&all).filter(|(stored, _)| is_old(stored)) {
        assert!(
            old_keys.insert(&stored.key),
            "seed {seed}: {} is told twice as an old row",
            told.key
        );
        assert_eq!(
            (told.topic, told.event),
            ("orders", "Order"),
            "seed {seed}: an invented event"
        );
        met.old_rows.set(met.old_rows.get() + 1);
    }
    compare((seed, before), &expected, &all, (&log, &store));
}

/// The slot is made behind what is in the log by then.
fn set_up(log: &Arc<Mutex<Log>>, before: impl Iterator<Item = Deed>) {
    for deed in before {
        log.lock().expect("a log").commit(deed.entries);
    }
    let end = log.lock().expect("a log").end_lsn();
    let mut source = Scripted::new(Arc::clone(log));
    source.hold().expect("it is free");
    source.acknowledge(end);
}

/// The first seed, and how many.
fn seeds() -> (u64, u64) {
    let seeds: u64 = std::env::var("WALBRIDGE_SEEDS")
        .ok()
        .map_or(100, |text| text.parse().expect("a number"));
    let first: u64 = std::env::var("WALBRIDGE_TEST_SEED")
        .ok()
        .map_or(1, |text| text.parse().expect("a number"));
    (first, seeds)
}

#[test]
fn a_copy_equals_its_table_at_every_commit_whatever_fails() {
    let (first, seeds) = seeds();
    let mapping = mapping();
    let met = Met::default();
    (first..first + seeds).for_each(|seed| simulate(&mapping, (seed, Before::Empty), &met));
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

#[test]
fn old_rows_join_the_stream_whatever_fails() {
    let (first, seeds) = seeds();
    let (mapping, met) = (mapping(), Met::default());
    (first..first + seeds).for_each(|seed| simulate(&mapping, (seed, Before::Rows), &met));
    let [faults, old_rows] = [&met.faults, &met.old_rows].map(|cell| cell.get());
    println!(
        "seeds {first} to {}: {faults} faults met, {old_rows} old rows told",
        first + seeds - 1
    );
    if seeds >= 20 {
        assert!(
            faults > 0 && old_rows > usize::try_from(seeds).expect("a number"),
            "{faults} faults, {old_rows} rows"
        );
    }
}
