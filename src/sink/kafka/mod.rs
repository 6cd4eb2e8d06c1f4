//! Kafka: records and checkpoint in one transaction.

mod anew;
mod client;
mod errors;
mod fence;
mod partition;
mod preflight;
mod producer;
mod reading;
pub mod settings;
mod shared;
mod topics;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender};
use rdkafka::producer::{BaseProducer, Producer as _};

use crate::backfill::sweep::{Found, Rest, Sweep};
use crate::finding::{Cause, Finding};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::record::Records;
use crate::sink::kafka::client::Deliveries;
use crate::sink::kafka::errors::{Call, from_kafka};
use crate::sink::kafka::fence::{WAIT_MAX, connect, fence};
use crate::sink::kafka::producer::Worker;
use crate::sink::kafka::reading::checkpoint::{End, newest};
use crate::sink::kafka::reading::sweep::Search;
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::shared::{Command, Parts, Shared};
use crate::sink::kafka::topics::Watch;
use crate::sink::{Progress, Sink, SinkError};

pub use anew::{
    Newest, newest_epoch, of_another, position_gone, slot_of_another, store_after, store_first, store_over, store_with,
};
pub use client::ours::{OF_CONSUMERS, OURS};
pub use partition::partition;
pub use preflight::preflight;
pub use reading::checkpoint::newest_of_ours;
pub use shared::Stop;
pub use topics::{How, Moved, create_topics, moved};

/// How long the first commit may take.
const OPEN_MAX: Duration = Duration::from_secs(30);

/// Commands on their way; see [`AHEAD_BYTES_MAX`].
const COMMANDS_MAX: usize = 64;

/// Bytes of records that wait for the producer's thread: what is read while a transaction ends. More of them would only push
/// each other out of the processor's cache.
const AHEAD_BYTES_MAX: usize = 2 << 20;

/// Empty buffers that are kept: one is filled while one is written.
const KEPT_MAX: usize = 2;

/// The Kafka sink: a thread with the one transactional producer, and the way to it.
///
/// Invariant: a producer whose transaction ended in any way that is not certain is never used again.
pub struct Kafka {
    settings: Arc<Settings>,
    nonce: String,
    stop: Stop,
    /// Made by `reach`, taken by `recover`.
    reached: Option<BaseProducer<Deliveries>>,
    /// Made by `recover`, taken by `open`.
    ready: Option<BaseProducer<Deliveries>>,
    line: Option<Line>,
    /// A look through a state topic.
    search: Option<Search>,
}

/// The way to the producer's thread.
struct Line {
    commands: Option<Sender<Command>>,
    back: Receiver<Records>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.commands = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the Kafka thread panicked");
        }
    }
}

impl Kafka {
    /// Takes the settings and this instance's nonce; connects to nothing yet.
    ///
    /// # Errors
    /// Halts where librdkafka refuses a property.
    pub fn new(settings: Settings, nonce: String) -> Result<Self, SinkError> {
        let fault = |error| from_kafka(Call::Client, &error, &settings.brokers);
        client::producer(&settings)?.create_native_config().map_err(fault)?;
        Ok(Self {
            settings: Arc::new(settings),
            nonce,
            stop: Stop::default(),
            reached: None,
            ready: None,
            line: None,
            search: None,
        })
    }

    /// A handle that ends every wait of this sink.
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    fn line(&self) -> Result<&Line, SinkError> {
        let line = self
            .line
            .as_ref()
            .ok_or_else(|| SinkError::Transient("the Kafka sink is not open".to_owned()))?;
        line.shared.failure()?;
        if line.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            // An orderly end leaves no error, and is never ours without `Drop`.
            line.shared.failure()?;
            return Err(SinkError::Transient("the Kafka thread ended".to_owned()));
        }
        Ok(line)
    }

    /// Hands a command over, and waits while the thread is behind.
    fn tell(&self, mut command: Command) -> Result<(), SinkError> {
        loop {
            self.stop.check()?;
            let line = self.line()?;
            let Some(commands) = &line.commands else {
                return Err(SinkError::Transient("the Kafka sink is closed".to_owned()));
            };
            match commands.send_timeout(command, Duration::from_millis(100)) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(again) | SendTimeoutError::Disconnected(again)) => command = again,
            }
        }
    }

    /// Waits until `bytes` more fit into the budget; a buffer larger than the budget goes alone.
    fn room(&self, bytes: usize) -> Result<(), SinkError> {
        let budget = self.settings.queue_bytes_max.min(AHEAD_BYTES_MAX);
        loop {
            self.stop.check()?;
            let waiting = self.line()?.shared.waiting_bytes.load(Ordering::Acquire);
            if waiting == 0 || waiting.saturating_add(bytes) <= budget {
                return Ok(());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// A record above the limit would be refused again and again: it is named, never its contents.
    fn check(&self, records: &Records) -> Result<(), SinkError> {
        for span in &records.spans {
            let bytes = span
                .key
                .len()
                .saturating_add(span.value.as_ref().map_or(0, ExactSizeIterator::len));
            if bytes <= self.settings.record_bytes_max {
                continue;
            }
            let kind = self
                .settings
                .kinds
                .get(usize::from(span.kind.0))
                .map_or("?", |kind| kind.name.as_str());
            let topic = self
                .settings
                .written
                .get(usize::from(span.topic.0))
                .map_or("?", |topic| topic.name.as_str());
            let id = String::from_utf8_lossy(&span.position.text()).into_owned();
            return Err(SinkError::Halt(Box::new(
                Finding::error(
                    Cause::Surroundings,
                    "kafka.record_too_large",
                    format!(
                        "a record of {kind} for topic {topic} has {bytes} bytes, more than {} (id {id})",
                        self.settings.record_bytes_max
                    ),
                )
                .because("Kafka would refuse it, and leaving it out would lose an event")
                .repair(errors::less_or_more(bytes, self.settings.queue_bytes_max)),
            )));
        }
        Ok(())
    }

    /// Waits until the first commit is answered, and reads it back.
    fn opened(&self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        let begun = Instant::now();
        while self.line()?.shared.commits.load(Ordering::Acquire) > 0 {
            self.stop.check()?;
            if begun.elapsed() > OPEN_MAX {
                return Err(SinkError::Transient(
                    "the first commit was not answered in time".to_owned(),
                ));
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        // A broker that came back without its last records would tell an older position. The marker of the commit may still
        // be on its way: the high watermark lies behind the record in any case.
        let mut stored = newest(&self.settings, End::HighWatermark, &[&self.stop])?;
        if let Some(stored) = stored.as_mut().filter(|_| checkpoint.declared.is_none()) {
            // Not stored now: what is read is from before.
            (stored.declared, stored.leaves) = (None, checkpoint.leaves.clone());
        }
        match stored {
            Some(stored) if &stored == checkpoint => Ok(()),
            Some(stored) if stored.nonce != self.nonce => Err(SinkError::Fenced { nonce: stored.nonce }),
            Some(_) | None => Err(SinkError::Transient(
                "the position just stored is not read back".to_owned(),
            )),
        }
    }
}

impl Kafka {
    /// Becomes the only producer of this name.
    fn fence(&mut self) -> Result<(), SinkError> {
        self.line = None;
        self.search = None;
        self.ready = None;
        let producer = match self.reached.take() {
            Some(producer) => producer,
            None => connect(&self.settings, &self.stop, WAIT_MAX)?,
        };
        fence(&producer, &self.settings, &self.stop)?;
        self.ready = Some(producer);
        Ok(())
    }

    /// Begins to work behind a checkpoint that is still to be stored, and fills in what is known of the topics.
    fn line_up(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        let producer = self
            .ready
            .take()
            .ok_or_else(|| SinkError::Transient("recover comes before open".to_owned()))?;
        let (brokers, partitions) = topics::settle(producer.client(), &self.settings, checkpoint)?;
        checkpoint.nonce.clone_from(&self.nonce);
        let (commands, told) = crossbeam_channel::bounded(COMMANDS_MAX);
        let (give, back) = crossbeam_channel::bounded(KEPT_MAX);
        let shared = Arc::new(Shared::default());
        shared.durable.store(checkpoint.commit_end_lsn.0, Ordering::Release);
        let parts = Parts {
            producer,
            settings: Arc::clone(&self.settings),
            nonce: self.nonce.clone(),
            partitions,
            watch: Watch::of(brokers, &self.settings, checkpoint),
        };
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("kafka".to_owned())
            .spawn(move || Worker::new(parts, told, give, seen).run())
            .map_err(|error| SinkError::Transient(format!("cannot start the Kafka thread: {error}")))?;
        self.line = Some(Line {
            commands: Some(commands),
            back,
            shared,
            thread: Some(thread),
        });
        Ok(())
    }
}

impl Sink for Kafka {
    fn reach(&mut self, patience: Duration) -> Result<(), SinkError> {
        self.reached = None;
        self.reached = Some(connect(&self.settings, &self.stop, patience)?);
        Ok(())
    }

    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        // First the fence, then the position: else an earlier instance could still store a newer one.
        self.fence()?;
        match newest(&self.settings, End::HighWatermark, &[&self.stop])? {
            Some(stored) => Ok(Some(stored)),
            // A position is stored with each record: where there are records, there was one.
            None => match position_gone(&self.settings, &self.stop)? {
                Some(finding) => Err(SinkError::Halt(Box::new(finding))),
                None => Ok(None),
            },
        }
    }

    fn open(&mut self, checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
        self.line_up(checkpoint)?;
        let opened = self.commit(checkpoint).and_then(|()| self.opened(checkpoint));
        if opened.is_err() {
            self.line = None;
        }
        opened
    }

    fn append(&mut self, records: Records) -> Result<Records, SinkError> {
        self.check(&records)?;
        let line = self.line()?;
        if records.spans.is_empty() {
            return Ok(records);
        }
        self.room(records.cost())?;
        line.shared.waiting_bytes.fetch_add(records.cost(), Ordering::AcqRel);
        self.tell(Command::Append(records))?;
        Ok(self.line()?.back.try_recv().unwrap_or_default())
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        self.line()?.shared.commits.fetch_add(1, Ordering::AcqRel);
        self.tell(Command::Commit(Box::new(checkpoint.clone())))
    }

    fn sweep(&mut self, wanted: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        let Some(search) = self.search.as_ref().filter(|search| search.look == wanted.look) else {
            self.search = Some(Search::begin(&self.settings, &self.stop, wanted)?);
            return Ok(None);
        };
        let found = search.found();
        let goes_on = match &found {
            Ok(found) => found.as_ref().is_none_or(|found| found.rest == Rest::OfThis),
            Err(_) => false,
        };
        if !goes_on {
            self.search = None;
        }
        found
    }

    fn end_sweep(&mut self) {
        self.search = None;
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        let line = self.line()?;
        // The count before the position: a commit answered in between must not look as if it was still missing.
        let commits_in_flight = line.shared.commits.load(Ordering::Acquire);
        Ok(Progress {
            durable_lsn: line.shared.durable(),
            commits_in_flight,
            settling: line.shared.settling.load(Ordering::Acquire),
        })
    }
}

/// Reads the position beside a bridge that may run: fences nobody.
///
/// # Errors
/// See [`SinkError`].
pub fn read_position(settings: &Settings) -> Result<Option<Checkpoint>, SinkError> {
    newest(settings, End::Stable, &[])
}
