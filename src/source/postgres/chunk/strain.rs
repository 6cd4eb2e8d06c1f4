//! Whether the legacy database suffers or others work on it, and how long old rows are left alone then.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backfill::pace::Others;

/// A standby that replays so far behind; somebody who waits for a lock in a statement that began so long ago; somebody at
/// work, or a moment ago. Walsenders without a standby's lag, as of other bridges, show none. Who waits for an advisory lock
/// may want to: some elect a leader so (<https://www.postgresql.org/docs/current/monitoring-stats.html>). Other readers of
/// ours wait for locks themselves.
///
/// A role without rights sees of other roles' sessions only whose they are, and that they are in a transaction for as long
/// as that lasts (<https://www.postgresql.org/docs/current/view-pg-locks.html>).
pub(super) const SIGNS: &str = "SELECT EXISTS (SELECT FROM pg_stat_replication r WHERE r.replay_lag > interval '10 seconds' \
     AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_name = $slot)), \
     EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend' \
     AND a.state = 'active' AND a.wait_event_type = 'Lock' AND a.wait_event <> 'advisory' AND a.query_start < clock_timestamp() - interval '3 seconds' \
     AND a.application_name <> 'walbridge'), \
     CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN \
     EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend' \
     AND (a.state = 'active' AND a.wait_event_type IS DISTINCT FROM 'Lock' \
     OR a.state_change > clock_timestamp() - interval '100 milliseconds') AND a.application_name <> 'walbridge') \
     ELSE EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'virtualxid' \
     AND a.datname = current_database() AND a.usesysid <> (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)) END";

/// Beside others at work a reader rests, after each chunk, so many times as long as that took …
const REST: u32 = 19;
/// … but no longer than this: on a server that is busy all over, most of that time was spent waiting for others.
const REST_MAX: Duration = Duration::from_secs(1);

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
            Self::LockWaits => "a statement that began more than 3 seconds ago waits for a lock",
        }
    }
}

/// What a look at the database shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) sign: Option<Sign>,
    pub(super) others: Others,
}

impl Look {
    /// Of the answer to [`SIGNS`].
    pub(super) fn of(answer: &[Option<String>]) -> Self {
        Self {
            sign: Sign::of(answer),
            others: match answer.get(2).map(Option::as_deref) {
                Some(Some("t")) => Others::AtWork,
                Some(_) | None => Others::Quiet,
            },
        }
    }
}

/// How long a reader rests after a chunk that took so long.
pub(super) fn rest(beside: Others, spent: Duration) -> Duration {
    match beside {
        Others::AtWork => spent.saturating_mul(REST).min(REST_MAX),
        Others::Quiet => Duration::ZERO,
    }
}

/// How long all readers leave it alone, and until when.
#[derive(Debug, Default)]
pub(super) struct Strain(Mutex<Option<(Duration, Instant)>>);

impl Strain {
    /// How long the next chunk waits after this look; never for ever, since what holds others up may not be of ours. What
    /// several readers see in one pause is one sign.
    pub(super) fn pause(&self, seen: Option<Sign>, now: Instant) -> Duration {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match (*last, seen) {
            (None, None) => {}
            (Some((_, until)), Some(_)) if now < until => {}
            (None, Some(sign)) => {
                tracing::warn!(
                    why = sign.text(),
                    "the legacy database suffers: old rows are read slowly"
                );
                *last = Some((PAUSE_MIN, now + PAUSE_MIN));
            }
            (Some((pause, _)), Some(_)) => {
                let pause = pause.saturating_mul(2).min(PAUSE_MAX);
                *last = Some((pause, now + pause));
            }
            (Some(_), None) => {
                tracing::info!("the legacy database is at ease again");
                *last = None;
            }
        }
        last.map_or(Duration::ZERO, |(_, until)| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_while_it_suffers_and_end_with_it() {
        let (strain, mut now) = (Strain::default(), Instant::now());
        let mut pause = |sign: Option<Sign>| {
            let pause = strain.pause(sign, now);
            // Another reader looks in the middle of it.
            let rest = strain.pause(sign, now + pause / 2);
            assert_eq!(rest, pause / 2);
            now += pause;
            pause.as_secs()
        };
        assert_eq!(pause(None), 0);
        let suffering: Vec<u64> = (0..7).map(|_| pause(Some(Sign::LockWaits))).collect();
        assert_eq!(suffering, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(pause(None), 0);
        assert_eq!(pause(Some(Sign::StandbyBehind)), 1);
    }

    #[test]
    fn beside_others_a_reader_rests() {
        let seen = |others: &str| Look::of(&["f", "f", others].map(|value| Some(value.to_owned()))).others;
        let millis = |others: &str, spent| rest(seen(others), Duration::from_millis(spent)).as_millis();
        assert_eq!((millis("f", 50), millis("t", 50), millis("t", 900)), (0, 950, 1_000));
    }

    #[test]
    fn the_first_sign_is_said() {
        let seen = |answer: [&str; 2]| Sign::of(&answer.map(|value| Some(value.to_owned())));
        assert_eq!(seen(["f", "f"]), None);
        assert_eq!(seen(["f", "t"]), Some(Sign::LockWaits));
        assert_eq!(seen(["t", "t"]), Some(Sign::StandbyBehind));
    }
}
