//! How many source transactions share one Kafka transaction: many under load, few when idle.
//!
//! A Kafka transaction ends only between source transactions. While one commits, the next fills; when nothing more
//! waits in the source and no commit is under way, what is there is committed at once. So it is small when the source
//! is quiet and large when it is not, without a setting.

use std::time::{Duration, Instant};

use crate::bridge::BridgeError;
use crate::finding::{Cause, Finding};
use crate::flow::change::{Asked, Transaction};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::Sink;

/// Records are handed to the sink in buffers of about this size.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// A Kafka transaction is ended at the next commit when it holds so many records …
const RECORDS_MAX: usize = 50_000;
/// … or is so old.
const AGE_MAX: Duration = Duration::from_millis(500);
/// Idle progress is stored when so much log has passed …
const IDLE_BYTES_MAX: u64 = 16 << 20;
/// … or, where any has, after this time.
const IDLE_AGE_MAX: Duration = Duration::from_secs(10);

/// What is being filled.
pub struct Batch {
    checkpoint: Checkpoint,
    records: Records,
    open: Option<Transaction>,
    covered: bool,
    rank: u32,
    /// Records of the buffer that belong to complete transactions.
    complete_records: usize,
    /// Records of the open Kafka transaction, handed over or not.
    told: usize,
    /// Complete transactions wait for their commit.
    pending: bool,
    since: Instant,
    stored: Instant,
}

impl Batch {
    /// An empty one, after this checkpoint.
    pub fn new(checkpoint: Checkpoint) -> Self {
        let now = Instant::now();
        Self {
            checkpoint,
            records: Records::default(),
            open: None,
            covered: false,
            rank: 0,
            complete_records: 0,
            told: 0,
            pending: false,
            since: now,
            stored: now,
        }
    }

    /// History of the source.
    pub fn epoch(&self) -> u16 {
        self.checkpoint.epoch
    }

    /// How long the source may be waited for.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(if self.pending { 1 } else { 50 })
    }

    /// A transaction begins; one that is published already is passed over.
    pub fn begin(&mut self, transaction: Transaction) {
        self.covered = self.checkpoint.covers(transaction.commit_lsn);
        self.open = Some(transaction);
        self.rank = 0;
    }

    /// The open transaction, unless it is published already.
    pub fn open_transaction(&self) -> Option<Transaction> {
        self.open.filter(|_| !self.covered)
    }

    /// Number of the next change in its transaction.
    pub fn next_rank(&mut self) -> u32 {
        let rank = self.rank;
        self.rank = rank.saturating_add(1);
        rank
    }

    /// Where records are written.
    pub fn records(&mut self) -> &mut Records {
        &mut self.records
    }

    /// The open transaction is complete.
    ///
    /// # Errors
    /// A commit that lies before the position.
    pub fn complete(&mut self, end_lsn: Lsn) -> Result<(), BridgeError> {
        if self.open.take().is_none() || self.covered {
            return Ok(());
        }
        self.checkpoint.advance(end_lsn).map_err(|backwards| {
            BridgeError::Halt(Box::new(Finding::error(
                Cause::Surroundings,
                "source.backwards",
                format!("the log goes backwards: {backwards}"),
            )))
        })?;
        if !self.pending {
            self.pending = true;
            self.since = Instant::now();
        }
        self.complete_records = self.records.spans.len();
        Ok(())
    }

    /// Hands a full buffer over, within a transaction. What is complete before it is committed first, so that a giant
    /// transaction holds nobody else up.
    ///
    /// # Errors
    /// The sink's.
    pub fn hand_over_if_full<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        if self.records.bytes.len() < BUFFER_BYTES_MAX {
            return Ok(());
        }
        if self.pending {
            let mut rest = Records::default();
            self.records.split_into(self.complete_records, &mut rest);
            self.commit(sink)?;
            self.records = rest;
        }
        self.append(sink)
    }

    /// After a commit: hands a full buffer over, and commits what is large or old.
    ///
    /// # Errors
    /// The sink's.
    pub fn commit_if_large<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        if !self.pending {
            return Ok(());
        }
        if self.told + self.records.spans.len() >= RECORDS_MAX || self.since.elapsed() >= AGE_MAX {
            return self.commit(sink);
        }
        if self.records.bytes.len() >= BUFFER_BYTES_MAX {
            self.append(sink)?;
        }
        Ok(())
    }

    /// The source has nothing more: commits what is complete, or stores progress past what concerns nobody here.
    ///
    /// # Errors
    /// The sink's.
    pub fn commit_if_idle<K: Sink>(&mut self, sink: &mut K, seen: Lsn, asked: Asked) -> Result<(), BridgeError> {
        if sink.progress()?.commits_in_flight > 0 {
            return Ok(());
        }
        if self.pending {
            // An open transaction's records stay for the next Kafka transaction.
            return if self.open.is_none() { self.commit(sink) } else { Ok(()) };
        }
        let moved = seen.bytes_since(self.checkpoint.commit_end_lsn);
        let due = asked == Asked::Yes || moved >= IDLE_BYTES_MAX || self.stored.elapsed() >= IDLE_AGE_MAX;
        if self.open.is_none() && self.told == 0 && moved > 0 && due {
            self.checkpoint.commit_end_lsn = seen;
            return self.commit(sink);
        }
        Ok(())
    }

    /// Commits what is complete and waits for the answer, as long as `patience` lasts; the rest is dropped.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish<K: Sink>(&mut self, sink: &mut K, patience: Duration) -> Result<(), BridgeError> {
        if self.pending && self.open.is_none() {
            self.commit(sink)?;
        }
        let begun = Instant::now();
        while sink.progress()?.commits_in_flight > 0 && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn append<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        self.told += self.records.spans.len();
        self.complete_records = 0;
        self.records = sink.append(std::mem::take(&mut self.records))?;
        Ok(())
    }

    fn commit<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        if !self.records.spans.is_empty() {
            self.append(sink)?;
        }
        sink.commit(&self.checkpoint)?;
        self.told = 0;
        self.pending = false;
        self.stored = Instant::now();
        Ok(())
    }
}
