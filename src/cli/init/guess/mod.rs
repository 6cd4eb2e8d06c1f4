//! Guesses: what a column probably is, by its name, its type, and what it holds. Pure.

use crate::cli::init::guess::person::{is_birth_date, is_personal};
use crate::cli::init::guess::traces::{Trace, traces};
use crate::cli::init::guess::values::{Seen, digits, flag, is_code, sentinels};
use crate::cli::init::guess::words::{identifier, parts};
use crate::flow::catalog::{ColumnFacts, Generated, Nullable, SqlType, Surrogate};
use crate::flow::table::TableName;

mod letters;
mod people;
mod person;
pub(crate) mod table;
pub(crate) mod traces;
pub(crate) mod values;
pub(crate) mod words;

/// What a column probably is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    /// What its type says.
    Plain,
    /// Whether the row is still there: what says that it is not, and the condition of one that is.
    SoftDelete { alive: String },
    /// Yes or no.
    Flag { yes: String, no: String },
    /// Letters that stand for something, each with how often it was seen.
    Codes(Vec<(String, usize)>),
    /// An integer that counts hundredths.
    Cents,
    /// A time without a zone.
    Zoneless { null_when: Vec<String> },
    /// Digits that are a date.
    Digits {
        pattern: &'static str,
        null_when: Vec<String>,
    },
    /// A date, with days that mean none.
    Sentinel { null_when: Vec<String> },
    /// About a person.
    Personal,
    /// When a person was born, in the form that this would be of anything else.
    Birth(Box<Guess>),
    /// Text that holds such things of people among others.
    Traces(Vec<Trace>),
    /// Nobody's business.
    Secret,
    /// A number that only the database gives out: of this table.
    Surrogate(TableName),
    /// It cannot be published.
    Unpublishable,
}

impl Guess {
    /// The table whose number it is.
    pub(crate) fn number_of(&self) -> Option<&TableName> {
        if let Self::Surrogate(table) = self {
            Some(table)
        } else {
            None
        }
    }

    /// The condition of a row that is still there.
    pub(crate) fn alive(&self) -> Option<&str> {
        if let Self::SoftDelete { alive } = self {
            Some(alive)
        } else {
            None
        }
    }
}

const SECRET: [&str; 9] = [
    "pw", "pwd", "passwd", "password", "hash", "salt", "secret", "token", "pin",
];

const DELETED: [&str; 21] = [
    "del",
    "deleted",
    "deletion",
    "loesch",
    "geloescht",
    "lkz",
    "loekz",
    "lvm",
    "lvd",
    "lvorm",
    "loevm",
    "removed",
    "void",
    "voided",
    "inactive",
    "archived",
    "hidden",
    "retired",
    "dead",
    "supprime",
    "suppr",
];

const STATUS: [&str; 9] = [
    "st", "sts", "stat", "status", "state", "zustand", "stage", "phase", "kz",
];

const KIND: [&str; 10] = [
    "typ", "type", "tp", "kind", "art", "class", "cls", "cat", "category", "cd",
];

const MONEY: [&str; 16] = [
    "ct", "cts", "cent", "cents", "pence", "amt", "amount", "price", "prc", "betrag", "preis", "total", "tot", "cost",
    "fee", "bal",
];

const YES_NO: [&str; 10] = ["flg", "flag", "fl", "yn", "is", "has", "kz", "ind", "active", "aktiv"];

/// Codes that the whole world knows, which are told as they are.
const KNOWN: [&str; 12] = [
    "lng", "lang", "language", "locale", "ctr", "country", "land", "cur", "curr", "currency", "iso", "uom",
];

/// Whether one of these words is a part of the name, or two parts that follow each other: `loe_kz`.
fn is_any(name: &[String], words: &[&str]) -> bool {
    let pairs = name.windows(2).map(<[String]>::concat);
    let mut parts = name.iter().cloned().chain(pairs);
    parts.any(|part| words.contains(&part.as_str()))
}

fn is_integer(of: &SqlType) -> bool {
    matches!(of, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
}

fn is_text(of: &SqlType) -> bool {
    matches!(of, SqlType::Text | SqlType::Bpchar)
}

/// Looks at a column of a table.
pub(crate) fn column(table: &TableName, facts: &ColumnFacts, seen: &Seen) -> Guess {
    let name = parts(&facts.name);
    if facts.generated == Generated::Yes {
        return Guess::Unpublishable;
    }
    if is_any(&name, &SECRET) {
        return Guess::Secret;
    }
    match &facts.surrogate {
        Some(Surrogate::Counted) => return Guess::Surrogate(table.clone()),
        Some(Surrogate::RefersTo { table, .. }) => return Guess::Surrogate(table.clone()),
        None => {}
    }
    if let Some(alive) = alive(&name, facts, seen) {
        return Guess::SoftDelete { alive };
    }
    if is_birth_date(&name, facts, seen) {
        return Guess::Birth(Box::new(by_type(&name, facts, seen)));
    }
    if is_personal(table, &name, facts, seen) {
        return Guess::Personal;
    }
    let guess = by_type(&name, facts, seen);
    if guess == Guess::Plain {
        by_traces(facts, seen)
    } else {
        guess
    }
}

/// Text that nobody named after a person may be of one all the same.
fn by_traces(facts: &ColumnFacts, seen: &Seen) -> Guess {
    let is_free = is_text(&facts.sql_type) || facts.sql_type == SqlType::Json;
    let found = if is_free { traces(seen) } else { Vec::new() };
    if found.is_empty() {
        Guess::Plain
    } else {
        Guess::Traces(found)
    }
}

fn by_type(name: &[String], facts: &ColumnFacts, seen: &Seen) -> Guess {
    let sql_type = &facts.sql_type;
    if *sql_type == SqlType::Timestamp {
        return Guess::Zoneless {
            null_when: sentinels(seen),
        };
    }
    if matches!(sql_type, SqlType::Date | SqlType::TimestampTz) {
        return match sentinels(seen) {
            none if none.is_empty() => Guess::Plain,
            null_when => Guess::Sentinel { null_when },
        };
    }
    if !is_integer(sql_type) && !is_text(sql_type) {
        return Guess::Plain;
    }
    if let Some((pattern, null_when)) = digits(seen) {
        return Guess::Digits { pattern, null_when };
    }
    let is_said = is_any(name, &YES_NO) || *sql_type == SqlType::Bpchar;
    if let Some((yes, no)) = flag(seen).filter(|_| is_said) {
        return Guess::Flag { yes, no };
    }
    let is_called = is_any(name, &STATUS) || is_any(name, &KIND);
    if is_code(seen) && !is_any(name, &KNOWN) && (is_called || facts.type_text.starts_with("character(")) {
        return Guess::Codes(seen.values().map(|(value, count)| (value.to_owned(), count)).collect());
    }
    if is_integer(sql_type) && is_any(name, &MONEY) {
        return Guess::Cents;
    }
    Guess::Plain
}

/// The condition of a row that is still there.
fn alive(name: &[String], facts: &ColumnFacts, seen: &Seen) -> Option<String> {
    if !is_any(name, &DELETED) {
        return None;
    }
    let column = identifier(&facts.name);
    let is_nullable = facts.nullable == Nullable::Yes;
    let of = &facts.sql_type;
    if *of == SqlType::Bool {
        let condition = if is_nullable {
            format!("{column} is not true")
        } else {
            format!("not {column}")
        };
        return Some(condition);
    }
    if matches!(of, SqlType::Timestamp | SqlType::TimestampTz | SqlType::Date) {
        return is_nullable.then(|| format!("{column} is null"));
    }
    if !is_integer(of) && !is_text(of) {
        return None;
    }
    let (yes, no) = flag(seen).or_else(|| only_no(seen))?;
    let literal = |value: &str| {
        if is_integer(of) {
            value.to_owned()
        } else {
            format!("'{value}'")
        }
    };
    Some(match is_nullable {
        true => format!("{column} is distinct from {}", literal(&yes)),
        false => format!("{column} = {}", literal(&no)),
    })
}

/// Where no row is deleted yet, a zero or a blank is all there is.
fn only_no(seen: &Seen) -> Option<(String, String)> {
    let mut values = seen.values().map(|(value, _)| value);
    let (only, None) = (values.next()?, values.next()) else {
        return None;
    };
    let yes = match only.trim() {
        "0" => "1",
        "" => "X",
        _ => return None,
    };
    Some((yes.to_owned(), only.to_owned()))
}
