//! Which columns of a table are read, by which key, and the statements that read a chunk.

use crate::backfill::target::{KeyColumn, Reach};
use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Generated, Identity, Nullable, SqlType, TableFacts, TableKind, Unique, UniqueKind};
use crate::flow::table::TableName;
use crate::source::postgres::chunk::Cursor;
use crate::source::postgres::sql::quote;

/// How a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkPlan {
    /// The table, or the root of a partitioned one.
    pub table: TableName,
    /// Whether rows of its children are its own.
    pub reach: Reach,
    /// The columns that are told, in the order of the tuples.
    pub columns: Vec<String>,
    /// OIDs of their types, which the mapping was compiled for.
    pub types: Vec<u32>,
    /// The key in whose order rows are read and by which they are named.
    pub key: Vec<KeyColumn>,
    /// Which of its rows are read.
    pub conditions: Conditions,
    /// In which of its partitions, by OID; none: in all.
    pub within: Vec<u32>,
    /// Which rows those are, by [`ChunkPlan::bounds`] at the moment of the reading. Of partitions by RANGE and LIST the server
    /// looks into no other one; by HASH it passes all rows.
    pub bound: Option<String>,
    /// The last row that is read; none: the table's last.
    pub last: Option<Cursor>,
}

/// Which rows of a table are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Whose rows those are.
    pub entity: String,
    /// What holds for each of them: expressions over the table's columns; empty: nothing.
    pub all: Vec<String>,
}

impl ChunkPlan {
    /// Settings of a transaction in which chunks are read. A condition that few rows meet, or a guess that is far off,
    /// would else look better to the server by another index, or by the whole table and a sort: each chunk would cost
    /// what the table does. No statement of ours takes workers from others, or is compiled
    /// (<https://www.postgresql.org/docs/current/runtime-config-query.html>).
    pub const ROAD: &str = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off; \
         SET LOCAL enable_incremental_sort = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off";

    /// Plans to read `columns` of a table: by its primary key or else another unique index, one whose columns the
    /// stream's old rows carry, or no change could be matched with a row that was read.
    ///
    /// Its columns are some of `among`, those of the entity's key: a row that gets another name while chunks are read is then
    /// told by the stream under its new one. By an unpublished key it could slip past, from what is still to be read into
    /// what was, in a change that tells nothing.
    ///
    /// # Errors
    /// `backfill.no_row_identity` where the table has no such key.
    pub fn new(table: &TableFacts, columns: &[String], among: &[String]) -> Result<Self, Box<Finding>> {
        let primary_first = |kind| table.uniques.iter().filter(move |unique| unique.kind == kind);
        let key = primary_first(UniqueKind::PrimaryKey)
            .chain(primary_first(UniqueKind::Unique))
            .filter(|unique| is_within(unique, among))
            .filter(|unique| identities(table).all(|(_, identity)| carries(identity, unique)))
            .find_map(|unique| key_of(table, unique));
        match key {
            Some(key) => Ok(Self {
                table: table.name.clone(),
                reach: reach(table),
                columns: columns.to_vec(),
                types: columns
                    .iter()
                    .map(|name| table.column(name).map_or(0, |facts| facts.type_oid))
                    .collect(),
                key,
                conditions: Conditions::default(),
                within: Vec::new(),
                bound: None,
                last: None,
            }),
            None => Err(Box::new(no_row_identity(table, among))),
        }
    }

    /// Asks how many of the columns are there with another type, or not at all.
    pub(super) fn altered(&self) -> String {
        let expected = self.columns.iter().zip(&self.types);
        let expected: Vec<String> = expected
            .map(|(name, type_oid)| format!("({}, {type_oid}::oid)", quote::literal(name)))
            .collect();
        format!(
            "SELECT count(*) FROM (VALUES {}) AS e(name, type) WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE \
             a.attrelid = {}::regclass AND a.attname = e.name AND a.atttypid = e.type AND NOT a.attisdropped)",
            expected.join(", "),
            quote::literal(&self.table.quoted())
        )
    }

    /// The query for the key of the row that is number `rows` of those after `after`, by the index alone: whatever the
    /// conditions are, so much of the table (or its part) is passed by, and no more.
    ///
    /// # Errors
    /// `backfill.other_key` where `after` was made for a key of another length.
    pub fn walk(&self, after: Option<&Cursor>, rows: usize) -> Result<String, Box<Finding>> {
        let key = self.key_names().join(", ");
        let range = [self.compare(">", after)?, self.compare("<=", self.last.as_ref())?];
        let all = wherever(range.into_iter().flatten().chain(self.bound()));
        Ok(format!(
            "SELECT {key} FROM {}{all} ORDER BY {key} OFFSET {} LIMIT 1",
            self.from(),
            rows.saturating_sub(1)
        ))
    }

    /// The query for the key of the last row.
    pub fn last_row(&self) -> String {
        let key = self.key_names();
        let backwards: Vec<String> = key.iter().map(|column| format!("{column} DESC")).collect();
        format!(
            "SELECT {} FROM {}{} ORDER BY {} LIMIT 1",
            key.join(", "),
            self.from(),
            wherever(self.bound().into_iter()),
            backwards.join(", ")
        )
    }

    /// The query for the rows after `after` and up to `upto` that meet the conditions, in the key's order: first
    /// [`ChunkPlan::columns`], then those of the key that are not among them.
    ///
    /// # Errors
    /// As [`ChunkPlan::walk`].
    pub fn statement(&self, after: Option<&Cursor>, upto: Option<&Cursor>) -> Result<String, Box<Finding>> {
        let columns: Vec<String> = self.read_columns().map(qualified).collect();
        let upto = upto.or(self.last.as_ref());
        let range = [self.compare(">", after)?, self.compare("<=", upto)?];
        // A comment at a condition's end would swallow what stands behind it.
        let conditions = self.conditions.all.iter().map(|condition| format!("({condition}\n)"));
        let all = wherever(range.into_iter().flatten().chain(self.bound()).chain(conditions));
        // The columns are qualified, so that ORDER BY means the table's and not those of the result.
        Ok(format!(
            "SELECT {} FROM {}{all} ORDER BY {}",
            columns.join(", "),
            self.from(),
            self.key_names().join(", "),
        ))
    }

    fn from(&self) -> String {
        let only = if self.reach == Reach::Only { "ONLY " } else { "" };
        format!("{only}{} AS t", self.table.quoted())
    }

    /// Asks for the bounds of the partitions in question that are there, as SQL, in the form of values that the session reads:
    /// a row for each.
    pub fn bounds(&self) -> Option<String> {
        let oids: Vec<String> = self.within.iter().map(|oid| format!("{oid}::oid")).collect();
        // A table whose only partition is the default one has no bounds.
        (!oids.is_empty()).then(|| {
            format!(
                "SELECT coalesce(pg_get_partition_constraintdef(p.relid), 'true') FROM pg_partition_tree({}::regclass) AS p \
                 WHERE p.relid = ANY(ARRAY[{}])",
                quote::literal(&self.table.quoted()),
                oids.join(", ")
            )
        })
    }

    /// The same plan for these bounds; none of them is there any more: for no row.
    #[must_use]
    pub fn bounded(&self, bounds: &[String]) -> Self {
        let all: Vec<String> = bounds.iter().map(|bound| format!("({bound})")).collect();
        Self {
            bound: Some(if all.is_empty() {
                "false".to_owned()
            } else {
                all.join(" OR ")
            }),
            ..self.clone()
        }
    }

    fn bound(&self) -> Option<String> {
        self.bound.as_ref().map(|bound| format!("({bound})"))
    }

    fn key_names(&self) -> Vec<String> {
        self.key.iter().map(|column| qualified(&column.name)).collect()
    }

    /// A comparison of rows, which an index on the key answers with one range
    /// (<https://www.postgresql.org/docs/current/functions-comparisons.html#ROW-WISE-COMPARISON>).
    fn compare(&self, operator: &str, cursor: Option<&Cursor>) -> Result<Option<String>, Box<Finding>> {
        let Some(cursor) = cursor else { return Ok(None) };
        if cursor.0.len() != self.key.len() {
            let finding = Finding::error(
                Cause::Surroundings,
                "backfill.other_key",
                format!("the table {} was read so far by another key", self.table),
            );
            return Err(Box::new(
                finding.because("which of its rows were read cannot be told by its present key"),
            ));
        }
        let pairs = self.key.iter().zip(&cursor.0);
        let values: Vec<String> = pairs
            .map(|(column, value)| format!("{}::{}", quote::literal(value), column.type_text))
            .collect();
        let row = |parts: Vec<String>| match parts.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        };
        Ok(Some(format!("{} {operator} {}", row(self.key_names()), row(values))))
    }

    /// Names of the columns that are read, in the order of the statement.
    fn read_columns(&self) -> impl Iterator<Item = &str> {
        let told = self.columns.iter().map(String::as_str);
        let key = self.key.iter().map(|column| column.name.as_str());
        told.chain(key.filter(|name| !self.columns.iter().any(|told| told == name)))
    }

    /// How many columns are read.
    pub(super) fn width(&self) -> usize {
        self.read_columns().count()
    }

    /// Where each column of the key stands among those read.
    pub(super) fn key_places(&self) -> Vec<usize> {
        let place = |column: &KeyColumn| self.read_columns().position(|name| name == column.name);
        self.key.iter().filter_map(place).collect()
    }
}

/// Whether a table's children are read with it.
pub(super) fn reach(table: &TableFacts) -> Reach {
    if table.kind == TableKind::Partitioned {
        Reach::Partitions
    } else {
        Reach::Only
    }
}

/// A WHERE clause of all of these; nothing where there are none.
fn wherever(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        return String::new();
    }
    format!(" WHERE {}", all.join(" AND "))
}

fn qualified(column: &str) -> String {
    format!("t.{}", quote::ident(column))
}

/// The identities that rows of the table are told with, and whose they are.
fn identities(table: &TableFacts) -> impl Iterator<Item = (&TableName, &Identity)> {
    let own = (table.kind != TableKind::Partitioned).then_some((&table.name, &table.identity));
    let leaves = table.leaves.iter().map(|leaf| (&leaf.name, &leaf.identity));
    own.into_iter().chain(leaves)
}

fn is_within(unique: &Unique, among: &[String]) -> bool {
    unique.columns.iter().all(|column| among.contains(column))
}

fn carries(identity: &Identity, unique: &Unique) -> bool {
    is_within(unique, &identity.columns)
}

/// The key of a unique index; none where a value may be null, is not in the stream or cannot be compared.
fn key_of(table: &TableFacts, unique: &Unique) -> Option<Vec<KeyColumn>> {
    let key = unique.columns.iter().map(|name| {
        let column = table.column(name)?;
        let fits = column.nullable == Nullable::No && column.generated == Generated::No && ordered(&column.sql_type);
        fits.then(|| KeyColumn {
            name: name.clone(),
            type_text: column.type_text.clone(),
        })
    });
    key.collect::<Option<Vec<_>>>().filter(|key| !key.is_empty())
}

/// Whether `>` in `pg_catalog` means the order in which the type is sorted. A type of an extension, such as citext, has
/// operators in a schema that the session does not look into; `>` would be that of text, and rows would be passed over.
fn ordered(sql_type: &SqlType) -> bool {
    match sql_type {
        // `format_type` qualifies whatever lies outside of pg_catalog.
        SqlType::Other(name) => !name.contains('.'),
        SqlType::Array(element) => ordered(element),
        SqlType::Bool
        | SqlType::Int2
        | SqlType::Int4
        | SqlType::Int8
        | SqlType::Float4
        | SqlType::Float8
        | SqlType::Numeric
        | SqlType::Text
        | SqlType::Bpchar
        | SqlType::Bytea
        | SqlType::Date
        | SqlType::Time
        | SqlType::TimeTz
        | SqlType::Timestamp
        | SqlType::TimestampTz
        | SqlType::Interval
        | SqlType::Uuid
        | SqlType::Json
        | SqlType::Enum(_) => true,
    }
}

fn no_row_identity(table: &TableFacts, among: &[String]) -> Finding {
    if let Some((column, type_text)) = unordered(table, among) {
        let what = format!(
            "{}: rows cannot be read in the order of {column}, which is {type_text}",
            table.name
        );
        return Finding::error(Cause::Surroundings, "backfill.no_row_identity", what)
            .because("what `>` means for a type of an extension depends on where that is installed, and rows could be passed over")
            .repair("name another unique key of the table in `key`.");
    }
    Finding::error(
        Cause::Surroundings,
        "backfill.no_row_identity",
        format!(
            "the table {} has no unique key of {} that is never null and part of its replica identity",
            table.name,
            among.join(", ")
        ),
    )
    .because("a row that is read could not be matched with the changes that the stream tells of it")
    .repair(repair(table, among))
}

/// A column whose type alone keeps a unique key from being read by, and that type.
fn unordered<'a>(table: &'a TableFacts, among: &[String]) -> Option<(&'a str, &'a str)> {
    let inside = table.uniques.iter().find(|unique| is_within(unique, among))?;
    let mut columns = inside.columns.iter().filter_map(|name| table.column(name));
    let column = columns.find(|column| !ordered(&column.sql_type))?;
    Some((&column.name, &column.type_text))
}

/// Statements after which the table has such a key.
fn repair(table: &TableFacts, among: &[String]) -> String {
    let inside = table.uniques.iter().filter(|unique| is_within(unique, among));
    let usable = inside.filter(|unique| key_of(table, unique).is_some());
    let Some(unique) = usable.min_by_key(|unique| unique.kind != UniqueKind::PrimaryKey) else {
        return format!("ALTER TABLE {} ADD PRIMARY KEY (COLUMN, …);", table.name.quoted());
    };
    let lacking = identities(table).filter(|(_, identity)| !carries(identity, unique));
    let statements: Vec<String> = lacking
        .map(|(name, _)| match (unique.kind, table.kind) {
            (UniqueKind::PrimaryKey, _) => format!("ALTER TABLE {} REPLICA IDENTITY DEFAULT;", name.quoted()),
            // A leaf's index has a name of its own.
            (UniqueKind::Unique, TableKind::Partitioned) => name.full_identity_sql(),
            (UniqueKind::Unique, _) => format!(
                "ALTER TABLE {} REPLICA IDENTITY USING INDEX {};",
                name.quoted(),
                quote::ident(&unique.name)
            ),
        })
        .collect();
    statements.join(" ")
}
