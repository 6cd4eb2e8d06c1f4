//! Everything that `check` says about the server; it writes nothing.

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Access, Catalog, Lack, TableFacts, TableKind};
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::publication::Publications;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::slot::{self, SlotFacts, WalStatus};
use crate::source::postgres::sql::quote;
use crate::source::postgres::sql::{Sql, get};
use crate::source::postgres::{catalog, clock, publication, setup};

/// First minor release of each major version without the known losses of changes (release notes of 2025-05-08).
const SAFE_MINORS: [(u32, u32); 5] = [(13, 21), (14, 18), (15, 13), (16, 9), (17, 5)];

/// Retained log above which `check` warns.
const RETAINED_BYTES_WARN: u64 = 4 << 30;

/// Age in seconds above which a prepared transaction is worth a warning.
const PREPARED_SECONDS_WARN: i64 = 300;

/// What `check` and a start see of the server.
#[derive(Debug)]
pub struct Surroundings {
    /// The mapped tables.
    pub catalog: Catalog,
    /// The slot.
    pub slot: Option<SlotFacts>,
    /// The publications.
    pub publications: Publications,
    /// What must or should be put right.
    pub findings: Vec<Finding>,
}

/// Reads everything, and says what must or should be put right.
///
/// # Errors
/// See [`SourceError`]: only what keeps it from reading.
pub fn preflight(settings: &Settings) -> Result<Surroundings, SourceError> {
    let mut sql = Sql::connect(settings)?;
    let catalog = catalog::read(&mut sql, &settings.table_names())?;
    let slot = slot::read(&mut sql, &settings.slot)?;
    let mut out = Vec::new();
    out.extend(pooler(&mut sql)?);
    out.extend(clock::compare(&mut sql)?);
    out.extend(server(&mut sql, slot.as_ref())?);
    out.extend(role(&mut sql, settings)?);
    // What is missing or has no changes, the mapping's findings say, with the place in the config.
    let followed = settings
        .tables
        .iter()
        .filter_map(|followed| catalog.tables.get(&followed.name));
    let publishable = followed.filter(|table| table.kind != TableKind::Unpublishable);
    out.extend(publishable.filter_map(|table| unreadable(settings, table)));
    let publications = publication::read(&mut sql, settings)?;
    let publishing = publication::check(settings, &catalog, &publications);
    // What setup would refuse is said before it is asked to.
    if let Err(refused) = setup::plan(settings, &catalog) {
        let new = |f: &Finding| publishing.iter().all(|told| told.repair != f.repair);
        let said = ["source.identity_missing", "source.publication_root"];
        out.extend(refused.into_iter().filter(|f| said.contains(&f.code) && new(f)));
    }
    out.extend(publishing);
    out.extend(slot::check_slot(slot.as_ref(), settings));
    if let Some(slot) = &slot {
        out.extend(health(slot));
    }
    out.extend(prepared(&mut sql)?);
    Ok(Surroundings {
        catalog,
        slot,
        publications,
        findings: out,
    })
}

fn error(code: &'static str, what: impl Into<String>) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
}

fn warning(code: &'static str, what: impl Into<String>) -> Finding {
    Finding::warning(Cause::Surroundings, code, what)
}

/// A pooler gives statements to changing sessions: our session's settings do not stay, or another process answers.
fn pooler(sql: &mut Sql) -> Result<Option<Finding>, SourceError> {
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.extend(
            sql.simple(
                "SELECT pg_backend_pid(), current_setting('statement_timeout'), current_setting('search_path')",
            )?,
        );
    }
    let stays = seen.windows(2).all(|pair| pair.first() == pair.last());
    let kept = seen.iter().flatten().flatten().any(|value| value == "pg_catalog");
    let through = (!stays || !kept).then(|| {
        error(
            "source.pooler",
            "a connection pooler stands between the bridge and PostgreSQL",
        )
        .because("poolers do not pass replication on")
        .repair("name PostgreSQL's own host and port in `url` of [source]")
    });
    Ok(through)
}

fn server(sql: &mut Sql, slot: Option<&SlotFacts>) -> Result<Vec<Finding>, SourceError> {
    let row = sql.one(
        "SELECT current_setting('wal_level'), pg_is_in_recovery(), current_setting('max_replication_slots')::int8, \
         (SELECT count(*) FROM pg_replication_slots), current_setting('max_wal_senders')::int8, \
         (SELECT count(*) FROM pg_stat_replication), current_setting('max_slot_wal_keep_size'), \
         coalesce(current_setting('idle_replication_slot_timeout', true), '0')",
        &[],
    )?;
    let mut out = version(sql.version());
    if get::<&str>(&row, 0)? != "logical" {
        out.push(slot::too_little_log(get(&row, 0)?));
    }
    if get(&row, 1)? {
        out.push(
            error("source.standby", "the server is a standby")
                .because("a standby cannot make publications, and a slot on it does not survive as the primary's does")
                .repair("name the primary in `url` of [source]"),
        );
    }
    let (slots_max, slots): (i64, i64) = (get(&row, 2)?, get(&row, 3)?);
    if slot.is_none() && slots >= slots_max {
        out.push(
            error(
                "source.slots_exhausted",
                format!("all {slots_max} replication slots are in use"),
            )
            .repair("raise max_replication_slots (needs a restart), or drop an unused slot"),
        );
    }
    let (senders_max, senders): (i64, i64) = (get(&row, 4)?, get(&row, 5)?);
    let ours = i64::from(slot.is_some_and(|slot| slot.active_pid.is_some()));
    if senders - ours >= senders_max {
        out.push(
            error(
                "source.wal_senders_exhausted",
                format!("all {senders_max} WAL senders are in use"),
            )
            .repair("raise max_wal_senders (needs a restart)"),
        );
    }
    if get::<&str>(&row, 6)? == "-1" {
        out.push(
            warning(
                "source.wal_unlimited",
                "max_slot_wal_keep_size is -1: a slot may keep log without limit",
            )
            .because("a bridge that is down for long fills the disk of the server")
            .repair("ALTER SYSTEM SET max_slot_wal_keep_size = '100GB'; SELECT pg_reload_conf();"),
        );
    }
    let idle: &str = get(&row, 7)?;
    if idle != "0" {
        out.push(
            warning(
                "source.idle_slot_timeout",
                format!("idle_replication_slot_timeout is {idle}"),
            )
            .because("a bridge that is down for longer loses its slot"),
        );
    }
    Ok(out)
}

fn version(number: u32) -> Vec<Finding> {
    let (major, minor) = (number / 10_000, number % 10_000);
    let mut out = Vec::new();
    if major < 13 {
        out.push(error("source.version", format!("PostgreSQL {major} is not supported")).repair("use 13 or later"));
    } else if major == 13 {
        out.push(
            warning("source.version_old", "PostgreSQL 13 gets no fixes any more")
                .because("known faults of logical decoding stay in it"),
        );
    }
    if let Some((_, safe)) = SAFE_MINORS.iter().find(|(of, safe)| *of == major && minor < *safe) {
        out.push(
            warning(
                "source.version_loses",
                format!("PostgreSQL {major}.{minor} has faults that lose changes"),
            )
            .because("DDL that runs beside writes (such as ALTER PUBLICATION … ADD TABLE) can make changes vanish")
            .repair(format!("update the server to {major}.{safe} or later")),
        );
    }
    out
}

const STREAM_DOES_WITHOUT: &str = "the stream does without; old rows cannot be told";

fn role(sql: &mut Sql, settings: &Settings) -> Result<Vec<Finding>, SourceError> {
    // Amazon's servers give the right with a role of theirs: docs/operations/roles.md.
    let row = sql.one(
        "SELECT r.rolreplication OR r.rolsuper, g.oid IS NOT NULL, coalesce(pg_has_role(current_user, g.oid, 'USAGE'), false) \
         FROM pg_roles r LEFT JOIN pg_roles g ON g.rolname = 'rds_replication' WHERE r.rolname = current_user",
        &[],
    )?;
    let (may, is_amazons, is_member): (bool, bool, bool) = (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?);
    if may || is_member {
        return Ok(Vec::new());
    }
    let role = quote::ident(&settings.login.user);
    let repair = if is_amazons {
        format!("GRANT rds_replication TO {role};")
    } else {
        format!("ALTER ROLE {role} REPLICATION;")
    };
    let what = format!("the role {} may not replicate", settings.login.user);
    Ok(vec![
        error("source.role_replication", what)
            .because("the server refuses to stream to it")
            .repair(repair),
    ])
}

/// What keeps the role from reading the rows of a table; the stream does without.
pub fn unreadable(settings: &Settings, table: &TableFacts) -> Option<Finding> {
    let (name, role) = (&table.name, quote::ident(&settings.login.user));
    let note = |code, what| Finding::note(Cause::Surroundings, code, what).because(STREAM_DOES_WITHOUT);
    match table.access {
        Access::Granted => None,
        Access::Denied(lack) => Some(denied(settings, name, lack)),
        Access::Hidden => Some(
            note(
                "source.row_security",
                format!(
                    "row-level security hides rows of the table {name} from the role {}",
                    settings.login.user
                ),
            )
            .repair(format!("ALTER ROLE {role} BYPASSRLS;")),
        ),
    }
}

fn denied(settings: &Settings, name: &TableName, lack: Lack) -> Finding {
    let (user, role) = (&settings.login.user, quote::ident(&settings.login.user));
    let usage = format!("GRANT USAGE ON SCHEMA {} TO {role};", quote::ident(&name.schema));
    let select = format!("GRANT SELECT ON {} TO {role};", name.quoted());
    let (what, repair, why) = match lack {
        Lack::Usage => (
            format!(
                "the role {user} may not look into the schema {}, so not read the table {name}",
                name.schema
            ),
            usage,
            STREAM_DOES_WITHOUT,
        ),
        Lack::Select => (
            format!("the role {user} may not read the table {name}"),
            select,
            STREAM_DOES_WITHOUT,
        ),
        Lack::Both => (
            format!(
                "the role {user} may neither look into the schema {} nor read the table {name}",
                name.schema
            ),
            format!("{usage} {select}"),
            STREAM_DOES_WITHOUT,
        ),
        Lack::Whole => (
            format!("the role {user} may read some columns of the table {name}, and not the table"),
            select,
            "the table is locked against ALTER TABLE while old rows are read, which PostgreSQL grants to readers of the whole \
             table; only mapped columns are read all the same",
        ),
    };
    Finding::note(Cause::Surroundings, "source.select", what)
        .because(why)
        .repair(repair)
}

fn health(slot: &SlotFacts) -> Vec<Finding> {
    let mut out = Vec::new();
    let retained = slot.retained_bytes();
    let name = &slot.name;
    if slot.wal_status == WalStatus::Unreserved {
        out.push(
            warning(
                "source.slot_unreserved",
                format!("the slot {name} is about to be lost: its log is no longer kept"),
            )
            .because("the next checkpoint of the server may remove it")
            .repair("start the bridge now, and raise max_slot_wal_keep_size"),
        );
    }
    if retained >= RETAINED_BYTES_WARN {
        out.push(
            warning(
                "source.slot_retains",
                format!("the slot {name} makes the server keep {retained} bytes of log"),
            )
            .because("a bridge that is down, or a transaction that stays open, fills the disk of the server"),
        );
    } else {
        let safe = slot.safe_bytes.map_or_else(
            || "no limit".to_owned(),
            |bytes| format!("{bytes} bytes until it may be lost"),
        );
        out.push(Finding::note(
            Cause::Surroundings,
            "source.slot_retains",
            format!("the slot {name} makes the server keep {retained} bytes of log ({safe})"),
        ));
    }
    if let Some(pid) = slot.active_pid {
        out.push(Finding::note(
            Cause::Surroundings,
            "source.slot_active",
            format!("the slot {name} is held by the connection of process {pid}"),
        ));
    }
    out
}

fn prepared(sql: &mut Sql) -> Result<Option<Finding>, SourceError> {
    let row = sql.one(
        "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - prepared)), 0)::int8 FROM pg_prepared_xacts",
        &[],
    )?;
    let (count, age): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
    Ok((age >= PREPARED_SECONDS_WARN).then(|| {
        warning(
            "source.prepared_old",
            format!("{count} prepared transactions are open, the oldest since {age} s"),
        )
        .because("a slot cannot be made while one is open, and the log from its start on is kept")
        .repair("SELECT gid, prepared, owner FROM pg_prepared_xacts; then COMMIT PREPARED or ROLLBACK PREPARED")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_known_losses_are_named() {
        let codes = |number| version(number).into_iter().map(|f| f.code).collect::<Vec<_>>();
        assert_eq!(codes(120_022), ["source.version"]);
        assert_eq!(codes(130_020), ["source.version_old", "source.version_loses"]);
        assert_eq!(codes(150_012), ["source.version_loses"]);
        assert_eq!(codes(150_018), Vec::<&str>::new());
        assert_eq!(codes(180_000), Vec::<&str>::new());
    }
}
