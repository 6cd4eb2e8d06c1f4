//! The bridge's role and its rights, given where they are missing.

use tokio_postgres::types::ToSql;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::entitled::MAY_REPLICATE;
use crate::source::postgres::setup::grants_sql;
use crate::source::postgres::sql::{Sql, get, halt, quote};

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
    let missing = missing(sql, settings)?;
    if missing.is_empty() {
        return Ok(Granted::Before);
    }
    // By itself: statements that are sent together begin as one transaction, which would still be read-only.
    sql.run("SET default_transaction_read_only = off")?;
    sql.run("BEGIN")?;
    let given = give(sql, settings, &missing);
    let ended = sql.run(if given.is_ok() { "COMMIT" } else { "ROLLBACK" });
    given.and(ended).map(|()| Granted::Now)
}

/// Gives what is missing, and looks whether it is there: a GRANT of a right that is not the grantor's to give is a warning, and
/// the statement goes on (<https://www.postgresql.org/docs/current/sql-grant.html#SQL-GRANT-NOTES>).
fn give(sql: &mut Sql, settings: &Settings, missing: &[String]) -> Result<(), SourceError> {
    match sql.run(&grants_sql(settings)) {
        Err(SourceError::Halt(refused)) if refused.code == "source.privilege_missing" => {
            return Err(halt(denied(settings, &refused.what, missing)));
        }
        done => done?,
    }
    let left = self::missing(sql, settings)?;
    if left.is_empty() {
        return Ok(());
    }
    let said = "PostgreSQL took the statements with a warning, and gave nothing";
    Err(halt(denied(settings, said, &left)))
}

/// The role lacks something that whoever sets up may not give: just that is shown, for somebody who may.
fn denied(settings: &Settings, said: &str, missing: &[String]) -> Finding {
    let user = &settings.login.user;
    let what = format!("the rights of the role {user} cannot be given by whoever sets up: {said}");
    Finding::error(Cause::Surroundings, "setup.may_not_grant", what)
        .because("nothing was made; a superuser, or the administrator of a managed server, lets a role replicate, and owners let it read")
        .repair(format!(
            "name one who may with --as URL, or have them run: {}",
            missing.join(" ")
        ))
}

/// What the role lacks, as statements that would give it.
fn missing(sql: &mut Sql, settings: &Settings) -> Result<Vec<String>, SourceError> {
    let (user, role) = (&settings.login.user, quote::ident(&settings.login.user));
    let may = |sql: &mut Sql, question: &str, asked: &[&(dyn ToSql + Sync)]| -> Result<bool, SourceError> {
        sql.ask(question, asked)?.first().map_or(Ok(false), |row| get(row, 0))
    };
    if !may(sql, "SELECT true FROM pg_roles WHERE rolname = $1", &[user])? {
        return Ok(vec![format!("CREATE ROLE {role} LOGIN REPLICATION;")]);
    }
    let mut out = Vec::new();
    if !may(sql, "SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", &[user])? {
        out.push(format!("ALTER ROLE {role} LOGIN;"));
    }
    if !may(sql, &format!("{MAY_REPLICATE}$1"), &[user])? {
        out.push(format!("ALTER ROLE {role} REPLICATION;"));
    }
    let database = &settings.login.database;
    if !may(
        sql,
        "SELECT has_database_privilege($1, $2, 'CONNECT')",
        &[user, database],
    )? {
        out.push(format!(
            "GRANT CONNECT ON DATABASE {} TO {role};",
            quote::ident(database)
        ));
    }
    for followed in &settings.tables {
        let (name, table) = (&followed.name, followed.name.quoted());
        if !may(
            sql,
            "SELECT has_schema_privilege($1, $2, 'USAGE')",
            &[user, &name.schema],
        )? {
            let usage = format!("GRANT USAGE ON SCHEMA {} TO {role};", quote::ident(&name.schema));
            if !out.contains(&usage) {
                out.push(usage);
            }
        }
        if !may(sql, "SELECT has_table_privilege($1, $2, 'SELECT')", &[user, &table])? {
            out.push(format!("GRANT SELECT ON TABLE {table} TO {role};"));
        }
    }
    Ok(out)
}
