//! What values look like.

use std::collections::BTreeMap;

/// Values that a column holds in a sample, without NULLs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How often each was seen.
    counts: BTreeMap<String, usize>,
    /// How many there were.
    pub(crate) total: usize,
}

/// Many different values are no code; more need not be kept apart.
const DISTINCT_MAX: usize = 10_000;

impl Seen {
    pub(crate) fn add(&mut self, value: &str) {
        self.total += 1;
        if self.counts.len() < DISTINCT_MAX || self.counts.contains_key(value) {
            *self.counts.entry(value.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn distinct(&self) -> usize {
        self.counts.len()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, usize)> {
        self.counts.iter().map(|(value, count)| (value.as_str(), *count))
    }

    /// Which share of them is like that, 0 to 1.
    pub(crate) fn share(&self, mut is_like: impl FnMut(&str) -> bool) -> f64 {
        let like: usize = self
            .values()
            .filter(|(value, _)| is_like(value))
            .map(|(_, count)| count)
            .sum();
        ratio(like, self.total)
    }
}

/// A share; 0 of nothing.
#[expect(clippy::as_conversions, reason = "counts of a sample are far below 2^52")]
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Pairs of values that are yes and no.
const FLAGS: [(&str, &str); 7] = [
    ("Y", "N"),
    ("J", "N"),
    ("T", "F"),
    ("S", "N"),
    ("1", "0"),
    ("X", ""),
    ("O", "N"),
];

/// Yes and no as the column spells them, where that is all there is. One value alone says too little, unless it is one of letters.
pub(crate) fn flag(seen: &Seen) -> Option<(String, String)> {
    let found: Vec<&str> = seen.values().map(|(value, _)| value).collect();
    let (yes, no) = FLAGS.iter().find(|(yes, no)| {
        found
            .iter()
            .map(|value| value.trim())
            .all(|value| value == *yes || value == *no)
    })?;
    let spelt = |meant: &str| {
        let spelt = found.iter().find(|value| value.trim() == meant);
        spelt.map_or_else(|| meant.to_owned(), |value| (*value).to_owned())
    };
    let enough = match found.as_slice() {
        [only] => !only.trim().is_empty() && "YNJTF".contains(only.trim()),
        // Two spellings of one of them are no pair.
        [one, other] => one.trim() != other.trim(),
        _ => false,
    };
    enough.then(|| (spelt(yes), spelt(no)))
}

/// A day that is none: the end or the beginning of time as somebody saw it.
pub(crate) fn is_sentinel(date: &str) -> bool {
    let day = date.split([' ', 'T']).next().unwrap_or(date);
    let ends = ["9999-", "2999-", "0001-01-01", "1899-12-3", "1900-01-01", "1753-01-01"];
    ends.iter().any(|end| day.starts_with(end)) || day == "1970-01-01"
}

/// Such days among dates or timestamps: any of the year 9999, others where they are more than a few.
pub(crate) fn sentinels(seen: &Seen) -> Vec<String> {
    let often = |count: usize| count >= 2 && ratio(count, seen.total) >= 0.01;
    seen.values()
        .filter(|(value, count)| is_sentinel(value) && (value.starts_with("9999-") || often(*count)))
        .map(|(value, _)| value.to_owned())
        .collect()
}

/// A pattern of digits that is a date, and what of it is none; none where it is something else.
pub(crate) fn digits(seen: &Seen) -> Option<(&'static str, Vec<String>)> {
    for (pattern, length) in [("YYYYMMDD", 8), ("YYYYMMDDHH24MISS", 14)] {
        let (dates, others): (Vec<_>, Vec<_>) = seen.values().partition(|(value, _)| is_date(value, length));
        let dated: usize = dates.iter().map(|(_, count)| count).sum();
        if others.len() <= 3 && dated >= 3 && ratio(dated, seen.total) >= 0.5 {
            return Some((pattern, others.into_iter().map(|(value, _)| value.to_owned()).collect()));
        }
    }
    None
}

fn is_date(value: &str, length: usize) -> bool {
    let number = |from: usize, to: usize| value.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let is_within =
        |part: Option<u32>, range: std::ops::RangeInclusive<u32>| part.is_some_and(|part| range.contains(&part));
    value.len() == length
        && value.bytes().all(|byte| byte.is_ascii_digit())
        && is_within(number(0, 4), 1900..=2100)
        && is_within(number(4, 6), 1..=12)
        && is_within(number(6, 8), 1..=31)
        && (length == 8 || (is_within(number(8, 10), 0..=23) && is_within(number(10, 12), 0..=59)))
}

/// An address of e-mail.
pub(crate) fn is_email(value: &str) -> bool {
    value
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !value.contains(' '))
}

/// A number of a bank account (ISO 13616).
pub(crate) fn is_iban(value: &str) -> bool {
    let value: String = value.chars().filter(|letter| *letter != ' ').collect();
    let bytes = value.as_bytes();
    (15..=34).contains(&bytes.len())
        && bytes.iter().take(2).all(u8::is_ascii_uppercase)
        && bytes.iter().skip(2).take(2).all(u8::is_ascii_digit)
        && bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// Letters or a few digits that stand for something.
pub(crate) fn is_code(seen: &Seen) -> bool {
    let short = |value: &str| !value.trim().is_empty() && value.chars().count() <= 4;
    (2..=12).contains(&seen.distinct()) && seen.total >= 10 && seen.share(short) > 0.99
}

#[cfg(test)]
impl Seen {
    /// What is seen of these values, one after the other.
    pub(crate) fn of(values: &[&str]) -> Self {
        let mut seen = Self::default();
        values.iter().for_each(|value| seen.add(value));
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(values: &[(&str, usize)]) -> Seen {
        let mut out = Seen::default();
        for (value, count) in values {
            for _ in 0..*count {
                out.add(value);
            }
        }
        out
    }

    #[test]
    fn two_values_that_are_yes_and_no_are_a_flag() {
        let pair = |yes: &str, no: &str| Some((yes.to_owned(), no.to_owned()));
        assert_eq!(flag(&seen(&[("Y", 3), ("N", 9)])), pair("Y", "N"));
        assert_eq!(flag(&seen(&[("J", 3), ("N", 9)])), pair("J", "N"));
        assert_eq!(flag(&seen(&[("X", 1), ("", 9)])), pair("X", ""));
        assert_eq!(flag(&seen(&[("X", 1), (" ", 9)])), pair("X", " "));
        assert_eq!(flag(&seen(&[("N", 9)])), pair("Y", "N"));
        assert_eq!(flag(&seen(&[("0", 9)])), None);
        assert_eq!(flag(&seen(&[("Y", 3), ("N", 9), ("M", 1)])), None);
        assert_eq!(flag(&seen(&[("Y", 3), ("Y ", 9)])), None);
    }

    #[test]
    fn digits_that_are_dates_are_told_from_numbers() {
        let dates = [("20240131", 5), ("20231224", 5), ("0", 2), ("99991231", 1)];
        assert_eq!(
            digits(&seen(&dates)),
            Some(("YYYYMMDD", vec!["0".to_owned(), "99991231".to_owned()]))
        );
        assert_eq!(
            digits(&seen(&[("20240131235959", 5)])),
            Some(("YYYYMMDDHH24MISS", Vec::new()))
        );
        assert_eq!(digits(&seen(&[("20249931", 5), ("12345678", 5)])), None);
    }

    #[test]
    fn days_that_are_none_are_found_where_they_are_more_than_chance() {
        let days = seen(&[
            ("2024-01-31", 150),
            ("1900-01-01", 3),
            ("9999-12-31", 1),
            ("1970-01-01", 1),
        ]);
        assert_eq!(sentinels(&days), ["1900-01-01", "9999-12-31"]);
    }

    #[test]
    fn addresses_and_accounts_are_known_by_their_form() {
        assert!(is_email("a.b@c.example") && !is_email("a@b") && !is_email("see a@b.c there"));
        assert!(is_iban("DE89 3704 0044 0532 0130 00") && !is_iban("ORDER-12345678901"));
        assert!(is_code(&seen(&[("N", 8), ("P", 8)])) && !is_code(&seen(&[("a long text", 8), ("P", 8)])));
    }
}
