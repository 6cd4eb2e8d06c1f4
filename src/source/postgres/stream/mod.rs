//! The running stream: reads the socket, finds the messages, and knows how far the server has read its log.
//!
//! Reading happens on the thread that asks for the next step, not on one of its own: the kernel's receive buffer is
//! what the server fills while the bridge maps and produces (which librdkafka does on threads of its own), so a queue
//! between two threads of ours would only copy what already overlaps. Not to read is the back-pressure; status updates
//! go on meanwhile ([`pulse`]).

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::flow::change::{Asked, Step};
use crate::flow::position::Lsn;
use crate::source::postgres::assemble::Assembler;
use crate::source::postgres::connect::inbox::{Inbox, Peek};
use crate::source::postgres::connect::{Connection, Gather, Line, closed, is_leaving, lost, wire};
use crate::source::postgres::settings::Settings;
use crate::source::{Distance, SourceError};

mod frame;
mod pace;
mod pulse;
mod refusal;
#[cfg(test)]
mod tests;

use crate::source::postgres::stream::frame::{DATA_HEAD_BYTES, Frame};
use crate::source::postgres::stream::pace::Pace;
use crate::source::postgres::stream::pulse::{Beat, Pulse};
use crate::source::postgres::stream::refusal::{nonsense, sort};

/// How long server and bridge wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// `wal_sender_timeout` of our session: the server gives a silent bridge up, and the slot with it.
    pub server_timeout: Duration,
    /// A server that keeps asking for an acknowledgement which cannot be given is left after this time: it is shutting
    /// down, and would wait for us. After as long without a read the server is asked whether it is.
    pub insisting_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            server_timeout: Duration::from_secs(60),
            insisting_max: Duration::from_secs(5),
        }
    }
}

impl Timing {
    fn beat(&self) -> Beat {
        Beat {
            every: self.server_timeout.div_f32(4.0).min(Duration::from_secs(10)),
            news: Duration::from_secs(1).min(self.server_timeout.div_f32(4.0)),
            answer: self.answer(),
            unread: self.insisting_max,
        }
    }

    fn answer(&self) -> Duration {
        Duration::from_secs(1).min(self.server_timeout.div_f32(8.0))
    }
}

/// A request for a reply that is not met yet.
#[derive(Clone, Copy, Debug)]
struct Request {
    lsn: Lsn,
    since: Instant,
    last: Instant,
}

/// A running stream.
#[derive(Debug)]
pub(super) struct Stream {
    pulse: Pulse,
    line: Line,
    inbox: Inbox,
    assembler: Assembler,
    pace: Pace,
    timing: Timing,
    row_bytes_max: usize,
    seen_lsn: Lsn,
    request: Option<Request>,
    heard: Instant,
    probed: Option<Instant>,
    /// After an error nothing more is told: what caused it must not be passed over.
    ended: bool,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close();
    }
}

/// What reading gave.
enum Read {
    Bytes,
    Nothing,
}

impl Stream {
    /// Takes a connection on which the stream has started from `confirmed_lsn`.
    pub(super) fn new(
        connection: Connection,
        confirmed_lsn: Lsn,
        timing: Timing,
        settings: &Settings,
    ) -> Result<Self, SourceError> {
        let Connection { line, inbox } = connection;
        let door = settings.clone();
        let knock = Box::new(move || is_leaving(&door, timing.server_timeout));
        let pulse = Pulse::start(line.sender(), confirmed_lsn, timing.beat(), knock)
            .map_err(|error| SourceError::Transient(format!("cannot start a thread for status updates: {error}")))?;
        Ok(Self {
            pulse,
            pace: Pace::new(line.link()),
            line,
            inbox,
            assembler: Assembler::new(),
            timing,
            row_bytes_max: settings.row_bytes_max,
            seen_lsn: confirmed_lsn,
            request: None,
            heard: Instant::now(),
            probed: None,
            ended: false,
        })
    }

    /// Parts from the server. What it still sends is read for a moment: closing a socket with bytes unread resets the
    /// connection, and the server could lose the last acknowledgement.
    fn close(&mut self) {
        self.ended = true;
        self.pulse.stop();
        let begun = Instant::now();
        let mut scrap = vec![0; 64 << 10];
        let short = Gather::first_byte(Duration::from_millis(50));
        while self.line.gather(short).is_ok() && begun.elapsed() < FAREWELL_MAX {
            match self.line.read(&mut scrap) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => break,
            }
        }
        self.line.shut();
    }

    /// How far the last transaction was behind.
    pub(super) fn distance(&self) -> Distance {
        self.pace.distance()
    }

    /// How long nothing came.
    pub(super) fn silence(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Everything up to `lsn` is published.
    pub(super) fn acknowledge(&self, lsn: Lsn) {
        self.pulse.acknowledge(lsn);
    }

    /// The next step; waits up to about `wait` for it.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Step<'_>, SourceError> {
        if self.ended {
            return Err(closed());
        }
        let found = match self.message(wait) {
            Ok(None) => self.waited().map(|()| None),
            other => other,
        };
        // The slot is free for the next attempt, or for another instance, from the error on.
        let Some((message, sent_us)) = found.inspect_err(|_| self.close())? else {
            return Ok(self.drained());
        };
        let message = self.inbox.get(message);
        let step = self.assembler.step(message).map_err(|error| {
            self.ended = true;
            self.pulse.stop();
            nonsense(error)
        })?;
        match &step {
            Some(Step::Begin(transaction)) => self.pace.told(sent_us, transaction.commit_time),
            Some(Step::Commit { end_lsn }) => self.seen_lsn = self.seen_lsn.max(*end_lsn),
            _ => {}
        }
        step.ok_or_else(|| nonsense("a message gives no step"))
    }

    /// Finds the next message that gives a step, and when it was sent; none: there is nothing more for now.
    fn message(&mut self, wait: Duration) -> Result<Option<(Range<usize>, i64)>, SourceError> {
        let mut begun = None;
        loop {
            let (tag, body) = match self.inbox.peek().map_err(nonsense)? {
                Peek::Whole { tag, body } => (tag, body),
                Peek::Part { tag, body_bytes, there } => {
                    self.refuse_oversized(tag, body_bytes, there)?;
                    match self.fill(&mut begun, wait)? {
                        Read::Bytes => continue,
                        Read::Nothing => return Ok(None),
                    }
                }
                Peek::Nothing => match self.fill(&mut begun, wait)? {
                    Read::Bytes => continue,
                    Read::Nothing => return Ok(None),
                },
            };
            self.inbox.pass(&body);
            if tag != b'd' {
                self.unusual(tag, body)?;
                continue;
            }
            match frame::read(self.inbox.get(body.clone())) {
                Frame::Data { sent_us } => {
                    let message = body.start.saturating_add(DATA_HEAD_BYTES)..body.end;
                    let bytes = self.inbox.get(message.clone());
                    if bytes.len() > self.row_bytes_max && is_row(bytes) {
                        return Err(self.oversized(bytes, bytes.len()));
                    }
                    if !Assembler::is_silent(bytes) {
                        return Ok(Some((message, sent_us)));
                    }
                    self.assembler.step(bytes).map_err(nonsense)?;
                }
                Frame::Keepalive { end_lsn, asked } => {
                    if self.keepalive(end_lsn, asked) {
                        return Ok(None);
                    }
                }
                Frame::Nonsense => return Err(nonsense("a message is neither data nor a keepalive")),
            }
        }
    }

    /// Takes a keepalive; true where the bridge should act on it at once.
    ///
    /// It tells how far the log was read and all of it sent, also where nothing in it concerned us. Inside a
    /// transaction it says nothing: the transaction ends later.
    fn keepalive(&mut self, end_lsn: Lsn, asked: Asked) -> bool {
        if !self.assembler.in_transaction() {
            self.seen_lsn = self.seen_lsn.max(end_lsn);
        }
        if asked == Asked::No {
            return false;
        }
        self.pulse.asked(end_lsn);
        let now = Instant::now();
        let gap_max = self.timing.answer().saturating_mul(3);
        let since = match self.request {
            Some(before) if now.duration_since(before.last) < gap_max => before.since,
            _ => now,
        };
        self.request = Some(Request {
            lsn: end_lsn,
            since,
            last: now,
        });
        !self.assembler.in_transaction()
    }

    /// Forgets a request that is met; leaves a server that insists on one that cannot be.
    fn waited(&mut self) -> Result<(), SourceError> {
        self.request = self.request.filter(|request| request.lsn > self.pulse.acked());
        if let Some(Request { since, last, .. }) = self.request
            && !self.assembler.in_transaction()
            && last.duration_since(since) > self.timing.insisting_max
        {
            return Err(SourceError::Transient(
                "PostgreSQL waits for an acknowledgement that cannot be given, as it does while it shuts down"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Nothing more for now.
    fn drained(&self) -> Step<'static> {
        let waits = self.request.is_some() && !self.assembler.in_transaction();
        Step::Drained {
            seen_lsn: self.seen_lsn,
            asked: if waits { Asked::Yes } else { Asked::No },
        }
    }

    /// Reads more bytes; nothing: the wait is over.
    fn fill(&mut self, begun: &mut Option<Instant>, wait: Duration) -> Result<Read, SourceError> {
        let now = Instant::now();
        let begun = *begun.get_or_insert(now);
        if now != begun && now.duration_since(begun) >= wait {
            return Ok(Read::Nothing);
        }
        // What was received already needs no time to gather.
        let is_new = !self.line.holds_more();
        if is_new {
            let gather = self.pace.before_read(wait);
            self.line.gather(gather).map_err(|error| lost(&error))?;
        }
        self.pulse.reads();
        match self.line.read(self.inbox.room()) {
            Ok(0) => Err(closed()),
            Ok(count) => {
                self.inbox.filled(count);
                self.heard = Instant::now();
                if is_new {
                    self.pace.read(self.line.received(), now, self.heard);
                }
                self.probed = None;
                Ok(Read::Bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Read::Bytes),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                self.pace.calm();
                self.watch()?;
                Ok(Read::Bytes)
            }
            Err(error) => Err(lost(&error)),
        }
    }

    /// A silent server is asked for a sign of life, and given up when none comes.
    fn watch(&mut self) -> Result<(), SourceError> {
        if self.pulse.is_broken() {
            return Err(lost(&io::Error::from(io::ErrorKind::BrokenPipe)));
        }
        let half = self.timing.server_timeout.div_f32(2.0);
        match self.probed {
            None if self.heard.elapsed() > half => {
                self.pulse.ask();
                self.probed = Some(Instant::now());
                Ok(())
            }
            Some(probed) if probed.elapsed() > half => Err(SourceError::Transient(
                "PostgreSQL has given no sign of life: the connection counts as lost".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Takes a message that is not CopyData.
    fn unusual(&self, tag: u8, body: Range<usize>) -> Result<(), SourceError> {
        match tag {
            // Notices and parameters.
            b'N' | b'S' | b'A' => Ok(()),
            b'E' => Err(sort(&wire::refused(self.inbox.get(body)))),
            // What a walsender says that has sent everything and shuts down.
            b'c' | b'C' | b'Z' => Err(SourceError::Transient(
                "PostgreSQL ended the stream, as it does when it shuts down".to_owned(),
            )),
            _ => Err(nonsense("a message that has no place in a stream")),
        }
    }

    fn refuse_oversized(&self, tag: u8, body_bytes: usize, there: Range<usize>) -> Result<(), SourceError> {
        let bytes = body_bytes.saturating_sub(DATA_HEAD_BYTES);
        if bytes <= self.row_bytes_max {
            return Ok(());
        }
        let message = self.inbox.get(there.start.saturating_add(DATA_HEAD_BYTES)..there.end);
        if tag == b'd' && message.len() < ROW_HEAD_BYTES {
            return Ok(());
        }
        if tag == b'd' && is_row(message) || bytes > self.row_bytes_max.saturating_add(OTHER_BYTES_MAX) {
            return Err(self.oversized(message, bytes));
        }
        Ok(())
    }

    fn oversized(&self, message: &[u8], bytes: usize) -> SourceError {
        let oid = message.get(1..).and_then(|rest| rest.first_chunk::<4>());
        let oid = oid.map(|oid| u32::from_be_bytes(*oid)).filter(|_| is_row(message));
        let table = oid.and_then(|oid| self.assembler.name(oid));
        refusal::oversized(table, bytes, self.row_bytes_max, self.seen_lsn)
    }
}

/// How long the server may take to end the stream.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// Bytes of a row change's message that name its table.
const ROW_HEAD_BYTES: usize = 5;

/// How much larger than a row another message may be: shapes of tables, notices.
const OTHER_BYTES_MAX: usize = 1 << 20;

fn is_row(message: &[u8]) -> bool {
    matches!(message.first(), Some(b'I' | b'U' | b'D'))
}
