//! Seeds × faults: at every commit to the sink, a derived copy equals the table, and everything is told exactly once.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says by a panic what went wrong"
)]

mod declared;
mod earlier;
mod feeding;
mod legacy;
mod lives;
mod marked;
mod model;
mod stored;
mod watched;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use walbridge::backfill::target::{KeyColumn, Reach, Target};
use walbridge::flow::event::KindId;
use walbridge::flow::table::Table;
use walbridge::mapping::plan::Mapping;
use walbridge::sink::memory::Shared;
use walbridge::source::Source;
use walbridge::source::scripted::{Log, Scripted};

use crate::declared::mapping;
use crate::earlier::is_swept;
use crate::legacy::{Deed, Dice, deeds, table};
use crate::lives::{live, plan_faults};
use crate::model::Told;
use crate::stored::{compare, is_old, told};
use crate::watched::Met;

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
    /// Rows are, and their topic holds an earlier telling of them and of others, which is reconciled.
    Earlier,
}

/// The old rows of `Order`.
fn target() -> Target {
    Target {
        entity: "Order".to_owned(),
        // The first kind of the mapping: see `kinds`.
        state: KindId(0),
        topic: "orders".to_owned(),
        filter: None,
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
    let old = if before == Before::Empty { 0 } else { dice.index(20) };
    let targets = if before == Before::Empty {
        Vec::new()
    } else {
        vec![target()]
    };
    set_up(&log, deeds.drain(..old));
    let first = log.lock().expect("a log").first_position();
    if before == Before::Earlier {
        let mut store = store.lock().expect("a store");
        earlier::tell(&mut dice, &expected, (&target(), first), &mut store);
    } else {
        store.lock().expect("a store").checkpoints.push((0, first));
    }
    plan_faults(&mut dice, &log, &store);
    live((mapping, &targets), (&log, &store, met), &mut deeds.into(), &mut dice);

    let (log, store) = (log.lock().expect("a log"), store.lock().expect("a store"));
    let all: Vec<Told> = store.records.iter().map(|stored| told(mapping, stored)).collect();
    let held = store.checkpoints.first().map_or(0, |(records, _)| *records);
    let new = store.records.iter().zip(&all).skip(held);
    let streamed: Vec<&Told> = new
        .filter(|(stored, _)| !is_old(stored) && !is_swept(stored))
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
    for stored in store.records.iter().filter(|stored| is_swept(stored)) {
        assert!(before == Before::Earlier, "seed {seed}: a key is said to be gone");
        let held = store.records.iter().take(held).any(|earlier| earlier.key == stored.key);
        assert!(held, "seed {seed}: a key is said to be gone that was not there");
        met.swept.set(met.swept.get() + 1);
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

#[test]
fn what_is_gone_is_removed_from_an_earlier_telling_whatever_fails() {
    let (first, seeds) = seeds();
    let (mapping, met) = (mapping(), Met::default());
    (first..first + seeds).for_each(|seed| simulate(&mapping, (seed, Before::Earlier), &met));
    let [faults, swept, failed] = [&met.faults, &met.swept, &met.looks.1].map(|cell| cell.get());
    println!(
        "seeds {first} to {}: {faults} faults met, {swept} keys removed, {failed} looks failed",
        first + seeds - 1
    );
    if seeds >= 20 {
        assert!(
            faults > 0 && failed > 0 && swept > usize::try_from(seeds).expect("a number"),
            "{faults} faults, {swept} keys, {failed} looks failed"
        );
    }
}
