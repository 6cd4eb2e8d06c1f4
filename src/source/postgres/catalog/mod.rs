//! Reads the facts about tables from the system catalogue.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;

use crate::flow::catalog::{
    Access, Catalog, ColumnFacts, Generated, Identity, Lack, Leaf, Nullable, SqlType, TableFacts, TableKind, Toast,
    Unique, UniqueKind,
};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::SourceError;
use crate::source::postgres::catalog::types::Types;
use crate::source::postgres::sql::{Sql, get};

mod allowed;
mod retype;
mod surrogate;
mod types;

pub use crate::source::postgres::catalog::retype::{Retyped, retype};

const TABLES: &str = "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence::text, \
     greatest(coalesce((SELECT sum(greatest(k.reltuples, 0)) FROM pg_partition_tree(c.oid) p JOIN pg_class k ON k.oid = p.relid \
     WHERE p.isleaf), c.reltuples), 0)::int8, \
     has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'SELECT'), \
     row_security_active(c.oid) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN unnest($1::text[], $2::text[]) AS wanted(s, t) ON n.nspname = wanted.s AND c.relname = wanted.t \
     WHERE c.relkind NOT IN ('i', 'I', 't')";

/// No value of at most 24 bytes is stored out of line (`toast_tuple_find_biggest_attribute` of PostgreSQL): so none of a
/// `char` or `varchar` of at most five characters.
const COLUMNS: &str = "SELECT a.attrelid, a.attname::text, a.atttypid, a.atttypmod, a.attnotnull, \
     coalesce(l.collname::text, ''), a.attgenerated <> '', a.attlen = -1 AND a.attstorage <> 'p' \
     AND NOT (a.atttypid IN ('bpchar'::regtype, 'varchar'::regtype) AND a.atttypmod BETWEEN 5 AND 9), \
     format_type(a.atttypid, a.atttypmod) \
     FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation \
     WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";

const UNIQUES: &str = "SELECT i.indrelid, c.relname::text, i.indisprimary, \
     array(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS k \
     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] ORDER BY k) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
     WHERE i.indrelid = ANY($1) AND i.indisunique AND i.indisvalid AND i.indimmediate \
     AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY i.indrelid, NOT i.indisprimary, c.relname";

const IDENTITIES: &str = "SELECT c.oid, c.relreplident::text, array_agg(a.attname ORDER BY a.attnum) \
     FILTER (WHERE a.attnum IS NOT NULL), array_agg(a.attnum ORDER BY a.attnum) FILTER (WHERE a.attnum IS NOT NULL) \
     FROM pg_class c LEFT JOIN LATERAL (SELECT a.attname::text, a.attnum FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
     AND (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid \
     AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL \
     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END \
     AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])))) AS a ON true WHERE c.oid = ANY($1) \
     GROUP BY c.oid, c.relreplident";

const ANCESTORS: &str = "SELECT t.oid, n.nspname::text, c.relname::text FROM unnest($1::oid[]) AS t(oid), \
     pg_partition_ancestors(t.oid) WITH ORDINALITY AS a(relid, height) \
     JOIN pg_class c ON c.oid = a.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE a.relid <> t.oid ORDER BY t.oid, a.height";

const PARTITIONS: &str = "SELECT r.root, c.oid, n.nspname::text, c.relname::text, p.isleaf, p.parentrelid::oid, i.xmin::text \
     FROM unnest($1::oid[]) AS r(root), pg_partition_tree(r.root) AS p \
     JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_inherits i ON i.inhrelid = c.oid \
     WHERE p.relid <> r.root ORDER BY p.level";

const CHECKS: &str = "SELECT k.conrelid, a.attname::text, pg_get_constraintdef(k.oid) FROM pg_constraint k \
     JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] \
     WHERE k.conrelid = ANY($1) AND k.contype = 'c' AND k.convalidated AND cardinality(k.conkey) = 1 ORDER BY k.conname";

/// Reads everything about `tables`; one that does not exist is left out.
///
/// # Errors
/// See [`SourceError`].
pub fn read(sql: &mut Sql, tables: &[TableName]) -> Result<Catalog, SourceError> {
    sql.at_one_moment(|sql| read_all(sql, tables))
}

fn read_all(sql: &mut Sql, tables: &[TableName]) -> Result<Catalog, SourceError> {
    let database = database(sql)?;
    let mut out = Catalog {
        tables: BTreeMap::new(),
        ctype: database.ctype,
        encoding: database.encoding,
        nearest: BTreeMap::new(),
    };
    let found = outline(sql, tables)?;
    let roots: Vec<u32> = found.iter().map(|table| table.oid).collect();
    let mut uniques = uniques(sql, &roots)?;
    let mut columns = columns(sql, &roots, database.order)?;
    for mut table in found {
        table.columns = columns.remove(&table.oid).unwrap_or_default();
        table.uniques = uniques.remove(&table.oid).unwrap_or_default();
        out.tables.insert(table.name.clone(), table);
    }
    for absent in tables.iter().filter(|name| !out.tables.contains_key(name)) {
        if let Some(near) = nearest(sql, absent)? {
            out.nearest.insert(absent.clone(), near);
        }
    }
    Ok(out)
}

/// The table whose name is most like `name`.
fn nearest(sql: &mut Sql, name: &TableName) -> Result<Option<String>, SourceError> {
    let rows = sql.ask(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
         ORDER BY 1 LIMIT 20000",
        &[],
    )?;
    let wanted = name.to_string();
    let mut best: Option<(usize, String)> = None;
    for row in &rows {
        let candidate: String = get(row, 0)?;
        let distance = strsim::damerau_levenshtein(&wanted.to_lowercase(), &candidate.to_lowercase());
        if distance <= wanted.len() / 3 && best.as_ref().is_none_or(|(least, _)| distance < *least) {
            best = Some((distance, candidate));
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}

/// Reads which of `tables` exist, with their identities and leaves, and without columns and uniques.
///
/// # Errors
/// See [`SourceError`].
pub fn outline(sql: &mut Sql, tables: &[TableName]) -> Result<Vec<TableFacts>, SourceError> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut found = Vec::new();
    for row in sql.ask(TABLES, &[&schemas, &names])? {
        found.push(table(&row)?);
    }
    let mut leaves = leaves(sql, &found)?;
    let mut all: Vec<u32> = found.iter().map(|table| table.oid).collect();
    for row in sql.ask(ANCESTORS, &[&all])? {
        let oid: u32 = get(&row, 0)?;
        let ancestor = TableName {
            schema: get(&row, 1)?,
            name: get(&row, 2)?,
        };
        if let Some(table) = found.iter_mut().find(|table| table.oid == oid) {
            table.ancestors.push(ancestor);
        }
    }
    all.extend(leaves.values().flatten().map(|leaf| leaf.oid));
    let identities = identities(sql, &all)?;
    for table in &mut found {
        table.leaves = leaves.remove(&table.oid).unwrap_or_default();
        if let Some(identity) = identities.get(&table.oid) {
            table.identity = identity.clone();
        }
        for leaf in &mut table.leaves {
            if let Some(identity) = identities.get(&leaf.oid) {
                leaf.identity = identity.clone();
            }
        }
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    ByBytes,
    ByLocale,
}

struct Database {
    ctype: String,
    encoding: String,
    order: Order,
}

fn database(sql: &mut Sql) -> Result<Database, SourceError> {
    // An ICU database (15 and later) keeps a `datcollate` beside it that does not order its texts.
    let by_bytes = match sql.version() {
        170_000.. => "CASE datlocprovider WHEN 'c' THEN datcollate IN ('C', 'POSIX') ELSE datlocprovider = 'b' END",
        150_000..170_000 => "datlocprovider = 'c' AND datcollate IN ('C', 'POSIX')",
        _ => "datcollate IN ('C', 'POSIX')",
    };
    let row = sql.one(
        &format!(
            "SELECT datctype::text, pg_encoding_to_char(encoding)::text, {by_bytes} \
             FROM pg_database WHERE datname = current_database()"
        ),
        &[],
    )?;
    let order = if get(&row, 2)? { Order::ByBytes } else { Order::ByLocale };
    Ok(Database {
        ctype: get(&row, 0)?,
        encoding: get(&row, 1)?,
        order,
    })
}

fn nothing() -> Identity {
    Identity {
        kind: ReplicaIdentity::Nothing,
        columns: Vec::new(),
        attnums: Vec::new(),
    }
}

fn table(row: &Row) -> Result<TableFacts, SourceError> {
    let kind: String = get(row, 3)?;
    let persistence: String = get(row, 4)?;
    Ok(TableFacts {
        oid: get(row, 0)?,
        name: TableName {
            schema: get(row, 1)?,
            name: get(row, 2)?,
        },
        kind: match (kind.as_str(), persistence.as_str()) {
            ("r", "p") => TableKind::Ordinary,
            ("p", "p") => TableKind::Partitioned,
            _ => TableKind::Unpublishable,
        },
        identity: nothing(),
        columns: Vec::new(),
        uniques: Vec::new(),
        leaves: Vec::new(),
        rows_estimate: u64::try_from(get::<i64>(row, 5)?).unwrap_or(0),
        ancestors: Vec::new(),
        access: access(row)?,
    })
}

fn access(row: &Row) -> Result<Access, SourceError> {
    let (usage, select, some): (bool, bool, bool) = (get(row, 6)?, get(row, 7)?, get(row, 8)?);
    Ok(match (usage, select) {
        (true, true) if get(row, 9)? => Access::Hidden,
        (true, true) => Access::Granted,
        (true, false) if some => Access::Denied(Lack::Whole),
        (true, false) => Access::Denied(Lack::Select),
        (false, true) => Access::Denied(Lack::Usage),
        (false, false) => Access::Denied(Lack::Both),
    })
}

fn leaves(sql: &mut Sql, tables: &[TableFacts]) -> Result<BTreeMap<u32, Vec<Leaf>>, SourceError> {
    let roots: Vec<u32> = tables
        .iter()
        .filter(|table| table.kind == TableKind::Partitioned)
        .map(|table| table.oid)
        .collect();
    let mut out: BTreeMap<u32, Vec<Leaf>> = BTreeMap::new();
    // Parents come before their parts.
    let mut paths: BTreeMap<u32, String> = BTreeMap::new();
    for row in sql.ask(PARTITIONS, &[&roots])? {
        let (oid, version): (u32, &str) = (get(&row, 1)?, get(&row, 6)?);
        let path = match paths.get(&get::<u32>(&row, 5)?) {
            Some(above) => format!("{version}.{above}"),
            None => version.to_owned(),
        };
        if get(&row, 4)? {
            let leaf = Leaf {
                oid,
                name: TableName {
                    schema: get(&row, 2)?,
                    name: get(&row, 3)?,
                },
                identity: nothing(),
                place: format!("{oid}.{path}"),
            };
            out.entry(get(&row, 0)?).or_default().push(leaf);
        }
        paths.insert(oid, path);
    }
    for leaves in out.values_mut() {
        leaves.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(out)
}

fn identities(sql: &mut Sql, oids: &[u32]) -> Result<BTreeMap<u32, Identity>, SourceError> {
    let mut out = BTreeMap::new();
    for row in sql.ask(IDENTITIES, &[&oids])? {
        let code: String = get(&row, 1)?;
        let kind = code
            .bytes()
            .next()
            .and_then(ReplicaIdentity::from_code)
            .unwrap_or(ReplicaIdentity::Nothing);
        out.insert(
            get(&row, 0)?,
            Identity {
                kind,
                columns: get::<Option<Vec<String>>>(&row, 2)?.unwrap_or_default(),
                attnums: get::<Option<Vec<i16>>>(&row, 3)?.unwrap_or_default(),
            },
        );
    }
    Ok(out)
}

fn uniques(sql: &mut Sql, oids: &[u32]) -> Result<BTreeMap<u32, Vec<Unique>>, SourceError> {
    let mut out: BTreeMap<u32, Vec<Unique>> = BTreeMap::new();
    for row in sql.ask(UNIQUES, &[&oids])? {
        let kind = if get(&row, 2)? {
            UniqueKind::PrimaryKey
        } else {
            UniqueKind::Unique
        };
        let unique = Unique {
            name: get(&row, 1)?,
            columns: get(&row, 3)?,
            kind,
        };
        out.entry(get(&row, 0)?).or_default().push(unique);
    }
    Ok(out)
}

fn columns(sql: &mut Sql, oids: &[u32], order: Order) -> Result<BTreeMap<u32, Vec<ColumnFacts>>, SourceError> {
    let mut lists: BTreeMap<(u32, String), Vec<String>> = BTreeMap::new();
    for row in sql.ask(CHECKS, &[&oids])? {
        let column: String = get(&row, 1)?;
        if let Some(values) = allowed::values(get(&row, 2)?, &column) {
            lists.insert((get(&row, 0)?, column), values);
        }
    }
    let mut counted = surrogate::read(sql, oids)?;
    let rows = sql.ask(COLUMNS, &[&oids])?;
    let mut used = BTreeSet::new();
    for row in &rows {
        used.insert(get(row, 2)?);
    }
    let types = Types::read(sql, used)?;
    let mut out: BTreeMap<u32, Vec<ColumnFacts>> = BTreeMap::new();
    for row in &rows {
        let table: u32 = get(row, 0)?;
        let name: String = get(row, 1)?;
        let key = (table, name);
        let list = lists.remove(&key);
        let facts = ColumnFacts {
            surrogate: counted.remove(&key),
            ..column(row, &types, list, order)?
        };
        out.entry(table).or_default().push(facts);
    }
    Ok(out)
}

fn column(row: &Row, types: &Types, list: Option<Vec<String>>, order: Order) -> Result<ColumnFacts, SourceError> {
    let base = types.base(get(row, 2)?);
    let collation: String = get(row, 5)?;
    let padded = base.sql_type == SqlType::Bpchar;
    let labels = if let SqlType::Enum(labels) = &base.sql_type {
        Some(labels.clone())
    } else {
        None
    };
    let unpadded = |values: Vec<String>| {
        values
            .iter()
            .map(|value| value.trim_end_matches(' ').to_owned())
            .collect()
    };
    Ok(ColumnFacts {
        name: get(row, 1)?,
        type_oid: get(row, 2)?,
        type_text: match base.text {
            Some(text) => text,
            None => get(row, 8)?,
        },
        nullable: if get(row, 4)? { Nullable::No } else { base.nullable },
        collation: if collation == "default" && order == Order::ByBytes {
            "C".to_owned()
        } else {
            collation
        },
        generated: if get(row, 6)? { Generated::Yes } else { Generated::No },
        toast: if get(row, 7)? { Toast::Possible } else { Toast::Never },
        allowed: list
            .or(base.allowed)
            .map(|values| if padded { unpadded(values) } else { values })
            .or(labels),
        sql_type: base.sql_type,
        surrogate: None,
    })
}
