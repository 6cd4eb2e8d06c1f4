//! The producer's thread: it owns the one transactional producer, and ends with the first error.

mod append;
mod flush;
mod outlet;
mod verdict;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rdkafka::producer::{BaseRecord, Producer as _, PurgeConfig};

use crate::flow::checkpoint::Checkpoint;
use crate::flow::record::Records;
use crate::sink::SinkError;
use crate::sink::kafka::client::position_topic;
use crate::sink::kafka::errors::{Call, goes_on};
use crate::sink::kafka::producer::flush::{Flushes, QUIET};
use crate::sink::kafka::producer::outlet::{Goal, Outlet};
use crate::sink::kafka::reading::checkpoint::{Declared, declared_key, encode};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::shared::{Command, Parts, Shared};
use crate::sink::kafka::topics::Watch;

/// A step of a call that waits inside librdkafka: how soon a stop is noticed.
const STEP: Duration = Duration::from_millis(500);

/// How long a commit may take: below `socket.timeout.ms`, after which librdkafka would send it again.
const COMMIT_MAX: Duration = Duration::from_secs(9);

/// How long a stop waits for a commit on its way, and for an abort.
const LEAVE_MAX: Duration = Duration::from_secs(1);

/// Buffers up to this size are used again.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// For so long after a commit's answer no other should be asked for. The broker answers before it has written the commit's markers;
/// to a transaction that begins meanwhile it says CONCURRENT_TRANSACTIONS, and librdkafka waits 20 ms
/// (`rd_kafka_txn_handle_AddPartitionsToTxn`). What arrives meanwhile joins the next transaction.
const SETTLE: Duration = Duration::from_millis(4);

/// Where a transaction stands.
enum Stage {
    /// None is open.
    Idle,
    /// Open since then.
    Open(Instant),
    /// Its commit was asked for and not cleanly answered: what became of it is not known.
    Unknown,
}

/// The thread's state.
pub(super) struct Worker {
    producer: Outlet,
    settings: Arc<Settings>,
    nonce: String,
    partitions: Vec<i32>,
    commands: Receiver<Command>,
    back: Sender<Records>,
    shared: Arc<Shared>,
    stage: Stage,
    /// Records so far.
    sent: u64,
    /// That count at the end of each buffer that is not answered.
    buffers: VecDeque<u64>,
    /// Partitions that the transaction has.
    met: BTreeSet<Goal>,
    flushes: Flushes,
    watch: Watch,
}

/// Why the thread ends.
enum Over {
    /// It was told to.
    Stopped,
    /// It cannot go on.
    Failed(SinkError),
}

impl From<SinkError> for Over {
    fn from(error: SinkError) -> Self {
        Self::Failed(error)
    }
}

impl Worker {
    pub(super) fn new(parts: Parts, commands: Receiver<Command>, back: Sender<Records>, shared: Arc<Shared>) -> Self {
        Self {
            producer: Outlet::new(parts.producer, &parts.settings),
            settings: parts.settings,
            nonce: parts.nonce,
            partitions: parts.partitions,
            commands,
            back,
            shared,
            stage: Stage::Idle,
            sent: 0,
            buffers: VecDeque::new(),
            met: BTreeSet::new(),
            flushes: Flushes::default(),
            watch: parts.watch,
        }
    }

    /// Works until told to stop, or until the first error; then ends the transaction, if its end is known to be ours
    /// to choose, so that readers need not wait for its time-out.
    pub(super) fn run(mut self) {
        let over = self.serve();
        if let Err(Over::Failed(error)) = over {
            self.shared.fail(error);
        }
        if matches!(self.stage, Stage::Open(_)) {
            self.abort();
        }
    }

    fn serve(&mut self) -> Result<(), Over> {
        loop {
            if self.shared.stopping() {
                return Err(Over::Stopped);
            }
            if matches!(self.stage, Stage::Idle) {
                self.watch.look(self.producer.client())?;
            }
            let wait = match self.stage {
                Stage::Open(_) => Duration::from_millis(5),
                Stage::Idle | Stage::Unknown => Duration::from_millis(100),
            };
            match self.commands.recv_timeout(wait) {
                Ok(Command::Append(mut records)) => {
                    self.append(&records)?;
                    // What is to be done next does so itself.
                    if self.commands.is_empty() {
                        self.send_on(QUIET);
                    }
                    self.shared.waiting_bytes.fetch_sub(records.cost(), Ordering::AcqRel);
                    records.clear();
                    // One that wide rows made large is given back to the system; a full channel has enough of them.
                    if records.bytes.capacity() <= KEPT_BYTES_MAX {
                        self.back.try_send(records).ok();
                    }
                }
                Ok(Command::Commit(checkpoint)) => self.commit(&checkpoint)?,
                Err(RecvTimeoutError::Timeout) => {
                    self.serve_reports()?;
                    self.send_on(QUIET);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Over::Stopped),
            }
        }
    }

    /// Begins a transaction with its first record.
    fn begin(&mut self) -> Result<(), SinkError> {
        if matches!(self.stage, Stage::Idle) {
            self.producer
                .begin_transaction()
                .map_err(|error| self.judge(Call::Begin, &error))?;
            self.stage = Stage::Open(Instant::now());
            self.met.clear();
        }
        Ok(())
    }

    /// Serves delivery reports, and looks whether to go on.
    fn serve_reports(&self) -> Result<(), Over> {
        self.producer.poll(Duration::ZERO);
        self.look()?;
        if self.shared.stopping() {
            return Err(Over::Stopped);
        }
        Ok(())
    }

    /// The same, and a pause.
    fn breathe(&self, pause: Duration) -> Result<(), Over> {
        self.serve_reports()?;
        std::thread::sleep(pause);
        Ok(())
    }

    /// Sends what lingers, where that can go; while answers come more often than `patience`, more is waited for.
    fn send_on(&mut self, patience: Duration) {
        let answered = self.producer.context().answered();
        self.flushes.send(&*self.producer, (answered, self.sent), patience);
    }

    /// Waits until every record sent is answered.
    fn drain(&mut self) -> Result<(), Over> {
        let deliveries = Arc::clone(self.producer.context());
        loop {
            let before = deliveries.answered();
            self.producer.poll(Duration::ZERO);
            let answered = deliveries.answered();
            if answered >= self.sent {
                return Ok(self.look()?);
            }
            if answered == before {
                self.send_on(Duration::ZERO);
                self.breathe(Duration::from_micros(200))?;
            }
        }
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<(), Over> {
        self.begin()?;
        // The position goes out with the records: it is in the same transaction, so their order does not matter.
        let value = encode(checkpoint)?;
        let topic = position_topic(&self.settings.name);
        let settings = Arc::clone(&self.settings);
        // The newest record of the topic is the position.
        if let Some(declared) = &checkpoint.declared {
            let (key, value) = (declared_key(&settings), encode(&Declared::of(checkpoint, declared))?);
            let record = BaseRecord::to(topic.as_str()).partition(0).key(key.as_bytes());
            self.send(record.payload(value.as_slice()))?;
        }
        let record = BaseRecord::to(topic.as_str())
            .partition(0)
            .key(settings.name.as_bytes());
        self.send(record.payload(value.as_slice()))?;
        self.meet_new_partition();
        self.drain()?;
        let deliveries = Arc::clone(self.producer.context());
        if deliveries.acked() != self.sent {
            return Err(SinkError::Transient("fewer records were acknowledged than sent".to_owned()).into());
        }
        self.end()?;
        self.stage = Stage::Idle;
        self.shared
            .durable
            .store(checkpoint.commit_end_lsn.0, Ordering::Release);
        self.shared.settling.store(true, Ordering::Release);
        self.shared.commits.fetch_sub(1, Ordering::AcqRel);
        self.breathe(SETTLE)?;
        self.shared.settling.store(false, Ordering::Release);
        Ok(())
    }

    /// Commits. A fault of a connection or request meanwhile makes the outcome unknown even where the answer is good:
    /// librdkafka may have asked twice, and the first request may still arrive and end a later transaction.
    fn end(&mut self) -> Result<(), Over> {
        self.producer.poll(Duration::ZERO);
        let before = self.producer.context().disturbed();
        let begun = Instant::now();
        let opened = std::mem::replace(&mut self.stage, Stage::Unknown);
        let mut stopped: Option<Instant> = None;
        loop {
            let answer = self.producer.commit_transaction(STEP);
            if self.shared.stopping() {
                stopped.get_or_insert_with(Instant::now);
            }
            match answer {
                Ok(()) => break,
                Err(error) if goes_on(&error) => {
                    if stopped.is_some_and(|since| since.elapsed() > LEAVE_MAX) {
                        return Err(Over::Stopped);
                    }
                    if begun.elapsed() > COMMIT_MAX {
                        return Err(SinkError::Transient("a commit was not answered in time".to_owned()).into());
                    }
                }
                Err(error) => {
                    let judged = self.judge(Call::Commit, &error);
                    return Err(self.overrun(&opened).unwrap_or(judged).into());
                }
            }
        }
        self.producer.poll(Duration::ZERO);
        if self.producer.context().disturbed() != before {
            return Err(
                SinkError::Transient("a connection broke during a commit: its outcome is unknown".to_owned()).into(),
            );
        }
        Ok(())
    }

    /// Ends the open transaction, so that readers go on at once.
    fn abort(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let begun = Instant::now();
        while self.producer.context().answered() < self.sent && begun.elapsed() < Duration::from_millis(200) {
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Err(error) = self.producer.abort_transaction(LEAVE_MAX) {
            tracing::debug!(%error, "a Kafka transaction is left for its time-out or the next start");
        }
    }
}
