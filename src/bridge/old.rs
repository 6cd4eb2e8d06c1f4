//! Old rows take their turn between two transactions: read beside the stream, told on its road.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::backfill::recent::{Limits, Recent};
use crate::backfill::snapshot::Xid;
use crate::backfill::target::{RowName, Rows, Target, Wanted, row_name};
use crate::backfill::{Chunk, Joining};
use crate::bridge::batch::Batch;
use crate::bridge::tables::misfit_error;
use crate::bridge::{BridgeError, Scribe};
use crate::encoding::Encoder;
use crate::flow::cell::{Cell, CellSpan};
use crate::flow::change::{Change, CommitTime, OldTuple, Transaction, Tuple};
use crate::flow::checkpoint::{Checkpoint, Generation, OldRows, Standing};
use crate::flow::event::{KindId, Origin};
use crate::flow::position::Lsn;
use crate::flow::record::RecordSpan;
use crate::flow::table::Table;
use crate::mapping::plan::{Fitted, Mapping};
use crate::mapping::tell::{At, Desk};
use crate::source::Source;
use crate::telemetry::Status;

/// What is remembered of the stream while old rows are told.
const LIMITS: Limits = Limits {
    transactions: 65_536,
    rows: 100_000,
};

/// After a chunk that could not join, and before the same rows are read again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A warning after so many of them.
const AGAIN_WARN: u32 = 50;

/// Between two looks whether a chunk is there, or may join.
const WAIT: Duration = Duration::from_millis(1);

/// Ranks of old rows: behind those of any change of the transaction they stand behind.
const FIRST_RANK: u32 = 0x8000_0000;

/// What may be told of old rows.
#[derive(Clone, Copy, Debug)]
pub struct Old<'a> {
    /// Which entities; none: nothing is told of old rows.
    pub targets: &'a [Target],
    /// A transaction id of about now.
    pub near: Xid,
    /// Rows of one chunk.
    pub rows_per_chunk: usize,
    /// How long after its start the first one is read: what an instance before this one told may still be on its way to
    /// being visible, and nobody remembers it.
    pub settle: Duration,
}

/// Whose turn it is, and what the stream told meanwhile.
pub(super) struct Turns<'a> {
    mapping: &'a Mapping,
    status: &'a Status,
    old: Old<'a>,
    /// Of each target.
    fitted: Vec<Fitted>,
    /// Whose turn it is: the first that is not told yet.
    turn: Option<usize>,
    progress: OldRows,
    recent: Recent<RowName>,
    /// Where the tuples of a target's table have its key, by the target's state; none: such a shape does not say which row
    /// it is.
    keys: HashMap<KindId, Option<Vec<usize>>>,
    waiting: Option<Waiting>,
    /// The next chunk is not asked for earlier.
    not_before: Instant,
    /// How often the same rows were read in vain.
    again: u32,
    remembers: Remembers,
    cells: Vec<CellSpan>,
}

/// A chunk that was read, and waits until the stream has told what its snapshot sees.
struct Waiting {
    chunk: Chunk<RowName, Vec<u8>>,
    read_at: CommitTime,
    next: Option<Vec<String>>,
}

/// Whether a transaction that begins is published already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// It is passed over.
    Already,
    /// It is to be told.
    NotYet,
}

/// Whether the open transaction is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remembers {
    Yes,
    No,
}

impl<'a> Turns<'a> {
    /// Goes on where the position says; entities that were never told begin.
    pub(super) fn new(
        (mapping, status): (&'a Mapping, &'a Status),
        old: Old<'a>,
        stored: &Checkpoint,
    ) -> Result<Self, BridgeError> {
        let mut fitted = Vec::with_capacity(old.targets.len());
        let mut progress = stored.backfill.clone().unwrap_or_default();
        for target in old.targets {
            let fits = mapping.fit_entity(&target.entity, &target.shape);
            fitted.extend(fits.map_err(|misfit| misfit_error(misfit, &target.shape))?);
            let (of, by) = (target.of(), target.by());
            let known = progress.entities.get(&target.entity);
            let in_the_middle = known.is_some_and(|one| matches!(one.standing, Standing::After(Some(_))));
            // Another topic or table was told nothing; and a key says nothing of the order by another one.
            let stands = known.is_some_and(|one| one.of == of && (one.by == by || !in_the_middle));
            if !stands {
                let number = known.map_or(1, |one| one.number.saturating_add(1));
                progress
                    .entities
                    .insert(target.entity.clone(), Generation::new(number, of, by));
            }
        }
        for (entity, known) in &mut progress.entities {
            // What changes while it is gone is not told: it begins anew when it is there again.
            if !mapping.has_state(entity) && known.standing != Standing::After(None) {
                *known = Generation::new(known.number.saturating_add(1), String::new(), String::new());
            }
        }
        // The last transaction told begins its commit record before the position, and the next one not before it.
        let behind = Lsn(stored.commit_end_lsn.0.saturating_sub(1));
        if behind > progress.behind {
            (progress.behind, progress.told) = (behind, 0);
        }
        Ok(Self {
            turn: first_open(old.targets, &progress),
            mapping,
            status,
            old,
            fitted,
            progress,
            recent: Recent::new(LIMITS),
            keys: HashMap::new(),
            waiting: None,
            not_before: Instant::now() + old.settle,
            again: 0,
            remembers: Remembers::No,
            cells: Vec::new(),
        })
    }

    /// How long the source may be waited for.
    pub(super) fn wait(&self) -> Duration {
        if self.turn.is_some() { WAIT } else { Duration::MAX }
    }

    /// A transaction begins. One that is published already was told by an instance before this one: see [`Old::settle`].
    pub(super) fn begin(&mut self, transaction: &Transaction, published: Published) {
        if transaction.commit_lsn > self.progress.behind {
            (self.progress.behind, self.progress.told) = (transaction.commit_lsn, 0);
        }
        self.remembers = Remembers::No;
        if self.turn.is_none() {
            return;
        }
        let xid = Xid::widen(transaction.xid, self.old.near);
        self.old.near = self.old.near.max(xid);
        let seen = self.waiting.as_ref().is_some_and(|held| held.chunk.snapshot.sees(xid));
        if seen || published == Published::Already {
            self.recent.pass();
        } else {
            self.recent.begin(xid);
            self.remembers = Remembers::Yes;
        }
    }

    /// A table's shape.
    pub(super) fn shape(&mut self, table: &Table) {
        for target in self.old.targets.iter().filter(|target| target.shape.oid == table.oid) {
            let position = |name: &String| table.columns.iter().position(|column| column.name == *name);
            let key = target.key.iter().map(|column| position(&column.name)).collect();
            self.keys.insert(target.state, key);
        }
    }

    /// A row changed, and this was told of it: under its old name and its new one it is the stream's to tell. A change
    /// that told nothing left the entity as a snapshot without it sees it.
    pub(super) fn touch(&mut self, change: &Change<'_>, told: &[RecordSpan]) {
        if self.remembers == Remembers::No {
            return;
        }
        let (old, new) = match change {
            Change::Insert { new } => (OldTuple::Absent, Some(new)),
            Change::Update { old, new } => (*old, Some(new)),
            Change::Delete { old } => (*old, None),
        };
        let old = match &old {
            OldTuple::Key(tuple) | OldTuple::Full(tuple) => Some(tuple),
            OldTuple::Absent => None,
        };
        let is_told = |target: &&Target| told.iter().any(|span| span.kind == target.state);
        for target in self.old.targets.iter().filter(is_told) {
            let key = self.keys.get(&target.state).and_then(Option::as_ref);
            for tuple in [old, new].into_iter().flatten() {
                match key.and_then(|key| name_of(tuple, key, &mut self.cells)) {
                    Some(name) => self.recent.touch((target.state, name)),
                    None => self.recent.touch_any(),
                }
            }
        }
    }

    /// Between two transactions: asks for the next chunk, and tells the one that may join here. `passed`: everything up
    /// to there was told.
    ///
    /// # Errors
    /// The source's, and a row that cannot be told.
    pub(super) fn take<S: Source>(
        &mut self,
        source: &mut S,
        passed: Lsn,
        paper: (&mut Batch, &mut Desk, &mut Encoder, &[usize]),
    ) -> Result<(), BridgeError> {
        let Some(number) = self.turn.filter(|_| !paper.0.is_open()) else {
            return Ok(());
        };
        let Some(Waiting { chunk, read_at, next }) = self.chunk(number, source)? else {
            return Ok(());
        };
        match chunk.join(passed, &self.recent) {
            Joining::Waits(chunk) => self.waiting = Some(Waiting { chunk, read_at, next }),
            Joining::Again => self.read_again(number),
            Joining::Here(rows) => {
                self.again = 0;
                let (batch, desk, encoder, kinds) = paper;
                let epoch = batch.epoch();
                let (records, tally) = batch.paper();
                let mut scribe = Scribe {
                    encoder,
                    records,
                    tally,
                    kinds,
                };
                self.tell(number, (&rows, read_at), epoch, (desk, &mut scribe))?;
                let told = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                if let Some(target) = self.old.targets.get(number) {
                    scribe.tally.old_rows(&target.entity, told);
                }
                self.advance(number, told, next);
                batch.complete_old(self.progress.clone());
            }
        }
        Ok(())
    }

    /// The chunk could not join: too much was told meanwhile to say which of its rows are still as they were read.
    fn read_again(&mut self, number: usize) {
        self.not_before = Instant::now() + AGAIN_AFTER;
        self.again = self.again.saturating_add(1);
        if self.again.is_multiple_of(AGAIN_WARN)
            && let Some(target) = self.old.targets.get(number)
        {
            let (entity, times) = (&target.entity, self.again);
            tracing::warn!(
                entity,
                times,
                "too much changes while old rows are read: the same rows are read again"
            );
        }
    }

    /// The chunk that waits, or the next one, once it is read.
    fn chunk<S: Source>(&mut self, number: usize, source: &mut S) -> Result<Option<Waiting>, BridgeError> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        let Some(target) = self
            .old
            .targets
            .get(number)
            .filter(|_| Instant::now() >= self.not_before)
        else {
            return Ok(None);
        };
        let generation = self.progress.entities.get(&target.entity);
        let after = match generation.map(|generation| &generation.standing) {
            Some(Standing::After(after)) => after.as_deref(),
            Some(Standing::Complete) | None => None,
        };
        let wanted = Wanted {
            target,
            after,
            // A smaller chunk is read in less time, in which less is told.
            rows_max: (self.old.rows_per_chunk >> self.again.min(10)).max(1),
            told_before: self.recent.told(),
        };
        let Some(Rows { chunk, read_at, next }) = source.read_chunk(&wanted)? else {
            return Ok(None);
        };
        self.recent.forget(&chunk.snapshot);
        Ok(Some(Waiting { chunk, read_at, next }))
    }

    fn tell(
        &mut self,
        number: usize,
        (rows, read_at): (&[(RowName, Vec<u8>)], CommitTime),
        epoch: u16,
        (desk, scribe): (&mut Desk, &mut Scribe<'_>),
    ) -> Result<(), BridgeError> {
        let (Some(target), Some(fitted)) = (self.old.targets.get(number), self.fitted.get(number)) else {
            return Ok(());
        };
        let columns = u16::try_from(target.shape.columns.len()).unwrap_or(u16::MAX);
        let generation = self.progress.entities.get(&target.entity).map_or(1, |one| one.number);
        let transaction = Transaction {
            commit_lsn: self.progress.behind,
            commit_time: read_at,
            xid: 0,
        };
        for (_, row) in rows {
            let at = At {
                epoch,
                transaction: &transaction,
                rank: FIRST_RANK.saturating_add(self.progress.told),
                origin: Origin::Backfill(generation),
            };
            self.progress.told = self.progress.told.saturating_add(1);
            self.mapping
                .tell_old(fitted, &Tuple::new(columns, row), &at, (desk, scribe))
                .map_err(|row| BridgeError::Halt(Box::new(row.finding(transaction.commit_lsn))))?;
        }
        Ok(())
    }

    fn advance(&mut self, number: usize, rows: u64, next: Option<Vec<String>>) {
        let Some(target) = self.old.targets.get(number) else {
            return;
        };
        let Some(generation) = self.progress.entities.get_mut(&target.entity) else {
            return;
        };
        generation.rows = generation.rows.saturating_add(rows);
        let remaining = target.rows_estimate.saturating_sub(generation.rows);
        self.status
            .remaining(&target.entity, next.is_some().then_some(remaining));
        if next.is_some() {
            generation.standing = Standing::After(next);
        } else {
            generation.standing = Standing::Complete;
            tracing::info!(entity = target.entity, rows = generation.rows, "all old rows are told");
            self.turn = first_open(self.old.targets, &self.progress);
        }
    }
}

/// The first entity that is not told yet.
fn first_open(targets: &[Target], progress: &OldRows) -> Option<usize> {
    let is_open = |target: &Target| {
        let generation = progress.entities.get(&target.entity);
        generation.is_some_and(|generation| generation.standing != Standing::Complete)
    };
    targets.iter().position(is_open)
}

/// The name of a row; none where the tuple does not carry the whole key.
fn name_of(tuple: &Tuple<'_>, key: &[usize], cells: &mut Vec<CellSpan>) -> Option<Box<[u8]>> {
    tuple.locate(cells);
    let row = tuple.row(cells);
    let values: Option<Vec<&[u8]>> = key
        .iter()
        .map(|place| match row.cell(*place) {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Unknown => None,
        })
        .collect();
    values.map(|values| row_name(values.into_iter()))
}
