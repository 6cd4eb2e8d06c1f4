//! How many source transactions share one Kafka transaction: many under load, few when idle.
//!
//! A Kafka transaction ends only between source transactions. While one commits, the next fills; near the end of the log
//! what is there is committed as soon as no commit is under way. While much waits, it grows to its limits: a commit
//! costs the same for one record and for many. So it is small when the source is quiet and large when it is not, without
//! a setting.

use std::time::{Duration, Instant};

use crate::bridge::BridgeError;
use crate::bridge::old::Published;
use crate::finding::{Cause, Finding};
use crate::flow::change::{Asked, Transaction};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::generation::OldRows;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::{Progress, Sink};
use crate::source::Distance;
use crate::telemetry::{Status, Tally};

/// Records are handed to the sink in buffers of about this size, each with the transaction that fills it.
const BUFFER_BYTES_MAX: usize = 800 << 10;
/// A Kafka transaction is ended at the next commit when it holds so many records …
const RECORDS_MAX: usize = 150_000;
/// … or is so old.
const AGE_MAX: Duration = Duration::from_millis(500);
/// Idle progress is stored when so much log has passed …
const IDLE_BYTES_MAX: u64 = 16 << 20;
/// … or, where any has, after this time.
const IDLE_AGE_MAX: Duration = Duration::from_secs(10);

/// How long the last commit may take.
const FINISH_MAX: Duration = Duration::from_secs(1);
/// Changes of one transaction between two looks at what else is to be done.
const PAUSE_EVERY: u32 = 4_096;

/// The transaction that is being told.
#[derive(Clone, Copy, Debug)]
enum Open {
    /// It is published already, and passed over.
    Published,
    /// It is not.
    New(Transaction),
}

/// What is being filled.
pub struct Batch {
    checkpoint: Checkpoint,
    records: Records,
    tally: Tally,
    open: Option<Open>,
    rank: u32,
    /// Records of the buffer that belong to complete transactions.
    complete_records: usize,
    /// Records of the open Kafka transaction that are with the sink.
    handed_over: usize,
    /// Since when complete transactions wait for their commit.
    pending: Option<Instant>,
    /// Whether nothing but old rows waits, and more of them are to come.
    coming: Coming,
    stored: Instant,
    /// Commits handed over.
    commits: u64,
    /// Whether this run has committed anything: the first transaction after a start is not made to wait.
    begun: Begun,
}

/// Whether more old rows come behind those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// They do: nobody waits for those that are there.
    More,
    /// They do not, or a change waits too.
    Nothing,
}

/// Whether something was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

impl Batch {
    /// An empty one, after this checkpoint.
    pub fn new(checkpoint: Checkpoint, tally: Tally) -> Self {
        Self {
            checkpoint,
            records: Records::default(),
            tally,
            open: None,
            rank: 0,
            complete_records: 0,
            handed_over: 0,
            pending: None,
            coming: Coming::Nothing,
            stored: Instant::now(),
            commits: 0,
            begun: Begun::No,
        }
    }

    /// History of the source.
    pub fn epoch(&self) -> u16 {
        self.checkpoint.epoch
    }

    /// Everything that committed up to here is published with what is complete.
    pub(super) fn position(&self) -> Lsn {
        self.checkpoint.commit_end_lsn
    }

    /// How many partitions a topic has; a sink that counts none has one.
    pub(super) fn partitions(&self, topic: &str) -> i32 {
        self.checkpoint.partitions.get(topic).copied().unwrap_or(1)
    }

    /// How long the source may be waited for.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(if self.pending.is_some() { 1 } else { 50 })
    }

    /// Whether the open transaction is published already.
    pub(super) fn published(&self) -> Published {
        match self.open {
            Some(Open::Published) => Published::Already,
            Some(Open::New(_)) | None => Published::NotYet,
        }
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A transaction begins; one that is published already is passed over.
    pub fn begin(&mut self, transaction: Transaction) {
        self.rank = 0;
        self.open = Some(if self.checkpoint.covers(transaction.commit_lsn) {
            Open::Published
        } else {
            self.tally.begun(transaction.commit_time.unix_micros());
            Open::New(transaction)
        });
    }

    /// The open transaction, unless it is published already.
    pub fn open_transaction(&self) -> Option<Transaction> {
        match self.open {
            Some(Open::New(transaction)) => Some(transaction),
            Some(Open::Published) | None => None,
        }
    }

    /// Number of the next change in its transaction.
    pub fn next_rank(&mut self) -> u32 {
        let rank = self.rank;
        self.rank = rank.saturating_add(1);
        rank
    }

    /// Where records are written, and counted.
    pub fn paper(&mut self) -> (&mut Records, &mut Tally) {
        (&mut self.records, &mut self.tally)
    }

    /// The open transaction is complete.
    ///
    /// # Errors
    /// A commit that lies before the position.
    pub fn complete(&mut self, end_lsn: Lsn) -> Result<(), BridgeError> {
        let Some(Open::New(_)) = self.open.take() else {
            return Ok(());
        };
        self.checkpoint.advance(end_lsn).map_err(|backwards| {
            BridgeError::Halt(Box::new(Finding::error(
                Cause::Surroundings,
                "source.backwards",
                format!("the log goes backwards: {backwards}"),
            )))
        })?;
        self.tally.completed();
        self.pending.get_or_insert_with(Instant::now);
        self.coming = Coming::Nothing;
        self.complete_records = self.records.spans.len();
        Ok(())
    }

    /// Old rows stand in the buffer, behind everything that is complete; `progress` says which.
    pub(super) fn complete_old(&mut self, progress: OldRows, coming: Coming) {
        self.checkpoint.backfill = Some(progress);
        if self.pending.is_none() || self.coming == Coming::More {
            self.coming = coming;
        }
        self.pending.get_or_insert_with(Instant::now);
        self.complete_records = self.records.spans.len();
    }

    /// Number of the commit that covers everything that is complete by now.
    pub(super) fn mark(&self) -> u64 {
        self.commits.saturating_add(u64::from(self.pending.is_some()))
    }

    /// Whether the commit with this number is stored.
    ///
    /// # Errors
    /// The sink's.
    pub(super) fn is_stored<K: Sink>(&self, mark: u64, sink: &mut K) -> Result<bool, BridgeError> {
        Ok(self.stored_commits(sink.progress()?) >= mark)
    }

    /// How many commits are stored.
    fn stored_commits(&self, progress: Progress) -> u64 {
        let in_flight = u64::try_from(progress.commits_in_flight).unwrap_or(u64::MAX);
        self.commits.saturating_sub(in_flight)
    }

    /// Hands a buffer over that the open transaction alone fills. What is complete before it is committed first, so that
    /// a giant transaction holds nobody else up, also where it tells nothing. A small one is waited for: a commit within
    /// each transaction that happens to fill a buffer would be one for every buffer.
    ///
    /// # Errors
    /// The sink's.
    pub fn hand_over_if_full<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        let open = self.records.bytes.len() - self.records.start_of(self.complete_records);
        if open >= BUFFER_BYTES_MAX {
            self.commit_complete(sink)?;
            self.append(sink)?;
        } else if self.is_a_pause() && self.pending.is_some_and(|since| since.elapsed() >= AGE_MAX) {
            self.commit_complete(sink)?;
        }
        Ok(())
    }

    /// Every so many changes of a transaction, others may be seen to.
    pub fn is_a_pause(&self) -> bool {
        self.rank.is_multiple_of(PAUSE_EVERY)
    }

    /// After a commit of the source: commits what is large or old; near the end of the log, whatever there is once the
    /// sink is idle. Hands a full buffer over.
    ///
    /// # Errors
    /// The sink's.
    pub fn commit_if_due<K: Sink>(&mut self, sink: &mut K, distance: Distance) -> Result<(), BridgeError> {
        if self.pending.is_none() {
            return Ok(());
        }
        let large = self.is_large_or_old();
        let hurries = distance == Distance::Near || self.begun == Begun::No;
        if large || hurries && sink.progress()?.is_idle() {
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
        // Nobody waits for one old row of many, and a commit costs as much as hundreds of them.
        let lingers = self.pending.is_some() && self.coming == Coming::More && !self.is_large_or_old();
        if lingers || !sink.progress()?.is_idle() {
            // Old rows come while nothing else does, faster than they are stored.
            if self.open.is_none() && self.records.bytes.len() >= BUFFER_BYTES_MAX {
                self.append(sink)?;
            }
            return Ok(());
        }
        if self.pending.is_some() {
            // All before is told or concerns nobody; while old rows are told there may be no quieter moment to say so.
            if self.open.is_none() {
                self.checkpoint.commit_end_lsn = seen.max(self.checkpoint.commit_end_lsn);
            }
            return self.commit_complete(sink);
        }
        let moved = seen.bytes_since(self.checkpoint.commit_end_lsn);
        let due = asked == Asked::Yes || moved >= IDLE_BYTES_MAX || self.stored.elapsed() >= IDLE_AGE_MAX;
        if self.open.is_none() && self.handed_over == 0 && moved > 0 && due {
            self.checkpoint.commit_end_lsn = seen;
            return self.commit(sink);
        }
        Ok(())
    }

    fn is_large_or_old(&self) -> bool {
        self.handed_over + self.records.spans.len() >= RECORDS_MAX
            || self.pending.is_some_and(|since| since.elapsed() >= AGE_MAX)
    }

    /// How far is stored, and says so to those who look.
    ///
    /// # Errors
    /// The sink's.
    pub fn durable<K: Sink>(&mut self, sink: &mut K, status: &Status, seen: Lsn) -> Result<Lsn, BridgeError> {
        let progress = sink.progress()?;
        status.moved(progress.durable_lsn.0, seen.0);
        let stored = self.stored_commits(progress);
        status.publish(&mut self.tally, stored);
        Ok(progress.durable_lsn)
    }

    /// Commits what is complete and waits a little for the answer; the rest is dropped.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        self.commit_complete(sink)?;
        let begun = Instant::now();
        while sink.progress()?.commits_in_flight > 0 && begun.elapsed() < FINISH_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Commits what is complete; records of the open transaction stay in the buffer. Nothing of it is with the sink yet:
    /// before it was handed over, what was complete was committed.
    fn commit_complete<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        if self.pending.is_none() {
            return Ok(());
        }
        let mut rest = Records::default();
        self.records.split_into(self.complete_records, &mut rest);
        self.commit(sink)?;
        if !rest.spans.is_empty() {
            self.records = rest;
        }
        Ok(())
    }

    fn append<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        self.handed_over += self.records.spans.len();
        self.complete_records = 0;
        self.records = sink.append(std::mem::take(&mut self.records))?;
        Ok(())
    }

    fn commit<K: Sink>(&mut self, sink: &mut K) -> Result<(), BridgeError> {
        if !self.records.spans.is_empty() {
            self.append(sink)?;
        }
        sink.commit(&self.checkpoint)?;
        self.commits = self.commits.saturating_add(1);
        self.tally.seal(self.commits);
        self.handed_over = 0;
        self.pending = None;
        self.begun = Begun::Yes;
        self.stored = Instant::now();
        Ok(())
    }
}
