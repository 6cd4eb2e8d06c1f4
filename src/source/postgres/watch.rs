//! Looks, every few seconds, at what the position rests on: quiet and broken look alike in the stream.

use std::collections::BTreeMap;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Identity};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::SourceError;
use crate::source::postgres::proof::{Ground, altered, difference};
use crate::source::postgres::publication;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::{Sql, get, halt};
use crate::source::postgres::{catalog, slot};

/// A partition whose row type was made by another transaction than its place in the tree was attached, with its rows.
const PARTITIONS: &str = "SELECT c.oid, n.nspname::text, c.relname::text, i.xmin::text, t.xmin::text <> i.xmin::text, \
     r.root FROM unnest($1::oid[]) AS r(root), pg_partition_tree(r.root) AS p \
     JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_type t ON t.typrelid = c.oid \
     WHERE p.relid <> r.root ORDER BY c.oid";

/// What a look shows while all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Bytes of log that the slot makes the server keep.
    pub retained_bytes: u64,
    /// Bytes until the slot may be lost; none where nothing limits it.
    pub safe_bytes: Option<u64>,
    /// End of the server's log.
    pub server_lsn: Lsn,
    /// What changed and loses nothing, but should be known: a partition more, or one less.
    pub news: Vec<Finding>,
}

/// Watches.
#[derive(Debug)]
pub struct Watch {
    settings: Settings,
    checkpoint: Checkpoint,
    sql: Option<Sql>,
    before: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    identities: BTreeMap<TableName, Identity>,
    partitions: BTreeMap<u32, Partition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Partition {
    name: TableName,
    inherits: String,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    MadeEmpty,
    Attached,
}

impl Watch {
    /// Watches what `checkpoint` (as the proof completed it) rests on. Connects at the first look.
    pub fn new(settings: Settings, checkpoint: Checkpoint) -> Self {
        Self {
            settings,
            checkpoint,
            sql: None,
            before: None,
        }
    }

    /// Looks once; connects (again) where there is no connection.
    ///
    /// # Errors
    /// A halt with the finding where something changed that may have cost changes; transient where the server
    /// cannot be asked.
    pub fn look(&mut self) -> Result<Watched, SourceError> {
        let mut sql = match self.sql.take() {
            Some(sql) => sql,
            None => Sql::connect(&self.settings)?,
        };
        let watched = sql.at_one_moment(|sql| self.compare(sql))?;
        self.sql = Some(sql);
        Ok(watched)
    }

    fn compare(&mut self, sql: &mut Sql) -> Result<Watched, SourceError> {
        let facts = slot::read(sql, &self.settings.slot)?;
        let slot = slot::require(facts.as_ref(), &self.settings)?;
        let mut catalog = Catalog::default();
        for table in catalog::outline(sql, &self.settings.table_names())? {
            catalog.tables.insert(table.name.clone(), table);
        }
        let publications = publication::read(sql, &self.settings)?;
        let ground = Ground::new(&self.settings, &catalog, &publications);
        let seen = Seen {
            partitions: partitions(sql, &catalog)?,
            identities: identities(&catalog),
        };
        // First what the next start does not find any more: the rows that a partition brought along.
        let (mut found, news) = match &self.before {
            Some(before) => partition_changes(before, &seen),
            None => (Vec::new(), Vec::new()),
        };
        found.extend(difference(&self.checkpoint, &ground, &self.settings));
        found.extend(altered(&self.checkpoint, &ground));
        found.extend(
            publication::check(&self.settings, &catalog, &publications)
                .into_iter()
                .filter(|finding| finding.severity == crate::finding::Severity::Error),
        );
        if let Some(before) = &self.before {
            found.extend(changed(before, &seen));
        }
        if let Some(finding) = found.into_iter().next() {
            return Err(halt(finding));
        }
        self.before = Some(seen);
        Ok(Watched {
            retained_bytes: slot.retained_bytes(),
            safe_bytes: slot.safe_bytes,
            server_lsn: slot.server_lsn,
            news,
        })
    }
}

fn identities(catalog: &Catalog) -> BTreeMap<TableName, Identity> {
    let mut out = BTreeMap::new();
    for table in catalog.tables.values() {
        if table.leaves.is_empty() {
            out.insert(table.name.clone(), table.identity.clone());
        }
        out.extend(
            table
                .leaves
                .iter()
                .map(|leaf| (leaf.name.clone(), leaf.identity.clone())),
        );
    }
    out
}

fn partitions(sql: &mut Sql, catalog: &Catalog) -> Result<BTreeMap<u32, Partition>, SourceError> {
    let roots: Vec<u32> = catalog
        .tables
        .values()
        .filter(|table| !table.leaves.is_empty())
        .map(|table| table.oid)
        .collect();
    let mut out = BTreeMap::new();
    for row in sql.ask(PARTITIONS, &[&roots])? {
        let partition = Partition {
            name: TableName {
                schema: get(&row, 1)?,
                name: get(&row, 2)?,
            },
            inherits: get(&row, 3)?,
            origin: if get::<Option<bool>>(&row, 4)?.unwrap_or(true) {
                Origin::Attached
            } else {
                Origin::MadeEmpty
            },
        };
        out.insert(get(&row, 0)?, partition);
    }
    Ok(out)
}

fn error(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
}

fn changed(before: &Seen, now: &Seen) -> Vec<Finding> {
    let mut out = Vec::new();
    for (table, was) in &before.identities {
        let Some(is) = now.identities.get(table) else { continue };
        // By number: a column that was renamed is still there. What was dropped under FULL had nothing to give any more.
        let less = was.attnums.iter().any(|column| !is.attnums.contains(column));
        if less && is.kind != ReplicaIdentity::Full {
            out.push(
                error(
                    "source.identity_weaker",
                    format!("the replica identity of {table} gives less of the old row"),
                )
                .because("which entities a change left or entered may no longer be known")
                .repair(table.full_identity_sql()),
            );
        }
    }
    out
}

fn partition_changes(before: &Seen, now: &Seen) -> (Vec<Finding>, Vec<Finding>) {
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for (oid, partition) in &now.partitions {
        let name = &partition.name;
        if before
            .partitions
            .get(oid)
            .is_some_and(|was| was.inherits == partition.inherits)
        {
            continue;
        }
        match partition.origin {
            Origin::Attached => bad.push(
                error(
                    "source.partition_attached",
                    format!("the partition {name} was attached"),
                )
                .because("rows that it brought with it are not in the stream")
                .repair("start again, then: walbridge backfill -c FILE ENTITY, for each on this table"),
            ),
            Origin::MadeEmpty => {
                let what = format!("the partition {name} was made");
                good.push(Finding::note(Cause::Surroundings, "source.partition_made", what));
            }
        }
    }
    for (oid, partition) in &before.partitions {
        if !now.partitions.contains_key(oid) {
            good.push(
                Finding::warning(
                    Cause::Surroundings,
                    "source.partition_gone",
                    format!("the partition {} was dropped or detached", partition.name),
                )
                .because("its rows went without a DELETE: what was published of them stays"),
            );
        }
    }
    (bad, good)
}
