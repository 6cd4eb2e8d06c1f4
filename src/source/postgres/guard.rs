//! A followed database whose surroundings are looked at while it is followed: what the stream does not tell halts too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backfill::target::{Reading, Wanted};
use crate::flow::change::Step;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::source::postgres::facts::Seen;
use crate::source::postgres::follow::Postgres;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::entrance::keeps_out;
use crate::source::postgres::watch::{Watch, Watched};
use crate::source::{Distance, Hold, Proven, Source, SourceError};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Takes what a look shows.
pub type OnLook = Arc<dyn Fn(&Watched) + Send + Sync>;

/// A source and its guard.
pub struct Guarded<'a> {
    source: &'a mut Postgres,
    settings: Settings,
    on_look: OnLook,
    guard: Option<Guard>,
    /// See [`Guarded::until`].
    until: Option<Lsn>,
    acknowledged: Lsn,
    /// What only needs a fresh beginning waits for the end of a transaction that is being told.
    place: Place,
}

/// Where the stream is in the source's transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Between,
    Within,
}

/// The thread that looks; it ends by itself soon after this is dropped.
struct Guard {
    shared: Arc<Alarm>,
}

#[derive(Default)]
struct Alarm {
    raised: AtomicBool,
    dropped: AtomicBool,
    error: Mutex<Option<SourceError>>,
}

impl Alarm {
    /// What was raised; while a transaction is told, only what ends it.
    fn heard(&self, place: Place) -> Option<SourceError> {
        if !self.raised.load(Ordering::Acquire) {
            return None;
        }
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = place == Place::Within && matches!(*error, Some(SourceError::Transient(_)));
        if waits { None } else { error.take() }
    }

    fn raise(&self, error: SourceError) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.raised.store(true, Ordering::Release);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::Relaxed);
    }
}

impl<'a> Guarded<'a> {
    /// Guards a source from the moment its position is proven.
    pub fn new(source: &'a mut Postgres, settings: Settings, on_look: OnLook) -> Self {
        Self {
            source,
            settings,
            on_look,
            guard: None,
            until: None,
            acknowledged: Lsn::INVALID,
            place: Place::Between,
        }
    }

    /// Ends with a transient error where the position that is acknowledged gets there: the log behind it has other types
    /// than what reads it was made for.
    #[must_use]
    pub fn until(self, position: Option<Lsn>) -> Self {
        Self {
            until: position,
            ..self
        }
    }

    fn set_guard(&self, proven: &Checkpoint) -> Result<Guard, SourceError> {
        let shared = Arc::new(Alarm::default());
        let watch = Watch::new(self.settings.clone(), proven.clone());
        let (alarm, on_look, seen) = (Arc::clone(&shared), Arc::clone(&self.on_look), self.source.seen());
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || look(watch, &alarm, (&*on_look, &seen)))
            .map_err(|error| SourceError::Transient(format!("cannot start the watching thread: {error}")))?;
        Ok(Guard { shared })
    }
}

fn look(mut watch: Watch, alarm: &Alarm, (on_look, seen): (&dyn Fn(&Watched), &Seen)) {
    while !alarm.dropped.load(Ordering::Relaxed) {
        match watch.look() {
            Ok(watched) => {
                for finding in &watched.news {
                    tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
                }
                seen.keep(watch.leaves());
                on_look(&watched);
                if let Some(partition) = watched.came {
                    let what = format!(
                        "the partition {partition} came: begins anew, and tells the rows that it may have brought"
                    );
                    // It may be long until that is heard: who looks goes on, and may see worse.
                    alarm.raise(SourceError::Transient(what));
                }
            }
            // A password that is being changed is met by the next connection of the stream, not by the one that runs.
            Err(SourceError::Halt(finding)) if keeps_out(&finding) => {
                tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
            }
            Err(halt @ SourceError::Halt(_)) => {
                alarm.raise(halt);
                return;
            }
            // The stream meets the same fault, and says so.
            Err(SourceError::Transient(why)) => tracing::debug!(why, "cannot look at the publications"),
        }
        let looked = Instant::now();
        while looked.elapsed() < LOOK_EVERY && !alarm.dropped.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Source for Guarded<'_> {
    fn hold(&mut self) -> Result<Hold, SourceError> {
        self.guard = None;
        self.source.hold()
    }

    fn prove(&mut self, stored: Option<Checkpoint>) -> Result<Proven, SourceError> {
        self.place = Place::Between;
        let proven = self.source.prove(stored)?;
        self.guard = Some(self.set_guard(&proven.checkpoint)?);
        Ok(proven)
    }

    fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        if let Some(Guard { shared }) = &self.guard
            && let Some(error) = shared.heard(self.place)
        {
            return Err(error);
        }
        if self.until.is_some_and(|until| self.acknowledged >= until) {
            let what = "the changes from before an ALTER TABLE have passed: reads the catalogue anew";
            return Err(SourceError::Transient(what.to_owned()));
        }
        let step = self.source.next(wait)?;
        match &step {
            Step::Begin(_) => self.place = Place::Within,
            Step::Commit { .. } => self.place = Place::Between,
            Step::Shape(_) | Step::Change { .. } | Step::Truncate { .. } | Step::Drained { .. } => {}
        }
        Ok(step)
    }

    fn distance(&self) -> Distance {
        self.source.distance()
    }

    fn silence(&self) -> Duration {
        self.source.silence()
    }

    fn ask_chunk(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError> {
        self.source.ask_chunk(wanted)
    }

    fn next_chunk(&mut self) -> Result<Reading, SourceError> {
        self.source.next_chunk()
    }

    fn drop_chunks(&mut self) {
        self.source.drop_chunks();
    }

    fn acknowledge(&mut self, lsn: Lsn) {
        self.acknowledged = lsn;
        self.source.acknowledge(lsn);
    }
}
