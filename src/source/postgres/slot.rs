//! The replication slot: what the server says of it, and whether it can be ours.

use std::str::FromStr;

use crate::finding::{Cause, Finding};
use crate::flow::position::Lsn;
use crate::source::SourceError;
use crate::source::postgres::settings::{Create, Settings};
use crate::source::postgres::sql::quote;
use crate::source::postgres::sql::{Sql, get, halt};

/// The plugin that is spoken.
pub const PLUGIN: &str = "pgoutput";

/// A row of `pg_replication_slots` (<https://www.postgresql.org/docs/current/view-pg-replication-slots.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotFacts {
    /// Name.
    pub name: String,
    /// Output plugin; empty for a physical slot.
    pub plugin: String,
    /// Database; empty for a physical slot.
    pub database: String,
    /// Whether it ends with its session.
    pub lifetime: Lifetime,
    /// Whether it decodes prepared transactions before their commit.
    pub two_phase: TwoPhase,
    /// Process of the connection that holds it.
    pub active_pid: Option<i32>,
    /// From here on the log is kept.
    pub restart_lsn: Option<Lsn>,
    /// Everything up to here was acknowledged.
    pub confirmed_flush: Option<Lsn>,
    /// Whether its log is still there.
    pub wal_status: WalStatus,
    /// Why it cannot be used any more, in the server's words (17 and later).
    pub invalid_because: Option<String>,
    /// Bytes of log until it may be lost; none where nothing limits it.
    pub safe_bytes: Option<u64>,
    /// End of the server's log when it was read.
    pub server_lsn: Lsn,
}

impl SlotFacts {
    /// Bytes of log that the slot makes the server keep.
    pub fn retained_bytes(&self) -> u64 {
        self.restart_lsn.map_or(0, |from| self.server_lsn.bytes_since(from))
    }
}

/// Whether a slot ends with its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It stays.
    Permanent,
    /// It ends with the session that made it.
    Temporary,
}

/// Whether a slot decodes prepared transactions before their commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwoPhase {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// `wal_status`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalStatus {
    /// Within `max_wal_size`.
    Reserved,
    /// Beyond it, and kept.
    Extended,
    /// No longer kept: lost at the next checkpoint.
    Unreserved,
    /// Gone.
    Lost,
}

/// Reads the slot; none: there is no such slot.
///
/// # Errors
/// See [`SourceError`].
pub fn read(sql: &mut Sql, name: &str) -> Result<Option<SlotFacts>, SourceError> {
    let two_phase = if sql.version() >= 140_000 {
        "s.two_phase"
    } else {
        "false"
    };
    let invalid = match sql.version() {
        170_000.. => "s.invalidation_reason",
        160_000..170_000 => "CASE WHEN s.conflicting THEN 'conflict with recovery' END",
        _ => "NULL::text",
    };
    let query = format!(
        "SELECT s.slot_name::text, coalesce(s.plugin::text, ''), coalesce(s.database::text, ''), s.temporary, \
         {two_phase}, s.active_pid, s.restart_lsn::text, s.confirmed_flush_lsn::text, s.wal_status, {invalid}, \
         s.safe_wal_size, {SERVER_LSN}::text FROM pg_replication_slots s WHERE s.slot_name = $1"
    );
    let Some(row) = sql.ask(&query, &[&name])?.into_iter().next() else {
        return Ok(None);
    };
    let place = |text: Option<String>| text.map(|text| lsn(&text)).transpose();
    let status: Option<String> = get(&row, 8)?;
    let safe: Option<i64> = get(&row, 10)?;
    Ok(Some(SlotFacts {
        name: get(&row, 0)?,
        plugin: get(&row, 1)?,
        database: get(&row, 2)?,
        lifetime: if get(&row, 3)? {
            Lifetime::Temporary
        } else {
            Lifetime::Permanent
        },
        two_phase: if get(&row, 4)? { TwoPhase::On } else { TwoPhase::Off },
        active_pid: get(&row, 5)?,
        restart_lsn: place(get(&row, 6)?)?,
        confirmed_flush: place(get(&row, 7)?)?,
        wal_status: match status.as_deref() {
            Some("extended") => WalStatus::Extended,
            Some("unreserved") => WalStatus::Unreserved,
            Some("lost") => WalStatus::Lost,
            _ => WalStatus::Reserved,
        },
        invalid_because: get(&row, 9)?,
        safe_bytes: safe.map(|bytes| u64::try_from(bytes).unwrap_or(0)),
        server_lsn: lsn(get(&row, 11)?)?,
    }))
}

/// SQL for the end of the server's log, on a primary and on a standby.
pub(crate) const SERVER_LSN: &str =
    "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)";

/// Reads an LSN that the server wrote.
pub(crate) fn lsn(text: &str) -> Result<Lsn, SourceError> {
    Lsn::from_str(text).map_err(|error| SourceError::Transient(error.to_string()))
}

/// What keeps the slot from being ours; every finding is an error, except the note that a first start makes it.
pub fn check_slot(facts: Option<&SlotFacts>, settings: &Settings) -> Vec<Finding> {
    let name = &settings.slot;
    let Some(facts) = facts else {
        let what = format!("the slot {name} does not exist");
        return vec![match settings.create {
            Create::Never => error("source.slot_missing", what)
                .because("without a slot the server does not keep the log that is still to be read")
                .repair("walbridge setup --apply -c FILE"),
            Create::OnFirstStart => Finding::note(Cause::Surroundings, "source.slot_missing", what)
                .because("the first start makes it, if no position is stored"),
        }];
    };
    let mut out = Vec::new();
    if facts.plugin != PLUGIN {
        out.push(of_another_plugin(facts, name));
    } else if facts.database != settings.login.database {
        let what = format!(
            "the slot {name} belongs to the database {}, not to {}",
            facts.database, settings.login.database
        );
        out.push(
            error("source.slot_database", what)
                .because("a slot tells the changes of its own database only")
                .repair("name another `slot` in [source], then: walbridge setup --apply -c FILE"),
        );
    }
    if facts.lifetime == Lifetime::Temporary {
        out.push(
            error("source.slot_temporary", format!("the slot {name} is temporary"))
                .because("it is dropped when the session that made it ends")
                .repair("end that session, then: walbridge setup --apply -c FILE"),
        );
    }
    let cause = facts.invalid_because.as_deref().unwrap_or("log it needs was removed");
    if facts.wal_status == WalStatus::Lost || facts.invalid_because.is_some() {
        let from = facts.confirmed_flush.unwrap_or(Lsn::INVALID);
        out.push(
            error("source.slot_lost", format!("the slot {name} is lost ({cause})"))
                .because(format!(
                    "changes committed from {from} to {} can no longer be read",
                    facts.server_lsn
                ))
                .repair("walbridge recover -c FILE"),
        );
    }
    if facts.two_phase == TwoPhase::On {
        out.push(
            error("source.slot_two_phase", format!("the slot {name} has two_phase on"))
                .because("it would tell prepared transactions that may still be rolled back")
                .repair(format!(
                    "walbridge setup --apply -c FILE, after: SELECT pg_drop_replication_slot({})",
                    quote::literal(name)
                )),
        );
    }
    out
}

/// Its owner may need it, so the way past it comes first.
fn of_another_plugin(facts: &SlotFacts, name: &str) -> Finding {
    let plugin = if facts.plugin.is_empty() {
        "no plugin (it is physical)"
    } else {
        &facts.plugin
    };
    let what = format!("the slot {name} uses {plugin} where pgoutput is spoken");
    error("source.slot_plugin", what)
        .because("it belongs to another program")
        .repair(format!(
            "name another `slot` in [source], then: walbridge setup --apply -c FILE; such as slot = \"{name}_2\". Or where \
             nobody needs the slot that is there, first: SELECT pg_drop_replication_slot({})",
            quote::literal(name)
        ))
}

/// The slot, where it can be ours.
///
/// # Errors
/// A halt with the first finding of [`check_slot`].
pub fn require<'f>(facts: Option<&'f SlotFacts>, settings: &Settings) -> Result<&'f SlotFacts, SourceError> {
    let finding = check_slot(facts, settings).into_iter().next();
    match (facts, finding) {
        (Some(facts), None) => Ok(facts),
        (_, Some(finding)) => Err(halt(finding)),
        (None, None) => Err(SourceError::Transient("cannot read the slot".to_owned())),
    }
}

/// A server on which no slot can be made.
pub(super) fn too_little_log(level: &str) -> Finding {
    error("source.wal_level", format!("wal_level is {level}"))
        .because("the log does not hold what logical decoding needs")
        .repair("ALTER SYSTEM SET wal_level = 'logical'; then restart the server")
}

fn error(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
}

/// Facts of a slot in good health, for tests in this room.
#[cfg(test)]
pub(crate) fn healthy() -> SlotFacts {
    SlotFacts {
        name: "walbridge_shop".to_owned(),
        plugin: PLUGIN.to_owned(),
        database: "shop".to_owned(),
        lifetime: Lifetime::Permanent,
        two_phase: TwoPhase::Off,
        active_pid: None,
        restart_lsn: Some(Lsn(0x100)),
        confirmed_flush: Some(Lsn(0x200)),
        wal_status: WalStatus::Reserved,
        invalid_because: None,
        safe_bytes: None,
        server_lsn: Lsn(0x900),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::postgres::settings::example;

    #[test]
    fn a_slot_of_another_plugin_is_left_or_dropped() {
        let theirs = SlotFacts {
            plugin: "wal2json".to_owned(),
            ..healthy()
        };
        let found = check_slot(Some(&theirs), &example());
        let repair = found[0].repair.clone().unwrap();
        let (other, drop) = (
            "slot = \"walbridge_shop_2\"",
            "SELECT pg_drop_replication_slot('walbridge_shop')",
        );
        assert!(repair.contains(other) && repair.contains(drop), "{repair}");
    }

    #[test]
    fn a_slot_that_cannot_be_ours_is_named_with_its_repair() {
        let settings = example();
        assert_eq!(check_slot(Some(&healthy()), &settings), []);
        let broken = [
            (
                "source.slot_plugin",
                SlotFacts {
                    plugin: "wal2json".to_owned(),
                    ..healthy()
                },
            ),
            (
                "source.slot_plugin",
                SlotFacts {
                    plugin: String::new(),
                    database: String::new(),
                    ..healthy()
                },
            ),
            (
                "source.slot_database",
                SlotFacts {
                    database: "other".to_owned(),
                    ..healthy()
                },
            ),
            (
                "source.slot_temporary",
                SlotFacts {
                    lifetime: Lifetime::Temporary,
                    ..healthy()
                },
            ),
            (
                "source.slot_lost",
                SlotFacts {
                    wal_status: WalStatus::Lost,
                    ..healthy()
                },
            ),
            (
                "source.slot_lost",
                SlotFacts {
                    invalid_because: Some("idle_timeout".to_owned()),
                    ..healthy()
                },
            ),
            (
                "source.slot_two_phase",
                SlotFacts {
                    two_phase: TwoPhase::On,
                    ..healthy()
                },
            ),
        ];
        for (code, facts) in broken {
            let found = check_slot(Some(&facts), &settings);
            assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), [code]);
            assert!(found[0].repair.is_some());
        }
        assert_eq!(check_slot(None, &settings)[0].code, "source.slot_missing");
        assert!(require(None, &settings).is_err());
    }
}
