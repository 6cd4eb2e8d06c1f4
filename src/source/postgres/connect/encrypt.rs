//! TLS, asked for before anything else is said
//! (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>).

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::Socket;

use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::connect::{closed, lost, no_postgresql, wire};
use crate::source::postgres::settings::{Address, Tls, Trust};
use crate::source::postgres::sql::{halt, tls_unsupported};
use crate::source::postgres::trust;

/// What both ends want.
pub(in crate::source::postgres) enum Agreed {
    /// No TLS.
    Plain,
    /// A handshake comes next.
    Tls {
        /// Whom to believe.
        config: Arc<ClientConfig>,
        /// Whom we asked for.
        name: ServerName<'static>,
    },
}

/// Asks for TLS where `sslmode` wants it.
///
/// # Errors
/// A halt where it is wanted and refused; transient where the connection is lost.
pub(in crate::source::postgres) fn agree(
    mut socket: &Socket,
    address: &Address,
    trust: &Trust,
) -> Result<Agreed, SourceError> {
    let Address::Tcp { host, .. } = address else {
        return Ok(Agreed::Plain);
    };
    if trust.tls == Tls::Disable {
        return Ok(Agreed::Plain);
    }
    let mut answer = [0u8];
    socket.write_all(&wire::ssl_request()).map_err(|error| lost(&error))?;
    // One byte and no more: whatever else came before the handshake would be taken for the server's word.
    let count = socket.read(&mut answer).map_err(|error| lost(&error))?;
    match (count, answer) {
        (0, _) => return Err(closed()),
        (_, [b'S']) => {}
        (_, [b'N']) if trust.tls == Tls::Prefer => return Ok(Agreed::Plain),
        (_, [b'N']) => return Err(tls_unsupported()),
        // A server that refuses at once, such as one with too many connections, or one that is starting.
        (_, [b'E']) => return Err(SourceError::Transient("PostgreSQL refused the connection".to_owned())),
        (_, [other]) => {
            let what = format!("it answers 0x{other:02X} to the request for TLS");
            return Err(no_postgresql(&what));
        }
    }
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        let what = "the host in `url` is no name that a certificate can carry";
        halt(Finding::error(Cause::Config, "source.tls", what))
    })?;
    Ok(Agreed::Tls {
        config: Arc::new(trust::config(trust)?),
        name,
    })
}
