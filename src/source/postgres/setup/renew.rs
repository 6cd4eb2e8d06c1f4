//! A slot in place of one that no longer fits its position: for an operator who has decided to begin a new history.

use std::time::Duration;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::Catalog;
use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::clock;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::migration::{SLOT, statement};
use crate::source::postgres::setup::{Change, Present, SLOT_WAIT_MAX, create_slot, patiently, plan_from, present};
use crate::source::postgres::slot::{self, SlotFacts};
use crate::source::postgres::sql::quote;
use crate::source::postgres::sql::{Refusal, Sql, halt};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The statements that were run.
    pub statements_run: Vec<String>,
    /// The new slot's consistent point: the stream begins here.
    pub consistent_lsn: Lsn,
    /// When, by the server's clock.
    pub at: CommitTime,
}

/// Why a slot may not be made anew: it is held, or not ours; or something else is missing that no set-up gives.
///
/// # Errors
/// Every reason.
pub fn renewable(settings: &Settings, catalog: &Catalog, present: &Present) -> Result<(), Vec<Finding>> {
    let theirs = ["source.slot_plugin", "source.slot_database", "source.slot_temporary"];
    let mut refused = Vec::new();
    if let Some(facts) = &present.slot {
        let found = slot::check_slot(Some(facts), settings);
        refused.extend(found.into_iter().filter(|finding| theirs.contains(&finding.code)));
        refused.extend(facts.active_pid.map(|pid| held(facts, Some(pid))));
    }
    refused.extend(
        plan_from(settings, catalog, &without_slot(present))
            .err()
            .unwrap_or_default(),
    );
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

fn without_slot(present: &Present) -> Present {
    Present {
        publications: present.publications.clone(),
        slot: None,
    }
}

fn held(facts: &SlotFacts, pid: Option<i32>) -> Finding {
    let by = pid.map(|pid| format!(" by the connection of process {pid}"));
    let what = format!("the slot {} is held{}", facts.name, by.unwrap_or_default());
    Finding::error(Cause::Surroundings, "source.slot_busy", what)
        .because("a bridge runs: what it tells now would be told of the old history")
        .repair("stop the bridge, then: walbridge recover -c FILE")
}

/// Why what was told up to a slot's position may not be the end of it: somebody reads from that slot.
///
/// # Errors
/// See [`SourceError`].
pub fn occupied(sql: &mut Sql, slot: &str) -> Result<Option<Finding>, SourceError> {
    let facts = slot::read(sql, slot)?;
    Ok(facts.and_then(|facts| facts.active_pid.map(|pid| held(&facts, Some(pid)))))
}

/// Makes what is missing, drops the slot and makes it again. What can be refused is tried before the slot is dropped.
///
/// # Errors
/// A halt with the first reason of [`renewable`] before anything is made, or with those who block.
pub fn renew(sql: &mut Sql, settings: &Settings, catalog: &Catalog) -> Result<Renewed, SourceError> {
    renew_within(sql, settings, catalog, SLOT_WAIT_MAX)
}

/// As [`renew`]; the slot's creation waits at most `slot_wait` for open transactions.
///
/// # Errors
/// As [`renew`].
pub fn renew_within(
    sql: &mut Sql,
    settings: &Settings,
    catalog: &Catalog,
    slot_wait: Duration,
) -> Result<Renewed, SourceError> {
    let present = present(sql, settings)?;
    let first = |refused: Vec<Finding>| {
        let first = refused.into_iter().next();
        first.map_or_else(|| SourceError::Transient("cannot plan".to_owned()), halt)
    };
    renewable(settings, catalog, &present).map_err(first)?;
    let plan = plan_from(settings, catalog, &without_slot(&present)).map_err(first)?;
    sql.run("SET default_transaction_read_only = off; SET lock_timeout = '3s'")?;
    let make = statement(SLOT, &[("slot", quote::literal(&settings.slot))]);
    let mut statements_run = Vec::new();
    for Change { statement, .. } in plan.publications {
        patiently(sql, &statement)?;
        statements_run.push(statement);
    }
    if let Some(facts) = &present.slot {
        let drops = format!(
            "SELECT pg_catalog.pg_drop_replication_slot({});",
            quote::literal(&facts.name)
        );
        match sql.attempt(&drops) {
            Ok(_) => statements_run.push(drops),
            // Somebody else did.
            Err(Refusal { state, .. }) if state == "42704" => {}
            Err(Refusal { state, .. }) if state == "55006" => return Err(halt(held(facts, None))),
            Err(refusal) => return Err(refusal.error),
        }
    }
    let consistent_lsn = create_slot(sql, &make, settings, slot_wait).map_err(|error| slotless(error, settings))?;
    statements_run.push(make);
    sql.run("SET lock_timeout = 0")?;
    Ok(Renewed {
        statements_run,
        consistent_lsn,
        at: clock::now(sql)?,
    })
}

/// A slot that could not be made has left no other in its place: to say that nothing is half done would mislead.
fn slotless(error: SourceError, settings: &Settings) -> SourceError {
    match error {
        SourceError::Halt(blocked) if blocked.code == "source.slot_blocked" => {
            let what = format!(
                "the slot {} is gone, and the new one cannot be made while transactions are open",
                settings.slot
            );
            let finding = Finding::error(Cause::Surroundings, "source.slot_unmade", what);
            halt(Finding {
                why: blocked.why,
                ..finding.repair("wait for them to end (or end them), then run it again: walbridge recover -c FILE")
            })
        }
        SourceError::Halt(_) | SourceError::Transient(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::postgres::settings::example;
    use crate::source::postgres::slot::{WalStatus, healthy};

    fn codes(slot: Option<SlotFacts>) -> Vec<&'static str> {
        let present = Present {
            slot,
            ..Present::default()
        };
        // Of the catalogue nothing is known: that is said too.
        let refused = renewable(&example(), &Catalog::default(), &present).unwrap_err();
        refused.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_slot_that_is_held_or_anothers_is_not_dropped() {
        let unknown = "source.table_unknown";
        assert_eq!(codes(None), [unknown]);
        assert_eq!(codes(Some(healthy())), [unknown]);
        let lost = SlotFacts {
            wal_status: WalStatus::Lost,
            ..healthy()
        };
        assert_eq!(codes(Some(lost)), [unknown]);
        let held = SlotFacts {
            active_pid: Some(7),
            ..healthy()
        };
        assert_eq!(codes(Some(held)), ["source.slot_busy", unknown]);
        let theirs = SlotFacts {
            plugin: "wal2json".to_owned(),
            ..healthy()
        };
        assert_eq!(codes(Some(theirs)), ["source.slot_plugin", unknown]);
    }
}
