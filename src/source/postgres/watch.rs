//! Looks, every few seconds, at what the position rests on: quiet and broken look alike in the stream.

use std::collections::BTreeMap;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, Identity};
use crate::flow::checkpoint::{Checkpoint, Leaves};
use crate::flow::position::Lsn;
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::source::SourceError;
use crate::source::postgres::facts::{Facts, came, news};
use crate::source::postgres::proof::{Ground, altered, difference};
use crate::source::postgres::publication;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::slot;
use crate::source::postgres::sql::{Sql, halt};

/// What a look shows while all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Bytes of log that the slot makes the server keep.
    pub retained_bytes: u64,
    /// Bytes until the slot may be lost; none where nothing limits it.
    pub safe_bytes: Option<u64>,
    /// End of the server's log.
    pub server_lsn: Lsn,
    /// What changed and loses nothing, but should be known: a partition less.
    pub news: Vec<Finding>,
    /// A partition that came: whoever follows begins anew, and compares.
    pub came: Option<TableName>,
}

/// Watches.
#[derive(Debug)]
pub struct Watch {
    settings: Settings,
    checkpoint: Checkpoint,
    sql: Option<Sql>,
    identities: Option<BTreeMap<TableName, Identity>>,
    leaves: Option<Leaves>,
}

impl Watch {
    /// Watches what `checkpoint` (as the proof completed it) rests on. Connects at the first look.
    pub fn new(settings: Settings, checkpoint: Checkpoint) -> Self {
        Self {
            settings,
            leaves: checkpoint.leaves.clone(),
            checkpoint,
            sql: None,
            identities: None,
        }
    }

    /// Partitions as the last look saw them.
    pub(super) fn leaves(&self) -> Option<Leaves> {
        self.leaves.clone()
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
        let Facts { catalog, publications } = Facts::read(sql, &self.settings)?;
        let ground = Ground::new(&self.settings, &catalog, &publications);
        let mut found = difference(&self.checkpoint, &ground, &self.settings);
        found.extend(altered(&self.checkpoint, &ground));
        found.extend(
            publication::check(&self.settings, &catalog, &publications)
                .into_iter()
                .filter(|finding| finding.severity == crate::finding::Severity::Error),
        );
        let identities = identities(&catalog);
        if let Some(before) = &self.identities {
            found.extend(changed(before, &identities));
        }
        if let Some(finding) = found.into_iter().next() {
            return Err(halt(finding));
        }
        let came = came(self.leaves.as_ref(), &catalog).next();
        let watched = Watched {
            retained_bytes: slot.retained_bytes(),
            safe_bytes: slot.safe_bytes,
            server_lsn: slot.server_lsn,
            news: news(self.leaves.as_ref(), ground.leaves.as_ref()),
            came: came.map(|(_, leaf)| leaf.name.clone()),
        };
        (self.identities, self.leaves) = (Some(identities), ground.leaves);
        Ok(watched)
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

fn error(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
}

fn changed(before: &BTreeMap<TableName, Identity>, now: &BTreeMap<TableName, Identity>) -> Vec<Finding> {
    let mut out = Vec::new();
    for (table, was) in before {
        let Some(is) = now.get(table) else { continue };
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
