//! An SQL connection that looks at what the server asks for before the driver answers it.
//!
//! The driver answers whatever is asked, a password in the clear too. So the head of the server's first message is read
//! here, and what does not suit where the connection stands ends it before a word of the password is sent.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use crate::finding::Finding;
use crate::source::postgres::connect::demand::{Standing, no_postgresql};
use crate::source::postgres::trust::binding;

/// Tag, length, and the kind of an authentication request.
const HEAD_BYTES: usize = 9;

/// The server asked for what it does not get.
#[derive(Debug)]
pub(super) struct Barred(pub(super) Box<Finding>);

impl fmt::Display for Barred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl std::error::Error for Barred {}

/// A stream whose first message is looked at.
pub(super) struct Wary<S> {
    inner: S,
    standing: Standing,
    head: Vec<u8>,
    /// How much of the head was handed on.
    given: usize,
    end_point: Option<Vec<u8>>,
}

impl<S> Wary<S> {
    pub(super) fn new(inner: S, standing: Standing) -> Self {
        Self {
            inner,
            standing,
            head: Vec::with_capacity(HEAD_BYTES),
            given: 0,
            end_point: None,
        }
    }
}

fn look(head: &[u8], standing: Standing) -> io::Result<()> {
    let asked = match head {
        [b'R', _, _, _, _, kind @ ..] => {
            let kind = <[u8; 4]>::try_from(kind).map_or(u32::MAX, u32::from_be_bytes);
            standing.may_ask(kind)
        }
        // An error, a notice, or another version of the protocol.
        [b'E' | b'N' | b'v', ..] => Ok(()),
        [other, ..] => Err(Box::new(no_postgresql(&format!(
            "a message of kind 0x{other:02X} at the start"
        )))),
        [] => Ok(()),
    };
    asked.map_err(|finding| io::Error::other(Barred(finding)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Wary<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.head.len() < HEAD_BYTES {
            let mut room = [0u8; HEAD_BYTES];
            let wanted = room.get_mut(this.head.len()..).unwrap_or_default();
            let mut part = ReadBuf::new(wanted);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                break;
            }
            this.head.extend_from_slice(part.filled());
            if this.head.len() == HEAD_BYTES {
                look(&this.head, this.standing)?;
            }
        }
        let rest = this.head.get(this.given..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.inner).poll_read(cx, into);
        }
        let count = rest.len().min(into.remaining());
        into.put_slice(rest.get(..count).unwrap_or_default());
        this.given = this.given.saturating_add(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wary<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Wary<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.end_point
            .clone()
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// The handshake, after both ends agreed on TLS.
pub(super) struct Handshake {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) standing: Standing,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Wary<tokio_rustls::client::TlsStream<S>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let inner = TlsConnector::from(self.config).connect(self.name, stream).await?;
            let certificates = inner.get_ref().1.peer_certificates();
            let end_point = certificates.and_then(|all| binding::end_point(all.first()?));
            Ok(Wary {
                end_point,
                ..Wary::new(inner, self.standing)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::source::postgres::settings::{Address, Tls, Trust};

    fn read(server: &[u8], buffer_bytes: usize) -> io::Result<Vec<u8>> {
        let address = Address::Tcp {
            host: "db".to_owned(),
            port: 1,
        };
        let standing = Standing::of(&address, &Trust::of(Tls::Disable));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut wary = Wary::new(server, standing);
            let (mut all, mut buffer) = (Vec::new(), vec![0u8; buffer_bytes]);
            loop {
                match wary.read(&mut buffer).await? {
                    0 => return Ok(all),
                    count => all.extend_from_slice(&buffer[..count]),
                }
            }
        })
    }

    #[test]
    fn what_may_be_asked_is_handed_on_byte_by_byte() {
        let scram = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
        for bytes in 1..=scram.len() {
            assert_eq!(read(scram, bytes).unwrap(), scram);
        }
        assert_eq!(read(b"E\0\0\0\x05\0", 4).unwrap(), b"E\0\0\0\x05\0");
    }

    #[test]
    fn a_password_that_must_not_be_sent_is_not_asked_of_the_driver() {
        for (request, code) in [
            (&b"R\0\0\0\x08\0\0\0\x03"[..], "source.password_in_the_clear"),
            (b"R\0\0\0\x0c\0\0\0\x05salt", "source.md5_refused"),
            (b"HTTP/1.1 400 Bad Request", "source.not_postgresql"),
        ] {
            let error = read(request, 64).unwrap_err();
            let barred = error.get_ref().unwrap().downcast_ref::<Barred>().unwrap();
            assert_eq!(barred.0.code, code);
        }
    }
}
