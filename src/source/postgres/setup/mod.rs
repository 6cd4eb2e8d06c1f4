//! What the legacy database needs, as SQL: planned, shown, and carried out by an administrator.

use std::time::Duration;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, TableFacts, TableKind};
use crate::flow::position::Lsn;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::proof::Server;
use crate::source::postgres::publication::{self, Home, Publications};
use crate::source::postgres::settings::{FollowedTable, Publish, Settings};
use crate::source::postgres::slot::{self, SlotFacts};
use crate::source::postgres::sql::blocked::blocked;
use crate::source::postgres::sql::quote;
use crate::source::postgres::sql::{Refusal, Sql, get, halt};

mod entitled;
mod grant;
mod migration;
mod publish;
mod renew;

pub use crate::source::postgres::setup::entitled::entitled;
pub use crate::source::postgres::setup::grant::{Granted, grant};
use crate::source::postgres::setup::migration::{SLOT, statement};
pub use crate::source::postgres::setup::migration::{grants_sql, removal_sql};
pub use crate::source::postgres::setup::publish::{Change, publications};
pub use crate::source::postgres::setup::renew::{Renewed, occupied, renew, renew_within, renewable};

/// How long the creation of the slot may wait for open transactions; shorter than an answer may take.
const SLOT_WAIT_MAX: Duration = Duration::from_secs(60);

/// How often a statement is tried that waits for a lock, 3 s each.
const LOCK_TRIES_MAX: u32 = 4;

/// The statements that are missing, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetupPlan {
    /// Publications first: a slot decodes with the catalogue as it was when the change was made.
    pub publications: Vec<Change>,
    /// What makes the slot, where it is missing.
    pub slot: Option<String>,
}

impl SetupPlan {
    /// All of it, in order.
    pub fn statements(&self) -> impl Iterator<Item = &str> {
        let changes = self.publications.iter().map(|change| change.statement.as_str());
        changes.chain(self.slot.as_deref())
    }
}

/// What there is already.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Publications.
    pub publications: Publications,
    /// The slot.
    pub slot: Option<SlotFacts>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The statements that were run.
    pub statements_run: Vec<String>,
    /// Consistent point of a slot that was made: the first position. None: the slot was there.
    pub created_slot: Option<Lsn>,
}

/// Plans for a database that has nothing of it yet; `plan_from` leaves out what is there.
///
/// # Errors
/// Every reason to refuse: what would make the application's own statements fail, or cannot be published.
pub fn plan(settings: &Settings, catalog: &Catalog) -> Result<SetupPlan, Vec<Finding>> {
    plan_from(settings, catalog, &Present::default())
}

/// Plans what is missing.
///
/// # Errors
/// As [`plan`]; also what stands there and cannot be put right without a gap (row filters, another's slot).
pub fn plan_from(settings: &Settings, catalog: &Catalog, present: &Present) -> Result<SetupPlan, Vec<Finding>> {
    let makes = || statement(SLOT, &[("slot", quote::literal(&settings.slot))]);
    Ok(SetupPlan {
        publications: publications(settings, catalog, present)?,
        slot: present.slot.is_none().then(makes),
    })
}

fn refusal(settings: &Settings, catalog: &Catalog, followed: &FollowedTable) -> Option<Finding> {
    let Some(table) = catalog.tables.get(&followed.name) else {
        let what = format!("the table {} does not exist", followed.name);
        return Some(Finding::error(Cause::Config, "source.table_unknown", what).repair("name an existing table"));
    };
    if table.kind == TableKind::Unpublishable {
        return Some(unpublishable(&table.name));
    }
    if let Some(root) = mapped_root(catalog, table) {
        let what = format!("{} is a partition of {root}, and both are mapped", table.name);
        return Some(
            Finding::error(Cause::Config, "source.publication_root", what)
                .because("changes come under one of the two names, and one of them would be told nothing")
                .repair(format!(
                    "map {root} alone (`where` tells its rows apart), or its partitions alone"
                )),
        );
    }
    match (publication::home(followed.publish, table), followed.publish) {
        (Home::Inserts, _) | (Home::Main, Publish::InsertsSuffice) => None,
        (Home::Main, Publish::Everything) => {
            let bare = publication::without_identity(table).into_iter().next()?;
            Some(publication::no_identity(&settings.publication, bare))
        }
    }
}

/// The mapped table that this one is a partition of.
fn mapped_root<'t>(catalog: &Catalog, table: &'t TableFacts) -> Option<&'t TableName> {
    table
        .ancestors
        .iter()
        .find(|ancestor| catalog.tables.contains_key(ancestor))
}

/// The finding for a view, a foreign or an unlogged table.
fn unpublishable(name: &TableName) -> Finding {
    Finding::error(
        Cause::Config,
        "source.table_unpublishable",
        format!("{name} is a view, a foreign, a temporary or an unlogged table, whose changes are not in the log"),
    )
    .repair(format!(
        "name an ordinary table; an unlogged one becomes one by: ALTER TABLE {} SET LOGGED;",
        name.quoted()
    ))
}

/// Reads what there is already.
///
/// # Errors
/// See [`SourceError`].
pub fn present(sql: &mut Sql, settings: &Settings) -> Result<Present, SourceError> {
    Ok(Present {
        publications: publication::read(sql, settings)?,
        slot: slot::read(sql, &settings.slot)?,
    })
}

/// What the first position says of the server, by SQL (a primary's present timeline stands in its log files' names).
///
/// # Errors
/// See [`SourceError`].
pub fn server(sql: &mut Sql) -> Result<Server, SourceError> {
    let row = sql.one(
        "SELECT (SELECT system_identifier::text FROM pg_control_system()), \
         substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), pg_current_wal_flush_lsn()::text",
        &[],
    )?;
    let timeline = u32::from_str_radix(get(&row, 1)?, 16)
        .map_err(|_| SourceError::Transient("cannot read the server's timeline".to_owned()))?;
    Ok(Server {
        system_identifier: get(&row, 0)?,
        timeline,
        end_lsn: slot::lsn(get(&row, 2)?)?,
        history: None,
    })
}

/// Does what is missing, in its order; a second time does nothing. The caller has made sure that no position refers to
/// a slot or publication that is missing (promise I5), and stores the consistent point as the first position.
///
/// # Errors
/// A halt with the first reason of [`plan_from`] before anything is made, or with those who block.
pub fn apply(sql: &mut Sql, settings: &Settings, catalog: &Catalog) -> Result<Applied, SourceError> {
    apply_within(sql, settings, catalog, SLOT_WAIT_MAX)
}

/// As [`apply`]; the slot's creation waits at most `slot_wait` for open transactions.
///
/// # Errors
/// As [`apply`].
pub fn apply_within(
    sql: &mut Sql,
    settings: &Settings,
    catalog: &Catalog,
    slot_wait: Duration,
) -> Result<Applied, SourceError> {
    let present = present(sql, settings)?;
    let plan = plan_from(settings, catalog, &present).map_err(|refused| {
        refused
            .into_iter()
            .next()
            .map_or_else(|| SourceError::Transient("cannot plan".to_owned()), halt)
    })?;
    sql.run("SET default_transaction_read_only = off; SET lock_timeout = '3s'")?;
    let mut out = Applied::default();
    for Change { statement, .. } in plan.publications {
        patiently(sql, &statement)?;
        out.statements_run.push(statement);
    }
    if let Some(statement) = plan.slot {
        out.created_slot = Some(create_slot(sql, &statement, settings, slot_wait)?);
        out.statements_run.push(statement);
    }
    sql.run("SET lock_timeout = 0")?;
    Ok(out)
}

fn patiently(sql: &mut Sql, statement: &str) -> Result<(), SourceError> {
    for _ in 1..LOCK_TRIES_MAX {
        match sql.attempt(statement) {
            Ok(_) => return Ok(()),
            Err(Refusal { state, .. }) if state == "55P03" => std::thread::sleep(Duration::from_secs(1)),
            Err(refusal) => return Err(refusal.error),
        }
    }
    match sql.attempt(statement) {
        Ok(_) => Ok(()),
        Err(Refusal { state, .. }) if state == "55P03" => Err(blocked(sql, "source.lock_blocked", statement)),
        Err(refusal) => Err(refusal.error),
    }
}

fn create_slot(sql: &mut Sql, statement: &str, settings: &Settings, wait: Duration) -> Result<Lsn, SourceError> {
    sql.run(&format!(
        "SET lock_timeout = 0; SET statement_timeout = {}",
        wait.as_millis()
    ))?;
    let answer = sql.attempt(statement);
    sql.run("SET statement_timeout = 0; SET lock_timeout = '3s'")?;
    match answer {
        Ok(rows) => match rows.first() {
            Some(row) => slot::lsn(get(row, 0)?),
            None => Err(SourceError::Transient(
                "cannot read the new slot's consistent point".to_owned(),
            )),
        },
        Err(Refusal { state, .. }) if state == "57014" => Err(blocked(sql, "source.slot_blocked", statement)),
        Err(Refusal { state, .. }) if state == "53400" => {
            let what = format!(
                "the slot {} cannot be made: all replication slots are in use",
                settings.slot
            );
            let repair = "raise max_replication_slots (needs a restart), or drop an unused slot";
            Err(halt(
                Finding::error(Cause::Surroundings, "source.slots_exhausted", what).repair(repair),
            ))
        }
        Err(Refusal { state, .. }) if state == "55000" => Err(halt(slot::too_little_log("not logical"))),
        Err(refusal) => Err(refusal.error),
    }
}

/// Takes a slot that somebody made by hand: its confirmed position is the first position.
///
/// # Errors
/// A halt where the slot cannot be ours, or another connection holds it.
pub fn adopt(sql: &mut Sql, settings: &Settings) -> Result<Lsn, SourceError> {
    let facts = slot::read(sql, &settings.slot)?;
    let facts = slot::require(facts.as_ref(), settings)?;
    if let Some(pid) = facts.active_pid {
        let what = format!("the slot {} is held by the connection of process {pid}", settings.slot);
        return Err(halt(
            Finding::error(Cause::Surroundings, "source.slot_busy", what)
                .because("its position moves as long as somebody reads from it")
                .repair("stop that reader, then run it again"),
        ));
    }
    facts
        .confirmed_flush
        .ok_or_else(|| SourceError::Transient("cannot read the slot's confirmed position".to_owned()))
}
