//! How long a read lets bytes gather: as short as possible near the head of the log, long while behind.
//!
//! The server sends once for each message. A reader that wakes for each of them costs the server more than the message;
//! one that waits while it is near the head adds to the latency. While behind, whoever is ahead stays ahead: a reader
//! that has emptied the socket pauses, so that small messages join in the socket's queue and travel together. Rows a
//! second on two cores, PostgreSQL 15, 1M rows in transactions of 100, `pg_recvlogical` to /dev/null beside it: over TCP
//! 370k with the pause and 195k without (170k to 226k), over a Unix socket 340k and 60k to 180k. Transactions of one row over
//! TCP into Kafka, `bench/run single` with other pauses: 60k a second with 5 ms, 95k with 20 ms, 120k with 35 ms.

use std::time::{Duration, Instant};

use crate::flow::change::CommitTime;
use crate::source::Distance;
use crate::source::postgres::connect::{Gather, Link};

/// Sent so long after its commit, by the server's own clock, a transaction says that we are behind.
const BEHIND_US: i64 = 500_000;
/// In a steady flow near the head, reads gather so much.
const FLOW: Gather = Gather {
    bytes: 32 << 10,
    wait: Duration::from_millis(1),
};
/// Reads that follow each other so fast …
const QUICK: Duration = Duration::from_micros(50);
/// … so often are a steady flow.
const QUICK_READS: u32 = 16;

/// How the bytes of a log that we are behind of are read.
#[derive(Debug)]
struct Gait {
    gather: Gather,
    /// A read that gave less has emptied the socket …
    full_bytes: usize,
    /// … and the server is let get ahead.
    pause: Duration,
}

fn gait(link: Link) -> Gait {
    let network = Gather {
        bytes: 128 << 10,
        wait: Duration::from_millis(5),
    };
    match link {
        Link::Tcp | Link::Tls => Gait {
            gather: network,
            full_bytes: 128 << 10,
            pause: Duration::from_millis(30),
        },
        // Its queue holds few hundred messages, and the kernel wakes the reader for each whatever the low-water mark is.
        Link::Unix => Gait {
            gather: Gather::first_byte(Duration::from_millis(5)),
            full_bytes: 16 << 10,
            pause: Duration::from_micros(100),
        },
    }
}

/// How fast bytes come.
#[derive(Debug)]
pub(super) struct Pace {
    gait: Gait,
    behind: bool,
    last: Option<Instant>,
    quick_reads: u32,
    last_bytes: usize,
}

impl Pace {
    /// Nothing has come yet.
    pub(super) fn new(link: Link) -> Self {
        Self {
            gait: gait(link),
            behind: false,
            last: None,
            quick_reads: 0,
            last_bytes: 0,
        }
    }

    /// A transaction was sent at `sent_us`.
    pub(super) fn told(&mut self, sent_us: i64, committed: CommitTime) {
        self.behind = sent_us.saturating_sub(committed.0) > BEHIND_US;
    }

    /// How far the last transaction was behind.
    pub(super) fn distance(&self) -> Distance {
        if self.behind { Distance::Behind } else { Distance::Near }
    }

    /// How the next read waits; pauses before it, where that lets the server get ahead.
    pub(super) fn before_read(&self, wait: Duration) -> Gather {
        if self.behind {
            if self.last_bytes < self.gait.full_bytes {
                std::thread::sleep(self.gait.pause);
            }
            self.gait.gather
        } else if self.quick_reads >= QUICK_READS {
            FLOW
        } else {
            Gather::first_byte(wait)
        }
    }

    /// A read took `count` bytes from the socket.
    pub(super) fn read(&mut self, count: usize, begun: Instant, ended: Instant) {
        self.last_bytes = count;
        let quick = self.last.is_some_and(|last| begun.duration_since(last) < QUICK);
        let flows = self.quick_reads >= QUICK_READS && count > 1024;
        self.quick_reads = if flows || quick && ended.duration_since(begun) < QUICK {
            self.quick_reads.saturating_add(1)
        } else {
            0
        };
        self.last = Some(ended);
    }

    /// Nothing came: the log's head is reached.
    pub(super) fn calm(&mut self) {
        (self.behind, self.last, self.quick_reads) = (false, None, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_gather_while_behind_and_not_near_the_head() {
        let wait = Duration::from_millis(50);
        for link in [Link::Tcp, Link::Tls, Link::Unix] {
            let mut pace = Pace::new(link);
            assert_eq!(pace.before_read(wait), Gather::first_byte(wait));
            pace.told(10_000_000, CommitTime(9_600_000));
            assert_eq!(pace.before_read(wait), Gather::first_byte(wait));
            pace.told(10_000_000, CommitTime(9_400_000));
            assert_ne!(pace.before_read(wait), Gather::first_byte(wait));
            pace.calm();
            assert_eq!(pace.before_read(wait), Gather::first_byte(wait));
        }
    }

    #[test]
    fn a_steady_flow_near_the_head_gathers_for_a_moment() {
        let mut pace = Pace::new(Link::Tcp);
        let wait = Duration::from_millis(50);
        let mut now = Instant::now();
        for _ in 0..=QUICK_READS {
            pace.read(200, now, now + QUICK / 2);
            now += QUICK / 2;
        }
        assert_eq!(pace.before_read(wait), FLOW);
        pace.read(4000, now, now + QUICK * 2);
        assert_eq!(pace.before_read(wait), FLOW);
        pace.read(200, now, now + QUICK * 2);
        assert_eq!(pace.before_read(wait), Gather::first_byte(wait));
    }
}
