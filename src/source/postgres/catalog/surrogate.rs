//! Which columns hold numbers that only the database gives out, and which refer to those.

use std::collections::BTreeMap;

use crate::flow::catalog::Surrogate;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::sql::{Sql, get};

/// From each column along its foreign keys, also those of several columns, to whole numbers that are counted: by identity, or
/// by a default that asks a sequence. A text that a sequence is part of was made to be shown. One that is counted itself stands
/// first.
const COUNTED: &str = "WITH RECURSIVE way(root, column_of_root, relid, attnum) AS (\
     SELECT a.attrelid, a.attnum, a.attrelid, a.attnum FROM pg_attribute a \
     WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped \
     UNION SELECT w.root, w.column_of_root, k.confrelid, pair.referred FROM way w \
     JOIN pg_constraint k ON k.conrelid = w.relid AND k.contype = 'f', \
     unnest(k.conkey, k.confkey) AS pair(referring, referred) WHERE pair.referring = w.attnum) \
     SELECT w.root, own.attname::text, n.nspname::text, c.relname::text, a.attname::text, w.relid = w.root AND w.attnum = w.column_of_root \
     FROM way w JOIN pg_attribute own ON own.attrelid = w.root AND own.attnum = w.column_of_root \
     JOIN pg_attribute a ON a.attrelid = w.relid AND a.attnum = w.attnum JOIN pg_class c ON c.oid = w.relid \
     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid \
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
     WHERE CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) \
     AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%') ORDER BY 6 DESC, 3, 4, 5";

/// By table and column.
///
/// # Errors
/// See [`SourceError`].
pub(super) fn read(sql: &mut Sql, tables: &[u32]) -> Result<BTreeMap<(u32, String), Surrogate>, SourceError> {
    let mut out = BTreeMap::new();
    for row in sql.ask(COUNTED, &[&tables])? {
        let surrogate = if get(&row, 5)? {
            Surrogate::Counted
        } else {
            Surrogate::RefersTo {
                table: TableName {
                    schema: get(&row, 2)?,
                    name: get(&row, 3)?,
                },
                column: get(&row, 4)?,
            }
        };
        out.entry((get(&row, 0)?, get(&row, 1)?)).or_insert(surrogate);
    }
    Ok(out)
}
