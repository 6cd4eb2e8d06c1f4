//! A source in memory: tells a script as a server would, byte by byte, and loses its connection when told to.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::backfill::target::{Reading, Wanted};
use crate::finding::{Cause, Finding};
use crate::flow::change::{Asked, Step};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::table::Table;
use crate::source::postgres::assemble::{AssembleError, Assembler};
use crate::source::postgres::pgoutput::encode;
use crate::source::{Distance, Hold, Proven, Source, SourceError};

mod log;
#[cfg(test)]
mod tests;

use crate::source::scripted::log::lock;
pub use crate::source::scripted::log::{Committed, Entry, Log, Shared};

/// An instance that reads the log; it gives the slot back when it is dropped.
#[derive(Debug)]
pub struct Scripted {
    log: Shared,
    id: u64,
    session: Option<Session>,
}

/// A connection.
#[derive(Debug, Default)]
struct Session {
    assembler: Assembler,
    /// The shapes that were told in it.
    shapes: HashMap<u32, Arc<Table>>,
    /// How many transactions of the log were taken into the queue, or lie before the start.
    taken: usize,
    queue: VecDeque<Vec<u8>>,
    /// The message that the last step borrows.
    message: Vec<u8>,
}

impl Scripted {
    /// An instance that reads this log.
    pub fn new(log: Shared) -> Self {
        let id = {
            let mut log = lock(&log);
            log.instances = log.instances.saturating_add(1);
            log.instances
        };
        Self { log, id, session: None }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let mut log = lock(&self.log);
        if log.holder == Some(self.id) {
            log.holder = None;
        }
    }
}

impl Session {
    /// Puts the next message in its place; false when everything is told.
    fn load(&mut self, log: &Log) -> bool {
        while self.queue.is_empty() {
            let Some(committed) = log.committed.get(self.taken) else {
                return false;
            };
            self.taken = self.taken.saturating_add(1);
            self.tell(committed);
        }
        self.message = self.queue.pop_front().unwrap_or_default();
        true
    }

    /// A transaction's messages: a table's shape comes before its first change, and again after it changed.
    fn tell(&mut self, committed: &Committed) {
        let transaction = &committed.transaction;
        self.say(|out| encode::begin(out, transaction));
        for entry in &committed.entries {
            for table in entry.tables() {
                if self.shapes.get(&table.oid) != Some(table) {
                    self.shapes.insert(table.oid, Arc::clone(table));
                    self.say(|out| encode::relation(out, table));
                }
            }
            self.say(|out| match entry {
                Entry::Insert { table, new } => encode::insert(out, table.oid, new),
                Entry::Update { table, old, new } => encode::update(out, table.oid, old, new),
                Entry::Delete { table, old } => encode::delete(out, table.oid, old),
                Entry::Truncate { tables } => {
                    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
                    encode::truncate(out, &oids);
                }
                Entry::Message { prefix, content } => encode::logical(out, transaction.commit_lsn, prefix, content),
            });
        }
        self.say(|out| encode::commit(out, transaction, committed.end_lsn));
    }

    fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut message = Vec::new();
        write(&mut message);
        self.queue.push_back(message);
    }
}

impl Source for Scripted {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        let mut log = lock(&self.log);
        if log.holder.is_some_and(|holder| holder != self.id) {
            return Ok(Hold::Busy);
        }
        log.holder = Some(self.id);
        let confirmed_lsn = log.confirmed_lsn;
        // As a server: what committed before the position is passed over (see Checkpoint::covers).
        let passed = |committed: &Arc<Committed>| committed.transaction.commit_lsn < confirmed_lsn;
        self.session = Some(Session {
            taken: log.committed.partition_point(passed),
            ..Session::default()
        });
        Ok(Hold::Taken { confirmed_lsn })
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError> {
        let log = lock(&self.log);
        let Some(stored) = stored else {
            return Err(halt("source.slot_without_position", "no position is stored"));
        };
        let position = stored.commit_end_lsn;
        if stored.system_identifier != Log::SYSTEM {
            return Err(halt("source.other_system", "the position belongs to another system"));
        }
        if stored.slot != Log::SLOT {
            return Err(halt("source.slot_renamed", "the position belongs to another slot"));
        }
        if log.confirmed_lsn > position {
            let what = format!("the slot stands at {}, ahead of {position}", log.confirmed_lsn);
            return Err(halt("source.slot_ahead", what));
        }
        if position > log.end_lsn {
            let what = format!("the log ends at {}, before {position}", log.end_lsn);
            return Err(halt("source.log_behind", what));
        }
        Ok(Proven {
            checkpoint: Checkpoint {
                tables: log.tables.clone(),
                ..stored
            },
            brought: Vec::new(),
        })
    }

    /// Never waits: nothing comes but from the script.
    fn next(&mut self, _wait: Duration) -> Result<Step<'_>, SourceError> {
        let mut log = lock(&self.log);
        if log.holder != Some(self.id) || !log.count_step() {
            self.session = None;
        }
        let Some(session) = &mut self.session else {
            return Err(SourceError::Transient("the connection is lost".to_owned()));
        };
        loop {
            if !session.load(&log) {
                let asked = if std::mem::take(&mut log.asks) {
                    Asked::Yes
                } else {
                    Asked::No
                };
                let seen_lsn = log.end_lsn;
                return Ok(Step::Drained { seen_lsn, asked });
            }
            if !Assembler::is_silent(&session.message) {
                break;
            }
            session.assembler.step(&session.message).map_err(nonsense)?;
        }
        let step = session.assembler.step(&session.message).map_err(nonsense)?;
        step.ok_or_else(|| halt("scripted.silent", "a message gives no step"))
    }

    /// Behind as long as whole transactions wait.
    fn distance(&self) -> Distance {
        let log = lock(&self.log);
        match &self.session {
            Some(session) if session.taken < log.committed.len() => Distance::Behind,
            Some(_) | None => Distance::Near,
        }
    }

    /// A script tells changes only: whoever has tables as well reads them.
    fn ask_chunk(&mut self, _wanted: &Wanted<'_>) -> Result<(), SourceError> {
        Ok(())
    }

    fn next_chunk(&mut self) -> Result<Reading, SourceError> {
        Ok(Reading::UnderWay)
    }

    fn drop_chunks(&mut self) {}

    fn silence(&self) -> Duration {
        Duration::ZERO
    }

    /// Taken as a server takes it: never backwards, only from the holder, and believed even beyond the log's end.
    fn acknowledge(&mut self, lsn: Lsn) {
        let mut log = lock(&self.log);
        if log.holder == Some(self.id) {
            log.confirmed_lsn = log.confirmed_lsn.max(lsn);
        }
    }
}

/// A script that no server would tell: another attempt would meet it again.
fn nonsense(error: AssembleError) -> SourceError {
    halt("scripted.nonsense", error.to_string())
}

fn halt(code: &'static str, what: impl Into<String>) -> SourceError {
    SourceError::Halt(Box::new(Finding::error(Cause::Surroundings, code, what)))
}
