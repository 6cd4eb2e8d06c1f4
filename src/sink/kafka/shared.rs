//! What the producer's thread and its owner share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::producer::BaseProducer;

use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::SinkError;
use crate::sink::kafka::client::Deliveries;
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::topics::Watch;

/// What the thread is made of besides its channels.
pub(super) struct Parts {
    pub(super) producer: BaseProducer<Deliveries>,
    pub(super) settings: Arc<Settings>,
    /// Our instance.
    pub(super) nonce: String,
    /// Partitions of the written topics, in their order.
    pub(super) partitions: Vec<i32>,
    /// Whether they are still the same.
    pub(super) watch: Watch,
}

/// What the thread is told to do.
pub(super) enum Command {
    /// Write these records.
    Append(Records),
    /// End the transaction with this position.
    Commit(Box<Checkpoint>),
}

/// What the thread and its owner share.
#[derive(Default)]
pub(super) struct Shared {
    /// The owner's wish to end.
    pub(super) stop: AtomicBool,
    /// Bytes handed over and not yet with librdkafka.
    pub(super) waiting_bytes: AtomicUsize,
    /// Commits handed over and not yet answered.
    pub(super) commits: AtomicUsize,
    /// The broker may still be at work for the last commit.
    pub(super) settling: AtomicBool,
    /// The last position stored.
    pub(super) durable: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<SinkError>>,
}

impl Shared {
    /// The error that ended the thread, if one did.
    pub(super) fn failure(&self) -> Result<(), SinkError> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Keeps the first error.
    pub(super) fn fail(&self, error: SinkError) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    /// Whether to end.
    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The last position stored.
    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }
}

/// Ends every wait of a sink, from another thread.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Makes every call that waits, and every later one, give up with a transient error.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn check(&self) -> Result<(), SinkError> {
        if self.0.load(Ordering::Acquire) {
            return Err(SinkError::Transient("the sink was told to stop".to_owned()));
        }
        Ok(())
    }
}
