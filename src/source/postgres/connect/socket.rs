//! The socket: how it is opened, and how long it lets bytes gather.

use std::io::{self, Read as _};
use std::net::ToSocketAddrs as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, recv};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::source::SourceError;
use crate::source::postgres::settings::Address;

/// How long connecting to all addresses of a name, and then every answer of the start, may take.
pub(in crate::source::postgres) const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How long a send may wait for room; only status updates are sent, and the server reads them at once.
const SEND_MAX: Duration = Duration::from_secs(10);

/// The receive buffer: large enough for the server to get ahead, so that its small messages travel together.
const RECEIVE_BUFFER_BYTES: usize = 256 << 10;

/// Connects to the first address that answers.
pub(in crate::source::postgres) fn dial(address: &Address) -> Result<Socket, SourceError> {
    let begun = Instant::now();
    let mut last = None;
    let places = match address {
        Address::Unix { directory, port } => {
            let path = directory.join(format!(".s.PGSQL.{port}"));
            vec![SockAddr::unix(&path).map_err(|error| unreachable(address, &error))?]
        }
        Address::Tcp { host, port } => (host.as_str(), *port)
            .to_socket_addrs()
            .map_err(|error| unreachable(address, &error))?
            .map(SockAddr::from)
            .collect(),
    };
    for place in &places {
        let left = CONNECT_MAX.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        match open(place, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "its name has no address"));
    Err(unreachable(address, &error))
}

fn unreachable(address: &Address, error: &io::Error) -> SourceError {
    SourceError::Transient(format!("cannot reach PostgreSQL at {address}: {error}"))
}

fn open(place: &SockAddr, limit: Duration) -> io::Result<Socket> {
    let socket = Socket::new(place.domain(), Type::STREAM, None)?;
    // Before connect, or the window of TCP is negotiated without it.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    if place.domain() == Domain::UNIX {
        socket.connect(place)?;
    } else {
        socket.connect_timeout(place, limit)?;
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(15))
            .with_interval(Duration::from_secs(5))
            .with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))?;
    }
    socket.set_read_timeout(Some(CONNECT_MAX))?;
    socket.set_write_timeout(Some(SEND_MAX))?;
    Ok(socket)
}

/// How a read waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gather {
    /// It returns when so many bytes are there …
    pub(crate) bytes: i32,
    /// … or after this time, with what is there.
    pub(crate) wait: Duration,
}

impl Gather {
    /// The first byte ends the wait.
    pub(crate) fn first_byte(wait: Duration) -> Self {
        Self { bytes: 1, wait }
    }
}

/// Waits as `gather` says, and reads what is there; with nothing there it is `WouldBlock`. Without `gather` it waits for the
/// time-out of the start.
pub(super) fn receive(mut socket: &Socket, gather: Option<Gather>, into: &mut [u8]) -> io::Result<usize> {
    let Some(gather) = gather else {
        return socket.read(into);
    };
    let wait = Timespec::try_from(gather.wait).map_err(|_| io::ErrorKind::InvalidInput)?;
    poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&wait))?;
    Ok(recv(socket, into, RecvFlags::DONTWAIT)?.0)
}

/// `SO_RCVLOWAT`: a reader sleeps until so many bytes are there. The server sends once for each message, and waking the
/// reader for each of them would cost the server more than the message itself.
#[cfg(target_os = "linux")]
pub(super) fn low_water(socket: &Socket, bytes: libc::c_int) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let length = u32::try_from(size_of::<libc::c_int>()).unwrap_or(4);
    let value = std::ptr::from_ref(&bytes).cast::<libc::c_void>();
    #[expect(
        unsafe_code,
        reason = "no crate in use has a setter for SO_RCVLOWAT; the kernel reads one int that outlives the call"
    )]
    let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, value, length) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Elsewhere reads do not gather.
#[cfg(not(target_os = "linux"))]
pub(super) fn low_water(_socket: &Socket, _bytes: i32) -> io::Result<()> {
    Ok(())
}
