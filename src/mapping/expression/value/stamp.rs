//! Dates and timestamps as microseconds since 2000-01-01, read from and written as PostgreSQL's ISO text.

use crate::mapping::expression::EvaluationError;

pub(in crate::mapping::expression) const DAY: i128 = 86_400_000_000;
/// `infinity` and `-infinity` lie beyond every finite value.
pub(in crate::mapping::expression) const INFINITY: i128 = i128::MAX;
pub(in crate::mapping::expression) const MINUS_INFINITY: i128 = i128::MIN;
/// 2000-01-01 by days since 0000-03-01, where the reckoning of leap years begins.
const EPOCH_DAYS: i128 = 730_425;
/// The first day that both types can hold (4714-11-24 BC, proleptic Gregorian), by days since 2000-01-01.
const FIRST_DAY: i128 = -2_451_545;
/// The first day beyond `date` (5874898-01-01) and beyond `timestamp` (294277-01-01).
const DATE_END: i128 = 2_145_031_949;
const STAMP_END: i128 = 106_751_983;

/// How much of a moment a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping::expression) enum Shape {
    Date,
    Timestamp,
    TimestampTz,
}

/// Days since 2000-01-01 of a proleptic Gregorian date; year 0 is 1 BC.
fn days(year: i128, month: i128, day: i128) -> i128 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS
}

/// The inverse of [`days`].
fn civil(days: i128) -> (i128, i128, i128) {
    let shifted = days + EPOCH_DAYS;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i128::from(month <= 2), month, day)
}

/// A cursor over text that takes numbers of a fixed width.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<i128> {
        let length = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        if length < least {
            return None;
        }
        Some(digits.iter().fold(0, |n, b| n * 10 + i128::from(b - b'0')))
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let rest = self.0.strip_prefix(&[byte])?;
        self.0 = rest;
        Some(())
    }

    fn clock(&mut self) -> Option<i128> {
        let hour = self.number(2, 2)?;
        self.take(b':')?;
        let minute = self.number(2, 2)?;
        let mut micros = (hour * 60 + minute) * 60_000_000;
        if self.take(b':').is_some() {
            let second = self.number(2, 2)?;
            if second > 59 {
                return None;
            }
            micros += second * 1_000_000;
            if self.take(b'.').is_some() {
                let before = self.0.len();
                let fraction = self.number(1, 6)?;
                let width = u32::try_from(before - self.0.len()).ok()?;
                micros += fraction * 10i128.pow(6u32.checked_sub(width)?);
            }
        }
        (hour <= 23 && minute <= 59).then_some(micros)
    }

    fn offset(&mut self) -> Option<i128> {
        let sign = if self.take(b'+').is_some() {
            1
        } else {
            self.take(b'-')?;
            -1
        };
        let mut seconds = self.number(2, 2)? * 3600;
        if self.take(b':').is_some() {
            seconds += self.number(2, 2)? * 60;
            if self.take(b':').is_some() {
                seconds += self.number(2, 2)?;
            }
        }
        Some(sign * seconds * 1_000_000)
    }
}

/// Reads ISO text of exactly this shape: what PostgreSQL writes under `DateStyle = ISO`, seconds optional, `T` allowed.
pub(in crate::mapping::expression) fn parse(text: &[u8], shape: Shape) -> Option<i128> {
    match text {
        b"infinity" => return Some(INFINITY),
        b"-infinity" => return Some(MINUS_INFINITY),
        _ => {}
    }
    let mut reader = Reader(text);
    let year = reader.number(4, 7)?;
    reader.take(b'-')?;
    let month = reader.number(2, 2)?;
    reader.take(b'-')?;
    let day = reader.number(2, 2)?;
    let mut micros = 0;
    let timed = shape != Shape::Date && (reader.take(b' ').is_some() || reader.take(b'T').is_some());
    let mut era = reader.0;
    if timed && !matches!(era, b"BC") {
        micros = reader.clock()?;
        if shape == Shape::TimestampTz {
            micros -= reader.offset()?;
        }
        era = reader.0;
    } else if timed {
        era = b" BC";
    }
    let year = match era {
        b"" => year,
        b" BC" if year > 0 => 1 - year,
        _ => return None,
    };
    if (era.is_empty() && year == 0) || (shape == Shape::TimestampTz && !timed) {
        return None;
    }
    let whole = days(year, month, day);
    if !(1..=12).contains(&month) || civil(whole) != (year, month, day) {
        return None;
    }
    let value = whole * DAY + micros;
    in_range(value, shape).then_some(value)
}

fn in_range(value: i128, shape: Shape) -> bool {
    let end = if shape == Shape::Date { DATE_END } else { STAMP_END };
    value >= FIRST_DAY * DAY && value < end * DAY
}

/// `date::timestamp`.
pub(in crate::mapping::expression) fn date_to_stamp(value: i128) -> Result<i128, EvaluationError> {
    if value == INFINITY || value == MINUS_INFINITY || in_range(value, Shape::Timestamp) {
        return Ok(value);
    }
    Err(EvaluationError("date out of range for timestamp"))
}

/// `timestamp::date`.
pub(in crate::mapping::expression) fn stamp_to_date(value: i128) -> i128 {
    if value == INFINITY || value == MINUS_INFINITY {
        value
    } else {
        value.div_euclid(DAY) * DAY
    }
}

pub(in crate::mapping::expression) fn write(value: i128, shape: Shape, out: &mut Vec<u8>) {
    if value == INFINITY || value == MINUS_INFINITY {
        let text: &[u8] = if value == INFINITY { b"infinity" } else { b"-infinity" };
        return out.extend_from_slice(text);
    }
    let (year, month, day) = civil(value.div_euclid(DAY));
    let shown = if year > 0 { year } else { 1 - year };
    let mut text = format!("{shown:04}-{month:02}-{day:02}");
    if shape != Shape::Date {
        let micros = value.rem_euclid(DAY);
        let seconds = micros / 1_000_000;
        text += &format!(" {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let fraction = micros % 1_000_000;
        if fraction != 0 {
            text += format!(".{fraction:06}").trim_end_matches('0');
        }
        if shape == Shape::TimestampTz {
            text += "+00";
        }
    }
    if year <= 0 {
        text += " BC";
    }
    out.extend_from_slice(text.as_bytes());
}
