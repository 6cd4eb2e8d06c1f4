//! What the status says at one moment, and whether that is well.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::telemetry::{KindNames, Progress, State, Status};

/// A server that said nothing for so long is not there: it speaks at least twice in its `wal_sender_timeout` of a minute.
const SILENCE_SECONDS_MAX: f64 = 90.0;
/// A bridge whose thread showed no life for so long is stuck. Every wait of its own is shorter.
const STUCK_SECONDS_MAX: f64 = 900.0;

/// The status at one moment; as JSON it is `/status`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the bridge.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// What it does.
    #[serde(serialize_with = "word")]
    pub state: State,
    /// For how long.
    pub state_seconds: f64,
    /// Age of the process.
    pub up_seconds: f64,
    /// Since the bridge's thread last showed life.
    pub beat_seconds_ago: f64,
    /// Since the server last said something; none before it has.
    pub heard_seconds_ago: Option<f64>,
    /// Age of the oldest source commit that is seen and not durable; while nothing is carried, at least for how long.
    pub lag_seconds: f64,
    /// Log that is not durable in Kafka yet.
    pub lag_bytes: u64,
    /// Places in the log.
    pub position: Positions,
    /// What the server keeps for us; none before it told.
    pub slot: Option<SlotSize>,
    /// Source transactions published since the process began.
    pub transactions: u64,
    /// Row changes published since then.
    pub entities: Vec<EntityCount>,
    /// Records published since then.
    pub events: Vec<EventCount>,
    /// How far old rows are told, of every entity that has some.
    pub backfill: Vec<Progress>,
    /// Fresh beginnings after a transient fault.
    pub restarts: u64,
    /// The last of them.
    pub last_restart: Option<Told>,
    /// Why it halted.
    pub last_halt: Option<Told>,
}

/// Places in the log, written as PostgreSQL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// Everything up to here is durable in Kafka.
    #[serde(rename = "durable_lsn", serialize_with = "lsn")]
    pub durable: u64,
    /// The stream has been read so far.
    #[serde(rename = "seen_lsn", serialize_with = "lsn")]
    pub seen: u64,
    /// The server's log ended here when it was last asked.
    #[serde(rename = "server_lsn", serialize_with = "lsn")]
    pub server: u64,
}

/// What the server keeps for the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SlotSize {
    /// Log kept.
    pub retained_bytes: u64,
    /// Log that may still be written before the slot is lost; none: no limit.
    pub safe_bytes: Option<u64>,
}

/// Row changes of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntityCount {
    /// The entity.
    pub entity: String,
    /// Rows that came.
    pub inserts: u64,
    /// Rows that changed.
    pub updates: u64,
    /// Rows that went.
    pub deletes: u64,
    /// Changes that told nothing.
    pub suppressed: u64,
    /// Old rows read.
    pub old_rows: u64,
    /// Old rows still to be read, as the server estimates; none where none are.
    pub remaining_rows: Option<u64>,
}

/// Records of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// The entity.
    pub entity: String,
    /// The event; for states the entity's name.
    pub event: String,
    /// The topic.
    pub topic: String,
    /// How many.
    pub records: u64,
}

/// Something that happened, in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// How long ago.
    pub seconds_ago: f64,
    /// One word.
    pub reason: String,
    /// The error.
    pub what: String,
}

impl Report {
    /// Whether it carries changes, or stands ready to; if not, why.
    ///
    /// # Errors
    /// The reason, in one line.
    pub fn ready(&self, lag_seconds_max: u64) -> Result<(), String> {
        self.live()?;
        match self.state {
            State::Waiting => return Ok(()),
            State::Streaming => {}
            State::Starting | State::Retrying | State::Halted | State::Stopping => {
                let last = if self.state == State::Halted {
                    &self.last_halt
                } else {
                    &self.last_restart
                };
                let why = last.as_ref().filter(|_| self.state != State::Stopping);
                let why = why.map(|told| format!(": {}", told.what)).unwrap_or_default();
                return Err(format!("{}{why}", self.state.word()));
            }
        }
        if let Some(silence) = self.heard_seconds_ago.filter(|silence| *silence > SILENCE_SECONDS_MAX) {
            return Err(format!("the server said nothing for {silence:.0} s"));
        }
        if Duration::try_from_secs_f64(self.lag_seconds).is_ok_and(|lag| lag > Duration::from_secs(lag_seconds_max)) {
            return Err(format!("{:.0} s behind, more than {lag_seconds_max}", self.lag_seconds));
        }
        Ok(())
    }

    /// Whether the bridge's thread shows life.
    ///
    /// # Errors
    /// The reason, in one line.
    pub fn live(&self) -> Result<(), String> {
        if self.state != State::Halted && self.beat_seconds_ago > STUCK_SECONDS_MAX {
            return Err(format!("stuck: no sign of life for {:.0} s", self.beat_seconds_ago));
        }
        Ok(())
    }
}

impl Status {
    /// What there is to say now.
    pub fn report(&self) -> Report {
        let seconds = |moment: &AtomicMoment| self.ago(moment.load(Ordering::Relaxed)).map(|ago| ago.as_secs_f64());
        let names = &self.names;
        let backfill = self.progress();
        let story = self.story();
        let entity = |(number, entity): (usize, &String)| {
            let [inserts, updates, deletes] = self.meters.changes(number);
            let suppressed = self.meters.suppressed(number);
            EntityCount {
                entity: entity.clone(),
                inserts,
                updates,
                deletes,
                suppressed,
                old_rows: self.meters.old_rows(number),
                remaining_rows: backfill
                    .iter()
                    .find(|one| one.entity == *entity)
                    .and_then(Progress::remaining_rows),
            }
        };
        let event = |(number, kind): (usize, &KindNames)| EventCount {
            entity: kind.entity.clone(),
            event: kind.event.clone(),
            topic: names.topics.get(kind.topic).cloned().unwrap_or_default(),
            records: self.meters.events(number),
        };
        let last_restart = story
            .restart
            .as_ref()
            .map(|(at, reason, what)| told(at.elapsed(), reason, what));
        Report {
            name: names.bridge.clone(),
            version: names.version.clone(),
            state: story.state,
            state_seconds: story.since.elapsed().as_secs_f64(),
            up_seconds: self.born.elapsed().as_secs_f64(),
            beat_seconds_ago: seconds(&self.beat_ms).unwrap_or(0.0),
            heard_seconds_ago: seconds(&self.heard_ms),
            lag_seconds: self.lag_seconds(),
            lag_bytes: self.lag_bytes(),
            position: Positions {
                durable: self.durable_lsn.load(Ordering::Relaxed),
                seen: self.seen_lsn.load(Ordering::Relaxed),
                server: self.server_lsn.load(Ordering::Relaxed),
            },
            slot: story.slot,
            transactions: self.meters.transactions(),
            entities: names.entities.iter().enumerate().map(entity).collect(),
            events: names.kinds.iter().enumerate().map(event).collect(),
            backfill,
            restarts: story.restarts,
            last_restart,
            last_halt: story.halt.as_ref().map(|(at, what)| told(at.elapsed(), "halt", what)),
        }
    }

    /// The metrics, as Prometheus reads them (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).
    pub fn metrics(&self) -> String {
        self.meters.text(&self.report())
    }
}

type AtomicMoment = std::sync::atomic::AtomicU64;

fn told(ago: Duration, reason: &str, what: &str) -> Told {
    Told {
        seconds_ago: ago.as_secs_f64(),
        reason: reason.to_owned(),
        what: what.to_owned(),
    }
}

fn word<S: Serializer>(state: &State, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.word())
}

fn lsn<S: Serializer>(lsn: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF))
}
