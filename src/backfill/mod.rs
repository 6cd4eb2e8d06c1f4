//! Old rows on the road of the stream: when a chunk, read in a snapshot of its own, may join, and less which rows.
//!
//! A snapshot and the stream are ordered by which transactions the snapshot sees, never by places in the log: a commit can
//! be streamed while every SELECT still sees the row as it was. A chunk joins between two transactions, once every
//! transaction that its snapshot sees was told, and without the rows that others touched: those are told by the stream.

pub mod ledger;
pub mod order;
pub mod pace;
pub mod recent;
pub mod snapshot;
pub mod sweep;
pub mod target;

#[cfg(test)]
mod tests;

use crate::backfill::recent::Recent;
use crate::backfill::snapshot::Snapshot;
use crate::flow::position::Lsn;

/// Rows as one snapshot sees them. `R` names a row as the stream does, `V` is what is told of it.
#[derive(Debug)]
pub struct Chunk<R, V> {
    /// The snapshot in which they were read.
    pub snapshot: Snapshot,
    /// [`Recent::told`] from before the snapshot was taken.
    pub told_before: u64,
    /// From where on the stream has told all that it saw.
    pub horizon: Lsn,
    /// The rows.
    pub rows: Vec<(R, V)>,
}

/// What becomes of a chunk.
#[derive(Debug)]
pub enum Joining<R, V> {
    /// Transactions that its snapshot sees are still to be told.
    Waits(Chunk<R, V>),
    /// It has to be read again, in a later snapshot.
    Again,
    /// These rows are told here, before the next transaction.
    Here(Vec<(R, V)>),
}

impl<R: Ord, V> Chunk<R, V> {
    /// Joins a stream that has told everything up to `passed` and has no transaction open. `begun` is [`Recent::told`] of
    /// when the generation began: every row of it is told by a chunk or by a transaction since.
    pub fn join(mut self, passed: Lsn, recent: &Recent<R>, begun: u64) -> Joining<R, V> {
        if passed < self.horizon {
            return Joining::Waits(self);
        }
        match recent.missed_by(&self.snapshot, self.told_before, begun) {
            Ok(missed) => {
                self.rows.retain(|(row, _)| !missed.contains(row));
                Joining::Here(self.rows)
            }
            Err(_) => Joining::Again,
        }
    }
}
