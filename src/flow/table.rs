//! A table as the stream's Relation message describes it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Schema and name of a table, unquoted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Schema, as in `pg_namespace.nspname`.
    pub schema: String,
    /// Name, as in `pg_class.relname`.
    pub name: String,
}

impl TableName {
    /// Names a table.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// As SQL takes it, in any case.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(&self.name))
    }

    /// The statement that makes the server send whole old rows.
    pub fn full_identity_sql(&self) -> String {
        format!("ALTER TABLE {} REPLICA IDENTITY FULL;", self.quoted())
    }
}

/// An identifier, always quoted (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>).
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// What an UPDATE or DELETE tells of the old row
/// (<https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// The primary key (`d`).
    Default,
    /// Nothing (`n`).
    Nothing,
    /// The whole row (`f`).
    Full,
    /// A unique index (`i`).
    Index,
}

impl ReplicaIdentity {
    /// Reads `pg_class.relreplident` or the Relation message's byte.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            b'd' => Some(Self::Default),
            b'n' => Some(Self::Nothing),
            b'f' => Some(Self::Full),
            b'i' => Some(Self::Index),
            _ => None,
        }
    }
}

/// One column of a Relation message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name, unquoted.
    pub name: String,
    /// OID of its type.
    pub type_oid: u32,
    /// Type modifier, -1 for none.
    pub type_modifier: i32,
    /// Part of the replica identity.
    pub in_identity: bool,
}

/// The shape of a table from one Relation message up to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// OID of the table (of the root, for a partitioned table published by its root).
    pub oid: u32,
    /// Its name.
    pub name: TableName,
    /// Replica identity of the table that the message names; a leaf may have another.
    pub identity: ReplicaIdentity,
    /// Columns in the order of the tuples.
    pub columns: Vec<Column>,
}
