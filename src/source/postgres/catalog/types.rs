//! Types of columns: domains taken off, arrays and enums read.

use std::collections::{BTreeMap, BTreeSet};

use crate::flow::catalog::{Nullable, SqlType};
use crate::source::SourceError;
use crate::source::postgres::catalog::allowed;
use crate::source::postgres::sql::{Sql, get};

const TYPES: &str = "SELECT t.oid, n.nspname = 'pg_catalog', t.typname::text, t.typtype::text, t.typbasetype, \
     CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typname NOT IN ('int2vector', 'oidvector') \
     THEN t.typelem ELSE 0 END, t.typnotnull, format_type(t.oid, NULL), \
     CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END, \
     array(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder), \
     array(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k \
     WHERE k.contypid = t.oid AND k.contype = 'c' AND k.convalidated ORDER BY k.conname) \
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY($1)";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    BuiltIn,
    Other,
}

struct TypeRow {
    schema: Schema,
    name: String,
    kind: String,
    base: u32,
    element: u32,
    nullable: Nullable,
    text: String,
    base_text: Option<String>,
    labels: Vec<String>,
    checks: Vec<String>,
}

/// What is left of a type when its domains are taken off.
pub(super) struct Base {
    pub(super) sql_type: SqlType,
    pub(super) text: Option<String>,
    pub(super) nullable: Nullable,
    pub(super) allowed: Option<Vec<String>>,
}

/// How deep domains over domains and arrays of them are followed.
const DEPTH_MAX: usize = 32;

/// The types of some columns, and what they are made of.
pub(super) struct Types(BTreeMap<u32, TypeRow>);

impl Types {
    pub(super) fn read(sql: &mut Sql, used: BTreeSet<u32>) -> Result<Self, SourceError> {
        let mut known = BTreeMap::new();
        let mut wanted: Vec<u32> = used.into_iter().collect();
        while !wanted.is_empty() {
            let mut next = BTreeSet::new();
            for row in sql.ask(TYPES, &[&wanted])? {
                let found = TypeRow {
                    schema: if get(&row, 1)? { Schema::BuiltIn } else { Schema::Other },
                    name: get(&row, 2)?,
                    kind: get(&row, 3)?,
                    base: get(&row, 4)?,
                    element: get(&row, 5)?,
                    nullable: if get(&row, 6)? { Nullable::No } else { Nullable::Yes },
                    text: get(&row, 7)?,
                    base_text: get(&row, 8)?,
                    labels: get(&row, 9)?,
                    checks: get(&row, 10)?,
                };
                next.extend([found.base, found.element]);
                known.insert(get(&row, 0)?, found);
            }
            wanted = next
                .into_iter()
                .filter(|oid| *oid != 0 && !known.contains_key(oid))
                .collect();
        }
        Ok(Self(known))
    }

    pub(super) fn base(&self, mut oid: u32) -> Base {
        let mut out = Base {
            sql_type: SqlType::Other(String::new()),
            text: None,
            nullable: Nullable::Yes,
            allowed: None,
        };
        for _ in 0..DEPTH_MAX {
            let Some(found) = self.0.get(&oid).filter(|found| found.kind == "d") else {
                break;
            };
            if found.nullable == Nullable::No {
                out.nullable = Nullable::No;
            }
            let list = found
                .checks
                .iter()
                .find_map(|definition| allowed::values(definition, "VALUE"));
            out.allowed = out.allowed.or(list);
            out.text.clone_from(&found.base_text);
            oid = found.base;
        }
        out.sql_type = self.sql_type(oid, DEPTH_MAX);
        out
    }

    /// As `format_type` writes it; empty for a type that is gone.
    pub(super) fn text(&self, oid: u32) -> String {
        self.0.get(&oid).map(|found| found.text.clone()).unwrap_or_default()
    }

    fn sql_type(&self, oid: u32, depth: usize) -> SqlType {
        let Some(found) = self.0.get(&oid) else {
            return SqlType::Other(String::new());
        };
        let Some(depth) = depth.checked_sub(1) else {
            return SqlType::Other(found.text.clone());
        };
        match found.kind.as_str() {
            "d" => return self.sql_type(found.base, depth),
            "e" => return SqlType::Enum(found.labels.clone()),
            _ if found.element != 0 => return SqlType::Array(Box::new(self.sql_type(found.element, depth))),
            _ if found.schema == Schema::Other => return SqlType::Other(found.text.clone()),
            _ => {}
        }
        match found.name.as_str() {
            "bool" => SqlType::Bool,
            "int2" => SqlType::Int2,
            "int4" => SqlType::Int4,
            "int8" => SqlType::Int8,
            "float4" => SqlType::Float4,
            "float8" => SqlType::Float8,
            "numeric" => SqlType::Numeric,
            "text" | "varchar" | "name" => SqlType::Text,
            "bpchar" => SqlType::Bpchar,
            "bytea" => SqlType::Bytea,
            "date" => SqlType::Date,
            "time" => SqlType::Time,
            "timetz" => SqlType::TimeTz,
            "timestamp" => SqlType::Timestamp,
            "timestamptz" => SqlType::TimestampTz,
            "interval" => SqlType::Interval,
            "uuid" => SqlType::Uuid,
            "json" | "jsonb" => SqlType::Json,
            _ => SqlType::Other(found.text.clone()),
        }
    }
}
