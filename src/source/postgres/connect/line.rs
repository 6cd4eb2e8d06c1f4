//! The line to the server: one thread reads, any thread sends; with or without TLS.
//!
//! Under TLS the two directions share one state. It is locked while bytes in memory are worked on and while a few are
//! sent, never while the reader waits for the socket: so a status update goes out whatever the reader does. Ciphertext
//! is read into a large buffer of ours, since rustls' own reads of 4 KiB would undo the gathering.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::Socket;

use crate::source::postgres::connect::socket::{self, Gather};
use crate::source::postgres::trust;

/// Ciphertext that is read at once.
const CIPHER_BYTES: usize = 256 << 10;

/// What TLS keeps; none without TLS. The lock is also what keeps two sends apart.
type Crypt = Mutex<Option<Box<ClientConnection>>>;

/// The end that sends.
#[derive(Clone)]
pub(crate) struct Sender {
    socket: Arc<Socket>,
    crypt: Arc<Crypt>,
}

/// The end that reads.
pub(crate) struct Line {
    sender: Sender,
    gather: Option<Gather>,
    cipher: Vec<u8>,
    /// What of it is not decrypted yet.
    rest: std::ops::Range<usize>,
    received: usize,
    /// Whether the last read left something that the socket need not be asked for.
    holds_more: bool,
    link: Link,
}

/// What the line runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// A network.
    Tcp,
    /// A network, with TLS.
    Tls,
    /// A Unix socket.
    Unix,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("gather", &self.gather)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

fn lock(crypt: &Crypt) -> MutexGuard<'_, Option<Box<ClientConnection>>> {
    crypt.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what TLS has ready.
fn flush(connection: &mut ClientConnection, socket: &Socket) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(&mut { socket })?;
    }
    Ok(())
}

impl Sender {
    /// Ends both directions.
    pub(crate) fn shut(&self) {
        // It may have ended already.
        drop(self.socket.shutdown(std::net::Shutdown::Both));
    }

    /// Sends all of it.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut crypt = lock(&self.crypt);
        match crypt.as_mut() {
            None => { &*self.socket }.write_all(bytes),
            Some(connection) => {
                connection.writer().write_all(bytes)?;
                flush(connection, &self.socket)
            }
        }
    }
}

impl Line {
    /// Without TLS.
    pub(super) fn plain(socket: Socket, link: Link) -> Self {
        let sender = Sender {
            socket: Arc::new(socket),
            crypt: Arc::new(Mutex::new(None)),
        };
        Self {
            sender,
            gather: None,
            cipher: Vec::new(),
            rest: 0..0,
            received: 0,
            holds_more: false,
            link,
        }
    }

    /// With TLS: shakes hands.
    ///
    /// # Errors
    /// Where the handshake fails, with rustls' own error inside.
    pub(super) fn encrypted(socket: Socket, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<Self> {
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut { &socket })?;
        }
        let mut out = Self::plain(socket, Link::Tls);
        *lock(&out.sender.crypt) = Some(Box::new(connection));
        out.cipher = vec![0; CIPHER_BYTES];
        Ok(out)
    }

    /// What a proof of the password can be bound to; none without TLS.
    pub(super) fn end_point(&self) -> Option<Vec<u8>> {
        let crypt = lock(&self.sender.crypt);
        let certificates = crypt.as_ref()?.peer_certificates()?;
        trust::binding::end_point(certificates.first()?)
    }

    /// The end that sends.
    pub(crate) fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// What it runs over.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// Whether the next read is answered from what was received before.
    pub(crate) fn holds_more(&self) -> bool {
        self.holds_more
    }

    /// How many bytes the socket gave last, encrypted where there is TLS.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// Ends both directions; whoever reads then finds the end.
    pub(crate) fn shut(&self) {
        self.sender.shut();
    }

    /// Sets how reads wait; until then, for the time-out of the start.
    pub(crate) fn gather(&mut self, gather: Gather) -> io::Result<()> {
        if self.gather.map(|before| before.bytes) != Some(gather.bytes) {
            socket::low_water(&self.sender.socket, gather.bytes)?;
        }
        self.gather = Some(gather);
        Ok(())
    }

    /// Reads what is there, as [`Line::gather`] says; 0 at the end of the stream.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.cipher.is_empty() {
            self.received = socket::receive(&self.sender.socket, self.gather, into)?;
            return Ok(self.received);
        }
        loop {
            match self.decrypt(into)? {
                Some(count) => return Ok(count),
                None => {
                    let count = socket::receive(&self.sender.socket, self.gather, &mut self.cipher)?;
                    self.rest = 0..count;
                    self.received = count;
                    if count == 0 {
                        return Ok(0);
                    }
                }
            }
        }
    }

    /// Fills `into` with plain text from the ciphertext at hand; none: more of it is needed.
    fn decrypt(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let mut crypt = lock(&self.sender.crypt);
        let Some(connection) = crypt.as_mut() else {
            return Ok(Some(0));
        };
        let mut filled = 0usize;
        loop {
            let room = into.get_mut(filled..).unwrap_or_default();
            self.holds_more = room.is_empty();
            if self.holds_more {
                return Ok(Some(filled));
            }
            match connection.reader().read(room) {
                Ok(0) => return Ok(Some(filled)),
                Ok(count) => {
                    filled = filled.saturating_add(count);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return if filled > 0 { Ok(Some(filled)) } else { Err(error) },
            }
            let mut rest = self.cipher.get(self.rest.clone()).unwrap_or_default();
            if rest.is_empty() {
                return Ok((filled > 0).then_some(filled));
            }
            let count = connection.read_tls(&mut rest)?;
            self.rest.start = self.rest.start.saturating_add(count);
            connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            flush(connection, &self.sender.socket)?;
        }
    }
}
