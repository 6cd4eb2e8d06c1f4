//! Where changes come from: a seam with two implementations.

use std::time::Duration;

use crate::backfill::target::{Reading, Wanted};
use crate::finding::Finding;
use crate::flow::change::Step;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::table::TableName;

pub mod postgres;
pub mod scripted;

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A transient fault: connection lost, server restarting.
    #[error("{0}")]
    Transient(String),
    /// Continuity cannot be proven, or the set-up does not fit: halts with the finding.
    #[error("{}", .0.what)]
    Halt(Box<Finding>),
}

/// Whether the source is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The slot is ours and the stream runs from its confirmed position.
    Taken {
        /// The slot's confirmed position as it was before.
        confirmed_lsn: Lsn,
    },
    /// Another connection holds it.
    Busy,
}

/// A position that the source goes on from.
#[derive(Debug)]
pub struct Proven {
    /// It, with all that it rests on now.
    pub checkpoint: Checkpoint,
    /// Partitions that came into mapped tables since it was stored.
    pub brought: Vec<Brought>,
}

/// A partition that came, and may hold rows that the stream did not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The mapped table.
    pub table: TableName,
    /// The partition.
    pub partition: TableName,
    /// Its OID.
    pub oid: u32,
}

/// How far the reader is from the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Changes are told soon after they are committed.
    Near,
    /// Much waits: throughput counts, not the delay of one transaction.
    Behind,
}

/// A log of committed changes that can be held by one reader.
pub trait Source {
    /// Tries once to take the slot (the server allows one holder: this is the lock). `Busy` is no error.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn hold(&mut self) -> Result<Hold, SourceError>;

    /// Compares the stored position with the source (promise I5) and completes what it rests on
    /// (OIDs, memberships, partitions). None: no position was ever stored.
    ///
    /// # Errors
    /// A halt where continuity cannot be proven.
    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError>;

    /// The next step; waits up to `wait` before it says [`Step::Drained`].
    ///
    /// # Errors
    /// See [`SourceError`].
    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError>;

    /// How far the last transaction told was from the end of the log when the server sent it.
    fn distance(&self) -> Distance;

    /// How long the server has said nothing, if only that it is there.
    fn silence(&self) -> Duration;

    /// Begins to read old rows beside the stream, behind those that are asked for already.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn ask_chunk(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError>;

    /// The chunk that was asked for first, given once. [`Reading::Nothing`] where nothing is asked for.
    ///
    /// # Errors
    /// See [`SourceError`].
    fn next_chunk(&mut self) -> Result<Reading, SourceError>;

    /// Nobody wants the chunks any more that are asked for.
    fn drop_chunks(&mut self);

    /// Tells that everything up to `lsn` is durably published.
    fn acknowledge(&mut self, lsn: Lsn);
}
