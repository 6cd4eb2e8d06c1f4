//! How long a read lets bytes gather: as short as possible near the head of the log, long while behind.
//!
//! The server sends once for each message. A reader that wakes for each of them costs the server more than the message;
//! one that waits while it is near the head adds to the latency.
//!
//! Pure: times are handed in, except for the pause.

use std::time::{Duration, Instant};

use crate::flow::change::CommitTime;
use crate::source::postgres::connect::Gather;

/// Sent so long after its commit, by the server's own clock, a transaction says that we are behind.
const BEHIND_US: i64 = 500_000;
/// While behind, reads gather so much …
const BEHIND: Gather = Gather {
    bytes: 128 << 10,
    wait: Duration::from_millis(5),
};
/// … and in a steady flow near the head, so much.
const FLOW: Gather = Gather {
    bytes: 32 << 10,
    wait: Duration::from_millis(1),
};
/// Reads that follow each other so fast …
const QUICK: Duration = Duration::from_micros(500);
/// … so often are a steady flow.
const QUICK_READS: u32 = 16;
/// While behind, the server is let get ahead after a read that emptied the socket.
const PAUSE: Duration = Duration::from_millis(20);

/// How fast bytes come.
#[derive(Debug, Default)]
pub(super) struct Pace {
    behind: bool,
    last: Option<Instant>,
    quick_reads: u32,
    last_bytes: usize,
}

impl Pace {
    /// A transaction was sent at `sent_us`.
    pub(super) fn told(&mut self, sent_us: i64, committed: CommitTime) {
        self.behind = sent_us.saturating_sub(committed.0) > BEHIND_US;
    }

    /// How the next read waits; pauses before it, where that lets the server get ahead.
    pub(super) fn before_read(&self, wait: Duration) -> Gather {
        if self.behind {
            if usize::try_from(BEHIND.bytes).is_ok_and(|full| self.last_bytes < full) {
                std::thread::sleep(PAUSE);
            }
            BEHIND
        } else if self.quick_reads >= QUICK_READS {
            FLOW
        } else {
            Gather::first_byte(wait)
        }
    }

    /// A read that began at `begun` gave `count` bytes; gives the time after it.
    pub(super) fn read(&mut self, count: usize, begun: Instant) -> Instant {
        self.last_bytes = count;
        let now = Instant::now();
        let quick = self.last.is_some_and(|last| begun.duration_since(last) < QUICK);
        let flows = self.quick_reads >= QUICK_READS && count > 1024;
        self.quick_reads = if flows || quick && now.duration_since(begun) < QUICK {
            self.quick_reads.saturating_add(1)
        } else {
            0
        };
        self.last = Some(now);
        now
    }

    /// Nothing came.
    pub(super) fn calm(&mut self) {
        *self = Self::default();
    }
}
