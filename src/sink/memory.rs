//! A sink in memory that fails when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backfill::sweep::{Found, Gone, Rest, Sweep, hash};
use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::{Checkpoint, Leaves};
use crate::flow::declaration::Declarations;
use crate::flow::event::{KindId, TopicId};
use crate::flow::position::{Lsn, Position};
use crate::flow::record::Records;
use crate::sink::{Progress, Sink, SinkError};

/// At most so many keys are found in one look, in parts of so many.
const SWEPT_MAX: (usize, usize) = (5, 2);

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

impl Fault {
    fn error(self) -> SinkError {
        match self {
            Self::Append | Self::CommitLost | Self::CommitUnknown => {
                SinkError::Transient(format!("told to fail: {self:?}"))
            }
            Self::Overrun => SinkError::Overrun("told to fail: overrun".to_owned()),
            Self::Halt => SinkError::Halt(Box::new(Finding::error(
                Cause::Surroundings,
                "memory.halt",
                "told to fail: halt",
            ))),
        }
    }
}

/// How long a commit is under way, counted in further calls of its sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Calls before it is stored.
    pub stored: usize,
    /// Calls after that before its answer is there. A sink that is gone by then has stored it, and nobody knows.
    pub answered: usize,
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
    /// How entities are declared, as it was stored last.
    pub declared: Option<Declarations>,
    /// Which partitions tables have, beside it.
    pub leaves: Option<Leaves>,
    /// Every committed checkpoint, in order, with the number of records committed by then.
    pub checkpoints: Vec<(usize, Checkpoint)>,
    /// Faults to come: at the how-manieth further commit (or the append before it), and how.
    faults: VecDeque<(usize, Fault)>,
    delays: VecDeque<Delay>,
    generation: u64,
    fence: Option<String>,
}

impl Store {
    /// Fails once at a later commit: 0 is the next. Faults come in the order told, each counted from the one before.
    pub fn fail(&mut self, commits: usize, fault: Fault) {
        self.faults.push_back((commits, fault));
    }

    /// Commits are under way for so long, in turn, and again from the first; none: each is answered at once.
    pub fn delay(&mut self, delays: impl IntoIterator<Item = Delay>) {
        self.delays = delays.into_iter().collect();
    }

    fn fails_append(&mut self) -> bool {
        let due = self.faults.front() == Some(&(0, Fault::Append));
        if due {
            self.faults.pop_front();
        }
        due
    }

    /// What becomes of the next commit.
    fn next_commit(&mut self) -> (Option<Fault>, Delay) {
        let due = self.faults.pop_front_if(|(commits, _)| *commits == 0);
        if due.is_none()
            && let Some((commits, _)) = self.faults.front_mut()
        {
            *commits = commits.saturating_sub(1);
        }
        let delay = self.delays.pop_front().unwrap_or_default();
        self.delays.push_back(delay);
        (due.map(|(_, fault)| fault), delay)
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
    /// Commits that are not answered; only the first is under way.
    held: VecDeque<Held>,
    durable_lsn: Lsn,
    broken: Option<SinkError>,
    /// What a look found, by its number.
    found: Option<(u64, VecDeque<Found>)>,
}

/// A commit that is not answered.
#[derive(Debug)]
struct Held {
    /// None once it is stored.
    records: Option<Vec<Stored>>,
    checkpoint: Checkpoint,
    fault: Option<Fault>,
    delay: Delay,
}

impl Held {
    /// One call later.
    fn pass(&mut self) {
        let left = if self.delay.stored > 0 {
            &mut self.delay.stored
        } else {
            &mut self.delay.answered
        };
        *left = left.saturating_sub(1);
    }
}

impl Memory {
    /// An instance that writes to the store.
    pub fn new(store: Shared, nonce: impl Into<String>) -> Self {
        Self {
            store,
            nonce: nonce.into(),
            generation: 0,
            open: Vec::new(),
            held: VecDeque::new(),
            durable_lsn: Lsn::INVALID,
            broken: Some(SinkError::Transient("the sink is not open".to_owned())),
            found: None,
        }
    }

    /// Commits that are not answered.
    pub fn commits_in_flight(&self) -> usize {
        self.held.len()
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
        self.held.clear();
        self.broken = Some(error.clone());
        Err(error)
    }

    /// A call begins: the commit under way has gone on meanwhile.
    fn turn(&mut self) -> Result<(), SinkError> {
        self.check()?;
        if let Some(first) = self.held.front_mut() {
            first.pass();
        }
        self.settle()
    }

    /// Stores and answers what is due.
    fn settle(&mut self) -> Result<(), SinkError> {
        while let Some(mut first) = self.held.pop_front() {
            let happens = first.delay.stored == 0 && matches!(first.fault, None | Some(Fault::CommitUnknown));
            if happens && let Some(records) = first.records.take() {
                self.write(records, &first.checkpoint);
            }
            if first.delay != Delay::default() {
                self.held.push_front(first);
                return Ok(());
            }
            if let Some(fault) = first.fault {
                return self.break_with(fault.error());
            }
            self.durable_lsn = first.checkpoint.commit_end_lsn;
        }
        Ok(())
    }

    fn write(&self, records: Vec<Stored>, checkpoint: &Checkpoint) {
        let mut store = self.store();
        store.records.extend(records);
        let count = store.records.len();
        store.checkpoints.push((count, checkpoint.clone()));
        store.fence = Some(checkpoint.nonce.clone());
    }
}

/// All are in one partition.
fn gone_key(record: &Stored) -> Gone {
    Gone {
        key: record.key.clone(),
        partition: 0,
    }
}

impl Sink for Memory {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        self.open.clear();
        self.held.clear();
        self.found = None;
        self.broken = None;
        let mut store = self.store();
        store.generation = store.generation.saturating_add(1);
        let last = store.checkpoints.last().map(|(_, last)| Checkpoint {
            declared: store.declared.clone(),
            leaves: store.leaves.clone(),
            ..last.clone()
        });
        let generation = store.generation;
        drop(store);
        self.generation = generation;
        Ok(last)
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        self.check()?;
        checkpoint.nonce.clone_from(&self.nonce);
        self.write(Vec::new(), checkpoint);
        if checkpoint.declared.is_some() {
            let mut store = self.store();
            store.declared.clone_from(&checkpoint.declared);
            store.leaves.clone_from(&checkpoint.leaves);
        }
        self.durable_lsn = checkpoint.commit_end_lsn;
        Ok(())
    }

    fn append(&mut self, mut records: Records) -> Result<Records, SinkError> {
        self.turn()?;
        if self.store().fails_append() {
            self.break_with(Fault::Append.error())?;
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
        self.turn()?;
        let (fault, delay) = self.store().next_commit();
        self.held.push_back(Held {
            records: Some(std::mem::take(&mut self.open)),
            checkpoint: checkpoint.clone(),
            fault,
            delay,
        });
        self.settle()
    }

    /// What it gives was true when it was first asked for.
    fn sweep(&mut self, wanted: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        self.turn()?;
        if let Some((look, parts)) = &mut self.found
            && *look == wanted.look
            && let Some(part) = parts.pop_front()
        {
            return Ok(Some(part));
        }
        let mut last: BTreeMap<u64, &Stored> = BTreeMap::new();
        let store = self.store();
        for record in store.records.iter().filter(|record| record.kind == wanted.state) {
            last.insert(hash(&record.key), record);
        }
        let is_gone = |record: &&Stored| {
            let told_before = record.position.text().as_slice() < wanted.before.as_bytes();
            told_before && record.value.is_some()
        };
        let within = last.into_iter().filter(|(hash, _)| wanted.span.holds(*hash));
        let mut gone = within.filter(|(_, record)| is_gone(record));
        let keys: Vec<Gone> = gone
            .by_ref()
            .take(SWEPT_MAX.0)
            .map(|(_, record)| gone_key(record))
            .collect();
        let next = gone.next().map(|(hash, _)| hash).or(wanted.span.to);
        drop(gone);
        drop(store);
        let mut parts: VecDeque<Found> = keys
            .chunks(SWEPT_MAX.1)
            .map(|part| Found {
                gone: part.to_vec(),
                rest: Rest::OfThis,
                ..Found::default()
            })
            .collect();
        let rest = next.map_or(Rest::Nothing, Rest::From);
        match parts.back_mut() {
            Some(last) => last.rest = rest,
            None => parts.push_back(Found {
                rest,
                ..Found::default()
            }),
        }
        self.found = Some((wanted.look, parts));
        Ok(None)
    }

    fn end_sweep(&mut self) {
        self.found = None;
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        self.turn()?;
        Ok(Progress {
            durable_lsn: self.durable_lsn,
            commits_in_flight: self.commits_in_flight(),
            settling: false,
        })
    }
}
