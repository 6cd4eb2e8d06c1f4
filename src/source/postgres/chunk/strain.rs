//! Whether the legacy database suffers, and how long old rows are left alone then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A standby that replays so far behind, or somebody who waits for a lock for so long. Walsenders without a standby's lag,
/// as of other bridges, show none. Who waits for an advisory lock may want to: some elect a leader so
/// (<https://www.postgresql.org/docs/current/monitoring-stats.html>). Other readers of ours wait for locks themselves.
pub(super) const SIGNS: &str = "SELECT EXISTS (SELECT FROM pg_stat_replication r WHERE r.replay_lag > interval '10 seconds' \
     AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_name = $slot)), \
     EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend' \
     AND a.state = 'active' AND a.wait_event_type = 'Lock' AND a.wait_event <> 'advisory' AND a.query_start < clock_timestamp() - interval '3 seconds' \
     AND a.application_name <> 'walbridge')";

/// The first pause between two chunks while it suffers …
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// … which doubles up to this one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What shows that the database suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A standby replays far behind.
    StandbyBehind,
    /// A client waits long for a lock.
    LockWaits,
}

impl Sign {
    /// Of the answer to [`SIGNS`].
    pub(super) fn of(answer: &[Option<String>]) -> Option<Self> {
        let shown = answer.iter().map(|value| value.as_deref() == Some("t"));
        let signs = [Self::StandbyBehind, Self::LockWaits].into_iter().zip(shown);
        signs.filter(|(_, is_shown)| *is_shown).map(|(sign, _)| sign).next()
    }

    fn text(self) -> &'static str {
        match self {
            Self::StandbyBehind => "a standby replays more than 10 seconds behind",
            Self::LockWaits => "a client has waited for a lock for more than 3 seconds",
        }
    }
}

/// How long all readers have left it alone last.
#[derive(Debug, Default)]
pub(super) struct Strain(Mutex<Option<Duration>>);

impl Strain {
    /// How long the next chunk waits after this look; never for ever, since what holds others up may not be of ours.
    pub(super) fn pause(&self, seen: Option<Sign>) -> Duration {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (*last, seen) {
            (None, None) => {}
            (None, Some(sign)) => {
                tracing::warn!(
                    why = sign.text(),
                    "the legacy database suffers: old rows are read slowly"
                );
                *last = Some(PAUSE_MIN);
            }
            (Some(pause), Some(_)) => *last = Some(pause.saturating_mul(2).min(PAUSE_MAX)),
            (Some(_), None) => {
                tracing::info!("the legacy database is at ease again");
                *last = None;
            }
        }
        last.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_it_suffers_and_end_with_it() {
        let strain = Strain::default();
        let pause = |sign: Option<Sign>| strain.pause(sign).as_secs();
        assert_eq!(pause(None), 0);
        let suffering: Vec<u64> = (0..7).map(|_| pause(Some(Sign::LockWaits))).collect();
        assert_eq!(suffering, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(None), 0);
        assert_eq!(pause(Some(Sign::StandbyBehind)), 1);
    }

    #[test]
    fn the_first_sign_is_said() {
        let seen = |answer: [&str; 2]| Sign::of(&answer.map(|value| Some(value.to_owned())));
        assert_eq!(seen(["f", "f"]), None);
        assert_eq!(seen(["f", "t"]), Some(Sign::LockWaits));
        assert_eq!(seen(["t", "t"]), Some(Sign::StandbyBehind));
    }
}
