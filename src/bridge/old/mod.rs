//! Old rows take their turn between two transactions: read beside the stream, told on its road.

mod asked;
mod brought;
mod chunks;
mod marking;
mod shown;
mod sweeping;
mod touched;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::backfill::ledger::{Changed, Ledger, NeverTold};
use crate::backfill::pace::{self, Pace};
use crate::backfill::recent::{Limits, Recent, Remembers};
use crate::backfill::sweep::Look;
use crate::backfill::target::{RowName, Rows, Target};
use crate::bridge::batch::Batch;
use crate::bridge::old::asked::Accepting;
use crate::bridge::old::shown::Showing;
use crate::bridge::orders::Requests;
use crate::bridge::tables::misfit_error;
use crate::bridge::{BridgeError, Scribe};
use crate::encoding::Encoder;
use crate::finding::Finding;
use crate::flow::cell::CellSpan;
use crate::flow::change::{CommitTime, Transaction, Tuple};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::event::{KindId, Origin};
use crate::flow::generation::{OnGone, Standing};
use crate::flow::position::Lsn;
use crate::mapping::fitted::Fitted;
use crate::mapping::plan::Mapping;
use crate::mapping::tell::{At, Desk};
use crate::sink::Sink;
use crate::source::Source;
use crate::telemetry::Status;

pub(super) use crate::bridge::old::brought::by_table;
pub use crate::bridge::old::marking::Markers;

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

/// Says whether an expression (the second) is one over an entity's rows.
pub type MaySelect<'a> = dyn Fn(&str, &str) -> Result<(), Box<Finding>> + 'a;

/// What may be told of old rows.
#[derive(Clone, Copy)]
pub struct Old<'a> {
    /// Which entities; none: nothing is told of old rows.
    pub targets: &'a [Target],
    /// What becomes of those that were never told.
    pub never_told: NeverTold,
    /// What operators ask.
    pub requests: &'a Requests,
    /// What becomes of keys whose rows are gone, where an operator says nothing about it.
    pub on_gone: OnGone,
    /// Whether state topics tell where a telling begins and ends.
    pub markers: Markers,
    /// Whether an expression says something about an entity's rows.
    pub may_select: &'a MaySelect<'a>,
    /// How much may be read.
    pub limits: pace::Limits,
    /// How many chunks may be read side by side.
    pub readers: usize,
    /// How long after its start the first one is read: what an instance before this one told may still be on its way to
    /// being visible, and nobody remembers it.
    pub settle: Duration,
}

/// Whose turn it is, and what the stream told meanwhile.
pub(super) struct Turns<'a> {
    mapping: &'a Mapping,
    status: &'a Status,
    old: Old<'a>,
    /// Of each target, by its state.
    fitted: HashMap<KindId, Fitted>,
    ledger: Ledger<'a>,
    /// How the present turn is taken.
    turn: Option<Turn>,
    /// How many looks through a topic.
    looks: u64,
    recent: Recent<RowName>,
    /// Where the tuples of a target's table have its key, by the target's state; none: such a shape does not say which row
    /// it is.
    keys: HashMap<KindId, Option<Vec<usize>>>,
    /// The first chunk that is asked for, which is read and waits until the stream has told what its snapshot sees.
    waiting: Option<Rows>,
    /// How many chunks are asked for behind it.
    asked: usize,
    /// Whose chunks those are; none: nobody's.
    asked_for: Option<Turn>,
    pace: Pace,
    /// The moment from which the pace counts.
    begun: Instant,
    looking: Option<Look>,
    /// When a look last said nothing, and it was said so.
    complained: Option<Instant>,
    /// The next chunk is not asked for earlier.
    not_before: Instant,
    /// How often the same rows were read in vain.
    again: u32,
    remembers: Remembers,
    accepting: Vec<Accepting>,
    showing: Showing,
    cells: Vec<CellSpan>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    state: KindId,
    generation: u32,
    /// [`Recent::told`] of when it began: a row that was told before is none of this generation.
    told_before: u64,
}

/// Whether a transaction that begins is published already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// It is passed over.
    Already,
    /// It is to be told.
    NotYet,
}

impl<'a> Turns<'a> {
    /// Goes on where the position says, and writes into it what begins.
    pub(super) fn new(
        (mapping, status): (&'a Mapping, &'a Status),
        (old, changed): (Old<'a>, &Changed),
        checkpoint: &mut Checkpoint,
    ) -> Result<Self, BridgeError> {
        let mut fitted = HashMap::with_capacity(old.targets.len());
        for target in old.targets {
            let fits = mapping.fit_entity(&target.entity, &target.shape);
            let fits = fits.map_err(|misfit| misfit_error(misfit, &target.shape))?;
            fitted.extend(fits.map(|fits| (target.state, fits)));
        }
        let has_state = |entity: &str| mapping.has_state(entity);
        let ledger = Ledger::open(old.targets, checkpoint, old.never_told, (has_state, changed));
        if checkpoint.backfill.is_some() || ledger.turn().is_some() {
            checkpoint.backfill = Some(ledger.progress().clone());
        }
        let mut turns = Self {
            mapping,
            status,
            old,
            fitted,
            ledger,
            turn: None,
            looks: 0,
            recent: Recent::new(LIMITS),
            keys: HashMap::new(),
            waiting: None,
            asked: 0,
            asked_for: None,
            pace: Pace::new(old.limits),
            begun: Instant::now(),
            looking: None,
            complained: None,
            not_before: Instant::now(),
            again: 0,
            remembers: Remembers::No,
            accepting: Vec::new(),
            showing: Showing::default(),
            cells: Vec::new(),
        };
        turns.call();
        turns.show_stored();
        Ok(turns)
    }

    /// Sees whose turn it is now. Nothing was remembered of the stream while it was nobody's.
    fn call(&mut self) {
        self.changed();
        let before = self.turn;
        let next = self
            .ledger
            .turn()
            .map(|(target, generation)| (target.state, generation.number));
        self.turn = next.map(|(state, generation)| match before {
            Some(turn) if (turn.state, turn.generation) == (state, generation) => turn,
            _ => Turn {
                state,
                generation,
                told_before: self.recent.told(),
            },
        });
        if self.turn != before {
            (self.waiting, self.looking, self.again) = (None, None, 0);
            self.asked_for = None;
            self.pace.begin_anew();
        }
        if before.is_none() && self.turn.is_some() {
            self.recent.wake();
            self.not_before = Instant::now() + self.old.settle;
        }
    }

    /// How long the source may be waited for.
    pub(super) fn wait(&self) -> Duration {
        if self.turn.is_some() { WAIT } else { Duration::MAX }
    }

    /// A transaction begins. One that is published already was told by an instance before this one: see [`Old::settle`].
    pub(super) fn begin(&mut self, transaction: &Transaction, published: Published) {
        self.ledger.passed(transaction.commit_lsn);
        self.remembers = Remembers::No;
        if self.turn.is_none() {
            return;
        }
        self.remembers = match published {
            Published::Already => {
                self.recent.pass();
                Remembers::No
            }
            Published::NotYet => self.recent.begin(transaction.xid),
        };
    }

    /// Between two transactions: hears operators, asks for the next chunk, and tells the one that may join here. `passed`:
    /// everything up to there was told.
    ///
    /// # Errors
    /// The source's, the sink's, and a row that cannot be told.
    pub(super) fn take<S: Source, K: Sink>(
        &mut self,
        (source, sink): (&mut S, &mut K),
        passed: Lsn,
        (batch, desk, encoder, kinds): (&mut Batch, &mut Desk, &mut Encoder, &[usize]),
    ) -> Result<(), BridgeError> {
        if batch.is_open() {
            return Ok(());
        }
        self.hear((batch, encoder));
        self.show(batch, sink)?;
        self.answer(batch, sink)?;
        if self.looking.is_none() {
            sink.end_sweep();
        }
        if self.asked_for != self.turn || self.turn.is_none() && self.asked > 0 {
            self.begin_anew(source);
        }
        if self.turn.is_none() {
            return Ok(());
        }
        let Some((target, generation)) = self.ledger.turn() else {
            return Ok(());
        };
        match &generation.standing {
            Standing::After(_) => self.take_chunk(target, (source, passed), (batch, desk, encoder, kinds)),
            Standing::Sweeping => self.sweep(target, sink, (batch, encoder)),
            Standing::Complete | Standing::Cancelled => Ok(()),
        }
    }

    fn tell(
        &mut self,
        target: &Target,
        (rows, read_at): (&[(RowName, Vec<u8>)], CommitTime),
        (desk, scribe): (&mut Desk, &mut Scribe<'_>),
    ) -> Result<(), BridgeError> {
        let Some(fitted) = self.fitted.get(&target.state) else {
            return Ok(());
        };
        let columns = u16::try_from(target.shape.columns.len()).unwrap_or(u16::MAX);
        let generation = self.ledger.generation(&target.entity).map_or(1, |one| one.number);
        let mut transaction = Transaction {
            commit_lsn: Lsn::INVALID,
            commit_time: read_at,
            xid: 0,
        };
        for (_, row) in rows {
            let place = self.ledger.take();
            transaction.commit_lsn = place.commit_lsn;
            let at = At {
                epoch: place.epoch,
                transaction: &transaction,
                rank: place.rank,
                origin: Origin::Backfill(generation),
            };
            self.mapping
                .tell_old(fitted, &Tuple::new(columns, row), &at, (desk, scribe))
                .map_err(|row| BridgeError::Halt(Box::new(row.finding_of_old())))?;
        }
        Ok(())
    }

    fn advance(&mut self, target: &Target, rows: u64, next: Option<Vec<String>>) {
        let goes_on = next.is_some();
        self.ledger.advance(&target.entity, rows, next);
        self.changed();
        if !goes_on {
            self.finished(&target.entity);
            self.call();
        }
    }
}
