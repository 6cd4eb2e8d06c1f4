//! Counting on the hot path: plain numbers of one thread, handed over once for each Kafka commit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::telemetry::{NOTHING_OPEN, Names};

/// Source commits closer than this share an entry …
const SAME_MOMENT_MICROS: i64 = 1_000;
/// … and so do all that follow once there are so many entries.
const MOMENTS_MAX: usize = 4_096;

/// What a row change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A row came.
    Insert,
    /// A row changed.
    Update,
    /// A row went.
    Delete,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Insert, Self::Update, Self::Delete];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Source commits of about one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) unix_micros: i64,
    pub(super) commits: u64,
}

/// Numbers of one Kafka transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) transactions: u64,
    /// By entity: inserts, updates, deletes.
    pub(super) changes: Vec<[u64; 3]>,
    /// By entity.
    pub(super) suppressed: Vec<u64>,
    /// By entity: old rows read.
    pub(super) old_rows: Vec<u64>,
    /// By kind.
    pub(super) kinds: Vec<u64>,
    pub(super) moments: Vec<Moment>,
    /// Its number.
    commit: u64,
}

impl Counts {
    fn committed(&mut self, unix_micros: i64) {
        self.transactions += 1;
        let full = self.moments.len() >= MOMENTS_MAX;
        match self.moments.last_mut() {
            Some(last) if full || unix_micros.abs_diff(last.unix_micros) < SAME_MOMENT_MICROS.unsigned_abs() => {
                last.commits += 1;
            }
            Some(_) | None => self.moments.push(Moment {
                unix_micros,
                commits: 1,
            }),
        }
    }

    fn clear(&mut self) {
        self.transactions = 0;
        self.changes.fill([0; 3]);
        self.suppressed.fill(0);
        self.old_rows.fill(0);
        self.kinds.fill(0);
        self.moments.clear();
    }

    pub(super) fn records(&self) -> u64 {
        self.kinds.iter().sum()
    }
}

/// What one run counts; a run that fails drops it. So nothing is counted that is not stored, and the last commit of a
/// run that failed may be stored and not counted.
///
/// Records of a transaction that goes over a Kafka commit are counted with that commit; they are exact again at its end.
#[derive(Debug)]
pub struct Tally {
    open: Counts,
    sealed: VecDeque<Counts>,
    spare: Vec<Counts>,
    entities: Vec<String>,
    /// Commit time of the transaction that streams.
    streaming: Option<i64>,
    oldest_unix_micros: Arc<AtomicI64>,
    /// What was told last as the oldest.
    told: i64,
}

impl Tally {
    pub(super) fn new(names: &Names, oldest_unix_micros: Arc<AtomicI64>) -> Self {
        let open = Counts {
            changes: vec![[0; 3]; names.entities.len()],
            suppressed: vec![0; names.entities.len()],
            old_rows: vec![0; names.entities.len()],
            kinds: vec![0; names.kinds.len()],
            ..Counts::default()
        };
        Self {
            open,
            sealed: VecDeque::new(),
            spare: Vec::new(),
            entities: names.entities.clone(),
            streaming: None,
            oldest_unix_micros,
            told: NOTHING_OPEN,
        }
    }

    /// A transaction that is not published yet begins; its commit time is known from the start.
    #[inline]
    pub fn begun(&mut self, commit_unix_micros: i64) {
        self.streaming = Some(commit_unix_micros);
        if self.told == NOTHING_OPEN {
            self.tell_oldest();
        }
    }

    /// A row of an entity changed.
    #[inline]
    pub fn change(&mut self, entity: usize, operation: Operation) {
        if let Some([inserts, updates, deletes]) = self.open.changes.get_mut(entity) {
            *match operation {
                Operation::Insert => inserts,
                Operation::Update => updates,
                Operation::Delete => deletes,
            } += 1;
        }
    }

    /// A record of this kind is told.
    #[inline]
    pub fn record(&mut self, kind: usize) {
        if let Some(count) = self.open.kinds.get_mut(kind) {
            *count += 1;
        }
    }

    /// A change of this entity told nothing.
    #[inline]
    pub fn suppressed(&mut self, entity: &str) {
        if let Some(number) = self.entity(entity)
            && let Some(count) = self.open.suppressed.get_mut(number)
        {
            *count += 1;
        }
    }

    /// Old rows of this entity were read, and its states among them told.
    pub fn old_rows(&mut self, entity: &str, rows: u64) {
        if let Some(number) = self.entity(entity)
            && let Some(count) = self.open.old_rows.get_mut(number)
        {
            *count += rows;
        }
    }

    /// Number of an entity, to be looked up once for each table.
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.entities.iter().position(|entity| entity == name)
    }

    /// The transaction that began is complete.
    #[inline]
    pub fn completed(&mut self) {
        if let Some(unix_micros) = self.streaming.take() {
            self.open.committed(unix_micros);
        }
    }

    /// The Kafka commit with this number was asked for: what was counted so far belongs to it.
    pub fn seal(&mut self, commit: u64) {
        let fresh = self.spare.pop().unwrap_or_else(|| {
            let mut fresh = self.open.clone();
            fresh.clear();
            fresh
        });
        let mut counts = std::mem::replace(&mut self.open, fresh);
        counts.commit = commit;
        self.sealed.push_back(counts);
    }

    pub(super) fn take_durable(&mut self, stored_commits: u64) -> Option<Counts> {
        self.sealed.pop_front_if(|counts| counts.commit <= stored_commits)
    }

    pub(super) fn reuse(&mut self, mut counts: Counts) {
        counts.clear();
        self.spare.push(counts);
    }

    /// Says how old the oldest commit is that is not durable, where that has changed.
    pub(super) fn tell_oldest(&mut self) {
        let mut waiting = self
            .sealed
            .iter()
            .chain([&self.open])
            .filter_map(|counts| counts.moments.first());
        let oldest = waiting
            .next()
            .map(|moment| moment.unix_micros)
            .or(self.streaming)
            .unwrap_or(NOTHING_OPEN);
        self.told = oldest;
        self.oldest_unix_micros.store(oldest, Ordering::Relaxed);
    }
}
