//! What `init` finds in a database: tables, a sample of their rows, and a guess of each column.

use crate::cli::init::guess::table::{Key, Kinds, key, kinds};
use crate::cli::init::guess::values::Seen;
use crate::cli::init::guess::{Guess, column};
use crate::cli::init::write::remark;
use crate::cli::say::complain;
use crate::config::is_zone;
use crate::flow::catalog::{Access, Catalog, TableFacts};
use crate::source::SourceError;
use crate::source::postgres::sample::{Sampler, Unseen};

/// Rows of each table that are looked at; of a wide one fewer.
const ROWS_MAX: u32 = 5_000;
const CELLS_MAX: usize = 500_000;

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
    /// Why none was, where that has a reason.
    pub(super) unseen: Option<String>,
}

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) tables: Vec<Surveyed>,
    /// What the catalogue says of them.
    pub(super) catalog: Catalog,
    /// The server's own time zone; none where it has no name that a config may say.
    pub(super) zone: Option<String>,
}

/// Looks at all tables of these schemas, and says how far it is. A table whose rows are not to be seen does not end it.
///
/// # Errors
/// See [`SourceError`].
pub(super) fn survey(sampler: &mut Sampler, schemas: &[String]) -> Result<Survey, SourceError> {
    let names = sampler.tables(schemas)?;
    for empty in schemas
        .iter()
        .filter(|schema| !names.iter().any(|name| name.schema == **schema))
    {
        complain!("no table is in the schema {empty}");
    }
    let catalog = sampler.catalog(&names)?;
    let (mut tables, count) = (Vec::new(), names.len());
    for (at, name) in names.iter().enumerate() {
        let Some(facts) = catalog.tables.get(name) else {
            continue;
        };
        let surveyed = look(sampler, facts)?;
        let (number, columns, rows) = (at + 1, facts.columns.len(), rows_of(&surveyed));
        let name = remark(&name.to_string());
        complain!("{number:>3}/{count} {name}: {columns} columns, {rows} looked at");
        if let Some(why) = &surveyed.unseen {
            complain!("        guessed by names and types alone: {why}");
        }
        tables.push(surveyed);
    }
    Ok(Survey {
        tables,
        catalog,
        zone: Some(sampler.zone()?).filter(|zone| is_zone(zone)),
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
    let columns = facts.columns.len();
    let (rows, unseen) = match facts.access {
        Access::Denied(_) => (Vec::new(), Some("this role may not read it".to_owned())),
        Access::Hidden => (
            Vec::new(),
            Some("a policy may hide rows of it from this role".to_owned()),
        ),
        Access::Granted if columns == 0 => (Vec::new(), None),
        Access::Granted => {
            let fit = CELLS_MAX.checked_div(columns).and_then(|rows| u32::try_from(rows).ok());
            match sampler.spread(facts, fit.unwrap_or(ROWS_MAX).min(ROWS_MAX))? {
                Ok(rows) => (rows, None),
                Err(Unseen::Refused { why, .. }) => (Vec::new(), Some(why)),
                Err(Unseen::Late) => {
                    let late = "the server did not show rows in time, as where another session has locked the table; \
                         --look-seconds gives it more";
                    (Vec::new(), Some(late.to_owned()))
                }
            }
        }
    };
    let mut seen = vec![Seen::default(); columns];
    for row in &rows {
        for (seen, value) in seen.iter_mut().zip(row) {
            if let Some(value) = value {
                seen.add(value);
            }
        }
    }
    let guesses: Vec<Guess> = facts
        .columns
        .iter()
        .zip(&seen)
        .map(|(facts_of, seen)| column(&facts.name, facts_of, seen))
        .collect();
    Ok(Surveyed {
        key: key(facts, &guesses),
        kinds: kinds(facts, (&guesses, &seen), &rows),
        facts: facts.clone(),
        rows: rows.len(),
        unseen,
        guesses,
        seen,
    })
}
