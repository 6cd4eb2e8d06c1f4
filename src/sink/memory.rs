//! A sink in memory that fails when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::event::{KindId, TopicId};
use crate::flow::position::Position;
use crate::flow::record::Records;
use crate::sink::{Progress, Sink, SinkError};

/// How a sink fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Records are not taken.
    Append,
    /// The commit did not happen, and the answer was not clean.
    CommitLost,
    /// The commit happened, and the answer was not clean.
    CommitUnknown,
    /// The transaction outlived its time-out.
    Overrun,
    /// An operator must act.
    Halt,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Kind of the event.
    pub kind: KindId,
    /// Its topic.
    pub topic: TopicId,
    /// Its id.
    pub position: Position,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value; none for a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What all instances of one bridge share.
#[derive(Debug, Default)]
pub struct Store {
    /// Committed records, in order.
    pub records: Vec<Stored>,
    /// Every committed checkpoint, in order, with the number of records committed by then.
    pub checkpoints: Vec<(usize, Checkpoint)>,
    /// Faults to come: at the how-manieth further commit (or the append before it), and how.
    faults: VecDeque<(usize, Fault)>,
    generation: u64,
    fence: Option<String>,
}

impl Store {
    /// Fails once at a later commit: 0 is the next. Faults come in the order told, each counted from the one before.
    pub fn fail(&mut self, commits: usize, fault: Fault) {
        self.faults.push_back((commits, fault));
    }

    fn due(&mut self, fault: Fault) -> bool {
        let due = self.faults.front() == Some(&(0, fault));
        if due {
            self.faults.pop_front();
        }
        due
    }
}

/// A store and a way to it.
pub type Shared = Arc<Mutex<Store>>;

/// The sink.
#[derive(Debug)]
pub struct Memory {
    store: Shared,
    nonce: String,
    generation: u64,
    open: Vec<Stored>,
    broken: Option<SinkError>,
}

impl Memory {
    /// An instance that writes to the store.
    pub fn new(store: Shared, nonce: impl Into<String>) -> Self {
        Self {
            store,
            nonce: nonce.into(),
            generation: 0,
            open: Vec::new(),
            broken: Some(SinkError::Transient("the sink is not open".to_owned())),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An earlier error, or that another instance took over.
    fn check(&mut self) -> Result<(), SinkError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let (generation, fence) = {
            let store = self.store();
            (store.generation, store.fence.clone())
        };
        if generation == self.generation {
            return Ok(());
        }
        match fence {
            Some(nonce) if nonce != self.nonce => self.break_with(SinkError::Fenced { nonce }),
            Some(_) | None => self.break_with(SinkError::Transient("fenced by nobody known".to_owned())),
        }
    }

    fn break_with(&mut self, error: SinkError) -> Result<(), SinkError> {
        self.open.clear();
        self.broken = Some(error.clone());
        Err(error)
    }

    fn write(&mut self, checkpoint: &Checkpoint) {
        let records = std::mem::take(&mut self.open);
        let mut store = self.store();
        store.records.extend(records);
        let count = store.records.len();
        store.checkpoints.push((count, checkpoint.clone()));
        store.fence = Some(checkpoint.nonce.clone());
    }
}

impl Sink for Memory {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        self.open.clear();
        self.broken = None;
        let mut store = self.store();
        store.generation = store.generation.saturating_add(1);
        let (generation, last) = (store.generation, store.checkpoints.last().map(|(_, last)| last.clone()));
        drop(store);
        self.generation = generation;
        Ok(last)
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        self.check()?;
        checkpoint.nonce.clone_from(&self.nonce);
        self.write(checkpoint);
        Ok(())
    }

    fn append(&mut self, mut records: Records) -> Result<Records, SinkError> {
        self.check()?;
        if self.store().due(Fault::Append) {
            self.break_with(SinkError::Transient("told to fail: append".to_owned()))?;
        }
        self.open.extend(records.spans.iter().map(|span| Stored {
            kind: span.kind,
            topic: span.topic,
            position: span.position,
            key: records.part(&span.key).to_vec(),
            value: span.value.as_ref().map(|value| records.part(value).to_vec()),
        }));
        records.clear();
        Ok(records)
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        self.check()?;
        let next = self.store().faults.front().copied();
        let told = || SinkError::Transient("told to fail: commit".to_owned());
        if let Some((0, fault)) = next
            && self.store().due(fault)
        {
            let error = match fault {
                Fault::Append | Fault::CommitLost => told(),
                Fault::CommitUnknown => {
                    self.write(checkpoint);
                    told()
                }
                Fault::Overrun => SinkError::Overrun("told to fail: overrun".to_owned()),
                Fault::Halt => SinkError::Halt(Box::new(Finding::error(
                    Cause::Surroundings,
                    "memory.halt",
                    "told to fail: halt",
                ))),
            };
            return self.break_with(error);
        }
        if let Some((commits, _)) = self.store().faults.front_mut() {
            *commits = commits.saturating_sub(1);
        }
        self.write(checkpoint);
        Ok(())
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        self.check()?;
        let durable = self.store().checkpoints.last().map(|(_, last)| last.commit_end_lsn);
        Ok(Progress {
            durable_lsn: durable.unwrap_or_default(),
            commits_in_flight: 0,
        })
    }
}
