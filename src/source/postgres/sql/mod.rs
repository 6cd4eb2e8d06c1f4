//! An SQL connection for questions about the catalogue and for the set-up: blocking, and beside the hot path.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row};

use crate::finding::{Cause, Finding};
use crate::secret::{Revealed, Secret};
use crate::source::SourceError;
use crate::source::postgres::settings::{Login, Settings, Trust};
use crate::source::postgres::sql::refusal::source_error;

pub mod anew;
pub(in crate::source::postgres) mod blocked;
mod copied;
pub(in crate::source::postgres) mod entrance;
mod open;
pub mod quote;
mod refusal;
pub mod texts;
mod wary;

pub(crate) use crate::source::postgres::sql::refusal::{Refusal, password_missing, refusal, tls_unsupported};

/// How long one statement may take before the connection counts as lost.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A connection with a runtime of its own.
pub struct Sql {
    runtime: tokio::runtime::Runtime,
    client: Client,
    version: u32,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Sql {
    /// Connects as the bridge's own role; the session is read only.
    ///
    /// # Errors
    /// A halt where the server refuses the role, the password, the database or the certificate does not verify;
    /// transient where it cannot be reached.
    pub fn connect(settings: &Settings) -> Result<Self, SourceError> {
        let login = &settings.login;
        let mut config = Config::new();
        config.user(&login.user).dbname(&login.database);
        if let Some(password) = password(login)? {
            config.password(password.expose());
        }
        let mut sql = open::open(config, login)?;
        sql.run("SET default_transaction_read_only = on")?;
        Ok(sql)
    }

    /// Connects by a URL, for `--as`: what the URL does not say of TLS is as in the config.
    ///
    /// # Errors
    /// As [`Sql::connect`]; a URL that cannot be read is a halt (it is never repeated: it may hold a password).
    pub fn connect_as(url: &str, trust: &Trust) -> Result<Self, SourceError> {
        let (config, login) = open::of_url("--as", url, trust)?;
        open::open(config, &login)
    }

    /// `server_version_num`, such as 150018.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Asks.
    ///
    /// # Errors
    /// See [`SourceError`]; never with DETAIL, which may quote a row.
    pub fn ask(&mut self, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, SourceError> {
        within(&self.runtime, ANSWER_MAX, self.client.query(sql, arguments))
    }

    /// Asks for exactly one row.
    ///
    /// # Errors
    /// As [`Sql::ask`]; none or several rows are transient (the catalogue changed while it was read).
    pub fn one(&mut self, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Result<Row, SourceError> {
        let rows = self.ask(sql, arguments)?;
        rows.into_iter()
            .next()
            .ok_or_else(|| SourceError::Transient("cannot read the catalogue: no row".to_owned()))
    }

    /// Runs statements without a result.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn run(&mut self, sql: &str) -> Result<(), SourceError> {
        within(&self.runtime, ANSWER_MAX, self.client.batch_execute(sql))
    }

    /// Asks several things of one moment: a catalogue that is altered meanwhile is seen as it was before.
    ///
    /// # Errors
    /// Those of `ask`, and of the transaction around it.
    pub fn at_one_moment<T>(
        &mut self,
        ask: impl FnOnce(&mut Self) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let answer = ask(self);
        let ended = self.run("ROLLBACK");
        answer.and_then(|answer| ended.map(|()| answer))
    }

    /// Asks with the simple protocol, where a pooler may stand between; values as text.
    ///
    /// # Errors
    /// As [`Sql::ask`].
    pub fn simple(&mut self, sql: &str) -> Result<texts::Texts, SourceError> {
        self.texts(sql, ANSWER_MAX).map_err(|refusal| refusal.error)
    }

    /// As [`Sql::simple`], for what has one row.
    ///
    /// # Errors
    /// As [`Sql::one`].
    pub fn row(&mut self, sql: &str) -> Result<Vec<Option<String>>, SourceError> {
        self.simple(sql)?
            .into_iter()
            .next()
            .ok_or_else(|| SourceError::Transient("PostgreSQL answered with no row".to_owned()))
    }

    /// Runs one statement and gives the server's own error back, with its SQLSTATE.
    pub(crate) fn attempt(&mut self, sql: &str) -> Result<Vec<Row>, Refusal> {
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(ANSWER_MAX, self.client.query(sql, &[])).await });
        match answer {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(Refusal::of(&error)),
            Err(_) => Err(Refusal::silent()),
        }
    }
}

/// Reads one value of a row.
///
/// # Errors
/// Transient where the type is not the expected one.
pub(crate) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, at: usize) -> Result<T, SourceError> {
    row.try_get(at)
        .map_err(|error| SourceError::Transient(format!("cannot read the catalogue: {error}")))
}

/// A halt.
pub(crate) fn halt(finding: Finding) -> SourceError {
    SourceError::Halt(Box::new(finding))
}

fn no_answer() -> SourceError {
    SourceError::Transient("cannot reach PostgreSQL: no answer in time".to_owned())
}

fn within<T>(
    runtime: &tokio::runtime::Runtime,
    limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, SourceError> {
    match runtime.block_on(async { tokio::time::timeout(limit, work).await }) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(source_error(&error)),
        Err(_) => Err(no_answer()),
    }
}

/// The role's password as it is kept now; none where none is configured.
///
/// # Errors
/// A halt where it cannot be read.
pub(crate) fn password(login: &Login) -> Result<Option<Revealed>, SourceError> {
    let read = login.password.as_ref().map(Secret::read).transpose();
    read.map_err(|error| {
        let what = error.to_string();
        halt(Finding::error(Cause::Surroundings, "source.password_unreadable", what).repair(error.repair()))
    })
}
