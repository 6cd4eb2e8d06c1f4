//! What the live catalogue says about tables: the facts that mappings are checked against.

use std::collections::BTreeMap;

use crate::flow::table::{ReplicaIdentity, TableName};

/// Everything a mapping may ask of the database.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Tables that the config names and that exist.
    pub tables: BTreeMap<TableName, TableFacts>,
    /// `datctype` of the database, such as `C` or `en_US.UTF-8`.
    pub ctype: String,
    /// `server_encoding`, such as `UTF8` or `SQL_ASCII`.
    pub encoding: String,
    /// For names that no table has: the table whose name is most like it.
    pub nearest: BTreeMap<TableName, String>,
}

/// `pg_class.relkind`, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// An ordinary table.
    Ordinary,
    /// A partitioned table, told by its root.
    Partitioned,
    /// Anything that logical decoding does not tell: view, foreign table, materialized view, …
    Unpublishable,
}

/// One table.
#[derive(Clone, Debug)]
pub struct TableFacts {
    /// OID in `pg_class`.
    pub oid: u32,
    /// Name.
    pub name: TableName,
    /// Kind; unlogged and temporary tables count as [`TableKind::Unpublishable`].
    pub kind: TableKind,
    /// Identity of the table itself.
    pub identity: Identity,
    /// Columns in `attnum` order, dropped ones left out.
    pub columns: Vec<ColumnFacts>,
    /// Unique constraints and unique indexes without predicate or expression, valid and immediate.
    pub uniques: Vec<Unique>,
    /// Leaf partitions of a partitioned table; empty otherwise.
    pub leaves: Vec<Leaf>,
    /// About how many rows it has (`reltuples`, of a partitioned table those of its leaves); 0 where nobody counted.
    pub rows_estimate: u64,
    /// What it is a partition of, the nearest first.
    pub ancestors: Vec<TableName>,
    /// Whether the role may read its rows.
    pub access: Access,
}

/// Whether a role may read the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// It lacks a right.
    Denied(Lack),
    /// A policy of row-level security may hide some of them.
    Hidden,
}

/// Which right a reader lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// To look into the schema.
    Usage,
    /// To read the table.
    Select,
    /// Both.
    Both,
    /// It may read some columns, and not the table: then the table cannot be locked against being changed meanwhile.
    Whole,
}

impl TableFacts {
    /// Finds a column by its exact name.
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// Replica identity and the columns it gives of an old row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which.
    pub kind: ReplicaIdentity,
    /// Names of the columns an old row carries (all under FULL; empty where the table has no identity).
    pub columns: Vec<String>,
    /// `attnum` of each, which stays when a column is renamed.
    pub attnums: Vec<i16>,
}

/// A leaf partition.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// OID in `pg_class`.
    pub oid: u32,
    /// Name.
    pub name: TableName,
    /// Its own identity.
    pub identity: Identity,
    /// Its place in the tree: OID, and the version (`xmin`) of each of its memberships in `pg_inherits` up to the root.
    /// Another one means that it, or what it is a part of, came anew.
    pub place: String,
}

/// A proof of uniqueness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// Name of the index.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub kind: UniqueKind,
}

/// Primary key or another unique index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UniqueKind {
    /// The primary key.
    PrimaryKey,
    /// A unique constraint or index.
    Unique,
}

/// One column.
#[derive(Clone, Debug)]
pub struct ColumnFacts {
    /// Name.
    pub name: String,
    /// OID of the type as the column declares it (a domain's own).
    pub type_oid: u32,
    /// Type, domains resolved.
    pub sql_type: SqlType,
    /// The type as `format_type` writes it, such as `numeric(10,2)`.
    pub type_text: String,
    /// `pg_attribute.attnotnull` (or a NOT NULL domain).
    pub nullable: Nullable,
    /// Name of the collation (`C`, `POSIX`, `default`, `de_DE`); empty for types without one. `default` is already
    /// replaced by `C` where the database's collation is C or POSIX.
    pub collation: String,
    /// A generated column: its values are not in the stream before PostgreSQL 18.
    pub generated: Generated,
    /// Values may be stored out of line, so that an UPDATE may not send them.
    pub toast: Toast,
    /// The values that a CHECK constraint (`col IN (…)`, `col = ANY (ARRAY[…])`) or the enum type allows, as text; none where nothing limits them.
    pub allowed: Option<Vec<String>>,
    /// Whether its values are numbers that only the database gives out.
    pub surrogate: Option<Surrogate>,
}

/// Where a number comes from that means nothing outside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surrogate {
    /// An identity column, or one whose default is the next value of a sequence.
    Counted,
    /// It refers to such a column, by way of foreign keys: this one.
    RefersTo {
        /// The table.
        table: TableName,
        /// Its column.
        column: String,
    },
}

/// Whether a value may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nullable {
    /// It may.
    Yes,
    /// It may not.
    No,
}

/// Whether a column is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// By an expression.
    Yes,
    /// It is stored as written.
    No,
}

/// Whether values may be stored out of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toast {
    /// They may (`attstorage` is not `p` and the length varies).
    Possible,
    /// Never.
    Never,
}

/// A PostgreSQL type, as far as its published form and the expressions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric`
    Numeric,
    /// `text`, `varchar`, `name`, `citext` is [`SqlType::Other`]
    Text,
    /// `char(n)`: padding is no part of the value
    Bpchar,
    /// `bytea`
    Bytea,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `time with time zone`
    TimeTz,
    /// `timestamp without time zone`
    Timestamp,
    /// `timestamp with time zone`
    TimestampTz,
    /// `interval`
    Interval,
    /// `uuid`
    Uuid,
    /// `json` or `jsonb`
    Json,
    /// An enum with its labels in order.
    Enum(Vec<String>),
    /// An array of this type.
    Array(Box<SqlType>),
    /// Any other: published as PostgreSQL's text. Its name as `format_type` writes it.
    Other(String),
}
