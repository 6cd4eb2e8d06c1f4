//! Start-up: the session's parameters, and the password.

use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};

use crate::source::SourceError;
use crate::source::postgres::connect::demand::{self, Standing};
use crate::source::postgres::connect::{Connection, no_postgresql, wire};
use crate::source::postgres::settings::{Address, Binding, Login, VALUE_TEXT};
use crate::source::postgres::sql::{halt, password, password_missing, refusal};

/// Begins the session. Every parameter on which the text of a value depends is set here: what the role or the database
/// has set for it would otherwise change what is published.
pub(super) fn start_up(
    connection: &mut Connection,
    (address, login): (&Address, &Login),
    timeout: Duration,
) -> Result<(), SourceError> {
    let timeout = format!("{}ms", timeout.as_millis());
    let mut parameters = vec![
        ("user", login.user.as_str()),
        ("database", login.database.as_str()),
        ("replication", "database"),
        ("application_name", "walbridge"),
        ("wal_sender_timeout", timeout.as_str()),
    ];
    parameters.extend(VALUE_TEXT);
    connection.send(&wire::startup(&parameters))?;
    let mut asked = Some(Standing::of(address, &login.trust));
    loop {
        let (tag, body) = connection.receive()?;
        match tag {
            b'R' => {
                let body = connection.inbox.get(body).to_vec();
                authenticate(connection, login, (asked.take(), &body))?;
            }
            b'E' => {
                let refused = wire::refused(connection.inbox.get(body));
                return Err(refusal(&refused.state, &refused.message));
            }
            // Only behind what `may_ask` has judged: who lets anybody in need not be the server that is meant.
            b'Z' if asked.is_none() => return Ok(()),
            b'K' if asked.is_none() => {}
            other => return Err(no_postgresql(&format!("a message of kind 0x{other:02X} at the start"))),
        }
    }
}

/// Answers one request (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>); what the
/// server asks for first must suit where the connection stands.
fn authenticate(
    connection: &mut Connection,
    login: &Login,
    (first, mut body): (Option<Standing>, &[u8]),
) -> Result<(), SourceError> {
    let kind = wire::take_u32(&mut body).unwrap_or(u32::MAX);
    if let Some(standing) = first {
        standing.may_ask(kind).map_err(SourceError::Halt)?;
    }
    if kind == demand::OK {
        return Ok(());
    }
    if first.is_none() {
        return Err(no_postgresql("it asks for a login twice"));
    }
    let Some(secret) = password(login)? else {
        return Err(password_missing());
    };
    match kind {
        demand::CLEAR => connection.send(&wire::password(secret.expose())),
        demand::MD5 => {
            let salt = body.first_chunk::<4>().copied().unwrap_or_default();
            let digest = md5_hash(login.user.as_bytes(), secret.expose().as_bytes(), salt);
            connection.send(&wire::password(&digest))
        }
        _ => scram(connection, (login.trust.binding, body), secret.expose()),
    }
}

/// How the proof is bound to the server's certificate, and the mechanism of that (RFC 5802, section 6).
fn bound(
    end_point: Option<Vec<u8>>,
    binding: Binding,
    offered: &[u8],
) -> Result<(ChannelBinding, &'static str), SourceError> {
    let mechanisms = wire::mechanisms(offered);
    let is_offered = |name: &str| mechanisms.contains(&name.as_bytes());
    let end_point = end_point.filter(|_| binding != Binding::Disable);
    match end_point {
        Some(digest) if is_offered(SCRAM_SHA_256_PLUS) => {
            Ok((ChannelBinding::tls_server_end_point(digest), SCRAM_SHA_256_PLUS))
        }
        _ if binding == Binding::Require => {
            let why = match end_point {
                Some(_) => "it offers no SCRAM-SHA-256-PLUS",
                None => "there is no TLS, or the signature of its certificate has no digest",
            };
            Err(halt(demand::unbound(why)))
        }
        _ if !is_offered(SCRAM_SHA_256) => Err(no_postgresql("it offers no SCRAM-SHA-256")),
        // The server refuses this where it did offer binding, and somebody in between took the offer out.
        Some(_) => Ok((ChannelBinding::unrequested(), SCRAM_SHA_256)),
        None => Ok((ChannelBinding::unsupported(), SCRAM_SHA_256)),
    }
}

fn scram(connection: &mut Connection, (binding, offered): (Binding, &[u8]), password: &str) -> Result<(), SourceError> {
    let (bound, mechanism) = bound(connection.line.end_point(), binding, offered)?;
    let mut scram = ScramSha256::new(password.as_bytes(), bound);
    connection.send(&wire::sasl_begin(mechanism, scram.message()))?;
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use socket2::Socket;

    use super::*;
    use crate::source::postgres::connect::inbox::Inbox;
    use crate::source::postgres::connect::line::{Line, Link};
    use crate::source::postgres::settings::{Target, Tls, Trust};

    /// How a start ends where the server says this.
    fn started(said: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(said).unwrap();
        let mut connection = Connection {
            line: Line::plain(Socket::from(socket), Link::Tcp),
            inbox: Inbox::new(64 << 10, 64 << 10),
        };
        let address = Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 5432,
        };
        let login = Login {
            hosts: Vec::new(),
            target: Target::Any,
            user: "walbridge".to_owned(),
            password: None,
            database: "shop".to_owned(),
            trust: Trust::of(Tls::Disable),
        };
        match start_up(&mut connection, (&address, &login), Duration::from_secs(1)) {
            Ok(()) => "begun".to_owned(),
            Err(SourceError::Halt(finding)) => finding.code.to_owned(),
            Err(SourceError::Transient(why)) => why,
        }
    }

    #[test]
    fn a_session_begins_only_behind_a_login_that_was_judged() {
        const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0";
        const KEY: &[u8] = b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01";
        const READY: &[u8] = b"Z\0\0\0\x05I";
        assert_eq!(started(&[LET_IN, KEY, READY].concat()), "begun");
        assert_eq!(started(READY), "source.not_postgresql");
        assert_eq!(started(&[KEY, READY].concat()), "source.not_postgresql");
    }
}
