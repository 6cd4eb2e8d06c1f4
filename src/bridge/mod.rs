//! The whole way of a change, from the source to the sink, on one screen: `run`.

pub mod batch;
mod declared;
mod names;
mod old;
pub mod orders;
pub mod supervise;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bridge::batch::Batch;
use crate::bridge::declared::declare;
use crate::bridge::old::{Turns, by_table};
use crate::bridge::tables::Tables;
use crate::encoding::Encoder;
use crate::finding::Finding;
use crate::flow::change::Step;
use crate::flow::declaration::Declarations;
use crate::flow::event::{DomainEvent, Origin};
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::flow::table::TableName;
use crate::mapping::plan::Mapping;
use crate::mapping::tell::{At, Desk, Listener};
use crate::sink::{Sink, SinkError};
use crate::source::{Hold, Proven, Source, SourceError};
use crate::telemetry::{State, Status, Tally};

pub use crate::bridge::declared::{Accept, undecided};
pub use crate::bridge::old::{Markers, MaySelect, Old};

/// Why a run ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The source cannot go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The sink cannot go on.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A row cannot be told, or a table changed: halts.
    #[error("{}", .0.what)]
    Halt(Box<Finding>),
    /// The slot is free after a wait: begin again with the catalogue as it is now.
    #[error("waited for the slot")]
    Waited,
    /// A mapped table has another shape than the mapping was compiled for: begin again with the catalogue as it is now.
    #[error("column \"{column}\" of {table} changed its type")]
    Reshaped {
        /// Table.
        table: TableName,
        /// Column, by the mapping's name.
        column: String,
        /// Its other name.
        formerly: Option<String>,
        /// OID of the type that the stream announces.
        type_oid: u32,
    },
}

/// What a run works with beside source and sink.
pub struct Works<'a> {
    /// What changes mean.
    pub mapping: &'a Mapping,
    /// How events are written.
    pub encoder: &'a mut Encoder,
    /// Which old rows are told.
    pub old: Old<'a>,
    /// Fingerprint of the mapping, kept in the position.
    pub fingerprint: &'a str,
    /// How entities are declared, kept beside it.
    pub declared: &'a Declarations,
    /// Whether an operator has decided for what changed of that.
    pub accept: Accept,
    /// Asked to stop.
    pub stop: &'a AtomicBool,
    /// What operators see.
    pub status: &'a Status,
}

/// Carries changes until it is asked to stop.
///
/// The order at the start is promise 5's: the slot is the lock, so it is taken before the sink fences anybody; and not by who
/// could not write what it reads.
///
/// # Errors
/// Whatever ends the run; only the supervisor decides what becomes of it.
pub fn run<S: Source, K: Sink>(source: &mut S, sink: &mut K, works: Works<'_>) -> Result<(), BridgeError> {
    let (stop, status) = (works.stop, works.status);
    match hold((source, sink), stop, status)? {
        Held::Ours => {}
        Held::Stopped => return Ok(()),
        // The mapping was compiled before the wait.
        Held::Late => return Err(BridgeError::Waited),
    }
    let stored = sink.recover()?;
    let marks = stored.as_ref().map(|stored| stored.tables.clone()).unwrap_or_default();
    let Proven {
        mut checkpoint,
        brought,
    } = source.prove(stored)?;
    works.fingerprint.clone_into(&mut checkpoint.mapping);
    let mut changed = declare(works.declared, works.accept, &mut checkpoint)?;
    changed.brought = by_table(&brought);
    let mut turns = Turns::new((works.mapping, status), (works.old, &changed), &mut checkpoint)?;
    // Before it is stored: who is killed in between says it again.
    turns.say(&brought, works.declared);
    sink.open(&mut checkpoint)?;
    (checkpoint.declared, checkpoint.leaves) = (None, None);
    status.set_state(State::Streaming);

    let mut batch = Batch::new(checkpoint, status.tally());
    let mut tables = Tables::new(works.mapping, status, &marks);
    let carried = carry(source, sink, works, (&mut batch, &mut tables, &mut turns));
    if carried.is_ok() {
        status.set_state(State::Stopping);
    }
    // A row that cannot be told, or a new shape, holds up nothing that was committed before it.
    if matches!(
        carried,
        Ok(()) | Err(BridgeError::Halt(_) | BridgeError::Reshaped { .. })
    ) {
        let finished = batch
            .finish(sink)
            .and_then(|()| batch.durable(sink, status, Lsn::INVALID));
        match (carried, finished) {
            (Ok(()), Err(error)) => return Err(error),
            (carried, Err(error)) => {
                tracing::debug!(%error, "what was complete is told again");
                return carried;
            }
            (carried, Ok(durable)) => {
                source.acknowledge(durable);
                return carried;
            }
        }
    }
    carried
}

/// Takes steps from the source until it is asked to stop; what is complete and not yet committed stays in the batch.
fn carry<S: Source, K: Sink>(
    source: &mut S,
    sink: &mut K,
    works: Works<'_>,
    (batch, tables, turns): (&mut Batch, &mut Tables<'_>, &mut Turns<'_>),
) -> Result<(), BridgeError> {
    let Works {
        mapping,
        encoder,
        stop,
        status,
        ..
    } = works;
    let mut desk = Desk::default();
    while !stop.load(Ordering::Relaxed) {
        match source.next(batch.wait().min(turns.wait()))? {
            Step::Begin(transaction) => {
                batch.begin(transaction);
                turns.begin(&transaction, batch.published());
            }
            Step::Shape(table) => {
                tables.fit(table)?;
                turns.shape(table);
            }
            Step::Change { table_oid, change } => {
                let rank = batch.next_rank();
                tables.refuse_astray(table_oid, batch.open_transaction())?;
                if let (Some(followed), Some(transaction)) = (tables.get(table_oid), batch.open_transaction()) {
                    let at = At {
                        epoch: batch.epoch(),
                        transaction: &transaction,
                        rank,
                        origin: Origin::Change,
                    };
                    let (records, tally) = batch.paper();
                    let first = records.spans.len();
                    followed.count(&change, tally);
                    let mut scribe = Scribe {
                        encoder,
                        records,
                        tally,
                        kinds: &tables.kinds,
                    };
                    mapping
                        .tell(&followed.fitted, &change, &at, (&mut desk, &mut scribe))
                        .map_err(|row| BridgeError::Halt(Box::new(row.finding(&transaction))))?;
                    turns.touch(&change, (records, first));
                }
                batch.hand_over_if_full(sink)?;
                if batch.is_a_pause() {
                    source.acknowledge(batch.durable(sink, status, Lsn::INVALID)?);
                    status.heard(source.silence());
                }
            }
            Step::Truncate { table_oids } => tables.refuse_truncate(table_oids, batch.open_transaction())?,
            Step::Commit { end_lsn } => {
                batch.complete(end_lsn)?;
                turns.take((source, sink), end_lsn, (batch, &mut desk, encoder, &tables.kinds))?;
                batch.commit_if_due(sink, source.distance())?;
                source.acknowledge(batch.durable(sink, status, end_lsn)?);
                status.heard(source.silence());
            }
            Step::Drained { seen_lsn, asked } => {
                turns.take((source, sink), seen_lsn, (batch, &mut desk, encoder, &tables.kinds))?;
                batch.commit_if_idle(sink, seen_lsn, asked)?;
                source.acknowledge(batch.durable(sink, status, seen_lsn)?);
                status.heard(source.silence());
            }
        }
    }
    Ok(())
}

/// Whether the slot is ours.
enum Held {
    Ours,
    /// It is, after a wait in which the catalogue may have changed.
    Late,
    Stopped,
}

/// How long a bridge tries to reach the sink before it looks at the slot …
const REACH_MAX: Duration = Duration::from_secs(30);
/// … and how often, and for how long, one that waits looks whether it still does.
const REACH_EVERY: Duration = Duration::from_secs(15);
const REACH_AGAIN_MAX: Duration = Duration::from_secs(3);

/// Waits, ready and cheap, while another bridge of this name holds the slot.
fn hold<S: Source, K: Sink>(
    (source, sink): (&mut S, &mut K),
    stop: &AtomicBool,
    status: &Status,
) -> Result<Held, BridgeError> {
    let mut waited = false;
    let mut reached: Option<Instant> = None;
    while !stop.load(Ordering::Relaxed) {
        if reached.is_none_or(|reached| reached.elapsed() > REACH_EVERY) {
            sink.reach(reached.map_or(REACH_MAX, |_| REACH_AGAIN_MAX))?;
            reached = Some(Instant::now());
        }
        match source.hold()? {
            Hold::Taken { .. } if waited => {
                tracing::info!("the slot is free: begins with the catalogue as it is now");
                return Ok(Held::Late);
            }
            Hold::Taken { confirmed_lsn } => {
                tracing::info!(confirmed_lsn = %confirmed_lsn, "holds the slot");
                return Ok(Held::Ours);
            }
            Hold::Busy => {
                if !waited {
                    tracing::info!("waits, ready to take over: another bridge holds the slot");
                }
                waited = true;
                status.set_state(State::Waiting);
                status.beat();
                // Not in step with others that wait for the same slot.
                let jitter = u64::from(std::process::id() % 7) * 20;
                std::thread::sleep(Duration::from_millis(300 + jitter));
            }
        }
    }
    Ok(Held::Stopped)
}

/// Writes what the mapping tells.
struct Scribe<'a> {
    encoder: &'a mut Encoder,
    records: &'a mut Records,
    tally: &'a mut Tally,
    /// What each kind counts as.
    kinds: &'a [usize],
}

impl Listener for Scribe<'_> {
    fn hear(&mut self, event: &DomainEvent<'_>) {
        self.encoder.encode(event, self.records);
        if let Some(kind) = self.kinds.get(usize::from(event.kind.0)) {
            self.tally.record(*kind);
        }
    }

    fn suppressed(&mut self, entity: &str) {
        self.tally.suppressed(entity);
    }
}
