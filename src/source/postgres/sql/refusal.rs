//! What the server refuses, sorted by what can heal it.

use std::error::Error as _;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::connect::demand::unbound;
use crate::source::postgres::sql::wary::Barred;
use crate::source::postgres::sql::{halt, no_answer};
use crate::source::postgres::trust;

/// A statement that the server refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// SQLSTATE; empty where the connection failed.
    pub(crate) state: String,
    /// The error.
    pub(crate) error: SourceError,
}

impl Refusal {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        Self {
            state: error.code().map(|code| code.code().to_owned()).unwrap_or_default(),
            error: source_error(error),
        }
    }

    /// Nothing was said in time.
    pub(super) fn silent() -> Self {
        Self {
            state: String::new(),
            error: no_answer(),
        }
    }
}

/// Sorts an error: what another try can heal is transient, what an operator must change halts.
pub(super) fn source_error(error: &tokio_postgres::Error) -> SourceError {
    if let Some(refused) = error.as_db_error() {
        return refusal(refused.code().code(), refused.message());
    }
    if let Some(finding) = trust::refused::found(error) {
        return halt(finding);
    }
    let mut reasons = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(barred) = io.and_then(|inner| inner.downcast_ref::<Barred>()) {
            return SourceError::Halt(barred.0.clone());
        }
        reasons.push(inner.to_string());
        cause = inner.source();
    }
    if reasons.iter().any(|reason| reason == "password missing") {
        return password_missing();
    }
    if reasons
        .iter()
        .any(|reason| reason == "server did not use channel binding")
    {
        return halt(unbound(
            "it offers no SCRAM-SHA-256-PLUS, or the signature of its certificate has no digest",
        ));
    }
    reasons.dedup();
    SourceError::Transient(format!("cannot talk to PostgreSQL: {}", reasons.join(": ")))
}

/// The server asks for a password and there is none.
pub(crate) fn password_missing() -> SourceError {
    halt(
        Finding::error(
            Cause::Config,
            "source.password_missing",
            "PostgreSQL asks for a password and none is configured",
        )
        .repair("password = { file = \"…\" } in [source]"),
    )
}

/// The server refuses the TLS that `sslmode` asks for.
pub(crate) fn tls_unsupported() -> SourceError {
    halt(
        Finding::error(
            Cause::Surroundings,
            "source.tls_unsupported",
            "PostgreSQL does not speak TLS",
        )
        .because("the role's password and every row would cross the network in the clear")
        .repair("ssl = on in postgresql.conf; or, where the network is trusted, sslmode=disable in `url`"),
    )
}

/// The line that `pg_hba.conf` lacks, of the names that the server says: host, role and database, in quotes in any language.
fn entry(message: &str) -> String {
    let names: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let [host, user, database] = names[..] else {
        return "let the role log in from this host: a line in pg_hba.conf, then SELECT pg_reload_conf();".to_owned();
    };
    let from = match host {
        "[local]" => String::new(),
        v6 if v6.contains(':') => format!(" {v6}/128"),
        v4 => format!(" {v4}/32"),
    };
    let kind = match (
        from.is_empty(),
        message.contains("no encryption") || message.contains("SSL off"),
    ) {
        (true, _) => "local",
        (false, true) => "host",
        (false, false) => "hostssl",
    };
    let tls = if kind == "host" {
        "; or the server wants TLS, as managed ones do: sslmode=verify-full in `url`"
    } else {
        ""
    };
    format!(
        "add to pg_hba.conf: {kind} \"{database}\" \"{user}\"{from} scram-sha-256, above lines that would match before it, then \
         SELECT pg_reload_conf();{tls}"
    )
}

/// Sorts what the server refused, by its SQLSTATE.
pub(crate) fn refusal(state: &str, message: &str) -> SourceError {
    let finding = |code, repair: &str| {
        halt(
            Finding::error(
                Cause::Surroundings,
                code,
                format!("PostgreSQL refused: {message} (SQLSTATE {state})"),
            )
            .repair(repair),
        )
    };
    match state {
        "28P01" => finding(
            "source.password_refused",
            "put the role's present password where `password` in [source] points",
        ),
        "28000" if message.contains("pg_hba.conf") => finding("source.no_entry", &entry(message)),
        "28000" => finding(
            "source.role_refused",
            "let the role log in from this host: pg_hba.conf, ALTER ROLE … LOGIN; where a certificate is asked for, name it as \
             `client_cert` and `client_key` in [source]",
        ),
        "3D000" => finding(
            "source.database_missing",
            "name an existing database in `url` of [source]",
        ),
        "42P01" => finding(
            "source.table_gone",
            "take its entities out of the config, or let `table` name another",
        ),
        "42501" => finding(
            "source.privilege_missing",
            "grant the role of `url` in [source] the right (walbridge check -c FILE says which); for \
             setup and recover, name one that has it with --as URL",
        ),
        "25006" => finding("source.read_only", "connect to the primary"),
        _ if state.starts_with("42") || state.starts_with("0A") => finding(
            "source.statement_refused",
            "compare the server with the versions that are supported: 13 and later",
        ),
        _ => SourceError::Transient(format!("PostgreSQL refused: {message} (SQLSTATE {state})")),
    }
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn the_line_that_is_missing_is_of_the_kind_of_the_connection() {
        for (message, line, wants_tls) in [
            (
                "no pg_hba.conf entry for host \"10.1.2.3\", user \"walbridge\", database \"shop\", no encryption",
                "host \"shop\" \"walbridge\" 10.1.2.3/32 scram-sha-256",
                true,
            ),
            (
                "no pg_hba.conf entry for host \"10.1.2.3\", user \"walbridge\", database \"shop\", SSL off",
                "host \"shop\" \"walbridge\" 10.1.2.3/32 scram-sha-256",
                true,
            ),
            (
                "no pg_hba.conf entry for host \"fd00::7\", user \"walbridge\", database \"shop\", SSL encryption",
                "hostssl \"shop\" \"walbridge\" fd00::7/128 scram-sha-256",
                false,
            ),
            (
                "kein pg_hba.conf-Eintrag für Host \"[local]\", Benutzer \"walbridge\", Datenbank \"shop\", keine Verschlüsselung",
                "local \"shop\" \"walbridge\" scram-sha-256",
                false,
            ),
        ] {
            let repair = entry(message);
            assert!(repair.contains(&format!("add to pg_hba.conf: {line},")), "{repair}");
            assert_eq!(repair.contains("sslmode=verify-full"), wants_tls, "{repair}");
        }
        assert!(entry("pg_hba.conf rejects something else").contains("a line in pg_hba.conf"));
    }
}
