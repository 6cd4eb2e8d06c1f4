//! The whole way of a change, from the source to the sink, on one screen: [`run`].

pub mod batch;
pub mod supervise;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::bridge::batch::Batch;
use crate::encoding::Encoder;
use crate::finding::{Cause, Finding};
use crate::flow::change::Step;
use crate::flow::event::DomainEvent;
use crate::flow::record::Records;
use crate::flow::table::Table;
use crate::mapping::plan::{Fitted, Mapping, Misfit};
use crate::mapping::tell::{At, Desk, Listener};
use crate::sink::{Sink, SinkError};
use crate::source::{Hold, Source, SourceError};
use crate::telemetry::{State, Status};

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
    /// A mapped table changed its shape: begin again with the catalogue as it is now.
    #[error("column \"{0}\" of a mapped table changed its type")]
    Reshaped(String),
}

/// What a run works with beside source and sink.
pub struct Works<'a> {
    /// What changes mean.
    pub mapping: &'a Mapping,
    /// How events are written.
    pub encoder: &'a mut Encoder,
    /// Fingerprint of the mapping, kept in the position.
    pub fingerprint: &'a str,
    /// Asked to stop.
    pub stop: &'a AtomicBool,
    /// What operators see.
    pub status: &'a Status,
}

/// Carries changes until it is asked to stop.
///
/// The order at the start is promise 5's: the slot is the lock, so it is taken before the sink fences anybody.
///
/// # Errors
/// Whatever ends the run; only the supervisor decides what becomes of it.
pub fn run<S: Source, K: Sink>(source: &mut S, sink: &mut K, works: Works<'_>) -> Result<(), BridgeError> {
    let Works { mapping, encoder, fingerprint, stop, status } = works;
    if !hold(source, stop, status)? {
        return Ok(());
    }
    let stored = sink.recover()?;
    let mut checkpoint = source.prove(stored)?;
    fingerprint.clone_into(&mut checkpoint.mapping);
    sink.open(&mut checkpoint)?;
    status.set_state(State::Streaming);

    let mut tables: HashMap<u32, Option<Fitted>> = HashMap::new();
    let mut desk = Desk::default();
    let mut batch = Batch::new(checkpoint);
    while !stop.load(Ordering::Relaxed) {
        let wait = batch.wait();
        match source.next(wait)? {
            Step::Begin(transaction) => batch.begin(transaction),
            Step::Shape(table) => {
                tables.insert(table.oid, fit(mapping, table)?);
            }
            Step::Change { table_oid, change } => {
                let rank = batch.next_rank();
                if let (Some(Some(fitted)), Some(transaction)) = (tables.get(&table_oid), batch.open_transaction()) {
                    let at = At { epoch: batch.epoch(), transaction: &transaction, rank };
                    let mut scribe = Scribe { encoder, records: batch.records() };
                    mapping.tell(fitted, &change, &at, (&mut desk, &mut scribe)).map_err(|untellable| {
                        BridgeError::Halt(Box::new(untellable.finding(transaction.commit_lsn)))
                    })?;
                }
                batch.hand_over_if_full(sink)?;
            }
            Step::Truncate { table_oids } => refuse_truncate(table_oids, &tables, &batch)?,
            Step::Commit { end_lsn } => {
                batch.complete(end_lsn)?;
                batch.commit_if_large(sink)?;
                source.acknowledge(sink.progress()?.durable_lsn);
            }
            Step::Drained { seen_lsn, asked } => {
                batch.commit_if_idle(sink, seen_lsn, asked)?;
                let progress = sink.progress()?;
                source.acknowledge(progress.durable_lsn);
                status.moved(progress.durable_lsn, seen_lsn);
            }
        }
    }
    status.set_state(State::Stopping);
    batch.finish(sink, Duration::from_secs(2))?;
    source.acknowledge(sink.progress()?.durable_lsn);
    Ok(())
}

/// Waits, ready and cheap, while another bridge of this name holds the slot. False: asked to stop.
fn hold<S: Source>(source: &mut S, stop: &AtomicBool, status: &Status) -> Result<bool, BridgeError> {
    while !stop.load(Ordering::Relaxed) {
        match source.hold()? {
            Hold::Taken { .. } => return Ok(true),
            Hold::Busy => {
                status.set_state(State::Waiting);
                // Not in step with others that wait for the same slot.
                let jitter = u64::from(std::process::id() % 7) * 20;
                std::thread::sleep(Duration::from_millis(300 + jitter));
            }
        }
    }
    Ok(false)
}

fn fit(mapping: &Mapping, table: &Table) -> Result<Option<Fitted>, BridgeError> {
    mapping.fit(table).map_err(|misfit| match misfit {
        Misfit::Retyped { column } => BridgeError::Reshaped(column),
        Misfit::Missing { entity, place, column } => BridgeError::Halt(Box::new(
            Finding::error(
                Cause::Surroundings,
                "mapping.column_gone",
                format!("{entity} needs column \"{column}\" of {}, which its changes no longer carry", table.name),
            )
            .at(place)
            .because("nothing is guessed for a column that is gone")
            .repair("take the column out of the mapping, or put it back into the table (or the publication)"),
        )),
    })
}

fn refuse_truncate(
    oids: &[u32],
    tables: &HashMap<u32, Option<Fitted>>,
    batch: &Batch,
) -> Result<(), BridgeError> {
    let Some(fitted) = oids.iter().find_map(|oid| tables.get(oid).and_then(Option::as_ref)) else { return Ok(()) };
    let Some(transaction) = batch.open_transaction() else { return Ok(()) };
    Err(BridgeError::Halt(Box::new(
        Finding::error(
            Cause::Surroundings,
            "row.truncate",
            format!("{} was truncated (transaction at {})", fitted.table_name(), transaction.commit_lsn),
        )
        .because("its entities are gone without a word about each")
        .repair("tell consumers, then take the table out of the mapping or begin again with `walbridge recover`"),
    )))
}

/// Writes what the mapping tells.
struct Scribe<'a> {
    encoder: &'a mut Encoder,
    records: &'a mut Records,
}

impl Listener for Scribe<'_> {
    fn hear(&mut self, event: &DomainEvent<'_>) {
        self.encoder.encode(event, self.records);
    }

    fn suppressed(&mut self, _entity: &str) {}
}
