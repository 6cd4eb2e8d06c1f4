//! What operators see: one status value that the bridge writes and the HTTP room reads, and every metric's name.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use progress::Watched;

mod meters;
mod progress;
mod report;
mod spread;
mod tally;
#[cfg(test)]
mod tests;
mod words;

pub use meters::Meters;
pub use progress::{Account, Progress, Share, Telling};
pub use report::{EntityCount, EventCount, Positions, Report, SlotSize, Told};
pub use tally::{Operation, Tally};
pub use words::{Age, Bytes, Grouped};

/// Stands for "everything seen is durable".
const NOTHING_OPEN: i64 = i64::MAX;
/// Stands for a moment that has not been.
const NEVER: u64 = u64::MAX;

/// What a bridge is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It connects and proves its position.
    Starting,
    /// Another bridge of this name holds the slot.
    Waiting,
    /// It carries changes.
    Streaming,
    /// A transient fault; it begins again soon.
    Retrying,
    /// An operator must act.
    Halted,
    /// It was asked to stop.
    Stopping,
}

impl State {
    /// All, in the order of a life.
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Waiting,
        Self::Streaming,
        Self::Retrying,
        Self::Halted,
        Self::Stopping,
    ];

    /// The state as metrics and `/status` spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Streaming => "streaming",
            Self::Retrying => "retrying",
            Self::Halted => "halted",
            Self::Stopping => "stopping",
        }
    }
}

/// What is counted by name; a number in a [`Tally`] is an index into one of these lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Name of the bridge.
    pub bridge: String,
    /// Version of the program.
    pub version: String,
    /// Entities.
    pub entities: Vec<String>,
    /// Topics.
    pub topics: Vec<String>,
    /// Kinds of records; a state record is a kind of its own.
    pub kinds: Vec<KindNames>,
}

/// Labels of one kind of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindNames {
    /// Its entity.
    pub entity: String,
    /// Its event; for a state record the entity's name.
    pub event: String,
    /// Its topic, an index into [`Names::topics`].
    pub topic: usize,
}

/// What changes seldom, and is told in words.
#[derive(Debug)]
struct Story {
    state: State,
    since: Instant,
    restarts: u64,
    restart: Option<(Instant, String, String)>,
    halt: Option<(Instant, String)>,
    slot: Option<SlotSize>,
    /// How far old rows are told, by entity.
    old_rows: Vec<Watched>,
}

/// The one status of a bridge. Writing costs a few relaxed stores; reading gives a [`Report`] or the metrics.
#[derive(Debug)]
pub struct Status {
    names: Names,
    meters: Meters,
    born: Instant,
    beat_ms: AtomicU64,
    heard_ms: AtomicU64,
    /// Since when it carries nothing; never, while it does, or another bridge does.
    apart_ms: AtomicU64,
    durable_lsn: AtomicU64,
    stored_commits: AtomicU64,
    seen_lsn: AtomicU64,
    server_lsn: AtomicU64,
    /// Source commit time of the oldest transaction that is seen and not durable.
    oldest_unix_micros: Arc<AtomicI64>,
    story: Mutex<Story>,
}

impl Status {
    /// A bridge that starts.
    pub fn new(names: Names) -> Self {
        let born = Instant::now();
        Self {
            meters: Meters::new(&names),
            names,
            born,
            beat_ms: AtomicU64::new(0),
            heard_ms: AtomicU64::new(NEVER),
            apart_ms: AtomicU64::new(0),
            durable_lsn: AtomicU64::new(0),
            stored_commits: AtomicU64::new(0),
            seen_lsn: AtomicU64::new(0),
            server_lsn: AtomicU64::new(0),
            oldest_unix_micros: Arc::new(AtomicI64::new(NOTHING_OPEN)),
            story: Mutex::new(Story {
                state: State::Starting,
                since: born,
                restarts: 0,
                restart: None,
                halt: None,
                slot: None,
                old_rows: Vec::new(),
            }),
        }
    }

    /// Says what the bridge does now. Saying it again changes nothing.
    pub fn set_state(&self, state: State) {
        self.beat();
        let mut story = self.story();
        if story.state != state {
            story.state = state;
            story.since = Instant::now();
        }
        match state {
            // Not before something was carried: one that dies at each start is behind all the while.
            State::Streaming => {}
            State::Waiting => {
                self.apart_ms.store(NEVER, Ordering::Relaxed);
                // Nobody looks at the server meanwhile: whoever holds the slot tells.
                self.server_lsn.store(0, Ordering::Relaxed);
                story.slot = None;
            }
            State::Starting | State::Retrying | State::Halted | State::Stopping => {
                if self.apart_ms.load(Ordering::Relaxed) == NEVER {
                    self.apart_ms.store(self.age_ms(), Ordering::Relaxed);
                }
            }
        }
    }

    /// The bridge's thread is alive; every other call of the bridge says so too, long waits need this one.
    pub fn beat(&self) {
        self.beat_ms.store(self.age_ms(), Ordering::Relaxed);
    }

    /// The server said something so long ago, if only that it is there.
    pub fn heard(&self, ago: Duration) {
        let ago_ms = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        self.heard_ms
            .store(self.age_ms().saturating_sub(ago_ms), Ordering::Relaxed);
    }

    /// How far is stored in Kafka, and how far the stream has been read.
    pub fn moved(&self, durable_lsn: u64, seen_lsn: u64) {
        self.beat();
        self.apart_ms.store(NEVER, Ordering::Relaxed);
        self.durable_lsn.store(durable_lsn, Ordering::Relaxed);
        self.seen_lsn.fetch_max(seen_lsn.max(durable_lsn), Ordering::Relaxed);
    }

    /// What the server says of itself: where its log ends, how much it keeps for the slot, and how much more it may
    /// write before the slot is lost (none: no limit).
    pub fn server(&self, server_lsn: u64, retained_bytes: u64, safe_bytes: Option<u64>) {
        self.server_lsn.store(server_lsn, Ordering::Relaxed);
        self.story().slot = Some(SlotSize {
            retained_bytes,
            safe_bytes,
        });
    }

    /// Everything up to here was acknowledged, and so is durable; known before the stored position is read.
    pub fn acknowledged(&self, confirmed_lsn: u64) {
        self.durable_lsn.fetch_max(confirmed_lsn, Ordering::Relaxed);
    }

    /// How far old rows are told, of all entities that have some.
    pub fn old_rows(&self, accounts: Vec<Account>) {
        let now = Instant::now();
        let mut story = self.story();
        let mut before = std::mem::take(&mut story.old_rows);
        for account in accounts {
            let known = before.iter().position(|known| known.is_of(&account.entity));
            let watched = match known.map(|place| before.swap_remove(place)) {
                Some(mut watched) => {
                    watched.look(account, now);
                    watched
                }
                None => Watched::new(account),
            };
            story.old_rows.push(watched);
        }
    }

    /// The same, to be read.
    pub fn progress(&self) -> Vec<Progress> {
        let now = Instant::now();
        self.story().old_rows.iter().map(|one| one.progress(now)).collect()
    }

    /// The bridge begins again after a transient fault; `reason` is one word for the metric, `what` the error.
    pub fn restarted(&self, reason: &str, what: &str) {
        self.beat();
        self.meters.restarted(reason);
        let mut story = self.story();
        story.restarts = story.restarts.saturating_add(1);
        story.restart = Some((Instant::now(), reason.to_owned(), what.to_owned()));
    }

    /// The bridge halts: an operator must act.
    pub fn halted(&self, what: &str) {
        self.set_state(State::Halted);
        self.story().halt = Some((Instant::now(), what.to_owned()));
    }

    /// Number of an entity in a [`Tally`].
    pub fn entity(&self, name: &str) -> Option<usize> {
        self.names.entities.iter().position(|entity| entity == name)
    }

    /// Number of a kind of records in a [`Tally`]; one that has no name counts as none.
    pub fn kind(&self, entity: &str, event: &str) -> usize {
        let named = |kind: &KindNames| kind.entity == entity && kind.event == event;
        self.names.kinds.iter().position(named).unwrap_or(usize::MAX)
    }

    /// What the bridge does now.
    pub fn state(&self) -> State {
        self.story().state
    }

    /// How far is stored in Kafka; 0 before anything is known of it.
    pub fn durable_lsn(&self) -> u64 {
        self.durable_lsn.load(Ordering::Relaxed)
    }

    /// Kafka commits that are stored, of all runs: what was acknowledged before is none of ours.
    pub fn stored_commits(&self) -> u64 {
        self.stored_commits.load(Ordering::Relaxed)
    }

    /// An empty tally that fits the names, one for each run.
    pub fn tally(&self) -> Tally {
        Tally::new(&self.names, Arc::clone(&self.oldest_unix_micros))
    }

    /// Counts what is durable by now: so many of the run's commits are stored.
    pub fn publish(&self, tally: &mut Tally, stored_commits: u64) {
        self.beat();
        let now = unix_micros();
        while let Some(counts) = tally.take_durable(stored_commits) {
            self.stored_commits.fetch_add(1, Ordering::Relaxed);
            self.meters.add(&counts, &self.names, now);
            tally.reuse(counts);
        }
        tally.tell_oldest();
    }

    /// Age of the oldest source commit that is seen and not durable, in seconds; 0 where there is none. While nothing is
    /// carried nothing is seen: then at least so long as that lasts.
    pub fn lag_seconds(&self) -> f64 {
        let open = match self.oldest_unix_micros.load(Ordering::Relaxed) {
            NOTHING_OPEN => 0.0,
            oldest => seconds_between(oldest, unix_micros()),
        };
        let apart = self.ago(self.apart_ms.load(Ordering::Relaxed));
        apart.map_or(open, |apart| open.max(apart.as_secs_f64()))
    }

    /// Log that is not durable in Kafka yet, in bytes, as far as is known.
    pub fn lag_bytes(&self) -> u64 {
        let ahead = self
            .seen_lsn
            .load(Ordering::Relaxed)
            .max(self.server_lsn.load(Ordering::Relaxed));
        match self.durable_lsn.load(Ordering::Relaxed) {
            0 => 0,
            durable => ahead.saturating_sub(durable),
        }
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(NEVER)
    }

    fn ago(&self, moment_ms: u64) -> Option<Duration> {
        (moment_ms != NEVER).then(|| Duration::from_millis(self.age_ms().saturating_sub(moment_ms)))
    }

    fn story(&self) -> MutexGuard<'_, Story> {
        self.story.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wall clock: a source commit's age can be told by no other, and nothing is decided by it but readiness.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of a source commit is a difference of wall clocks"
)]
pub fn unix_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .ok()
        .and_then(|age| i64::try_from(age.as_micros()).ok())
        .unwrap_or(0)
}

/// Seconds from one moment to a later one; 0 where the clocks disagree.
fn seconds_between(earlier_unix_micros: i64, later_unix_micros: i64) -> f64 {
    let micros = later_unix_micros.saturating_sub(earlier_unix_micros);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}
