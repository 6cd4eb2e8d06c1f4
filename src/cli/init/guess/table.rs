//! Guesses about a table: its key, and whether it holds several things.

use crate::cli::init::guess::values::{Seen, ratio};
use crate::cli::init::guess::words::parts;
use crate::cli::init::guess::{Guess, KIND, is_any};
use crate::flow::catalog::{ColumnFacts, Nullable, TableFacts, UniqueKind};
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
    /// Columns that only rows of one of them have.
    pub(crate) told_by: Vec<String>,
}

/// How empty a column is where it is not meant, and how full where it is.
const EMPTY: f64 = 0.02;
const FULL: f64 = 0.8;

/// Several things in one table: a column of few values, by which others are filled or empty.
pub(crate) fn kinds(facts: &TableFacts, guesses: &[Guess], rows: &[Vec<Option<String>>]) -> Option<Kinds> {
    let candidates = facts.columns.iter().zip(guesses).enumerate();
    candidates
        .filter(|(_, (column, guess))| matches!(guess, Guess::Codes(_)) && is_any(&parts(&column.name), &KIND))
        .find_map(|(at, (column, _))| {
            let mut seen = Seen::default();
            rows.iter()
                .filter_map(|row| row.get(at)?.as_deref())
                .for_each(|value| seen.add(value));
            let values: Vec<String> = seen.values().map(|(value, _)| value.to_owned()).collect();
            let told_by: Vec<String> = facts
                .columns
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at && is_of_some(rows, (at, *other), &values))
                .map(|(_, other)| other.name.clone())
                .collect();
            ((2..=6).contains(&values.len()) && !told_by.is_empty()).then(|| Kinds {
                column: column.name.clone(),
                values,
                told_by,
            })
        })
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
