//! What the server says of itself, of mapped tables and of publications, and which partitions came and went.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Leaf};
use crate::flow::checkpoint::Leaves;
use crate::flow::table::TableName;
use crate::source::postgres::connect::Connection;
use crate::source::postgres::proof::{self, Server};
use crate::source::postgres::publication::{self, Publications};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::{Sql, get};
use crate::source::postgres::{catalog, slot};
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

/// Partitions as they were seen last, kept over attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Leaves>>>);

impl Seen {
    pub(super) fn keep(&self, leaves: Option<Leaves>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = leaves;
    }

    pub(super) fn take(&self) -> Option<Leaves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Partitions that came since `before` was so: made, or attached, or attached again. Where nothing was known before, none did.
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

/// What should be known of partitions that were there `before`: that one was dropped or detached, also where it came back.
pub(super) fn news(before: Option<&Leaves>, now: Option<&Leaves>) -> Vec<Finding> {
    let (Some(before), Some(now)) = (before, now) else {
        return Vec::new();
    };
    let of_oid = |place: &str| place.split('.').next().unwrap_or_default().to_owned();
    let mut out = Vec::new();
    for (table, was) in before {
        let Some(is) = now.get(table) else { continue };
        let there: BTreeSet<String> = is.keys().map(|place| of_oid(place)).collect();
        let left = was.iter().filter(|(place, _)| !is.contains_key(*place));
        out.extend(left.map(|(place, name)| match there.contains(&of_oid(place)) {
            true => is_back(name, table),
            false => is_gone(name, table),
        }));
    }
    out
}

/// The same in the log, and where nothing can be known.
pub(super) fn say_news(before: Option<&Leaves>, now: Option<&Leaves>) {
    for finding in news(before, now) {
        tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
    }
    if now.is_none() {
        tracing::warn!(
            "the mapped tables have too many partitions to keep in mind: what one that comes brings is not told"
        );
    }
}

fn is_gone(name: &str, table: &str) -> Finding {
    left(format!("the partition {name} of {table} was dropped or detached"))
        .because("its rows went without a DELETE: what was published of them stays")
}

fn is_back(name: &str, table: &str) -> Finding {
    left(format!("the partition {name} of {table} was detached, and is back"))
        .because("what was deleted of it meanwhile went without a word: what was published of that stays")
}

fn left(what: String) -> Finding {
    Finding::warning(Cause::Surroundings, "source.partition_gone", what)
        .repair("for each entity on the table, where they are to go from its state topic too: walbridge backfill -c FILE ENTITY --delete reconcile")
}

/// Of partitions without a page nothing was brought
/// (<https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-DBSIZE>).
const EMPTY: &str = "SELECT coalesce(pg_relation_size($1::oid), 0) = 0";

/// Those of the partitions that came which may have rows; whether the stream told those, its catalogue of today does not say.
pub(super) fn brought(sql: &mut Sql, before: Option<&Leaves>, catalog: &Catalog) -> Result<Vec<Brought>, SourceError> {
    let mut out = Vec::new();
    let came: Vec<(&TableName, &Leaf)> = came(before, catalog).collect();
    if !came.is_empty() {
        // Somebody may be at work on one, and have locked it for long: the answer is not waited for, the worst is assumed.
        sql.run("SET lock_timeout = '1s'")?;
    }
    for (table, leaf) in came {
        let is_empty = match sql.one(EMPTY, &[&leaf.oid]) {
            Ok(row) => get(&row, 0)?,
            Err(error) => {
                tracing::debug!(%error, partition = %leaf.name, "whether a partition is empty is not known");
                false
            }
        };
        if !is_empty {
            out.push(Brought {
                table: table.clone(),
                partition: leaf.name.clone(),
                oid: leaf.oid,
            });
        }
    }
    Ok(out)
}

/// IDENTIFY_SYSTEM, and the history where there is one.
pub(super) fn identify(connection: &mut Connection) -> Result<Server, SourceError> {
    let rows = connection.ask("IDENTIFY_SYSTEM")?;
    let mut values = rows.into_iter().next().unwrap_or_default().into_iter().flatten();
    let (system, timeline, end) = (values.next(), values.next(), values.next());
    let unreadable = || SourceError::Transient("cannot read what IDENTIFY_SYSTEM says".to_owned());
    let timeline: u32 = timeline.and_then(|text| text.parse().ok()).ok_or_else(unreadable)?;
    let history = if timeline > 1 {
        let rows = connection.ask(&format!("TIMELINE_HISTORY {timeline}"))?;
        let text = rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten();
        text.map(|text| proof::timeline_history(&text))
    } else {
        None
    };
    Ok(Server {
        system_identifier: system.filter(|text| !text.is_empty()).ok_or_else(unreadable)?,
        timeline,
        end_lsn: slot::lsn(&end.ok_or_else(unreadable)?)?,
        history,
    })
}
