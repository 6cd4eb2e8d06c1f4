//! What CopyBoth carries (<https://www.postgresql.org/docs/current/protocol-replication.html>).
//!
//! Pure: no I/O. Nothing here panics or believes a length, whatever the bytes are.

use crate::flow::change::Asked;
use crate::flow::position::Lsn;

/// Bytes before the message in XLogData: its kind, two positions and a time.
pub(super) const DATA_HEAD_BYTES: usize = 25;

/// What a CopyData message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// XLogData: a pgoutput message follows the head.
    Data {
        /// When it was sent, in microseconds since 2000 by the server's clock.
        sent_us: i64,
    },
    /// A keepalive.
    Keepalive {
        /// How far the server has read its log.
        end_lsn: Lsn,
        /// Whether it wants a reply.
        asked: Asked,
    },
    /// Neither.
    Nonsense,
}

/// Reads a CopyData message, or the beginning of one.
#[inline]
pub(super) fn read(body: &[u8]) -> Frame {
    let number = |at: usize| body.get(at..).and_then(|rest| rest.first_chunk::<8>()).copied();
    match (body.first(), number(1), number(9), number(17)) {
        (Some(b'w'), _, _, Some(sent)) => Frame::Data {
            sent_us: i64::from_be_bytes(sent),
        },
        (Some(b'k'), Some(end), Some(_), None) => match body.get(17..) {
            Some([0]) => Frame::Keepalive {
                end_lsn: Lsn(u64::from_be_bytes(end)),
                asked: Asked::No,
            },
            Some([1]) => Frame::Keepalive {
                end_lsn: Lsn(u64::from_be_bytes(end)),
                asked: Asked::Yes,
            },
            _ => Frame::Nonsense,
        },
        _ => Frame::Nonsense,
    }
}
