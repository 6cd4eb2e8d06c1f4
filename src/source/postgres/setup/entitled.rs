//! Whether whoever sets up may do so, asked before anything is made.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use crate::finding::{Cause, Finding};
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::setup::SetupPlan;
use crate::source::postgres::slot;
use crate::source::postgres::sql::{Sql, get, quote};

/// The right to replicate: an attribute, or a role of Amazon's (docs/operations/roles.md).
pub(super) const MAY_REPLICATE: &str = "SELECT rolreplication OR rolsuper OR EXISTS (SELECT FROM pg_roles g \
     WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')) FROM pg_roles r WHERE r.rolname = ";

/// What whoever is connected lacks for a plan, each with its repair.
///
/// # Errors
/// See [`SourceError`].
pub fn entitled(sql: &mut Sql, plan: &SetupPlan) -> Result<Vec<Finding>, SourceError> {
    let row = sql.one("SELECT current_user::text, current_database()::text", &[])?;
    let (user, database): (String, String) = (get(&row, 0)?, get(&row, 1)?);
    let mut found = Vec::new();
    for name in plan.publications.iter().flat_map(|change| &change.adds) {
        found.extend(owner_of_table(sql, name, &user)?);
    }
    let altered: BTreeSet<&String> = plan.publications.iter().filter_map(|one| one.alters.as_ref()).collect();
    for name in altered {
        found.extend(owner_of_publication(sql, name, &user)?);
    }
    if plan.publications.iter().any(|change| change.alters.is_none()) {
        let row = sql.one("SELECT has_database_privilege(current_database(), 'CREATE')", &[])?;
        if !get::<bool>(&row, 0)? {
            let what = format!("{user} may make nothing in the database {database}, so no publication");
            found.push(finding("setup.may_not_create", what).repair(format!(
                "GRANT CREATE ON DATABASE {} TO {};",
                quote::ident(&database),
                quote::ident(&user)
            )));
        }
    }
    if plan.slot.is_some() {
        let row = sql.one(
            &format!("SELECT current_setting('wal_level'), ({MAY_REPLICATE}current_user)"),
            &[],
        )?;
        if get::<&str>(&row, 0)? != "logical" {
            found.push(slot::too_little_log(get(&row, 0)?));
        }
        if !get::<bool>(&row, 1)? {
            let what = format!("{user} may not replicate, so make no slot");
            found.push(finding("setup.may_not_replicate", what).repair(format!(
                "ALTER ROLE {} REPLICATION; (on Amazon's servers: GRANT rds_replication TO {0};)",
                quote::ident(&user)
            )));
        }
    }
    Ok(found)
}

/// A table of somebody else's: only its owner may publish it.
fn owner_of_table(sql: &mut Sql, name: &TableName, user: &str) -> Result<Option<Finding>, SourceError> {
    let rows = sql.ask(
        "SELECT pg_get_userbyid(c.relowner)::text, (SELECT rolsuper FROM pg_roles r WHERE r.oid = c.relowner) \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 AND NOT pg_has_role(current_user, c.relowner, 'USAGE')",
        &[&name.schema, &name.name],
    )?;
    not_owner(&rows, (&format!("the table {name}"), "publish"), user)
}

/// A publication of somebody else's: only its owner may alter it.
fn owner_of_publication(sql: &mut Sql, name: &str, user: &str) -> Result<Option<Finding>, SourceError> {
    let rows = sql.ask(
        "SELECT pg_get_userbyid(pubowner)::text, (SELECT rolsuper FROM pg_roles r WHERE r.oid = pubowner) FROM pg_publication \
         WHERE pubname = $1 AND NOT pg_has_role(current_user, pubowner, 'USAGE')",
        &[&name],
    )?;
    not_owner(&rows, (&format!("the publication {name}"), "alter"), user)
}

/// What is said where a row tells whose a thing is, and whether that one is a superuser.
fn not_owner(rows: &[Row], (thing, deed): (&str, &str), user: &str) -> Result<Option<Finding>, SourceError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let (owner, is_superuser): (String, bool) = (get(row, 0)?, get(row, 1)?);
    let what = format!("{user} does not own {thing}, so may not {deed} it: {owner} does");
    let other = "name its owner, or a superuser, with --as URL";
    let repair = if is_superuser {
        // Nobody is made a superuser for this.
        other.to_owned()
    } else {
        let (owner, role) = (quote::ident(&owner), quote::ident(user));
        format!("{other}; or make {user} one of its owners: GRANT {owner} TO {role};")
    };
    Ok(Some(finding("setup.not_owner", what).repair(repair)))
}

fn finding(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what).because("nothing was made")
}
