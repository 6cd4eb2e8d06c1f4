//! `parse`: a strict subset of the patterns of `to_date` and `to_timestamp`
//! (<https://www.postgresql.org/docs/current/functions-formatting.html>).
//!
//! Every part has its full width, separators stand as written, and what the calendar does not know is refused, where
//! PostgreSQL's own functions skip, pad and carry over.

use super::instant::{Local, days_in_month, number};
use super::{FormProblem, RowProblem};

const PATTERNS_HINT: &str =
    "use YYYY MM DD HH24 MI SS MS US and separators, such as \"YYYYMMDD\" or \"YYYY-MM-DD HH24:MI:SS\"";

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Part(Part),
    Literal(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    Micros,
}

const PARTS: [(&str, Part); 8] = [
    ("YYYY", Part::Year),
    ("MM", Part::Month),
    ("DD", Part::Day),
    ("HH24", Part::Hour),
    ("MI", Part::Minute),
    ("SS", Part::Second),
    ("MS", Part::Millis),
    ("US", Part::Micros),
];

impl Part {
    fn width(self) -> usize {
        match self {
            Self::Year => 4,
            Self::Month | Self::Day | Self::Hour | Self::Minute | Self::Second => 2,
            Self::Millis => 3,
            Self::Micros => 6,
        }
    }
}

impl Pattern {
    pub(super) fn compile(text: &str) -> Result<Self, FormProblem> {
        let problem = |message: String| FormProblem {
            message,
            hint: Some(PATTERNS_HINT.to_owned()),
        };
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(&(name, part)) = PARTS.iter().find(|(name, _)| rest.starts_with(name)) {
                if pieces.contains(&Piece::Part(part)) {
                    return Err(problem(format!("parse: {name} stands twice in {text:?}")));
                }
                pieces.push(Piece::Part(part));
                rest = rest.strip_prefix(name).unwrap_or_default();
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let unclosed = || problem(format!("parse: a quote in {text:?} is not closed"));
                let (literal, after) = quoted.split_once('"').ok_or_else(unclosed)?;
                pieces.push(Piece::Literal(literal.as_bytes().to_vec()));
                rest = after;
            } else if first.is_ascii_punctuation() || first == ' ' {
                pieces.push(Piece::Literal(vec![u8::try_from(first).unwrap_or(b' ')]));
                rest = rest.strip_prefix(first).unwrap_or_default();
            } else {
                let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                let word = if word.is_empty() { first.to_string() } else { word };
                return Err(problem(format!("parse: {word:?} in {text:?} is not supported")));
            }
        }
        let pattern = Self { pieces };
        if pattern.has(Part::Millis) && pattern.has(Part::Micros) {
            return Err(problem(format!("parse: {text:?} has both MS and US")));
        }
        match pattern.gap() {
            Some((part, needed)) => Err(problem(format!("parse: {text:?} has {part} but no {needed}"))),
            None => Ok(pattern),
        }
    }

    /// A part without the larger one it is a part of.
    fn gap(&self) -> Option<(&'static str, &'static str)> {
        if !self.has(Part::Year) {
            return Some(("a date", "YYYY"));
        }
        let needs = [
            (Part::Day, "DD", Part::Month, "MM"),
            (Part::Hour, "HH24", Part::Day, "DD"),
            (Part::Minute, "MI", Part::Hour, "HH24"),
            (Part::Second, "SS", Part::Minute, "MI"),
            (Part::Millis, "MS", Part::Second, "SS"),
            (Part::Micros, "US", Part::Second, "SS"),
        ];
        let missing = needs
            .iter()
            .find(|(part, _, needed, _)| self.has(*part) && !self.has(*needed));
        missing.map(|&(_, part, _, needed)| (part, needed))
    }

    fn has(&self, part: Part) -> bool {
        self.pieces.contains(&Piece::Part(part))
    }

    /// Whether it has no time of day.
    pub(super) fn is_date(&self) -> bool {
        !self.has(Part::Hour)
    }

    /// Reads a text; a month or day that the pattern does not have is the first.
    pub(super) fn read<'t>(&self, text: &'t [u8]) -> Result<Local<'t>, RowProblem> {
        let mut local = Local {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            fraction: &[],
        };
        let mut rest = text;
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_slice()).ok_or(RowProblem::NotADate)?,
                Piece::Part(part) => {
                    let (digits, after) = rest.split_at_checked(part.width()).ok_or(RowProblem::NotADate)?;
                    set(&mut local, *part, digits).ok_or(RowProblem::NotADate)?;
                    rest = after;
                }
            }
        }
        let calendar = local.year >= 1 && local.day >= 1 && local.day <= days_in_month(local.year, local.month);
        let clock = local.hour <= 23 && local.minute <= 59 && local.second <= 59;
        if rest.is_empty() && calendar && clock {
            Ok(local)
        } else {
            Err(RowProblem::NotADate)
        }
    }
}

fn set<'t>(local: &mut Local<'t>, part: Part, digits: &'t [u8]) -> Option<()> {
    let value = number(digits)?;
    let small = u8::try_from(value).unwrap_or(u8::MAX);
    match part {
        Part::Year => local.year = value,
        Part::Month => local.month = small,
        Part::Day => local.day = small,
        Part::Hour => local.hour = small,
        Part::Minute => local.minute = small,
        Part::Second => local.second = small,
        Part::Millis | Part::Micros => local.fraction = digits,
    }
    Some(())
}
