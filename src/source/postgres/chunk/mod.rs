//! Old rows of a table, read in chunks by key, each in a snapshot of its own.

use serde::{Deserialize, Serialize};

use crate::backfill::snapshot::Snapshot;
use crate::flow::position::Lsn;

pub mod copy;
mod plan;
mod reader;

pub use crate::source::postgres::chunk::plan::{ChunkPlan, KeyColumn};
pub use crate::source::postgres::chunk::reader::{ChunkReader, SNAPSHOT_MAX};

/// How far a table was read: the key's values of the last row as PostgreSQL's text, in the order of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(pub Vec<String>);

/// Rows of a table as one snapshot sees them.
#[derive(Debug)]
pub struct ReadChunk {
    /// The snapshot in which they were read.
    pub snapshot: Snapshot,
    /// `pg_current_wal_insert_lsn()` from after it was taken.
    pub horizon: Lsn,
    /// The rows in the key's order, as the server sorts it.
    pub rows: Vec<OldRow>,
    /// Where the next chunk begins; none where the table ended.
    pub next: Option<Cursor>,
}

/// A row that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRow {
    /// [`row_name`] of its key.
    pub name: Box<[u8]>,
    /// Its columns as [`Tuple::new`](crate::flow::change::Tuple::new) takes them, in the order of
    /// [`ChunkPlan::columns`].
    pub tuple: Box<[u8]>,
}

/// Names a row by the values of its key, as PostgreSQL's text in the key's order: two names are equal only where all
/// values are. Each value follows its length in bytes, 32 bits with the highest first.
pub fn row_name<'a>(values: impl Iterator<Item = &'a [u8]>) -> Box<[u8]> {
    let mut name = Vec::new();
    for value in values {
        push_value(&mut name, value);
    }
    name.into_boxed_slice()
}

/// A length and so many bytes. No value is longer than 1 GB (<https://www.postgresql.org/docs/current/limits.html>).
fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

/// Adds a column in the form of TupleData
/// (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
fn push_column(tuple: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => tuple.push(b'n'),
        Some(value) => {
            tuple.push(b't');
            push_value(tuple, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::cell::Cell;
    use crate::flow::change::Tuple;

    fn name(values: &[&str]) -> Box<[u8]> {
        row_name(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn names_are_equal_only_where_all_values_are() {
        let all: [&[&str]; 7] = [
            &["ab", "c"],
            &["a", "bc"],
            &["abc", ""],
            &["", "abc"],
            &["abc"],
            &[""],
            &[],
        ];
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(name(one) == name(other), at == other_at, "{one:?} {other:?}");
            }
        }
    }

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
