//! The script: a log of committed transactions, its slot, and the faults to come.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::flow::change::{CommitTime, Transaction};
use crate::flow::checkpoint::{Checkpoint, TableMark};
use crate::flow::position::Lsn;
use crate::flow::table::Table;
use crate::source::postgres::pgoutput::encode::{Old, Values};

/// What happens in a transaction, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A row comes.
    Insert {
        /// Where, in its shape at that time.
        table: Arc<Table>,
        /// The row.
        new: Values,
    },
    /// A row changes.
    Update {
        /// Where, in its shape at that time.
        table: Arc<Table>,
        /// What is told of the row before.
        old: Old,
        /// The row after.
        new: Values,
    },
    /// A row goes.
    Delete {
        /// Where, in its shape at that time.
        table: Arc<Table>,
        /// What is told of the row before; a server always tells something.
        old: Old,
    },
    /// Tables are emptied.
    Truncate {
        /// Which, in their shapes at that time.
        tables: Vec<Arc<Table>>,
    },
    /// A logical message, which gives no step.
    Message {
        /// Its prefix.
        prefix: String,
        /// Its content.
        content: Vec<u8>,
    },
}

impl Entry {
    /// The tables that it touches.
    pub fn tables(&self) -> &[Arc<Table>] {
        match self {
            Self::Insert { table, .. } | Self::Update { table, .. } | Self::Delete { table, .. } => {
                std::slice::from_ref(table)
            }
            Self::Truncate { tables } => tables,
            Self::Message { .. } => &[],
        }
    }
}

/// A transaction of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// As its BEGIN announces it.
    pub transaction: Transaction,
    /// Where its commit record ends.
    pub end_lsn: Lsn,
    /// What happens in it.
    pub entries: Vec<Entry>,
}

/// The log, and the slot that one instance may hold.
#[derive(Debug)]
pub struct Log {
    pub(super) committed: Vec<Arc<Committed>>,
    pub(super) end_lsn: Lsn,
    pub(super) confirmed_lsn: Lsn,
    pub(super) tables: BTreeMap<String, TableMark>,
    pub(super) holder: Option<u64>,
    pub(super) instances: u64,
    pub(super) asks: bool,
    disconnects: VecDeque<usize>,
}

/// A log and a way to it.
pub type Shared = Arc<Mutex<Log>>;

pub(super) fn lock(log: &Shared) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Log {
    fn default() -> Self {
        let begin = Lsn(0x100_0000);
        Self {
            committed: Vec::new(),
            end_lsn: begin,
            confirmed_lsn: begin,
            tables: BTreeMap::new(),
            holder: None,
            instances: 0,
            asks: false,
            disconnects: VecDeque::new(),
        }
    }
}

impl Log {
    /// An empty log; its slot stands at its end.
    pub fn shared() -> Shared {
        Arc::default()
    }

    /// Commits a transaction, a second after the one before; gives the end of its commit record.
    pub fn commit(&mut self, entries: Vec<Entry>) -> Lsn {
        let count = self.committed.len().saturating_add(1);
        let records = u64::try_from(entries.len()).unwrap_or(u64::MAX).saturating_add(1);
        let commit_lsn = Lsn(self.end_lsn.0.saturating_add(records.saturating_mul(0x40)));
        self.end_lsn = Lsn(commit_lsn.0.saturating_add(0x30));
        for table in entries.iter().flat_map(Entry::tables) {
            let mark = TableMark {
                oid: table.oid,
                identity: table.identity,
                membership: table.oid,
            };
            self.tables.insert(table.name.to_string(), mark);
        }
        let seconds = i64::try_from(count).unwrap_or(i64::MAX);
        self.committed.push(Arc::new(Committed {
            transaction: Transaction {
                commit_lsn,
                commit_time: CommitTime(seconds.saturating_mul(1_000_000)),
                xid: u32::try_from(count).unwrap_or(u32::MAX).saturating_add(700),
            },
            end_lsn: self.end_lsn,
            entries,
        }));
        self.end_lsn
    }

    /// The log grows by what is not told to us.
    pub fn pass(&mut self, bytes: u64) {
        self.end_lsn = Lsn(self.end_lsn.0.saturating_add(bytes));
    }

    /// Loses the connection after that many further steps, [`Step::Drained`](crate::flow::change::Step::Drained)
    /// among them: 0 is the next. Losses come in the order told, each counted from the one before.
    pub fn disconnect_after(&mut self, steps: usize) {
        self.disconnects.push_back(steps);
    }

    /// Asks for an acknowledgement, once, when everything is told.
    pub fn ask(&mut self) {
        self.asks = true;
    }

    /// What was committed, in order.
    pub fn committed(&self) -> &[Arc<Committed>] {
        &self.committed
    }

    /// The end of the log.
    pub fn end_lsn(&self) -> Lsn {
        self.end_lsn
    }

    /// Where the slot stands.
    pub fn confirmed_lsn(&self) -> Lsn {
        self.confirmed_lsn
    }

    /// Whether somebody holds the slot.
    pub fn is_held(&self) -> bool {
        self.holder.is_some()
    }
}

impl Log {
    /// Name of the slot in every position.
    pub const SLOT: &'static str = "scripted";
    /// System identifier in every position.
    pub const SYSTEM: &'static str = "1";

    /// The position that a set-up stores: where the slot stands now.
    pub fn first_position(&self) -> Checkpoint {
        Checkpoint {
            commit_end_lsn: self.confirmed_lsn,
            epoch: 1,
            system_identifier: Self::SYSTEM.to_owned(),
            timeline: 1,
            slot: Self::SLOT.to_owned(),
            nonce: String::new(),
            cluster_id: String::new(),
            publications: BTreeMap::new(),
            tables: self.tables.clone(),
            partitions: BTreeMap::new(),
            topic_ids: BTreeMap::new(),
            mapping: String::new(),
            backfill: None,
            declared: None,
            leaves: None,
        }
    }

    /// Counts a step of whoever holds the slot; false where the connection is lost instead.
    pub(super) fn count_step(&mut self) -> bool {
        match self.disconnects.front_mut() {
            None => true,
            Some(0) => {
                self.disconnects.pop_front();
                self.holder = None;
                false
            }
            Some(steps) => {
                *steps = steps.saturating_sub(1);
                true
            }
        }
    }
}
