//! Some rows of a table as they stand, for somebody who looks.

use crate::flow::catalog::{Catalog, ColumnFacts, TableFacts};
use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::flow::table::{Table, TableName, quoted};
use crate::source::SourceError;
use crate::source::postgres::catalog;
use crate::source::postgres::chunk::{as_the_stream, push_column, shape};
use crate::source::postgres::slot;
use crate::source::postgres::sql::{Sql, get};

/// How long the server may look for rows, in ms: a condition that few rows satisfy has it read the whole table.
const LOOK_MS_MAX: u32 = 30_000;

/// A session that reads rows with the text that the stream would send.
#[derive(Debug)]
pub struct Sampler {
    sql: Sql,
    /// The end of the log.
    pub seen_lsn: Lsn,
    /// The server's clock.
    pub seen_at: CommitTime,
}

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Whichever come first.
    First,
    /// Of a large table, some of all over it.
    Spread,
}

/// Rows of a table.
#[derive(Debug)]
pub struct Sample {
    /// The columns that were read, in their order.
    pub shape: Table,
    /// Each as [`Tuple::new`](crate::flow::change::Tuple::new) takes it.
    pub rows: Vec<Vec<u8>>,
}

impl Sampler {
    /// Begins in a session that is there.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn begin(mut sql: Sql) -> Result<Self, SourceError> {
        as_the_stream(&mut sql)?;
        sql.run("SET default_transaction_read_only = on")?;
        sql.run(&format!("SET statement_timeout = {LOOK_MS_MAX}"))?;
        let row = sql.row(
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, \
             (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
        )?;
        let value = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        Ok(Self {
            seen_lsn: slot::lsn(&value(0))?,
            seen_at: CommitTime::of_unix_micros(value(1).parse().unwrap_or_default()),
            sql,
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

    /// Reads at most so many rows that satisfy a condition: whichever come first, or some of all over a large table.
    ///
    /// # Errors
    /// As [`Sql::ask`]: also where it takes longer than 30 s.
    pub fn sample(
        &mut self,
        table: &TableFacts,
        (columns, filter): (&[&ColumnFacts], Option<&str>),
        (look, rows_max): (Look, u32),
    ) -> Result<Sample, SourceError> {
        let rows = self.texts(table, (columns, filter), (look, rows_max))?;
        let tuple = |row: Vec<Option<String>>| {
            let mut tuple = Vec::new();
            for value in &row {
                push_column(&mut tuple, value.as_ref().map(String::as_bytes));
            }
            tuple
        };
        Ok(Sample {
            rows: rows.into_iter().map(tuple).collect(),
            shape: shape(table, columns),
        })
    }

    /// As [`Sampler::sample`], each value as text.
    ///
    /// # Errors
    /// As [`Sampler::sample`].
    pub fn texts(
        &mut self,
        table: &TableFacts,
        (columns, filter): (&[&ColumnFacts], Option<&str>),
        (look, rows_max): (Look, u32),
    ) -> Result<Vec<Vec<Option<String>>>, SourceError> {
        let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let condition = filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
        let name = table.name.quoted();
        // Twice as many as are wanted: pages are not equally full.
        let wanted = u64::from(rows_max).saturating_mul(200);
        let some = match (look, wanted.checked_div(table.rows_estimate)) {
            (Look::Spread, Some(percent)) if percent < 100 => format!(" TABLESAMPLE SYSTEM ({})", percent.max(1)),
            (Look::Spread | Look::First, _) => String::new(),
        };
        let query = format!(
            "SELECT {} FROM {name}{some}{condition} LIMIT {rows_max}",
            list.join(", ")
        );
        self.sql.simple(&query)
    }
}
