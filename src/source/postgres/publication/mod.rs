//! The publications: what the server says of them, and whether they tell all that the mapped tables need.

use std::collections::BTreeMap;

use crate::flow::catalog::{Catalog, TableFacts, TableKind};
use crate::flow::checkpoint::PublicationMark;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::settings::{FollowedTable, Publish, Settings};
use crate::source::postgres::sql::{Sql, get};

mod check;

pub(crate) use crate::source::postgres::publication::check::no_identity;
pub use crate::source::postgres::publication::check::{check, hidden};

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationFacts {
    /// OID in `pg_publication`.
    pub oid: u32,
    /// Version of its row in `pg_publication`.
    pub version: String,
    /// OID of its owner.
    pub owner: u32,
    /// Operations it tells, in PostgreSQL's words: `insert`, `update`, `delete`, `truncate`.
    pub operations: Vec<String>,
    /// Under whose name partitions are told.
    pub partitions: Partitions,
    /// Which tables it covers beside its members.
    pub reach: Reach,
    /// The mapped tables it covers.
    pub members: BTreeMap<TableName, Membership>,
    /// Whatever tables are its members by themselves, by the OID in `pg_publication_rel`: it outlives a table's name.
    pub named: BTreeMap<u32, TableName>,
}

/// Under whose name the changes of partitions are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitions {
    /// The published root's (`publish_via_partition_root`).
    AsRoot,
    /// Their own.
    AsLeaf,
}

/// Which tables a publication covers beside its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// None.
    Members,
    /// Every table of the database.
    AllTables,
}

/// A table in a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// OID in `pg_publication_rel` (or `pg_publication_namespace`); 0 under FOR ALL TABLES.
    pub oid: u32,
    /// Whether a row filter hides rows.
    pub filter: Filter,
    /// The published columns, where they are listed.
    pub columns: Option<Vec<String>>,
    /// The published root, where the changes of this partition are told under its name.
    pub told_as: Option<TableName>,
}

/// Whether a row filter hides rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// None does.
    None,
    /// One does.
    Rows,
}

impl PublicationFacts {
    /// What a position that rests on it keeps.
    pub fn mark(&self) -> PublicationMark {
        let partitions = match self.partitions {
            Partitions::AsRoot => "as roots",
            Partitions::AsLeaf => "as leaves",
        };
        PublicationMark {
            oid: self.oid,
            version: self.version.clone(),
            harmless: format!("owner {}, {partitions}", self.owner),
        }
    }
}

/// Publications by name.
pub type Publications = BTreeMap<String, PublicationFacts>;

/// Name of the second publication, which tells inserts only.
pub fn inserts_name(settings: &Settings) -> String {
    format!("{}_inserts", settings.publication)
}

/// In which of the two publications a table belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In the one that tells everything.
    Main,
    /// In `<publication>_inserts`.
    Inserts,
}

/// Where a table belongs: into the second publication where inserts suffice and it (or one of its leaves) has no
/// identity, since a publication that tells updates would make the application's UPDATE and DELETE fail.
pub fn home(publish: Publish, table: &TableFacts) -> Home {
    match publish {
        Publish::InsertsSuffice if !without_identity(table).is_empty() => Home::Inserts,
        Publish::InsertsSuffice | Publish::Everything => Home::Main,
    }
}

/// The table or those of its leaves that have no identity. Of a partitioned table only the leaves hold rows.
pub fn without_identity(table: &TableFacts) -> Vec<&TableName> {
    if table.kind == TableKind::Partitioned && !table.leaves.is_empty() {
        return table
            .leaves
            .iter()
            .filter(|leaf| leaf.identity.columns.is_empty())
            .map(|leaf| &leaf.name)
            .collect();
    }
    if table.identity.columns.is_empty() {
        vec![&table.name]
    } else {
        Vec::new()
    }
}

/// Where a table is told from now: where it is a member already, else where it belongs. A table that got an identity
/// later stays where it is.
pub fn seat(settings: &Settings, followed: &FollowedTable, table: &TableFacts, now: &Publications) -> Home {
    let home = home(followed.publish, table);
    let member = |name: &str| {
        now.get(name)
            .is_some_and(|facts| facts.members.contains_key(&followed.name))
    };
    let stays = followed.publish == Publish::InsertsSuffice
        && !member(&settings.publication)
        && member(&inserts_name(settings));
    if stays { Home::Inserts } else { home }
}

/// The publications to stream from, in the order START_REPLICATION names them. The second one also where no table sits in
/// it any longer: of one that moved to the first, it told the inserts that were logged before.
pub fn needed(settings: &Settings, catalog: &Catalog, now: &Publications) -> Vec<String> {
    let mut out = vec![settings.publication.clone()];
    let is_there = now.contains_key(&inserts_name(settings));
    let is_seat = settings.tables.iter().any(|followed| {
        let table = catalog.tables.get(&followed.name);
        table.is_some_and(|table| seat(settings, followed, table, now) == Home::Inserts)
    });
    if is_there || is_seat {
        out.push(inserts_name(settings));
    }
    out
}

/// Reads both publications, as far as they exist.
///
/// # Errors
/// See [`SourceError`].
pub fn read(sql: &mut Sql, settings: &Settings) -> Result<Publications, SourceError> {
    let names = [settings.publication.clone(), inserts_name(settings)];
    let mut out = BTreeMap::new();
    let query = "SELECT p.pubname::text, p.oid, array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END, \
         CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, \
         CASE WHEN p.pubtruncate THEN 'truncate' END], NULL), p.pubviaroot, p.puballtables, \
         p.xmin::text, p.pubowner \
         FROM pg_publication p WHERE p.pubname = ANY($1)";
    for row in sql.ask(query, &[&names.as_slice()])? {
        let facts = PublicationFacts {
            oid: get(&row, 1)?,
            version: get(&row, 5)?,
            owner: get(&row, 6)?,
            operations: get(&row, 2)?,
            partitions: if get(&row, 3)? {
                Partitions::AsRoot
            } else {
                Partitions::AsLeaf
            },
            reach: if get(&row, 4)? {
                Reach::AllTables
            } else {
                Reach::Members
            },
            members: BTreeMap::new(),
            named: BTreeMap::new(),
        };
        out.insert(get(&row, 0)?, facts);
    }
    members(sql, settings, &mut out)?;
    let query = "SELECT p.pubname::text, r.oid, n.nspname::text, c.relname::text FROM pg_publication p \
         JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = ANY($1)";
    for row in sql.ask(query, &[&names.as_slice()])? {
        if let Some(facts) = out.get_mut(get::<&str>(&row, 0)?) {
            let table = TableName::new(get::<&str>(&row, 2)?, get::<&str>(&row, 3)?);
            facts.named.insert(get(&row, 1)?, table);
        }
    }
    Ok(out)
}

fn members(sql: &mut Sql, settings: &Settings, out: &mut Publications) -> Result<(), SourceError> {
    let (filter, list, schema) = if sql.version() >= 150_000 {
        (
            "r.prqual IS NOT NULL",
            "CASE WHEN r.prattrs IS NOT NULL THEN array(SELECT a.attname::text FROM pg_attribute a \
             WHERE a.attrelid = r.prrelid AND a.attnum = ANY(r.prattrs::int2[]) ORDER BY a.attnum) END",
            "UNION ALL SELECT s.oid, s.pnpubid, false, NULL::text[], 1 FROM pg_publication_namespace s \
             WHERE s.pnnspid = c.relnamespace OR s.pnnspid IN (SELECT f.relnamespace FROM family f)",
        )
    } else {
        ("false", "NULL::text[]", "")
    };
    // A partition is covered by its ancestors' membership too.
    let query = format!(
        "SELECT p.pubname::text, n.nspname::text, c.relname::text, m.oid, m.filtered, m.columns \
         FROM unnest($2::text[], $3::text[]) AS wanted(s, t) JOIN pg_namespace n ON n.nspname = wanted.s \
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.t CROSS JOIN pg_publication p \
         CROSS JOIN LATERAL (WITH family AS (SELECT k.oid, k.relnamespace FROM pg_class k WHERE k.oid = c.oid \
         OR c.relispartition AND k.oid IN (SELECT relid FROM pg_partition_ancestors(c.oid))) \
         SELECT * FROM (SELECT r.oid, r.prpubid, {filter} AS filtered, {list} AS columns, 0 AS rank \
         FROM pg_publication_rel r JOIN family f ON f.oid = r.prrelid {schema}) AS every \
         WHERE every.prpubid = p.oid ORDER BY every.rank, every.oid LIMIT 1) AS m WHERE p.pubname = ANY($1)"
    );
    let (names, schemas, tables) = wanted(settings, out);
    let rows = sql.ask(&query, &[&names, &schemas, &tables])?;
    for row in rows {
        let member = Membership {
            oid: get(&row, 3)?,
            filter: if get(&row, 4)? { Filter::Rows } else { Filter::None },
            columns: get(&row, 5)?,
            told_as: None,
        };
        if let Some(facts) = out.get_mut(get::<&str>(&row, 0)?) {
            facts.members.insert(
                TableName {
                    schema: get(&row, 1)?,
                    name: get(&row, 2)?,
                },
                member,
            );
        }
    }
    for facts in out.values_mut().filter(|facts| facts.reach == Reach::AllTables) {
        for followed in &settings.tables {
            let all = Membership {
                oid: 0,
                filter: Filter::None,
                columns: None,
                told_as: None,
            };
            facts.members.entry(followed.name.clone()).or_insert(all);
        }
    }
    roots(sql, settings, out)
}

/// Finds the mapped partitions whose changes come under an ancestor's name: of the published ancestors it is the topmost
/// (`get_rel_sync_entry` in PostgreSQL's pgoutput.c).
fn roots(sql: &mut Sql, settings: &Settings, out: &mut Publications) -> Result<(), SourceError> {
    let schema = if sql.version() >= 150_000 {
        "OR EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = k.relnamespace)"
    } else {
        ""
    };
    let query = format!(
        "SELECT p.pubname::text, n.nspname::text, c.relname::text, top.schema, top.name \
         FROM unnest($2::text[], $3::text[]) AS wanted(s, t) JOIN pg_namespace n ON n.nspname = wanted.s \
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.t AND c.relispartition \
         JOIN pg_publication p ON p.pubviaroot \
         CROSS JOIN LATERAL (SELECT kn.nspname::text AS schema, k.relname::text AS name \
         FROM pg_partition_ancestors(c.oid) WITH ORDINALITY AS a(relid, height) \
         JOIN pg_class k ON k.oid = a.relid JOIN pg_namespace kn ON kn.oid = k.relnamespace \
         WHERE k.oid <> c.oid AND (p.puballtables {schema} OR EXISTS (SELECT FROM pg_publication_rel r \
         WHERE r.prpubid = p.oid AND r.prrelid = k.oid)) ORDER BY a.height DESC LIMIT 1) AS top \
         WHERE p.pubname = ANY($1)"
    );
    let (names, schemas, tables) = wanted(settings, out);
    for row in sql.ask(&query, &[&names, &schemas, &tables])? {
        let table = TableName {
            schema: get(&row, 1)?,
            name: get(&row, 2)?,
        };
        let root = TableName {
            schema: get(&row, 3)?,
            name: get(&row, 4)?,
        };
        let publication = out.get_mut(get::<&str>(&row, 0)?);
        if let Some(member) = publication.and_then(|facts| facts.members.get_mut(&table)) {
            member.told_as = Some(root);
        }
    }
    Ok(())
}

/// Names of the publications, and schemas and names of the mapped tables, as parameters.
fn wanted<'a>(settings: &'a Settings, publications: &Publications) -> (Vec<String>, Vec<&'a str>, Vec<&'a str>) {
    let schema = |table: &'a FollowedTable| table.name.schema.as_str();
    let name = |table: &'a FollowedTable| table.name.name.as_str();
    (
        publications.keys().cloned().collect(),
        settings.tables.iter().map(schema).collect(),
        settings.tables.iter().map(name).collect(),
    )
}
