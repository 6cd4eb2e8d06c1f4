//! Start-up: TLS where it is asked for, the session's parameters, and the password.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use socket2::Socket;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::connect::line::Line;
use crate::source::postgres::connect::{Connection, closed, lost, no_postgresql, wire};
use crate::source::postgres::settings::{Address, Settings, Tls, VALUE_TEXT};
use crate::source::postgres::sql::{halt, password, password_missing, refusal, tls_unsupported, trust, unverified};

/// Asks for TLS and shakes hands.
pub(super) fn encrypt(socket: Socket, settings: &Settings) -> Result<Line, SourceError> {
    let mut answer = [0u8];
    { &socket }
        .write_all(&wire::ssl_request())
        .map_err(|error| lost(&error))?;
    // One byte and no more: whatever else came before the handshake would be taken for the server's word.
    let count = { &socket }.read(&mut answer).map_err(|error| lost(&error))?;
    match (count, answer) {
        (0, _) => return Err(closed()),
        (_, [b'S']) => {}
        (_, [b'N']) => {
            return Err(tls_unsupported());
        }
        // A server that refuses at once, such as one with too many connections, or one that is starting.
        (_, [b'E']) => return Err(SourceError::Transient("PostgreSQL refused the connection".to_owned())),
        (_, [other]) => {
            return Err(no_postgresql(&format!(
                "it answers 0x{other:02X} to the request for TLS"
            )));
        }
    }
    let host = match &settings.address {
        Address::Tcp { host, .. } => host.clone(),
        Address::Unix { .. } => String::new(),
    };
    let unusable = |what: String| halt(Finding::error(Cause::Config, "source.tls", what));
    let name = ServerName::try_from(host)
        .map_err(|_| unusable("the host in `url` is no name that a certificate can carry".to_owned()))?;
    let config = trust::config(settings.tls, settings.root_cert.as_deref())?;
    let connection = ClientConnection::new(Arc::new(config), name)
        .map_err(|error| unusable(format!("cannot set up TLS: {error}")))?;
    Line::encrypted(socket, connection).map_err(|error| {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(reason)) => unverified(reason),
            _ => lost(&error),
        }
    })
}

/// Begins the session. Every parameter on which the text of a value depends is set here: what the role or the database
/// has set for it would otherwise change what is published.
pub(super) fn start_up(connection: &mut Connection, settings: &Settings, timeout: Duration) -> Result<(), SourceError> {
    let timeout = format!("{}ms", timeout.as_millis());
    let mut parameters = vec![
        ("user", settings.user.as_str()),
        ("database", settings.database.as_str()),
        ("replication", "database"),
        ("application_name", "walbridge"),
        ("wal_sender_timeout", timeout.as_str()),
    ];
    parameters.extend(VALUE_TEXT);
    connection.send(&wire::startup(&parameters))?;
    loop {
        let (tag, body) = connection.receive()?;
        match tag {
            b'R' => {
                let body = connection.inbox.get(body).to_vec();
                authenticate(connection, settings, &body)?;
            }
            b'E' => {
                let refused = wire::refused(connection.inbox.get(body));
                return Err(refusal(&refused.state, &refused.message));
            }
            b'Z' => return Ok(()),
            b'K' => {}
            other => return Err(no_postgresql(&format!("a message of kind 0x{other:02X} at the start"))),
        }
    }
}

/// Answers one request (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>).
fn authenticate(connection: &mut Connection, settings: &Settings, mut body: &[u8]) -> Result<(), SourceError> {
    let kind = wire::take_u32(&mut body);
    if kind == Some(0) {
        return Ok(());
    }
    let clear = match &settings.address {
        Address::Tcp { .. } => settings.tls == Tls::VerifyFull,
        Address::Unix { .. } => true,
    };
    if kind == Some(3) && !clear {
        return Err(halt(
            Finding::error(
                Cause::Surroundings,
                "source.password_in_the_clear",
                "PostgreSQL asks for the password in the clear, on a connection that is not verified",
            )
            .because("whoever answers in its place would learn it")
            .repair("scram-sha-256 instead of password in pg_hba.conf, or sslmode=verify-full in `url`"),
        ));
    }
    if !matches!(kind, Some(3 | 5 | 10)) {
        return Err(halt(
            Finding::error(
                Cause::Surroundings,
                "source.authentication_unknown",
                "PostgreSQL asks for a way to authenticate that is not spoken (GSSAPI, SSPI or an unknown one)",
            )
            .repair("scram-sha-256 for this role in pg_hba.conf"),
        ));
    }
    let Some(secret) = password(settings)? else {
        return Err(password_missing());
    };
    match kind {
        Some(3) => connection.send(&wire::password(secret.expose())),
        Some(5) => {
            let salt = body.first_chunk::<4>().copied().unwrap_or_default();
            let digest = md5_hash(settings.user.as_bytes(), secret.expose().as_bytes(), salt);
            connection.send(&wire::password(&digest))
        }
        _ => scram(connection, body, secret.expose()),
    }
}

fn scram(connection: &mut Connection, offered: &[u8], password: &str) -> Result<(), SourceError> {
    if !wire::mechanisms(offered).contains(&SCRAM_SHA_256.as_bytes()) {
        return Err(no_postgresql("it offers no SCRAM-SHA-256"));
    }
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    connection.send(&wire::sasl_begin(SCRAM_SHA_256, scram.message()))?;
    // A server that does not know the password cannot prove itself either.
    let unproven = |error: std::io::Error| no_postgresql(&format!("its part of SCRAM is wrong: {error}"));
    let challenge = continuation(connection, 11)?;
    scram.update(&challenge).map_err(unproven)?;
    connection.send(&wire::sasl_answer(scram.message()))?;
    let proof = continuation(connection, 12)?;
    scram.finish(&proof).map_err(unproven)
}

fn continuation(connection: &mut Connection, kind: u32) -> Result<Vec<u8>, SourceError> {
    let (tag, body) = connection.receive()?;
    let mut body = connection.inbox.get(body);
    if tag == b'E' {
        let refused = wire::refused(body);
        return Err(refusal(&refused.state, &refused.message));
    }
    if tag != b'R' || wire::take_u32(&mut body) != Some(kind) {
        return Err(no_postgresql("its part of SCRAM is missing"));
    }
    Ok(body.to_vec())
}
