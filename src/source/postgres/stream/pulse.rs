//! Tells the server how far all is published, on a timer of its own: also while nobody reads.
//!
//! What is told is always exactly what was acknowledged last: as written, flushed and applied. Reading happens on the
//! bridge's thread, so this is the one thread beside it; it sleeps but for a look a second.
//!
//! A server that shuts down in order waits until we have taken and acknowledged everything, and says so in the stream
//! only. While nobody reads, nobody would hear it: so now and then this thread knocks at the server's door, and leaves
//! when it is told that the server is shutting down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::flow::change::CommitTime;
use crate::flow::position::Lsn;
use crate::source::postgres::clock;
use crate::source::postgres::connect::Sender;
use crate::source::postgres::connect::wire::{self, Reply};

/// When the server is told something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    /// At the latest after this time.
    pub(super) every: Duration,
    /// What is newly acknowledged, after this time.
    pub(super) news: Duration,
    /// A request for a reply that cannot be met, after this time.
    pub(super) answer: Duration,
    /// After so long without a read, and again after as long, the server is asked whether it shuts down.
    pub(super) unread: Duration,
}

/// Asks the server, by another connection, whether it is shutting down.
pub(super) type Knock = Box<dyn Fn() -> bool + Send>;

#[derive(Debug)]
struct Shared {
    sender: Sender,
    beat: Beat,
    /// The last acknowledged position.
    acked: AtomicU64,
    /// The position up to which the server wants an acknowledgement; 0: it wants none.
    wanted: AtomicU64,
    /// How often the socket was read.
    reads: AtomicU64,
    knocking: AtomicBool,
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Debug)]
struct Told {
    lsn: Lsn,
    at: Instant,
    asked_at: Option<Instant>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Beating,
    Stopped,
    /// Nothing can be sent any more.
    Broken,
}

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a status update. Under the lock: an older position must not overtake a newer one.
    fn tell(&self, told: &mut Told, reply: Reply) {
        let acked = Lsn(self.acked.load(Ordering::Acquire));
        if self.sender.send(&wire::status(acked, clock_us(), reply)).is_err() {
            told.phase = Phase::Broken;
        }
        (told.lsn, told.at, told.asked_at) = (acked, Instant::now(), None);
        if acked.0 >= self.wanted.load(Ordering::Acquire) {
            self.wanted.store(0, Ordering::Release);
        }
    }

    fn run(&self, knock: &Knock) {
        let mut told = self.told();
        let (mut reads, mut since) = (0, Instant::now());
        while told.phase == Phase::Beating {
            let now_read = self.reads.load(Ordering::Relaxed);
            if now_read != reads {
                (reads, since) = (now_read, Instant::now());
            } else if since.elapsed() > self.beat.unread {
                // First: who stops us waits for no answer at the door.
                self.knocking.store(true, Ordering::Release);
                drop(told);
                let leave = knock();
                self.knocking.store(false, Ordering::Release);
                told = self.told();
                if leave && told.phase == Phase::Beating {
                    told.phase = Phase::Broken;
                    // Whether it hears us or not, the line ends here.
                    drop(self.sender.send(&wire::farewell()));
                    self.sender.shut();
                }
                since = Instant::now();
                continue;
            }
            let news = self.acked.load(Ordering::Acquire) > told.lsn.0;
            let due = told.at + if news { self.beat.news } else { self.beat.every };
            let due = told.asked_at.map_or(due, |asked| due.min(asked + self.beat.answer));
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.tell(&mut told, Reply::Unwanted);
            } else {
                let left = left.min(self.beat.news);
                told = self
                    .wake
                    .wait_timeout(told, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}

impl Pulse {
    /// Begins; until something is acknowledged, `acked` is.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(super) fn start(sender: Sender, acked: Lsn, beat: Beat, knock: Knock) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            sender,
            beat,
            acked: AtomicU64::new(acked.0),
            wanted: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            knocking: AtomicBool::new(false),
            told: Mutex::new(Told {
                lsn: acked,
                at: Instant::now(),
                asked_at: None,
                phase: Phase::Beating,
            }),
            wake: Condvar::new(),
        });
        let beating = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("status-updates".to_owned())
            .spawn(move || beating.run(&knock))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// The last acknowledged position.
    pub(super) fn acked(&self) -> Lsn {
        Lsn(self.shared.acked.load(Ordering::Acquire))
    }

    /// Everything up to `lsn` is published; the server is told at once where it waits for that.
    pub(super) fn acknowledge(&self, lsn: Lsn) {
        let before = self.shared.acked.fetch_max(lsn.0, Ordering::AcqRel);
        let wanted = self.shared.wanted.load(Ordering::Acquire);
        if lsn.0 > before && wanted != 0 && lsn.0 >= wanted {
            self.shared.tell(&mut self.shared.told(), Reply::Unwanted);
        }
    }

    /// The server wants an acknowledgement up to `lsn`: it gets one as soon as that is acknowledged, and the last
    /// acknowledged position after a while if it is not. A request that the last reply could not meet is repeated at
    /// once by a server that shuts down: the delay keeps it from being asked and answered without end.
    pub(super) fn asked(&self, lsn: Lsn) {
        self.shared.wanted.fetch_max(lsn.0, Ordering::AcqRel);
        let mut told = self.shared.told();
        if self.acked() >= lsn {
            self.shared.tell(&mut told, Reply::Unwanted);
        } else if told.asked_at.is_none() {
            told.asked_at = Some(Instant::now());
            drop(told);
            self.shared.wake.notify_all();
        }
    }

    /// The socket is read.
    pub(super) fn reads(&self) {
        self.shared.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks the server for a sign of life.
    pub(super) fn ask(&self) {
        self.shared.tell(&mut self.shared.told(), Reply::Wanted);
    }

    /// Whether nothing can be sent any more.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.told().phase == Phase::Broken
    }

    /// Ends the thread, tells the server the last of it, and says farewell.
    pub(super) fn stop(&mut self) {
        {
            let mut told = self.shared.told();
            if told.phase == Phase::Beating {
                if self.acked() > told.lsn {
                    self.shared.tell(&mut told, Reply::Unwanted);
                }
                told.phase = Phase::Stopped;
                // The server may be gone: then there is nobody to part from.
                drop(self.shared.sender.send(&wire::farewell()));
            }
        }
        self.shared.wake.notify_all();
        // A thread that waits for an answer at the door ends by itself.
        if let Some(thread) = self.thread.take()
            && !self.shared.knocking.load(Ordering::Acquire)
        {
            drop(thread.join());
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop();
    }
}

/// When the last reply was sent, which the server shows.
fn clock_us() -> i64 {
    CommitTime::of_unix_micros(clock::unix_us()).0
}
