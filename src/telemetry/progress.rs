//! How far old rows are told, how fast, and about how long it will still take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// A rate is that of the last so many seconds.
const WINDOW: Duration = Duration::from_secs(30);
/// Places in it are farther apart than this.
const STEP_MIN: Duration = Duration::from_millis(250);
/// Less time says nothing about a rate.
const RATE_OVER_MIN: Duration = Duration::from_millis(500);

/// What becomes of an entity's old rows now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nobody asked for them.
    NeverTold,
    /// They are read and told, or wait for their turn.
    Telling,
    /// They wait until an operator resumes them.
    Paused,
    /// All are told; keys whose rows are gone are looked for.
    Reconciling,
    /// Everything is told.
    Complete,
    /// An operator ended it before.
    Cancelled,
}

impl Telling {
    /// As `/status` spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NeverTold => "never told",
            Self::Telling => "telling",
            Self::Paused => "paused",
            Self::Reconciling => "reconciling",
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether anything is still to be done.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Telling | Self::Paused | Self::Reconciling)
    }
}

/// Which rows a generation is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All.
    All,
    /// Those of a condition: nobody knows how many there are.
    Some,
}

/// How far an entity's old rows are told, as the bridge says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The entity.
    pub entity: String,
    /// Number of the generation; 0: never told.
    pub generation: u32,
    /// What becomes of it now.
    pub telling: Telling,
    /// Rows read.
    pub rows: u64,
    /// About how many the table has, as PostgreSQL estimates; 0: it has never counted.
    pub rows_estimate: u64,
    /// Which of them.
    pub share: Share,
}

/// The same for readers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// The entity.
    pub entity: String,
    /// Number of the generation; none: never told.
    pub generation: Option<u32>,
    /// What becomes of it now.
    #[serde(serialize_with = "word")]
    pub state: Telling,
    /// Rows read.
    pub rows: u64,
    /// About how many the table has; none: PostgreSQL has never counted.
    pub rows_estimate: Option<u64>,
    /// Whether only the rows of a condition are told: then the estimate is a limit.
    pub has_condition: bool,
    /// Rows a second of late; none where none are read, or too short.
    pub rows_per_second: Option<u64>,
    /// About how long it will still take; none: nobody can say.
    pub seconds_left: Option<u64>,
}

impl Progress {
    /// Rows still to be read, by the estimate; none where none are.
    pub fn remaining_rows(&self) -> Option<u64> {
        let estimate = self.rows_estimate.unwrap_or(0);
        matches!(self.state, Telling::Telling | Telling::Paused).then(|| estimate.saturating_sub(self.rows))
    }

    /// How much of it is told, in percent; none: nobody can say. Not 100 while it goes on: the estimate may be too low.
    pub fn percent(&self) -> Option<u64> {
        match self.state {
            Telling::Reconciling | Telling::Complete => Some(100),
            Telling::NeverTold | Telling::Cancelled => None,
            Telling::Telling | Telling::Paused => {
                let estimate = self.rows_estimate.filter(|_| !self.has_condition)?;
                let percent = self.rows.saturating_mul(100).checked_div(estimate)?;
                Some(percent.min(99))
            }
        }
    }
}

/// An account, and how it came to be what it is.
#[derive(Debug)]
pub(super) struct Watched {
    account: Account,
    /// Rows read at moments of the last seconds, the oldest first; empty before the first rows of a turn.
    window: VecDeque<(Instant, u64)>,
}

impl Watched {
    pub(super) fn new(account: Account) -> Self {
        Self {
            account,
            window: VecDeque::new(),
        }
    }

    /// Takes the later account of the same entity.
    pub(super) fn look(&mut self, account: Account, now: Instant) {
        let before = std::mem::replace(&mut self.account, account);
        let after = &self.account;
        // An attempt that failed had read more than was stored.
        let goes_back = after.rows < before.rows;
        if goes_back || (before.generation, before.telling) != (after.generation, after.telling) {
            self.window.clear();
        }
        // Before the first rows it only waits for its turn.
        if self.window.is_empty() && after.rows <= before.rows {
            return;
        }
        let last = self.window.len().checked_sub(2).and_then(|last| self.window.get(last));
        if last.is_some_and(|(at, _)| now.duration_since(*at) < STEP_MIN) {
            self.window.pop_back();
        }
        self.window.push_back((now, after.rows));
        while self
            .window
            .get(1)
            .is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.window.pop_front();
        }
    }

    pub(super) fn is_of(&self, entity: &str) -> bool {
        self.account.entity == entity
    }

    pub(super) fn progress(&self, now: Instant) -> Progress {
        let account = &self.account;
        let mut progress = Progress {
            entity: account.entity.clone(),
            generation: (account.generation > 0).then_some(account.generation),
            state: account.telling,
            rows: account.rows,
            rows_estimate: (account.rows_estimate > 0).then_some(account.rows_estimate),
            has_condition: account.share == Share::Some,
            rows_per_second: None,
            seconds_left: None,
        };
        if account.telling == Telling::Telling {
            progress.rows_per_second = self.rows_per_second(now);
            let left = account.rows_estimate.checked_sub(account.rows).filter(|left| *left > 0);
            let left = left.filter(|_| account.share == Share::All);
            let rate = progress.rows_per_second;
            progress.seconds_left = left.zip(rate).and_then(|(left, rate)| left.checked_div(rate));
        }
        progress
    }

    /// Rows a second over the window that ends now: it falls while nothing is read.
    fn rows_per_second(&self, now: Instant) -> Option<u64> {
        let within = |place: &&(Instant, u64)| now.duration_since(place.0) <= WINDOW;
        let (from, before) = self.window.iter().find(within).or(self.window.back())?;
        let over = now.duration_since(*from);
        let rows = u128::from(self.account.rows.saturating_sub(*before));
        (over >= RATE_OVER_MIN).then(|| u64::try_from(rows * 1000 / over.as_millis()).unwrap_or(u64::MAX))
    }
}

fn word<S: Serializer>(telling: &Telling, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(telling.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(telling: Telling, rows: u64) -> Account {
        Account {
            entity: "Order".to_owned(),
            generation: 1,
            telling,
            rows,
            rows_estimate: 20_000,
            share: Share::All,
        }
    }

    /// Told at so many rows a second, looked at every 100 ms, until this second; and the moment it began.
    fn told(rows_per_second: u64, seconds: u64) -> (Watched, Instant) {
        let begun = Instant::now();
        let mut watched = Watched::new(account(Telling::Telling, 0));
        for step in 1..=seconds * 10 {
            let now = begun + Duration::from_millis(step * 100);
            watched.look(account(Telling::Telling, step * rows_per_second / 10), now);
        }
        (watched, begun)
    }

    #[test]
    fn rate_and_time_left_are_those_of_the_last_seconds() {
        let (watched, begun) = told(200, 10);
        let now = watched.progress(begun + Duration::from_secs(10));
        assert_eq!(
            (now.rows, now.rows_per_second, now.seconds_left),
            (2_000, Some(200), Some(90))
        );
        assert_eq!((now.percent(), now.remaining_rows()), (Some(10), Some(18_000)));
        let (mut watched, begun) = told(100, 60);
        for step in 1..=400 {
            let now = begun + Duration::from_secs(60) + Duration::from_millis(step * 100);
            watched.look(account(Telling::Telling, 6_000 + step * 20), now);
        }
        let now = watched.progress(begun + Duration::from_secs(100));
        assert_eq!(now.rows_per_second, Some(200), "what was slower before is forgotten");
        let places_max = 2 * WINDOW.as_millis() / STEP_MIN.as_millis() + 2;
        assert!(
            watched.window.len() <= usize::try_from(places_max).unwrap(),
            "{}",
            watched.window.len()
        );
    }

    #[test]
    fn a_rate_falls_to_nothing_while_nothing_is_read() {
        let (watched, begun) = told(200, 10);
        let later = watched.progress(begun + Duration::from_secs(20));
        assert_eq!(later.rows_per_second, Some(99));
        let much_later = watched.progress(begun + Duration::from_secs(100));
        assert_eq!((much_later.rows_per_second, much_later.seconds_left), (Some(0), None));
    }

    #[test]
    fn what_nobody_knows_is_not_told() {
        let (watched, begun) = told(200, 10);
        assert_eq!(
            told(200, 0).0.progress(Instant::now()).rows_per_second,
            None,
            "too short"
        );
        let at = begun + Duration::from_secs(10);
        let with = |change: &dyn Fn(&mut Account)| {
            let mut account = watched.account.clone();
            change(&mut account);
            let window = watched.window.clone();
            Watched { account, window }.progress(at)
        };
        let some = with(&|account| account.share = Share::Some);
        assert_eq!(
            (some.seconds_left, some.percent(), some.rows_per_second),
            (None, None, Some(200))
        );
        let uncounted = with(&|account| account.rows_estimate = 0);
        assert_eq!(
            (uncounted.rows_estimate, uncounted.seconds_left, uncounted.percent()),
            (None, None, None)
        );
        let more = with(&|account| account.rows_estimate = 1_000);
        assert_eq!(
            (more.percent(), more.remaining_rows(), more.seconds_left),
            (Some(99), Some(0), None)
        );
        let paused = with(&|account| account.telling = Telling::Paused);
        assert_eq!((paused.rows_per_second, paused.remaining_rows()), (None, Some(18_000)));
    }

    #[test]
    fn a_new_generation_and_a_pause_begin_a_new_rate() {
        let (mut watched, begun) = told(200, 10);
        let at = begun + Duration::from_secs(10);
        watched.look(account(Telling::Paused, 2_000), at);
        let mut rate = |rows, seconds| {
            let now = at + Duration::from_secs(seconds);
            watched.look(account(Telling::Telling, rows), now);
            watched.progress(now).rows_per_second
        };
        assert_eq!(rate(2_000, 60), None);
        assert_eq!(rate(2_300, 63), None, "it waited for its turn");
        assert_eq!(rate(2_600, 64), Some(300));
        assert_eq!(rate(2_100, 65), None, "rows that are read again count again");
        assert_eq!(rate(2_200, 66), None);
        assert_eq!(rate(2_600, 67), Some(400));
    }
}
