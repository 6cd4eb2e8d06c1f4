//! The bridge's role and its rights, given where they are missing.

use crate::source::SourceError;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::grants_sql;
use crate::source::postgres::sql::{Sql, get};

/// Whether the rights had to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// They were there.
    Before,
    /// They were given now.
    Now,
}

/// Makes the role and gives it its rights, where something of it is missing.
///
/// # Errors
/// See [`SourceError`]; a halt where the administrator may not do it.
pub fn grant(sql: &mut Sql, settings: &Settings) -> Result<Granted, SourceError> {
    if complete(sql, settings)? {
        return Ok(Granted::Before);
    }
    sql.run("SET default_transaction_read_only = off")?;
    sql.run(&grants_sql(settings))?;
    Ok(Granted::Now)
}

fn complete(sql: &mut Sql, settings: &Settings) -> Result<bool, SourceError> {
    let role = sql.ask(
        "SELECT rolcanlogin AND (rolreplication OR rolsuper) FROM pg_roles WHERE rolname = $1",
        &[&settings.login.user],
    )?;
    match role.first() {
        Some(row) if get(row, 0)? => {}
        Some(_) | None => return Ok(false),
    }
    let row = sql.one(
        "SELECT has_database_privilege($1, $2, 'CONNECT')",
        &[&settings.login.user, &settings.login.database],
    )?;
    if !get(&row, 0)? {
        return Ok(false);
    }
    for followed in &settings.tables {
        let table = followed.name.quoted();
        let row = sql.one(
            "SELECT has_schema_privilege($1, $2, 'USAGE') AND has_table_privilege($1, $3, 'SELECT')",
            &[&settings.login.user, &followed.name.schema, &table],
        )?;
        if !get(&row, 0)? {
            return Ok(false);
        }
    }
    Ok(true)
}
