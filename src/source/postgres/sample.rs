//! Some rows of a table as they stand, for somebody who looks.

use std::time::Duration;

use crate::flow::catalog::{Catalog, ColumnFacts, SqlType, TableFacts, TableKind};
use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::flow::table::{Table, TableName, quoted};
use crate::source::SourceError;
use crate::source::postgres::catalog;
use crate::source::postgres::chunk::{as_the_stream, push_column, shape};
use crate::source::postgres::slot;
use crate::source::postgres::sql::texts::Texts;
use crate::source::postgres::sql::{Refusal, Sql, get};

/// How much longer than the server may look somebody waits for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Of a text, this much is looked at where many rows are.
const LETTERS_MAX: u32 = 256;

/// A session that reads rows with the text that the stream would send.
#[derive(Debug)]
pub struct Sampler {
    sql: Sql,
    look_max: Duration,
    /// The end of the log.
    pub seen_lsn: Lsn,
    /// The server's clock.
    pub seen_at: CommitTime,
}

/// Why rows of a table were not seen, though the server is there: others may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// They were not found in the time there was.
    Late,
    /// The server does not show them.
    Refused {
        /// What it said.
        why: String,
        /// What would have it show them, where that is known.
        repair: Option<String>,
    },
}

/// Which columns of a table, and the condition of its rows.
pub type Wanted<'a> = (&'a [&'a ColumnFacts], Option<&'a str>);

/// Rows of a table.
#[derive(Debug)]
pub struct Sample {
    /// The columns that were read, in their order.
    pub shape: Table,
    /// Each as [`Tuple::new`](crate::flow::change::Tuple::new) takes it.
    pub rows: Vec<Vec<u8>>,
}

impl Sampler {
    /// Begins in a session that is there. The server may look for rows of one table for `look_max`: a condition that few
    /// rows satisfy has it read the whole table, and a lock has it wait.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn begin(mut sql: Sql, look_max: Duration) -> Result<Self, SourceError> {
        as_the_stream(&mut sql)?;
        sql.run("SET default_transaction_read_only = on")?;
        let row = sql.row(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, \
             (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
        )?;
        let value = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        Ok(Self {
            seen_lsn: slot::lsn(&value(0))?,
            seen_at: CommitTime::of_unix_micros(value(1).parse().unwrap_or_default()),
            sql,
            look_max,
        })
    }

    /// All tables of these schemas, or of all that are not the system's: no partitions, and none of extensions.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn tables(&mut self, schemas: &[String]) -> Result<Vec<TableName>, SourceError> {
        let question = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p' \
             AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' \
             AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1::text[])) AND NOT EXISTS (SELECT FROM pg_depend d \
             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1, 2";
        let rows = self.sql.ask(question, &[&schemas])?;
        rows.iter()
            .map(|row| Ok(TableName::new(get::<String>(row, 0)?, get::<String>(row, 1)?)))
            .collect()
    }

    /// What the catalogue says of tables.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn catalog(&mut self, tables: &[TableName]) -> Result<Catalog, SourceError> {
        catalog::read(&mut self.sql, tables)
    }

    /// The time zone of the server's own settings, before any session changed it.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn zone(&mut self) -> Result<String, SourceError> {
        get(
            &self
                .sql
                .one("SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'", &[])?,
            0,
        )
    }

    /// Reads at most so many rows that satisfy a condition: whichever come first.
    ///
    /// # Errors
    /// As [`Sql::ask`]; what keeps only this table's rows from being seen is no error.
    pub fn sample(
        &mut self,
        table: &TableFacts,
        (columns, filter): Wanted<'_>,
        rows_max: u32,
    ) -> Result<Result<Sample, Unseen>, SourceError> {
        let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let condition = filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
        let query = format!(
            "SELECT {} FROM {}{condition} LIMIT {rows_max}",
            list.join(", "),
            alone(table)
        );
        let tuple = |row: Vec<Option<String>>| {
            let mut tuple = Vec::new();
            for value in &row {
                push_column(&mut tuple, value.as_ref().map(String::as_bytes));
            }
            tuple
        };
        let rows = self.look(|sampler| sampler.texts(&query))?;
        Ok(rows.map(|rows| Sample {
            rows: rows.into_iter().map(tuple).collect(),
            shape: shape(table, columns),
        }))
    }

    /// Reads about so many rows of all over a table, to see what its columns hold: of a text its beginning and without the
    /// padding of `char(n)`, of what has no short text an empty one.
    ///
    /// # Errors
    /// As [`Sampler::sample`].
    pub fn spread(&mut self, table: &TableFacts, rows_max: u32) -> Result<Result<Texts, Unseen>, SourceError> {
        let columns: Vec<String> = table.columns.iter().map(glimpse).collect();
        let (columns, name) = (columns.join(", "), alone(table));
        self.look(|sampler| {
            let about = rows_planned(&sampler.texts(&format!("EXPLAIN (FORMAT JSON) SELECT FROM {name}"))?);
            // In the order of its pages, a LIMIT would show the oldest rows alone.
            let query = |from: &str| format!("SELECT {columns} FROM {from} ORDER BY random() LIMIT {rows_max}");
            let Some(percent) = percent(rows_max, about) else {
                return sampler.texts(&query(&name));
            };
            let rows = sampler.texts(&query(&format!("{name} TABLESAMPLE SYSTEM ({percent:.6})")))?;
            if rows.is_empty() {
                // Far fewer rows than pages, as after a great DELETE.
                return sampler.texts(&format!("SELECT {columns} FROM {name} LIMIT {rows_max}"));
            }
            Ok(rows)
        })
    }

    /// Looks for as long as one may.
    fn look<T>(&mut self, ask: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<Result<T, Unseen>, SourceError> {
        self.sql
            .run(&format!("SET statement_timeout = {}", self.look_max.as_millis()))?;
        let answer = ask(self);
        let answer = match answer {
            Ok(rows) => Ok(rows),
            Err(refusal) => Err(unseen(refusal)?),
        };
        self.sql.run("SET statement_timeout = 0")?;
        Ok(answer)
    }

    fn texts(&mut self, query: &str) -> Result<Texts, Refusal> {
        self.sql.texts(query, self.look_max.saturating_add(ANSWER_WITHIN))
    }
}

/// What ends only a look is told from what ends the session
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn unseen(refusal: Refusal) -> Result<Unseen, SourceError> {
    let Refusal { state, error } = refusal;
    match (state.as_str(), error) {
        ("57014", _) => Ok(Unseen::Late),
        (state, error) if state.is_empty() || state.starts_with("08") || state.starts_with("57P") => Err(error),
        (_, SourceError::Halt(finding)) => Ok(Unseen::Refused {
            why: finding.what.clone(),
            repair: finding.repair,
        }),
        (_, SourceError::Transient(why)) => Ok(Unseen::Refused { why, repair: None }),
    }
}

/// A table without those that inherit from it, which are followed by their own names.
fn alone(table: &TableFacts) -> String {
    let only = if table.kind == TableKind::Ordinary { "ONLY " } else { "" };
    format!("{only}{}", table.name.quoted())
}

/// As much of a column as says what it holds.
fn glimpse(column: &ColumnFacts) -> String {
    let name = quoted(&column.name);
    match column.sql_type {
        SqlType::Text | SqlType::Bpchar => format!("left({name}, {LETTERS_MAX})"),
        SqlType::Json => format!("left({name}::text, {LETTERS_MAX})"),
        SqlType::Bytea | SqlType::Array(_) | SqlType::Other(_) => {
            format!("CASE WHEN {name} IS NOT NULL THEN '' END")
        }
        SqlType::Bool | SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Numeric => name,
        SqlType::Float4 | SqlType::Float8 | SqlType::Uuid | SqlType::Enum(_) | SqlType::Interval => name,
        SqlType::Date | SqlType::Time | SqlType::TimeTz | SqlType::Timestamp | SqlType::TimestampTz => name,
    }
}

/// How many rows the server expects: unlike a count that is kept, of what the table is now.
fn rows_planned(plan: &Texts) -> f64 {
    let text = plan.first().and_then(|row| row.first()).and_then(Option::as_deref);
    let plan: Option<serde_json::Value> = text.and_then(|text| serde_json::from_str(text).ok());
    let rows = plan.as_ref().and_then(|plan| plan.pointer("/0/Plan/Plan Rows"));
    rows.and_then(serde_json::Value::as_f64).unwrap_or_default()
}

/// The share of pages that holds twice as many rows as are wanted, since pages are not equally full; none where it is all.
fn percent(rows_max: u32, about: f64) -> Option<f64> {
    let percent = 200.0 * f64::from(rows_max) / about.max(1.0);
    (percent < 100.0).then_some(percent.max(0.000_001))
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn the_share_fits_the_rows_that_are_wanted_however_many_there_are() {
        assert_eq!(percent(5_000, 0.0), None);
        assert_eq!(percent(5_000, 10_000.0), None);
        for about in [1e5, 1e7, 1e9, 1e11] {
            let share = percent(5_000, about).unwrap();
            assert!((share / 100.0 * about - 10_000.0).abs() < 1.0, "{about}: {share}");
        }
    }
}
