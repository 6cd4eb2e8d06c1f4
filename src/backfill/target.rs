//! Entities whose old rows are told, and how they are read.

use sha2::{Digest as _, Sha256};

use crate::backfill::pace::{Cost, Haste};
use crate::finding::Finding;
use crate::flow::change::CommitTime;
use crate::flow::event::KindId;
use crate::flow::table::Table;

use super::Chunk;

/// An entity whose old rows can be told.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name.
    pub entity: String,
    /// Its state's kind, of which records that tell it are.
    pub state: KindId,
    /// Its state topic.
    pub topic: String,
    /// Its table, with the columns that are read, in their order.
    pub shape: Table,
    /// Which of its rows are the entity: an expression over its columns, as SQL; none: all, or it cannot be said in SQL.
    pub filter: Option<String>,
    /// About how many rows it has.
    pub rows_estimate: u64,
    /// Whether its children are read with it.
    pub reach: Reach,
    /// Columns that name a row, in the order of an index: every old key in the stream carries them.
    pub key: Vec<KeyColumn>,
}

impl Target {
    /// What is told, and where to.
    pub fn of(&self) -> String {
        format!("{} -> {}", self.shape.name, self.topic)
    }

    /// By what its rows are read, as `"id" integer, "no" text`.
    pub fn by(&self) -> String {
        let columns = self
            .key
            .iter()
            .map(|column| format!("{:?} {}", column.name, column.type_text));
        columns.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a table's children are read with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// They are its partitions, and told under its name.
    Partitions,
    /// It has none that the stream tells under its name: those of INHERITS go by their own.
    Only,
}

/// A column that names rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// Its type as SQL spells it.
    pub type_text: String,
}

/// A row as an entity: kind of its state, and [`row_name`] of its key. What one entity is told of a row says nothing of
/// another that stands on the same table.
pub type RowName = (KindId, Box<[u8]>);

/// A longer name is its digest: so many of them are remembered that each must be short.
const NAME_BYTES_MAX: usize = 64;

/// Text values of a key as one name; no two keys have the same.
pub fn row_name<'v>(values: impl Iterator<Item = &'v [u8]> + Clone) -> Box<[u8]> {
    let mut name = Vec::with_capacity(values.clone().map(|value| size_of::<u32>() + value.len()).sum());
    for value in values {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        name.extend_from_slice(&length.to_be_bytes());
        name.extend_from_slice(value);
    }
    if name.len() > NAME_BYTES_MAX {
        return Box::from(Sha256::digest(&name).as_slice());
    }
    name.into_boxed_slice()
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of which entity.
    pub target: &'a Target,
    /// Where it begins.
    pub begin: Begin<'a>,
    /// Only rows for which this holds; none: all.
    pub only: Option<&'a str>,
    /// Only these partitions, by OID; none: all of the table.
    pub within: &'a [u32],
    /// Not behind this key; none: the chunk says which one is the table's last.
    pub last: Option<&'a [String]>,
    /// Whether it is read without regard to others at work.
    pub haste: Haste,
    /// At most so many rows.
    pub rows_max: usize,
    /// At most so many bytes, but for a single row.
    pub bytes_max: usize,
    /// What [`Recent::ask`](super::recent::Recent::ask) said, given back with the chunk.
    pub told_before: u64,
}

/// Where a chunk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin<'a> {
    /// With the table's first row.
    First,
    /// Behind the row with this key, as text.
    Behind(&'a [String]),
    /// Where the chunk ends that was asked for before it.
    BehindAsked,
}

/// What was read.
#[derive(Debug)]
pub struct Rows {
    /// Rows, each with its values in the form of the stream (TupleData).
    pub chunk: Chunk<RowName, Vec<u8>>,
    /// When they were read, by the server's clock.
    pub read_at: CommitTime,
    /// Behind which key it begins; none: with the table's first row.
    pub after: Option<Vec<String>>,
    /// The key where the next one begins; none: the table ends here.
    pub next: Option<Vec<String>>,
    /// The last key of the table; none: it has none, or [`Wanted::last`] said so.
    pub last: Option<Vec<String>>,
    /// What it cost to read them.
    pub cost: Cost,
}

/// What became of a chunk that was asked for.
#[derive(Debug)]
pub enum Reading {
    /// It is still being read.
    UnderWay,
    /// It is there.
    Read(Rows),
    /// The one before it was the table's last.
    Nothing,
    /// The rows that an operator chose cannot be read: what was asked for ends, and nothing else.
    Refused(Box<Finding>),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(values: &[&str]) -> Box<[u8]> {
        row_name(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn long_names_are_told_apart_and_are_short() {
        let (one, other) = ("x".repeat(3_000), "x".repeat(2_999) + "y");
        assert_ne!(name(&[&one]), name(&[&other]));
        assert_eq!(name(&[&one]), name(&[&one]));
        assert!(name(&[&one]).len() <= NAME_BYTES_MAX);
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
}
