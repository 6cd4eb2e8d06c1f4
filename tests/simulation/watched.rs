//! A sink that counts how often a bridge goes on while a commit is not answered, and what comes of it.

use std::cell::Cell;

use walbridge::backfill::sweep::{Found, Sweep};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::record::Records;
use walbridge::sink::memory::Memory;
use walbridge::sink::{Progress, Sink, SinkError};

/// What was met.
#[derive(Default)]
pub(crate) struct Met {
    /// Runs that failed.
    pub(crate) faults: Cell<usize>,
    /// Looks that saw a commit under way.
    pub(crate) waits: Cell<usize>,
    /// Errors that came while one was.
    pub(crate) late_errors: Cell<usize>,
    /// Buffers of the next transaction that were taken while one was.
    pub(crate) early_buffers: Cell<usize>,
    /// Old rows that were told.
    pub(crate) old_rows: Cell<usize>,
    /// Looks for keys that are gone, and those that failed.
    pub(crate) looks: (Cell<usize>, Cell<usize>),
    /// Keys that were said to be gone.
    pub(crate) swept: Cell<usize>,
}

/// Of so many calls that look for keys, one fails.
const LOOK_FAILS_EVERY: usize = 150;
/// So says its error: no run may end with it.
pub(crate) const LOOK_FAILED: &str = "a look failed";

pub(crate) fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

/// The sink.
pub(crate) struct Watched<'a> {
    pub(crate) inner: Memory,
    pub(crate) met: &'a Met,
}

impl Watched<'_> {
    /// Calls the sink; an error while a commit is under way counts.
    fn call<T>(&mut self, call: impl FnOnce(&mut Memory) -> Result<T, SinkError>) -> Result<T, SinkError> {
        let under_way = self.inner.commits_in_flight() > 0;
        let answer = call(&mut self.inner);
        if under_way && answer.is_err() {
            count(&self.met.late_errors);
        }
        answer
    }
}

impl Sink for Watched<'_> {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        self.inner.recover()
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        self.inner.open(checkpoint)
    }

    fn append(&mut self, records: Records) -> Result<Records, SinkError> {
        let empty = self.call(|inner| inner.append(records))?;
        if self.inner.commits_in_flight() > 0 {
            count(&self.met.early_buffers);
        }
        Ok(empty)
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        self.call(|inner| inner.commit(checkpoint))
    }

    fn sweep(&mut self, wanted: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        count(&self.met.looks.0);
        if self.met.looks.0.get() % LOOK_FAILS_EVERY == 2 {
            count(&self.met.looks.1);
            return Err(SinkError::Transient(LOOK_FAILED.to_owned()));
        }
        self.call(|inner| inner.sweep(wanted))
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        let progress = self.call(Memory::progress)?;
        if progress.commits_in_flight > 0 {
            count(&self.met.waits);
        }
        Ok(progress)
    }
}
