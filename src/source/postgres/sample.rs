//! Some rows of a table as they stand, for somebody who looks.

use crate::flow::catalog::{ColumnFacts, TableFacts};
use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::flow::table::{Column, Table, quoted};
use crate::source::SourceError;
use crate::source::postgres::chunk::{push_column, reading};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::slot;
use crate::source::postgres::sql::Sql;

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

/// Rows of a table.
#[derive(Debug)]
pub struct Sample {
    /// The columns that were read, in their order.
    pub shape: Table,
    /// Each as [`Tuple::new`](crate::flow::change::Tuple::new) takes it.
    pub rows: Vec<Vec<u8>>,
}

impl Sampler {
    /// Connects.
    ///
    /// # Errors
    /// As [`Sql::connect`].
    pub fn begin(settings: &Settings) -> Result<Self, SourceError> {
        let mut sql = reading(settings)?;
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

    /// Reads at most so many rows that satisfy a condition, whichever come first.
    ///
    /// # Errors
    /// As [`Sql::ask`]: also where it takes longer than 30 s.
    pub fn sample(
        &mut self,
        table: &TableFacts,
        (columns, filter): (&[&ColumnFacts], Option<&str>),
        rows_max: u32,
    ) -> Result<Sample, SourceError> {
        let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let condition = filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
        let name = table.name.quoted();
        let query = format!("SELECT {} FROM {name}{condition} LIMIT {rows_max}", list.join(", "));
        let tuple = |row: Vec<Option<String>>| {
            let mut tuple = Vec::new();
            for value in &row {
                push_column(&mut tuple, value.as_ref().map(String::as_bytes));
            }
            tuple
        };
        let column = |column: &&ColumnFacts| Column {
            name: column.name.clone(),
            type_oid: column.type_oid,
            type_modifier: -1,
            in_identity: false,
        };
        Ok(Sample {
            rows: self.sql.simple(&query)?.into_iter().map(tuple).collect(),
            shape: Table {
                oid: table.oid,
                name: table.name.clone(),
                identity: table.identity.kind,
                columns: columns.iter().map(column).collect(),
            },
        })
    }
}
