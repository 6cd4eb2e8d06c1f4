//! A source that gets more to tell whenever it has told all, whose tables can be read beside it, and that asks to stop
//! at the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walbridge::backfill::Chunk;
use walbridge::backfill::target::{Rows, Wanted, row_name};
use walbridge::flow::change::{CommitTime, Step};
use walbridge::flow::checkpoint::{Checkpoint, Standing};
use walbridge::flow::position::Lsn;
use walbridge::sink::memory::Shared;
use walbridge::source::postgres::pgoutput::encode::{Old, Value, Values};
use walbridge::source::scripted::{Committed, Entry, Log, Scripted};
use walbridge::source::{Distance, Hold, Source, SourceError};

use crate::legacy::{Deed, Dice};

/// The xid of the log's first transaction.
const FIRST_XID: usize = 701;

/// The source.
pub(crate) struct Feeding<'a> {
    pub(crate) inner: Scripted,
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) store: &'a Shared,
    pub(crate) waiting: &'a mut VecDeque<Deed>,
    pub(crate) dice: &'a mut Dice,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) idle: u32,
    /// Transactions that every snapshot sees: they committed before this instance began, or an earlier snapshot saw them.
    pub(crate) settled: usize,
    /// A chunk that is being read, and after how many more questions it is there.
    pub(crate) reading: Option<(u64, Rows)>,
}

impl Feeding<'_> {
    /// Whether every entity whose old rows are wanted is told.
    fn is_complete(&self) -> bool {
        let store = self.store.lock().expect("a store");
        let stored = store.checkpoints.last().and_then(|(_, last)| last.backfill.as_ref());
        stored.is_none_or(|old| old.entities.values().all(|one| one.standing == Standing::Complete))
    }

    /// Rows as a snapshot of now sees them: the last commits may be in the log and not visible yet.
    fn read(&mut self, wanted: &Wanted<'_>) -> Rows {
        let log = self.log.lock().expect("a log");
        let all = log.committed();
        let hidden = self.dice.index(4).min(all.len() - self.settled);
        let (visible, unseen) = all.split_at(all.len() - hidden);
        // What one snapshot sees every later one does.
        self.settled = visible.len();
        let xids: Vec<String> = (0..unseen.len())
            .map(|at| (FIRST_XID + visible.len() + at).to_string())
            .collect();
        let (first, next) = (FIRST_XID + visible.len(), FIRST_XID + all.len());
        let snapshot = format!("{first}:{next}:{}", xids.join(","));
        let state = wanted.target.state;
        let table = rows(visible);
        let behind = table
            .iter()
            .filter(|(key, _)| wanted.after.is_none_or(|after| after[0] < **key));
        let found: Vec<(&String, &Values)> = behind.take(wanted.rows_max).collect();
        let ends = found.len() < wanted.rows_max;
        Rows {
            next: found.last().filter(|_| !ends).map(|(key, _)| vec![(*key).clone()]),
            chunk: Chunk {
                snapshot: snapshot.parse().expect("a snapshot"),
                told_before: wanted.told_before,
                horizon: log.end_lsn(),
                rows: found
                    .iter()
                    .map(|(key, row)| ((state, row_name(std::iter::once(key.as_bytes()))), tuple(row)))
                    .collect(),
            },
            read_at: CommitTime(1_000_000),
        }
    }
}

impl Source for Feeding<'_> {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.settled = self.log.lock().expect("a log").committed().len();
        self.reading = None;
        self.inner.hold()
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Checkpoint, SourceError> {
        self.inner.prove(stored)
    }

    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        let complete = self.is_complete();
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
            if self.idle > 3 && complete {
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

    fn read_chunk(&mut self, wanted: &Wanted<'_>) -> Result<Option<Rows>, SourceError> {
        match self.reading.take() {
            None => {
                let rows = self.read(wanted);
                self.reading = Some((self.dice.below(6), rows));
                Ok(None)
            }
            Some((0, rows)) => Ok(Some(rows)),
            Some((more, rows)) => {
                self.reading = Some((more - 1, rows));
                Ok(None)
            }
        }
    }

    fn acknowledge(&mut self, lsn: Lsn) {
        self.inner.acknowledge(lsn);
    }
}

/// The table behind these transactions, by key.
fn rows(committed: &[Arc<Committed>]) -> BTreeMap<String, Values> {
    let mut rows = BTreeMap::new();
    let key = |row: &Values| match &row[0] {
        Value::Text(key) => key.clone(),
        Value::Null | Value::Unchanged => panic!("no key"),
    };
    for entry in committed.iter().flat_map(|committed| &committed.entries) {
        match entry {
            Entry::Insert { new, .. } => drop(rows.insert(key(new), new.clone())),
            Entry::Update {
                old: Old::Full(old),
                new,
                ..
            } => {
                rows.remove(&key(old));
                let sent = new.iter().zip(old);
                let whole = sent.map(|(new, old)| if *new == Value::Unchanged { old } else { new }.clone());
                drop(rows.insert(key(new), whole.collect()));
            }
            Entry::Delete {
                old: Old::Full(old), ..
            } => drop(rows.remove(&key(old))),
            Entry::Update { .. } | Entry::Delete { .. } | Entry::Truncate { .. } | Entry::Message { .. } => {
                panic!("not of this legacy database: {entry:?}")
            }
        }
    }
    rows
}

/// A row in the stream's form.
fn tuple(row: &Values) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in row {
        match value {
            Value::Null => bytes.push(b'n'),
            Value::Text(text) => {
                bytes.push(b't');
                bytes.extend(u32::try_from(text.len()).expect("short").to_be_bytes());
                bytes.extend(text.as_bytes());
            }
            Value::Unchanged => panic!("a row that is read is whole"),
        }
    }
    bytes
}
