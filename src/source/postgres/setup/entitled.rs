//! Whether whoever sets up may do so, asked before anything is made.

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::SetupPlan;
use crate::source::postgres::sql::{Sql, get, quote};

/// The right to replicate: an attribute, or a role of Amazon's (docs/operations/roles.md).
pub(super) const MAY_REPLICATE: &str = "SELECT rolreplication OR rolsuper OR EXISTS (SELECT FROM pg_roles g \
     WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')) FROM pg_roles r WHERE r.rolname = ";

/// What whoever is connected lacks for a plan, each with its repair.
///
/// # Errors
/// See [`SourceError`].
pub fn entitled(sql: &mut Sql, settings: &Settings, plan: &SetupPlan) -> Result<Vec<Finding>, SourceError> {
    let row = sql.one("SELECT current_user::text, current_database()::text", &[])?;
    let (user, database): (String, String) = (get(&row, 0)?, get(&row, 1)?);
    let mut found = Vec::new();
    if plan.statements.iter().any(|one| one.starts_with("CREATE PUBLICATION")) {
        found.extend(owner(sql, settings, &user)?);
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
    let needs_slot = plan.statements.iter().any(|one| !one.contains(" PUBLICATION "));
    if needs_slot && !get::<bool>(&sql.one(&format!("{MAY_REPLICATE}current_user"), &[])?, 0)? {
        let what = format!("{user} may not replicate, so make no slot");
        found.push(finding("setup.may_not_replicate", what).repair(format!(
            "ALTER ROLE {} REPLICATION; (on Amazon's servers: GRANT rds_replication TO {0};)",
            quote::ident(&user)
        )));
    }
    Ok(found)
}

/// Tables of others: only their owner may publish them.
fn owner(sql: &mut Sql, settings: &Settings, user: &str) -> Result<Vec<Finding>, SourceError> {
    let mut found = Vec::new();
    for followed in &settings.tables {
        let name = &followed.name;
        let rows = sql.ask(
            "SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1 AND c.relname = $2 AND NOT pg_has_role(current_user, c.relowner, 'USAGE')",
            &[&name.schema, &name.name],
        )?;
        if let Some(row) = rows.first() {
            let owner: String = get(row, 0)?;
            let what = format!("{user} does not own the table {name}, so may not publish it: {owner} does");
            found.push(finding("setup.not_owner", what).repair(format!(
                "name its owner, or a superuser, with --as URL; or make {user} one of its owners: GRANT {} TO {};",
                quote::ident(&owner),
                quote::ident(user)
            )));
        }
    }
    Ok(found)
}

fn finding(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what).because("nothing was made")
}
