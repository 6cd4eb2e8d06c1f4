//! Asking a running bridge over its own HTTP port, one request a connection.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::secret::Revealed;

/// A bridge on this machine, or beside it, is reached within this time.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// What is only looked at is answered at once, by a thread that does nothing else.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// The bridge itself gives up waiting before.
const ORDER_MAX: Duration = Duration::from_secs(60);
/// No answer of a bridge is longer.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Where a bridge that listens there is reached from its own machine.
pub(in crate::cli) fn address(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        given @ (IpAddr::V4(_) | IpAddr::V6(_)) => given,
    };
    SocketAddr::new(host, listen.port())
}

/// An answer.
#[derive(Debug)]
pub(in crate::cli) struct Answer {
    pub(in crate::cli) code: u16,
    pub(in crate::cli) body: String,
}

/// Looks at a page, as JSON.
pub(in crate::cli) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
    exchange(address, &request, LOOK_MAX)
}

/// Hands in a document, with the token that permits it.
pub(in crate::cli) fn post(address: SocketAddr, path: &str, token: &Revealed, body: &str) -> io::Result<Answer> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        token.expose(),
        body.len()
    );
    exchange(address, &request, ORDER_MAX)
}

fn exchange(address: SocketAddr, request: &str, answer_max: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
    stream.set_write_timeout(Some(CONNECT_MAX))?;
    stream.set_read_timeout(Some(answer_max))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers there is no bridge"))
}

fn read(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    let code = words.next()?.parse().ok().filter(|_| is_http)?;
    Some(Answer {
        code,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_that_listens_everywhere_is_reached_here() {
        for (listen, reached) in [
            ("0.0.0.0:9400", "127.0.0.1:9400"),
            ("[::]:9400", "[::1]:9400"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("10.1.2.3:9400", "10.1.2.3:9400"),
        ] {
            assert_eq!(address(listen.parse().unwrap()), reached.parse().unwrap());
        }
    }

    #[test]
    fn an_answer_is_read_and_anything_else_is_not() {
        let answer = read("HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!((answer.code, answer.body.as_str()), (409, "{}"));
        for other in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0-x 200 x\r\n\r\n",
            "HTTP/1.1 ok\r\n\r\n",
        ] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
