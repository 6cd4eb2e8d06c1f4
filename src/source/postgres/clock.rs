//! The clock of this machine beside the server's: how old a change is, two clocks say together.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::finding::{Cause, Finding};
use crate::flow::change::CommitTime;
use crate::source::SourceError;
use crate::source::postgres::sql::{Sql, get};

/// Clocks that are kept by NTP differ by less; what `walbridge_lag_seconds` shows is for people, and they think in seconds.
const SKEW_US_WARN: i64 = 2_000_000;

/// Microseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "it is compared with the server's, or shown to it"
)]
pub(in crate::source::postgres) fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Asks the server for its time.
///
/// # Errors
/// See [`SourceError`].
pub(in crate::source::postgres) fn compare(sql: &mut Sql) -> Result<Option<Finding>, SourceError> {
    let before = unix_us();
    let server = micros(sql)?;
    Ok(skew(before, server, unix_us()))
}

/// The server's time.
///
/// # Errors
/// See [`SourceError`].
pub fn now(sql: &mut Sql) -> Result<CommitTime, SourceError> {
    micros(sql).map(CommitTime::of_unix_micros)
}

fn micros(sql: &mut Sql) -> Result<i64, SourceError> {
    let row = sql.one("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::int8", &[])?;
    get(&row, 0)
}

/// What the server's time says, asked for between two times of ours.
fn skew(before: i64, server: i64, after: i64) -> Option<Finding> {
    let (difference, word) = if server < before {
        (before.saturating_sub(server), "behind")
    } else {
        (server.saturating_sub(after), "ahead of")
    };
    if difference < SKEW_US_WARN {
        return None;
    }
    let seconds = difference / 1_000_000;
    let what = format!("the clock of PostgreSQL is {seconds} s {word} this machine's");
    let why = match word {
        "behind" => "lag is shown larger by that, and may keep /readyz at 503",
        _ => "lag is shown as 0 until it is larger than that, and /readyz is 200 too soon",
    };
    Some(
        Finding::warning(Cause::Surroundings, "source.clock_skew", what)
            .because(why)
            .repair("let NTP keep the clocks of both (timedatectl, chronyc tracking)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_by_more_than_the_question_took_are_said_to() {
        const SECOND: i64 = 1_000_000;
        let said = |server: i64| skew(100 * SECOND, server * SECOND, 110 * SECOND).map(|finding| finding.what);
        // Within the time that the question took, nobody knows.
        assert_eq!([99, 100, 105, 110, 111].map(said), [None, None, None, None, None]);
        assert_eq!(
            said(90).unwrap(),
            "the clock of PostgreSQL is 10 s behind this machine's"
        );
        assert_eq!(
            said(3710).unwrap(),
            "the clock of PostgreSQL is 3600 s ahead of this machine's"
        );
    }
}
