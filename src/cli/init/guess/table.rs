//! Guesses about a table: its key, and whether it holds several things.

use crate::cli::init::guess::values::{Seen, ratio};
use crate::cli::init::guess::words::parts;
use crate::cli::init::guess::{Guess, KIND, is_any, is_integer, is_text};
use crate::flow::catalog::{ColumnFacts, Nullable, SqlType, TableFacts, UniqueKind};
use crate::mapping::form::has_ids;

/// Columns that are the key outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// What people call the thing by; unique and never null.
    Business(Vec<String>),
    /// What is unique all the same: numbers of the database's own, in place of which public ids are told, or what is about a person.
    Other(Vec<String>),
    /// All that is unique holds this column, whose values cannot be told.
    Untold(String),
    /// Nothing proves what is unique.
    None,
}

/// The key: one that means something before one that only the database knows.
pub(crate) fn key(facts: &TableFacts, guesses: &[Guess]) -> Key {
    let guess = |column: &String| {
        let at = facts.columns.iter().position(|c| c.name == *column)?;
        Some((facts.columns.get(at)?, guesses.get(at)?))
    };
    let is_never_null = |column: &String| guess(column).is_some_and(|(facts, _)| facts.nullable == Nullable::No);
    let means = |column: &String| {
        guess(column).is_some_and(|(_, guess)| {
            !matches!(
                guess,
                Guess::Surrogate(_)
                    | Guess::Personal
                    | Guess::Birth(_)
                    | Guess::Traces(_)
                    | Guess::Secret
                    | Guess::Unpublishable
                    | Guess::SoftDelete { .. }
            )
        })
    };
    let is_untold = |column: &&String| guess(column).is_none_or(|(facts, guess)| !may_be_key(facts, guess));
    let mut proven: Vec<_> = facts
        .uniques
        .iter()
        .filter(|unique| unique.columns.iter().all(is_never_null))
        .collect();
    proven.sort_by_key(|unique| (unique.columns.len(), unique.kind != UniqueKind::PrimaryKey));
    let untold = proven
        .iter()
        .find_map(|unique| unique.columns.iter().find(is_untold))
        .cloned();
    proven.retain(|unique| !unique.columns.iter().any(|column| is_untold(&column)));
    let business = proven.iter().find(|unique| unique.columns.iter().all(means));
    let primary = proven.iter().find(|unique| unique.kind == UniqueKind::PrimaryKey);
    match (business, primary.or(proven.first())) {
        (Some(unique), _) => Key::Business(unique.columns.clone()),
        (None, Some(unique)) => Key::Other(unique.columns.clone()),
        (None, None) => untold.map_or(Key::None, Key::Untold),
    }
}

/// Whether a column can be told in a key: as it is, or a secret as a public id.
fn may_be_key(facts: &ColumnFacts, guess: &Guess) -> bool {
    *guess != Guess::Unpublishable && (*guess != Guess::Secret || has_ids(&facts.sql_type))
}

/// A column that says which of several things a row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kinds {
    /// Its name.
    pub(crate) column: String,
    /// Its values.
    pub(crate) values: Vec<String>,
    /// Columns that only rows of one of them have; none where the name alone says that it may be so.
    pub(crate) told_by: Vec<String>,
}

/// How empty a column is where it is not meant, and how full where it is.
const EMPTY: f64 = 0.02;
const FULL: f64 = 0.8;

/// More values than that are no kinds of things, nor are longer ones.
const KINDS_MAX: usize = 6;
const KIND_LETTERS_MAX: usize = 24;

/// Names that say by themselves that rows are of several kinds.
const DISCRIMINATOR: [&str; 13] = [
    "typ",
    "type",
    "tp",
    "kind",
    "art",
    "rectype",
    "subtype",
    "satzart",
    "belegart",
    "kundenart",
    "vorgangsart",
    "auftragsart",
    "buchungsart",
];

/// Several things in one table: a column of few values, by which others are filled or empty, or else one that is called a kind.
pub(crate) fn kinds(
    facts: &TableFacts,
    (guesses, seen): (&[Guess], &[Seen]),
    rows: &[Vec<Option<String>>],
) -> Option<Kinds> {
    let columns = facts.columns.iter().zip(guesses).zip(seen).enumerate();
    let found: Vec<(Kinds, bool)> = columns
        .filter_map(|(at, ((column, guess), seen))| {
            let name = parts(&column.name);
            let is_called =
                is_any(&name, &DISCRIMINATOR) || (name.len() > 1 && name.first().is_some_and(|kz| kz == "kz"));
            let may_be = (is_called || is_any(&name, &KIND)) && may_be_kinds(column, guess);
            let values = may_be.then(|| kinds_of(column, seen)).flatten()?;
            let told_by = told_by(facts, rows, at, seen);
            let kinds = Kinds {
                column: column.name.clone(),
                values,
                told_by,
            };
            Some((kinds, is_called))
        })
        .collect();
    let proven = found.iter().find(|(kinds, _)| !kinds.told_by.is_empty());
    let called = || found.iter().find(|(_, is_called)| *is_called);
    proven.or_else(called).map(|(kinds, _)| kinds.clone())
}

/// Whether a column is nothing else than letters or numbers that may stand for kinds.
fn may_be_kinds(column: &ColumnFacts, guess: &Guess) -> bool {
    let of = &column.sql_type;
    matches!(guess, Guess::Codes(_))
        || (*guess == Guess::Plain && (is_text(of) || is_integer(of) || matches!(of, SqlType::Enum(_))))
}

/// The kinds: values that were seen, each more than once on the whole, and others that the database allows, where these are few, too.
fn kinds_of(column: &ColumnFacts, seen: &Seen) -> Option<Vec<String>> {
    let mut values: Vec<String> = seen.values().map(|(value, _)| value.to_owned()).collect();
    let allowed = column.allowed.iter().flatten().filter(|value| !values.contains(value));
    let allowed: Vec<String> = allowed.cloned().collect();
    let is_known = !allowed.is_empty() && values.len() + allowed.len() <= KINDS_MAX;
    if is_known {
        values.extend(allowed);
    }
    let is_short = |value: &String| !value.trim().is_empty() && value.chars().count() <= KIND_LETTERS_MAX;
    let is_enough = is_known || seen.total >= 10;
    (is_enough && (2..=KINDS_MAX).contains(&values.len()) && values.iter().all(is_short)).then_some(values)
}

/// Columns that only rows of some of the values have.
fn told_by(facts: &TableFacts, rows: &[Vec<Option<String>>], at: usize, seen: &Seen) -> Vec<String> {
    let values: Vec<String> = seen.values().map(|(value, _)| value.to_owned()).collect();
    let others = facts.columns.iter().enumerate();
    others
        .filter(|(other, _)| *other != at && is_of_some(rows, (at, *other), &values))
        .map(|(_, other)| other.name.clone())
        .collect()
}

/// Whether a column is filled for rows of some kinds, and empty for those of others.
fn is_of_some(rows: &[Vec<Option<String>>], (kind, other): (usize, usize), values: &[String]) -> bool {
    let filled = |value: &String| {
        let of_kind = rows
            .iter()
            .filter(|row| row.get(kind).and_then(|v| v.as_deref()) == Some(value));
        let (mut all, mut full) = (0, 0);
        for row in of_kind {
            all += 1;
            full += usize::from(row.get(other).is_some_and(Option::is_some));
        }
        ratio(full, all)
    };
    let shares: Vec<f64> = values.iter().map(filled).collect();
    shares.iter().any(|share| *share <= EMPTY) && shares.iter().any(|share| *share >= FULL)
}
