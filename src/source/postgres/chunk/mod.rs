//! Old rows of a table, read in chunks by key, each in a snapshot of its own.

use serde::{Deserialize, Serialize};

use crate::backfill::pace::Cost;
use crate::backfill::snapshot::Snapshot;
use crate::backfill::target::{Target, Wanted};
use crate::finding::Finding;
use crate::flow::catalog::{ColumnFacts, TableFacts};
use crate::flow::change::CommitTime;
use crate::flow::event::KindId;
use crate::flow::position::Lsn;
use crate::flow::table::{Column, Table};

pub mod copy;
mod gathered;
mod plan;
mod reader;
mod readers;
mod strain;

pub use crate::source::postgres::chunk::plan::{ChunkPlan, Conditions};
pub use crate::source::postgres::chunk::reader::ChunkReader;
pub(in crate::source::postgres) use crate::source::postgres::chunk::reader::as_the_stream;
pub use crate::source::postgres::chunk::readers::Readers;

/// How far a table was read: the key's values of the last row as PostgreSQL's text, in the order of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Vec<String>);

/// Rows of a table as one snapshot sees them.
#[derive(Debug)]
pub struct ReadChunk {
    /// The snapshot in which they were read.
    pub snapshot: Snapshot,
    /// From where on the stream has told all that it saw.
    pub horizon: Lsn,
    /// When, by the server's clock.
    pub read_at: CommitTime,
    /// The rows in the key's order, as the server sorts it.
    pub rows: Vec<OldRow>,
    /// Whether the table has the columns that were planned; if not, no rows were read.
    pub table: Columns,
    /// Where the next chunk begins; none where the table ended.
    pub next: Option<Cursor>,
    /// The table's last row; none: it has none, or the plan has a bound.
    pub last: Option<Cursor>,
    /// What it cost.
    pub cost: Cost,
}

/// Whether a table has the columns, with their types, that a plan was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// It has.
    AsPlanned,
    /// It was altered.
    Altered,
}

/// A row that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRow {
    /// [`row_name`](crate::backfill::target::row_name) of its key.
    pub name: Box<[u8]>,
    /// Its columns as [`Tuple::new`](crate::flow::change::Tuple::new) takes them, in the order of
    /// [`ChunkPlan::columns`].
    pub tuple: Vec<u8>,
}

/// A length and so many bytes. No value is longer than 1 GB (<https://www.postgresql.org/docs/current/limits.html>).
fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Bytes that [`push_column`] adds for it.
fn column_bytes(value: Option<&[u8]>) -> usize {
    value.map_or(1, |value| 1 + size_of::<u32>() + value.len())
}

/// Adds a column in the form of TupleData
/// (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
pub(in crate::source::postgres) fn push_column(tuple: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => tuple.push(b'n'),
        Some(value) => {
            tuple.push(b't');
            push_value(tuple, value);
        }
    }
}

/// The table as it is when these columns of it are read.
pub(in crate::source::postgres) fn shape(table: &TableFacts, columns: &[&ColumnFacts]) -> Table {
    let column = |column: &&ColumnFacts| Column {
        name: column.name.clone(),
        type_oid: column.type_oid,
        type_modifier: -1,
        in_identity: false,
    };
    Table {
        oid: table.oid,
        name: table.name.clone(),
        identity: table.identity.kind,
        columns: columns.iter().map(column).collect(),
    }
}

/// How the old rows of an entity are read, as the bridge asks for them.
///
/// # Errors
/// As [`ChunkPlan::new`].
pub fn target(
    (entity, state, topic): (&str, KindId, &str),
    table: &TableFacts,
    (columns, key, filter): (&[&ColumnFacts], &[String], Option<&str>),
) -> Result<Target, Box<Finding>> {
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let ChunkPlan { key, reach, .. } = ChunkPlan::new(table, &names, key)?;
    Ok(Target {
        entity: entity.to_owned(),
        state,
        topic: topic.to_owned(),
        filter: filter.map(str::to_owned),
        rows_estimate: table.rows_estimate,
        reach,
        shape: shape(table, columns),
        key,
    })
}

impl ChunkPlan {
    /// What the bridge asks for, as it is read.
    pub(super) fn of(wanted: &Wanted<'_>) -> Self {
        let Wanted {
            target,
            only,
            within,
            last,
            ..
        } = *wanted;
        let columns = &target.shape.columns;
        let conditions = target.filter.as_deref().into_iter().chain(only);
        Self {
            table: target.shape.name.clone(),
            reach: target.reach,
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            types: columns.iter().map(|column| column.type_oid).collect(),
            key: target.key.clone(),
            conditions: Conditions {
                entity: target.entity.clone(),
                all: conditions.map(str::to_owned).collect(),
            },
            within: within.to_vec(),
            bound: None,
            last: last.map(|key| Cursor(key.to_vec())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::cell::Cell;
    use crate::flow::change::Tuple;

    #[test]
    fn a_tuple_reads_back_as_the_streams_do() {
        let mut bytes = Vec::new();
        for column in [Some(b"ab".as_slice()), None, Some(b"")] {
            push_column(&mut bytes, column);
        }
        let (tuple, mut cells) = (Tuple::new(3, &bytes), Vec::new());
        tuple.locate(&mut cells);
        let row = tuple.row(&cells);
        assert_eq!(
            [row.cell(0), row.cell(1), row.cell(2)],
            [Cell::Text(b"ab"), Cell::Null, Cell::Text(b"")]
        );
    }
}
