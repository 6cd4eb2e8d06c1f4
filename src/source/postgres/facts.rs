//! What the catalogue says of mapped tables and publications, and which partitions came into them.

use std::collections::BTreeSet;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Leaf};
use crate::flow::checkpoint::Leaves;
use crate::flow::table::TableName;
use crate::source::postgres::catalog;
use crate::source::postgres::publication::{self, Publications};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::{Sql, get};
use crate::source::{Brought, SourceError};

/// The mapped tables, without their columns, and the publications.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) catalog: Catalog,
    pub(super) publications: Publications,
}

impl Facts {
    pub(super) fn read(sql: &mut Sql, settings: &Settings) -> Result<Self, SourceError> {
        let mut catalog = Catalog::default();
        for table in catalog::outline(sql, &settings.table_names())? {
            catalog.tables.insert(table.name.clone(), table);
        }
        Ok(Self {
            catalog,
            publications: publication::read(sql, settings)?,
        })
    }
}

/// Partitions that came since `before` was so: made, or attached with their rows. Where nothing was known before, none did.
pub(super) fn came<'c>(
    before: Option<&Leaves>,
    catalog: &'c Catalog,
) -> impl Iterator<Item = (&'c TableName, &'c Leaf)> {
    let was_there =
        move |table: &TableName, leaf: &Leaf| before.is_none_or(|before| is_among(before, table, &leaf.place));
    let leaves = catalog.tables.values().flat_map(|table| {
        let name = &table.name;
        table.leaves.iter().map(move |leaf| (name, leaf))
    });
    leaves.filter(move |(table, leaf)| !was_there(table, leaf))
}

/// A table that was not there before has no partitions that came: all of it is new.
fn is_among(before: &Leaves, table: &TableName, place: &str) -> bool {
    let known = before.get(&table.to_string());
    known.is_none_or(|known| known.contains_key(place))
}

/// What should be known of partitions that were there `before`, and are not any more: dropped, or detached.
pub(super) fn news(before: Option<&Leaves>, now: Option<&Leaves>) -> Vec<Finding> {
    let (Some(before), Some(now)) = (before, now) else {
        return Vec::new();
    };
    let of_oid = |place: &str| place.split('.').next().unwrap_or_default().to_owned();
    let mut out = Vec::new();
    for (table, was) in before {
        let Some(is) = now.get(table) else { continue };
        let there: BTreeSet<String> = is.keys().map(|place| of_oid(place)).collect();
        let gone = was.iter().filter(|(place, _)| !there.contains(&of_oid(place)));
        out.extend(gone.map(|(_, name)| partition_gone(name)));
    }
    out
}

fn partition_gone(name: &str) -> Finding {
    Finding::warning(
        Cause::Surroundings,
        "source.partition_gone",
        format!("the partition {name} was dropped or detached"),
    )
    .because("its rows went without a DELETE: what was published of them stays")
    .repair("where its rows are to go from state topics too: walbridge backfill -c FILE ENTITY --delete reconcile")
}

/// Those of the partitions that came which have rows. One without a page has none
/// (<https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-DBSIZE>); whether the stream told the
/// others, its catalogue of today does not say.
pub(super) fn brought(sql: &mut Sql, before: Option<&Leaves>, catalog: &Catalog) -> Result<Vec<Brought>, SourceError> {
    let mut out = Vec::new();
    for (table, leaf) in came(before, catalog) {
        let asked = "SELECT coalesce(pg_relation_size($1::oid), 0) > 0, coalesce(pg_get_partition_constraintdef($1::oid), 'true')";
        let row = sql.one(asked, &[&leaf.oid])?;
        if get(&row, 0)? {
            out.push(Brought {
                table: table.clone(),
                partition: leaf.name.clone(),
                bound: get(&row, 1)?,
            });
        }
    }
    Ok(out)
}
