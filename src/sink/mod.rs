//! Where records go: a seam with several implementations.

use std::time::Duration;

use crate::backfill::sweep::{Found, Sweep};
use crate::finding::Finding;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;

#[cfg(test)]
pub(crate) mod contract;
pub mod kafka;
pub mod memory;
pub mod stdout;

/// A sink that cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SinkError {
    /// A transient fault, or an answer that was not clean.
    #[error("{0}")]
    Transient(String),
    /// A Kafka transaction outlived its time-out.
    #[error("{0}")]
    Overrun(String),
    /// Halts with the finding.
    #[error("{}", .0.what)]
    Halt(Box<Finding>),
    /// Another instance's nonce is the newest.
    #[error("another instance of this bridge took over (nonce {nonce})")]
    Fenced {
        /// Its nonce.
        nonce: String,
    },
}

/// What a sink has stored so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last position durably stored.
    pub durable_lsn: Lsn,
    /// Commits handed over that are not answered.
    pub commits_in_flight: usize,
    /// The last commit is answered, and a transaction that begins now would be held up.
    pub settling: bool,
}

impl Progress {
    /// Whether a commit that is asked for now is carried out at once.
    pub fn is_idle(&self) -> bool {
        self.commits_in_flight == 0 && !self.settling
    }
}

/// Stores records and the checkpoint that covers them both or neither.
///
/// Hand-over is by bounded buffers: `append` and `commit` wait while the sink is behind by more than its budget,
/// and report an error of earlier work.
pub trait Sink {
    /// Sees for so long whether it can be reached, and changes nothing: a bridge that cannot write anywhere leaves the slot
    /// alone.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn reach(&mut self, _patience: Duration) -> Result<(), SinkError> {
        Ok(())
    }

    /// Fences every other writer of this name, then reads the last stored checkpoint.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError>;

    /// Stores this instance's nonce with the position it starts from, in a transaction of its own, and waits for it.
    ///
    /// Proves that the sink is the one the checkpoint rests on, and fills in what the sink knows: nonce, cluster id and
    /// partition counts. Comes after [`Sink::recover`], once for each.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError>;

    /// Takes records into the open transaction; gives back an empty buffer to fill next.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn append(&mut self, records: Records) -> Result<Records, SinkError>;

    /// Ends the open transaction with this checkpoint; does not wait for the answer.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError>;

    /// What is stored by now; never waits.
    ///
    /// # Errors
    /// An error of earlier work.
    fn progress(&mut self) -> Result<Progress, SinkError>;

    /// Begins to look through a state topic, beside all else, where nothing is being looked for; gives what it found once
    /// it is through, part by part, and none until then. It sees at least what was stored before the first call for this
    /// [`Sweep::look`]; what an earlier look finds is forgotten.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn sweep(&mut self, wanted: &Sweep<'_>) -> Result<Option<Found>, SinkError>;

    /// Nobody waits any longer for what is being looked for.
    fn end_sweep(&mut self) {}
}
