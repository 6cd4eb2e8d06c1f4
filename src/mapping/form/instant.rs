//! Timestamps: local time and zone to UTC, RFC 3339 and PostgreSQL's own spelling, digits kept as they came.
//!
//! `infinity`, years before 1 and years over 9999 have no RFC 3339 form: they are published as PostgreSQL writes them,
//! in UTC where there is a zone (`10000-01-01 00:00:00+00`, `0044-03-15 11:06:32+00 BC`).

use std::io::Write;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::step::written;
use super::{Piece, Place, RowProblem, Scratch};

/// 2^53 − 1
const EXACT_INTEGER_MAX: i64 = 9_007_199_254_740_991;
const SECONDS_PER_DAY: i64 = 86_400;

/// How a timestamp is read and told.
#[derive(Clone, Debug)]
pub(super) struct Instants {
    pub(super) reading: Reading,
    pub(super) telling: Telling,
}

/// What a timestamp's text means.
#[derive(Clone, Debug)]
pub(super) enum Reading {
    /// `timestamp with time zone` under the session's UTC.
    Utc,
    /// Local time that stays local.
    Local,
    /// Local time in this zone.
    Zone(TimeZone),
}

/// How an instant is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// As text.
    Iso,
    /// As milliseconds since 1970-01-01 UTC, rounded down.
    EpochMs,
}

/// A date and a time of day, years counted astronomically (1 BC is 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local<'t> {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
    /// Digits after the point, as they came.
    pub(super) fraction: &'t [u8],
}

/// Whether a text says that it is in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stated {
    Utc,
    Nothing,
}

impl Instants {
    #[inline]
    pub(super) fn write(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        if is_infinite(text) {
            return Ok(Piece::Text(Place::Cell { len: text.len() }));
        }
        let (suffix, end): (&[u8], &[u8]) = match (&self.reading, self.telling) {
            (Reading::Utc, Telling::Iso) => (b"+00", b"Z"),
            (Reading::Local, Telling::Iso) => (b"", b""),
            (Reading::Utc, Telling::EpochMs) => return epoch_ms(&read(text, Stated::Utc)?, scratch),
            (Reading::Local, Telling::EpochMs) => return Err(RowProblem::Malformed),
            (Reading::Zone(_), _) => return self.write_local(&read(text, Stated::Nothing)?, scratch),
        };
        let common = text
            .strip_suffix(suffix)
            .and_then(|body| body.split_at_checked(10))
            .filter(|(date, time)| {
                date.get(4) == Some(&b'-') && time.first() == Some(&b' ') && !time.ends_with(b" BC") && time.len() >= 9
            });
        match common {
            Some((date, time)) => written(scratch, |out| {
                out.extend_from_slice(date);
                out.push(b'T');
                out.extend_from_slice(time.get(1..).unwrap_or_default());
                out.extend_from_slice(end);
            })
            .map(Piece::Text),
            None => {
                let stated = if suffix.is_empty() {
                    Stated::Nothing
                } else {
                    Stated::Utc
                };
                read(text, stated).map(|_| Piece::Text(Place::Cell { len: text.len() }))
            }
        }
    }

    /// Publishes a local time.
    pub(super) fn write_local(&self, local: &Local<'_>, scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let Some(utc) = self.utc(local)? else {
            return written(scratch, |out| append(local, Spelling::Rfc3339(b""), out)).map(Piece::Text);
        };
        match self.telling {
            Telling::EpochMs => epoch_ms(&utc, scratch),
            Telling::Iso if (1..=9999).contains(&utc.year) => {
                written(scratch, |out| append(&utc, Spelling::Rfc3339(b"Z"), out)).map(Piece::Text)
            }
            Telling::Iso => written(scratch, |out| append(&utc, Spelling::Postgres(b"+00"), out)).map(Piece::Text),
        }
    }

    /// The same in PostgreSQL's spelling.
    pub(super) fn write_operand(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        match self.reading {
            Reading::Zone(_) if !is_infinite(text) => self.write_local_operand(&read(text, Stated::Nothing)?, scratch),
            Reading::Zone(_) | Reading::Utc | Reading::Local => Ok(Piece::Text(Place::Cell { len: text.len() })),
        }
    }

    /// A local time in PostgreSQL's spelling.
    pub(super) fn write_local_operand(&self, local: &Local<'_>, scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let (told, offset): (Local<'_>, &[u8]) = match self.utc(local)? {
            Some(utc) => (utc, b"+00"),
            None => (*local, b""),
        };
        written(scratch, |out| append(&told, Spelling::Postgres(offset), out)).map(Piece::Text)
    }

    /// The same instant in UTC; none for a time that stays local.
    fn utc<'t>(&self, local: &Local<'t>) -> Result<Option<Local<'t>>, RowProblem> {
        match &self.reading {
            Reading::Utc => Ok(Some(*local)),
            Reading::Local => Ok(None),
            Reading::Zone(zone) => {
                let utc_seconds = seconds(local) - offset_seconds(zone, local)?;
                Ok(Some(from_seconds(utc_seconds, local.fraction)))
            }
        }
    }
}

/// Seconds east of UTC, read as PostgreSQL reads a local time: one that exists twice is the later instant, one that
/// does not exist is read with the offset before the gap
/// (`DetermineTimeZoneOffset`, <https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/datetime.c>).
/// The rules of a zone repeat with the calendar every 400 years, so that years over 9999 are looked up in an equal one.
fn offset_seconds(zone: &TimeZone, local: &Local<'_>) -> Result<i64, RowProblem> {
    let year = if local.year > 9999 {
        9200 + local.year.rem_euclid(400)
    } else {
        local.year
    };
    let small = |n: u8| i8::try_from(n).map_err(|_| RowProblem::Malformed);
    let time = DateTime::new(
        i16::try_from(year).map_err(|_| RowProblem::OutOfRange)?,
        small(local.month)?,
        small(local.day)?,
        small(local.hour)?,
        small(local.minute)?,
        small(local.second)?,
        0,
    )
    .map_err(|_| RowProblem::OutOfRange)?;
    let offset = match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } => before,
        AmbiguousOffset::Fold { after, .. } => after,
    };
    Ok(i64::from(offset.seconds()))
}

/// Milliseconds rounded down: the digits of a fraction only ever add.
fn epoch_ms(utc: &Local<'_>, scratch: &mut Scratch) -> Result<Piece, RowProblem> {
    let digits = utc.fraction.iter().chain(std::iter::repeat(&b'0')).take(3);
    let millis = digits.fold(0, |sum, &digit| sum * 10 + i64::from(digit.saturating_sub(b'0')));
    let epoch = seconds(utc) * 1000 + millis;
    let place = written(scratch, |out| append_number(epoch, 1, out))?;
    let exact = (-EXACT_INTEGER_MAX..=EXACT_INTEGER_MAX).contains(&epoch);
    Ok(if exact {
        Piece::Number(place)
    } else {
        Piece::Text(place)
    })
}

fn is_infinite(text: &[u8]) -> bool {
    text == b"infinity" || text == b"-infinity"
}

/// Reads PostgreSQL's ISO output.
fn read(text: &[u8], stated: Stated) -> Result<Local<'_>, RowProblem> {
    let malformed = RowProblem::Malformed;
    let (body, before_christ) = match text.strip_suffix(b" BC") {
        Some(body) => (body, true),
        None => (text, false),
    };
    let body = match stated {
        Stated::Utc => body.strip_suffix(b"+00").ok_or(malformed)?,
        Stated::Nothing => body,
    };
    let mut parts = body.splitn(2, |&b| b == b' ');
    let (date, clock) = (parts.next().unwrap_or_default(), parts.next().ok_or(malformed)?);
    let mut date = date.split(|&b| b == b'-');
    let mut next = || date.next().and_then(number).ok_or(malformed);
    let (year, month, day) = (next()?, next()?, next()?);
    let (clock, fraction) = match clock.iter().position(|&b| b == b'.') {
        Some(point) => clock.split_at_checked(point).unwrap_or((clock, &[])),
        None => (clock, b"".as_slice()),
    };
    let mut clock = clock.split(|&b| b == b':');
    let mut next = || clock.next().and_then(number).ok_or(malformed);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let small = |n: i64| u8::try_from(n).map_err(|_| malformed);
    let fraction = fraction.strip_prefix(b".").unwrap_or_default();
    if date.next().is_some() || clock.next().is_some() || !fraction.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    Ok(Local {
        year: if before_christ { 1 - year } else { year },
        month: small(month)?,
        day: small(day)?,
        hour: small(hour)?,
        minute: small(minute)?,
        second: small(second)?,
        fraction,
    })
}

/// A number of up to nine digits.
pub(super) fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0i64, |sum, &digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// Days of a month; 0 for a month there is not.
pub(super) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Seconds since 1970-01-01, the fraction left out
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn seconds(local: &Local<'_>) -> i64 {
    let month = i64::from(local.month);
    let year = if month <= 2 { local.year - 1 } else { local.year };
    let era = year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(local.day) - 1;
    let of_era = year.rem_euclid(400);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    days * SECONDS_PER_DAY + i64::from(local.hour) * 3600 + i64::from(local.minute) * 60 + i64::from(local.second)
}

fn from_seconds(seconds: i64, fraction: &[u8]) -> Local<'_> {
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    let days = seconds.div_euclid(SECONDS_PER_DAY) + 719_468;
    let clock = seconds.rem_euclid(SECONDS_PER_DAY);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Local {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month: small(month),
        day: small(day_of_year - (153 * shifted + 2) / 5 + 1),
        hour: small(clock / 3600),
        minute: small(clock / 60 % 60),
        second: small(clock % 60),
        fraction,
    }
}

/// How a timestamp is spelt, and what follows the time.
#[derive(Clone, Copy, Debug)]
enum Spelling {
    Rfc3339(&'static [u8]),
    Postgres(&'static [u8]),
}

/// `YYYY-MM-DD`
pub(super) fn append_date(local: &Local<'_>, out: &mut Vec<u8>) {
    let year = if local.year < 1 { 1 - local.year } else { local.year };
    append_number(year, 4, out);
    for part in [local.month, local.day] {
        out.push(b'-');
        append_number(i64::from(part), 2, out);
    }
}

fn append(local: &Local<'_>, spelling: Spelling, out: &mut Vec<u8>) {
    let (between, end) = match spelling {
        Spelling::Rfc3339(end) => (b'T', end),
        Spelling::Postgres(end) => (b' ', end),
    };
    append_date(local, out);
    for (before, part) in [(between, local.hour), (b':', local.minute), (b':', local.second)] {
        out.push(before);
        append_number(i64::from(part), 2, out);
    }
    if !local.fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(local.fraction);
    }
    out.extend_from_slice(end);
    if local.year < 1 {
        out.extend_from_slice(b" BC");
    }
}

fn append_number(number: i64, width: usize, out: &mut Vec<u8>) {
    let done = write!(out, "{number:0width$}");
    debug_assert!(done.is_ok(), "a vector takes every byte");
}
