//! The replication connection: opened, authenticated, and asked what the walsender alone can answer.
//!
//! Blocking, and over `postgres-protocol` only for SCRAM: no driver speaks CopyBoth, and the socket must be ours.

use std::io;
use std::ops::Range;
use std::time::Duration;

use crate::source::SourceError;
use crate::source::postgres::settings::{Address, Settings};
use crate::source::postgres::sql::{halt, refusal};
use crate::source::postgres::trust;

pub(in crate::source::postgres) mod demand;
pub(in crate::source::postgres) mod encrypt;
mod greet;
pub(in crate::source::postgres) mod hosts;
pub(crate) mod inbox;
mod line;
pub(in crate::source::postgres) mod socket;
pub(crate) mod wire;

use crate::source::postgres::connect::encrypt::Agreed;
use crate::source::postgres::connect::inbox::{Inbox, Peek};
pub(crate) use crate::source::postgres::connect::line::{Line, Link, Sender};
pub(crate) use crate::source::postgres::connect::socket::Gather;
use crate::source::postgres::connect::wire::Refused;

/// Bounds of the receive buffer: less costs system calls, more gains nothing.
const BUFFER_BYTES_MIN: usize = 128 << 10;
const BUFFER_BYTES_MAX: usize = 1 << 20;

/// The largest answer before the stream: a timeline's history is the longest.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Limits that may be set for the role must not end the session; which of them exist depends on the version.
const SESSION: &str = "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', \
     'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')";

/// An open replication connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) line: Line,
    pub(crate) inbox: Inbox,
}

/// What came of START_REPLICATION.
#[derive(Debug)]
pub(crate) enum Started {
    /// The stream runs.
    Streaming(Connection),
    /// The server refused.
    Refused(Refused),
}

/// A database without an encoding holds any bytes: they come as they are, for the server would end the stream at the
/// first that are no UTF-8, be the column mapped or not. Of a mapped one, the mapping says so with its name.
pub(in crate::source::postgres) const AS_IT_IS: &str = "SELECT set_config('client_encoding', 'SQL_ASCII', false) \
     WHERE current_setting('server_encoding') = 'SQL_ASCII'";

/// Connects; `server_timeout` is how long the server waits for a sign of life.
///
/// # Errors
/// See [`SourceError`]: sorted as [`crate::source::postgres::sql::Sql::connect`] does.
pub(crate) fn connect(settings: &Settings, server_timeout: Duration) -> Result<Connection, SourceError> {
    let enter = |address: &Address| enter(address, settings, server_timeout);
    hosts::first_fit(&settings.login, enter, |connection| {
        let answer = connection.ask("SELECT pg_catalog.pg_is_in_recovery()")?;
        Ok(answer.first().and_then(|row| row.first()) == Some(&Some("t".to_owned())))
    })
}

fn enter(address: &Address, settings: &Settings, server_timeout: Duration) -> Result<Connection, SourceError> {
    let socket = socket::dial(address)?;
    let line = match encrypt::agree(&socket, address, &settings.login.trust)? {
        Agreed::Plain if matches!(address, Address::Unix { .. }) => Line::plain(socket, Link::Unix),
        Agreed::Plain => Line::plain(socket, Link::Tcp),
        Agreed::Tls { config, name } => Line::encrypted(socket, config, name).map_err(|error| lost(&error))?,
    };
    let mut connection = Connection {
        line,
        inbox: Inbox::new(
            settings.buffer_bytes_max.clamp(BUFFER_BYTES_MIN, BUFFER_BYTES_MAX),
            settings.row_bytes_max.saturating_add(ANSWER_BYTES_MAX),
        ),
    };
    greet::start_up(&mut connection, (address, &settings.login), server_timeout)?;
    connection.ask(SESSION)?;
    connection.ask(AS_IT_IS)?;
    Ok(connection)
}

/// Whether the server is shutting down (or starting): it says so to whoever comes, before anything else.
pub(crate) fn is_leaving(settings: &Settings, server_timeout: Duration) -> bool {
    let answer = connect(settings, server_timeout);
    matches!(answer, Err(SourceError::Transient(why)) if why.contains("SQLSTATE 57P03"))
}

impl Connection {
    /// Sends.
    fn send(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.line.sender().send(bytes).map_err(|error| lost(&error))
    }

    /// Waits for the next message that is no notice.
    fn receive(&mut self) -> Result<(u8, Range<usize>), SourceError> {
        loop {
            match self.inbox.peek().map_err(|error| no_postgresql(&error.to_string()))? {
                Peek::Whole { tag, body } => {
                    self.inbox.pass(&body);
                    if !matches!(tag, b'N' | b'S' | b'A') {
                        return Ok((tag, body));
                    }
                }
                Peek::Part { body_bytes, .. } if body_bytes > ANSWER_BYTES_MAX => {
                    return Err(no_postgresql(&format!("its answer is {body_bytes} bytes long")));
                }
                Peek::Part { .. } | Peek::Nothing => {
                    let count = self.line.read(self.inbox.room()).map_err(|error| lost(&error))?;
                    self.inbox.filled(count);
                    if count == 0 {
                        return Err(closed());
                    }
                }
            }
        }
    }

    /// Asks by the simple protocol; values as text.
    ///
    /// # Errors
    /// What the server refuses, sorted.
    pub(crate) fn ask(&mut self, text: &str) -> Result<Vec<Vec<Option<String>>>, SourceError> {
        self.send(&wire::query(text))?;
        let mut rows = Vec::new();
        let mut refused = None;
        loop {
            let (tag, body) = self.receive()?;
            match tag {
                b'D' => rows.push(wire::data_row(self.inbox.get(body))),
                b'E' => refused = Some(wire::refused(self.inbox.get(body))),
                b'Z' => break,
                _ => {}
            }
        }
        match refused {
            None => Ok(rows),
            Some(refused) => Err(refusal(&refused.state, &refused.message)),
        }
    }

    /// Starts the stream.
    ///
    /// # Errors
    /// Where the connection is lost; a refusal is no error here: what it means depends on the slot.
    pub(crate) fn start(mut self, command: &str) -> Result<Started, SourceError> {
        self.send(&wire::query(command))?;
        loop {
            let (tag, body) = self.receive()?;
            match tag {
                b'W' => return Ok(Started::Streaming(self)),
                b'E' => return Ok(Started::Refused(wire::refused(self.inbox.get(body)))),
                _ => {}
            }
        }
    }
}

/// The connection is lost, or never came about for a reason of TLS.
pub(crate) fn lost(error: &io::Error) -> SourceError {
    if let Some(finding) = trust::refused::found(error) {
        return halt(finding);
    }
    let late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
    let why = if late {
        "no answer in time".to_owned()
    } else {
        error.to_string()
    };
    SourceError::Transient(format!("the connection to PostgreSQL is lost: {why}"))
}

/// The server ended it without a word.
pub(crate) fn closed() -> SourceError {
    SourceError::Transient("PostgreSQL closed the connection".to_owned())
}

/// Something else listens there.
fn no_postgresql(what: &str) -> SourceError {
    halt(demand::no_postgresql(what))
}
