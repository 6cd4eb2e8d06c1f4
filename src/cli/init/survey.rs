//! What `init` finds in a database: tables, a sample of their rows, and a guess of each column.

use crate::cli::init::guess::table::{Key, Kinds, key, kinds};
use crate::cli::init::guess::values::Seen;
use crate::cli::init::guess::{Guess, column};
use crate::cli::say::complain;
use crate::flow::catalog::{Access, Catalog, ColumnFacts, SqlType, TableFacts};
use crate::source::SourceError;
use crate::source::postgres::sample::{Look, Sampler};

/// Rows of each table that are looked at.
const ROWS_MAX: u32 = 5_000;

/// A table, and what it probably is.
#[derive(Debug)]
pub(super) struct Surveyed {
    pub(super) facts: TableFacts,
    /// One a column.
    pub(super) guesses: Vec<Guess>,
    /// Values of each column.
    pub(super) seen: Vec<Seen>,
    pub(super) key: Key,
    pub(super) kinds: Option<Kinds>,
    /// Rows that were looked at.
    pub(super) rows: usize,
}

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) tables: Vec<Surveyed>,
    /// What the catalogue says of them.
    pub(super) catalog: Catalog,
    /// The server's own time zone.
    pub(super) zone: String,
}

/// Looks at all tables of these schemas, and says how far it is.
///
/// # Errors
/// See [`SourceError`].
pub(super) fn survey(sampler: &mut Sampler, schemas: &[String]) -> Result<Survey, SourceError> {
    let names = sampler.tables(schemas)?;
    let catalog = sampler.catalog(&names)?;
    let (mut tables, count) = (Vec::new(), names.len());
    for (at, name) in names.iter().enumerate() {
        let Some(facts) = catalog.tables.get(name) else {
            continue;
        };
        let surveyed = look(sampler, facts)?;
        let (number, columns, rows) = (at + 1, facts.columns.len(), rows_of(&surveyed));
        complain!("{number:>3}/{count} {name}: {columns} columns, {rows} looked at");
        tables.push(surveyed);
    }
    Ok(Survey {
        tables,
        catalog,
        zone: sampler.zone()?,
    })
}

/// How many rows were looked at, and of how many where there are more.
pub(super) fn rows_of(table: &Surveyed) -> String {
    let (looked, about) = (table.rows, table.facts.rows_estimate);
    if u64::try_from(looked).is_ok_and(|looked| looked < about) {
        format!("{looked} of about {about} rows")
    } else {
        format!("{looked} rows")
    }
}

fn look(sampler: &mut Sampler, facts: &TableFacts) -> Result<Surveyed, SourceError> {
    let columns: Vec<&ColumnFacts> = facts.columns.iter().collect();
    // Without the right to look, names and types are all there is to guess by.
    let rows = match facts.access {
        Access::Granted if !columns.is_empty() => sampler.texts(facts, (&columns, None), (Look::Spread, ROWS_MAX))?,
        Access::Granted | Access::Denied(_) | Access::Hidden => Vec::new(),
    };
    let rows = unpadded(rows, &columns);
    let mut seen = vec![Seen::default(); columns.len()];
    for row in &rows {
        for (seen, value) in seen.iter_mut().zip(row) {
            if let Some(value) = value {
                seen.add(value);
            }
        }
    }
    let guesses: Vec<Guess> = columns
        .iter()
        .zip(&seen)
        .map(|(facts_of, seen)| column(&facts.name, facts_of, seen))
        .collect();
    Ok(Surveyed {
        key: key(facts, &guesses),
        kinds: kinds(facts, &guesses, &rows),
        facts: facts.clone(),
        rows: rows.len(),
        guesses,
        seen,
    })
}

/// The padding of `char(n)` is no part of its values; what else stands at the end of a text is.
fn unpadded(mut rows: Vec<Vec<Option<String>>>, columns: &[&ColumnFacts]) -> Vec<Vec<Option<String>>> {
    for row in &mut rows {
        for (value, column) in row.iter_mut().zip(columns) {
            if let Some(value) = value
                && column.sql_type == SqlType::Bpchar
            {
                value.truncate(value.trim_end_matches(' ').len());
            }
        }
    }
    rows
}
