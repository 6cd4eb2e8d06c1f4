//! A source that gets more to tell whenever it has told all, whose tables can be read beside it, and that asks to stop
//! at the end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walbridge::backfill::Chunk;
use walbridge::backfill::pace::{Cost, Cut, Others};
use walbridge::backfill::target::{Begin, Reading, Rows, Wanted, row_name};
use walbridge::flow::change::{CommitTime, Step};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::event::KindId;
use walbridge::flow::generation::Standing;
use walbridge::flow::position::Lsn;
use walbridge::sink::memory::Shared;
use walbridge::source::postgres::pgoutput::encode::{Old, Value, Values};
use walbridge::source::scripted::{Committed, Entry, Log, Scripted};
use walbridge::source::{Distance, Hold, Proven, Source, SourceError};

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
    /// Chunks that are asked for, in order.
    pub(crate) chunks: VecDeque<Asked>,
    /// Where the last chunk that was given was to end.
    pub(crate) last_end: Option<Vec<String>>,
}

/// A chunk that was asked for.
pub(crate) struct Asked {
    state: KindId,
    after: Option<Vec<String>>,
    /// Where it will end, if all goes well: known before it is read, since the next one begins there.
    upto: Option<Vec<String>>,
    /// The last key that is wanted at all.
    bound: Option<Vec<String>>,
    rows_max: usize,
    told_before: u64,
    reading: Stage,
}

/// How far a chunk is.
enum Stage {
    /// It is read after so many more questions.
    Waits(u64),
    /// It is read, by a snapshot that may be earlier or later than those of the others, and given after so many more.
    Read(u64, Box<Rows>),
    /// The one before it was the last.
    Nothing,
}

impl Feeding<'_> {
    /// Whether every entity whose old rows are wanted is told.
    fn is_complete(&self) -> bool {
        let store = self.store.lock().expect("a store");
        let stored = store.checkpoints.last().and_then(|(_, last)| last.backfill.as_ref());
        stored.is_none_or(|old| old.entities.values().all(|one| one.standing == Standing::Complete))
    }

    /// The table as a snapshot of now sees it, and the snapshot: the last commits may be in the log and not visible yet.
    fn snapshot(&mut self) -> (String, BTreeMap<String, Values>, Lsn) {
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
        (
            format!("{first}:{next}:{}", xids.join(",")),
            rows(visible),
            log.end_lsn(),
        )
    }

    /// Reads the chunk in a snapshot of now. It may end before or behind where it was to: rows came and went since that was
    /// said, or they do not fit in.
    fn read(&mut self, asked: &Asked) -> Rows {
        let (snapshot, table, horizon) = self.snapshot();
        let behind = |key: &String| asked.after.as_ref().is_none_or(|after| after[0] < *key);
        let upto = asked.upto.as_ref().or(asked.bound.as_ref());
        let inside = |key: &String| upto.is_none_or(|upto| *key <= upto[0]);
        let held: Vec<(&String, &Values)> = table.iter().filter(|(key, _)| behind(key) && inside(key)).collect();
        let cut = if held.len() > 1 && self.dice.one_in(8) {
            1
        } else {
            held.len()
        };
        let next = if cut < held.len() {
            held.get(cut - 1).map(|(key, _)| vec![(*key).clone()])
        } else {
            asked.upto.clone()
        };
        let found = &held[..cut];
        Rows {
            after: asked.after.clone(),
            next,
            chunk: Chunk {
                snapshot: snapshot.parse().expect("a snapshot"),
                told_before: asked.told_before,
                horizon,
                rows: found
                    .iter()
                    .map(|(key, row)| ((asked.state, row_name(std::iter::once(key.as_bytes()))), tuple(row)))
                    .collect(),
            },
            read_at: CommitTime(1_000_000),
            last: match &asked.bound {
                Some(_) => None,
                None => table.keys().next_back().map(|key| vec![key.clone()]),
            },
            cost: Cost {
                rows_max: asked.rows_max,
                rows: found.len(),
                bytes: found.len() * 50,
                spent: Duration::from_millis(500),
                cut: Cut::No,
                others: Others::Quiet,
            },
        }
    }
}

impl Source for Feeding<'_> {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.settled = self.log.lock().expect("a log").committed().len();
        self.chunks.clear();
        self.inner.hold()
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError> {
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

    fn ask_chunk(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError> {
        let after = match wanted.begin {
            Begin::First => Some(None),
            Begin::Behind(key) => Some(Some(key.to_vec())),
            // None: there is nothing behind the table's end.
            Begin::BehindAsked => {
                let end = self.chunks.back().map_or(&self.last_end, |last| &last.upto);
                end.clone().map(Some)
            }
        };
        let (_, table, _) = self.snapshot();
        let upto = after.as_ref().and_then(|after| {
            let behind = |key: &&String| after.as_ref().is_none_or(|after| after[0] < **key);
            let inside = |key: &&String| wanted.last.is_none_or(|upto| **key <= upto[0]);
            table.keys().filter(behind).filter(inside).nth(wanted.rows_max - 1)
        });
        let upto = upto.map(|key| vec![key.clone()]);
        self.chunks.push_back(Asked {
            state: wanted.target.state,
            reading: if after.is_some() {
                Stage::Waits(self.dice.below(6))
            } else {
                Stage::Nothing
            },
            after: after.flatten(),
            upto,
            bound: wanted.last.map(<[String]>::to_vec),
            rows_max: wanted.rows_max,
            told_before: wanted.told_before,
        });
        Ok(())
    }

    fn next_chunk(&mut self) -> Result<Reading, SourceError> {
        for at in 0..self.chunks.len() {
            let read = match &mut self.chunks[at].reading {
                Stage::Waits(0) => true,
                Stage::Waits(more) | Stage::Read(more, _) => {
                    *more = more.saturating_sub(1);
                    false
                }
                Stage::Nothing => false,
            };
            if read {
                let asked = self.chunks.remove(at).expect("it is there");
                let rows = Box::new(self.read(&asked));
                let reading = Stage::Read(self.dice.below(6), rows);
                self.chunks.insert(at, Asked { reading, ..asked });
            }
        }
        let is_there = match self.chunks.front().map(|first| &first.reading) {
            None | Some(Stage::Nothing | Stage::Read(0, _)) => true,
            Some(Stage::Waits(_) | Stage::Read(..)) => false,
        };
        if !is_there {
            return Ok(Reading::UnderWay);
        }
        Ok(match self.chunks.pop_front() {
            Some(Asked {
                upto,
                reading: Stage::Read(_, rows),
                ..
            }) => {
                self.last_end = upto;
                Reading::Read(*rows)
            }
            Some(_) | None => Reading::Nothing,
        })
    }

    fn drop_chunks(&mut self) {
        self.chunks.clear();
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
