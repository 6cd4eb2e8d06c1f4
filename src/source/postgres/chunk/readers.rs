//! Chunks are read by threads of their own, so that the stream waits for none; several read one table side by side, each
//! as soon as it is known where the range of the one before it ends.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

use crate::backfill::Chunk;
use crate::backfill::pace::{Haste, Others};
use crate::backfill::target::{Begin, Reading, Rows, Wanted};
use crate::flow::event::KindId;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::chunk::strain::{Look, Strain, rest};
use crate::source::postgres::chunk::{ChunkPlan, ChunkReader, Columns, Cursor, OldRow, ReadChunk};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::entrance::keeps_out;

/// Before a chunk that could not be read is asked for again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two looks, in a pause, whether the chunk is still wanted.
const STEP: Duration = Duration::from_millis(100);
/// Between two lines in the log that say so.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// Threads that read what they are asked for; they end when this is dropped and their chunks are read.
#[derive(Debug)]
pub struct Readers {
    asks: Sender<Ask>,
    /// What is asked for, in order.
    asked: VecDeque<Asked>,
    /// Where the last chunk asked for ends.
    end: Option<Receiver<End>>,
}

/// A chunk that somebody waits for.
#[derive(Debug)]
struct Asked {
    state: KindId,
    table: TableName,
    told_before: u64,
    chosen: Chosen,
    answer: Receiver<Result<Answer, SourceError>>,
    /// Gone when nobody wants it any more.
    _wanted: Arc<()>,
}

/// Which of an entity's rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    All,
    /// Those that an operator named.
    Some,
}

/// A chunk that is to be read.
#[derive(Debug)]
struct Ask {
    plan: ChunkPlan,
    begin: Where,
    haste: Haste,
    rows_max: usize,
    bytes_max: usize,
    answer: Sender<Result<Answer, SourceError>>,
    end: Sender<End>,
    wanted: Weak<()>,
}

/// Where a chunk begins.
#[derive(Debug)]
enum Where {
    /// Behind this key, or with the first row.
    Known(Option<Cursor>),
    /// Where the one before it ends.
    Behind(Receiver<End>),
}

/// Where a chunk ends.
#[derive(Debug)]
enum End {
    Key(Cursor),
    OfTable,
}

#[derive(Debug)]
enum Answer {
    Read {
        after: Option<Cursor>,
        chunk: Box<ReadChunk>,
    },
    /// The one before it was the last.
    Nothing,
}

impl Readers {
    /// Begins; each connects at its first question.
    ///
    /// # Errors
    /// Transient where no thread can be started.
    pub fn begin(settings: &Settings) -> Result<Self, SourceError> {
        let (asks, asked) = unbounded();
        let strain = Arc::new(Strain::default());
        for _ in 0..settings.readers.max(1) {
            let (settings, asked, strain) = (settings.clone(), asked.clone(), Arc::clone(&strain));
            std::thread::Builder::new()
                .name("old rows".to_owned())
                .spawn(move || serve(&settings, &asked, &strain))
                .map_err(|error| SourceError::Transient(format!("cannot start a thread for old rows: {error}")))?;
        }
        Ok(Self {
            asks,
            asked: VecDeque::new(),
            end: None,
        })
    }

    /// See [`Source::ask_chunk`](crate::source::Source::ask_chunk).
    ///
    /// # Errors
    /// Transient where the threads ended.
    pub fn ask(&mut self, wanted: &Wanted<'_>) -> Result<(), SourceError> {
        let begin = match (wanted.begin, self.end.take()) {
            (Begin::BehindAsked, Some(end)) => Where::Behind(end),
            (Begin::First | Begin::BehindAsked, _) => Where::Known(None),
            (Begin::Behind(key), _) => Where::Known(Some(Cursor(key.to_vec()))),
        };
        let ((answer, answers), (end, ends), held) = (bounded(1), bounded(1), Arc::new(()));
        let ask = Ask {
            plan: ChunkPlan::of(wanted),
            begin,
            haste: wanted.haste,
            rows_max: wanted.rows_max,
            bytes_max: wanted.bytes_max,
            answer,
            end,
            wanted: Arc::downgrade(&held),
        };
        self.asks.send(ask).map_err(|_| ended())?;
        self.end = Some(ends);
        self.asked.push_back(Asked {
            state: wanted.target.state,
            table: wanted.target.shape.name.clone(),
            told_before: wanted.told_before,
            chosen: if wanted.only.is_some() {
                Chosen::Some
            } else {
                Chosen::All
            },
            answer: answers,
            _wanted: held,
        });
        Ok(())
    }

    /// See [`Source::next_chunk`](crate::source::Source::next_chunk).
    ///
    /// # Errors
    /// As [`ChunkReader::read`].
    pub fn first(&mut self) -> Result<Reading, SourceError> {
        let Some(first) = self.asked.front() else {
            return Ok(Reading::Nothing);
        };
        let answer = match first.answer.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return Ok(Reading::UnderWay),
            Err(TryRecvError::Disconnected) => return Err(ended()),
        };
        let (state, told_before, chosen, table) = (first.state, first.told_before, first.chosen, first.table.clone());
        self.asked.pop_front();
        let (after, read) = match answer {
            Ok(Answer::Read { after, chunk }) => (after, chunk),
            Ok(Answer::Nothing) => return Ok(Reading::Nothing),
            Err(SourceError::Halt(finding)) if chosen == Chosen::Some => return Ok(Reading::Refused(finding)),
            Err(error) => return Err(error),
        };
        if read.table == Columns::Altered {
            let what = format!("the table {table} was altered since the mapping was compiled");
            return Err(SourceError::Transient(what));
        }
        let named = |row: OldRow| ((state, row.name), row.tuple);
        Ok(Reading::Read(Rows {
            chunk: Chunk {
                snapshot: read.snapshot,
                told_before,
                horizon: read.horizon,
                rows: read.rows.into_iter().map(named).collect(),
            },
            read_at: read.read_at,
            after: after.map(|cursor| cursor.0),
            next: read.next.map(|cursor| cursor.0),
            last: read.last.map(|cursor| cursor.0),
            cost: read.cost,
        }))
    }

    /// See [`Source::drop_chunks`](crate::source::Source::drop_chunks).
    pub fn give_up(&mut self) {
        self.asked.clear();
        self.end = None;
    }
}

fn ended() -> SourceError {
    SourceError::Transient("the thread for old rows ended".to_owned())
}

/// A reader at work.
struct Hand {
    /// None where it has to connect first.
    reader: Option<ChunkReader>,
    /// When it has rested.
    free_at: Instant,
    /// When it began to read a chunk; none: it did not get so far.
    begun: Option<Instant>,
}

/// Reads chunks as they are asked for: whoever waits for the end of another one took it up later, so none waits for ever.
fn serve(settings: &Settings, asks: &Receiver<Ask>, strain: &Strain) {
    let mut hand = Hand {
        reader: None,
        free_at: Instant::now(),
        begun: None,
    };
    for ask in asks {
        let after = match &ask.begin {
            Where::Known(after) => after.clone(),
            Where::Behind(end) => match end.recv() {
                Ok(End::Key(key)) => Some(key),
                Ok(End::OfTable) => {
                    // Nobody may wait for these any more.
                    drop(ask.end.send(End::OfTable));
                    drop(ask.answer.send(Ok(Answer::Nothing)));
                    continue;
                }
                // The one before it is not wanted any more, nor is this.
                Err(_) => continue,
            },
        };
        insist((settings, strain), &mut hand, ask, after);
    }
}

/// Reads a chunk, again and again where it cannot be read now, for as long as somebody wants it.
fn insist((settings, strain): (&Settings, &Strain), hand: &mut Hand, mut ask: Ask, after: Option<Cursor>) {
    let mut warned: Option<Instant> = None;
    while ask.wanted.strong_count() > 0 {
        let read = read((settings, strain), hand, &ask, after.as_ref());
        if ask.wanted.strong_count() == 0 {
            return;
        }
        let why = match &read {
            Err(SourceError::Transient(why)) => why.clone(),
            Err(SourceError::Halt(finding)) if keeps_out(finding) => finding.to_string(),
            Ok(_) | Err(SourceError::Halt(_)) => {
                // Nobody may want it any more.
                drop(ask.answer.send(read.map(|chunk| Answer::Read {
                    after,
                    chunk: Box::new(chunk),
                })));
                return;
            }
        };
        // The stream goes on meanwhile: it has a connection of its own, and meets by itself what concerns it.
        if warned.is_none_or(|since| since.elapsed() > WARN_EVERY) {
            tracing::warn!(why, "cannot read old rows: tries again");
            warned = Some(Instant::now());
        }
        // One that took too long may be read in less.
        if hand.begun.is_some_and(|begun| begun.elapsed() >= settings.snapshot_max) {
            ask.rows_max = (ask.rows_max / 2).max(1);
        }
        std::thread::sleep(RETRY_AFTER);
    }
}

/// Reads a chunk: after a rest where the one before it was read beside others at work, unless that is too slow, and after a
/// pause where the database suffers.
fn read(
    (settings, strain): (&Settings, &Strain),
    hand: &mut Hand,
    ask: &Ask,
    after: Option<&Cursor>,
) -> Result<ReadChunk, SourceError> {
    hand.begun = None;
    let connected = match &mut hand.reader {
        Some(connected) => connected,
        none => none.insert(ChunkReader::connect(settings)?),
    };
    if ask.haste == Haste::No {
        ask.wait(hand.free_at)?;
    }
    let Look { sign, others } = connected.look()?;
    let others = match ask.haste {
        Haste::Yes => Others::Quiet,
        Haste::No => others,
    };
    let now = Instant::now();
    ask.wait(now + strain.pause(sign, now))?;
    let limits = (ask.rows_max, ask.bytes_max);
    // Where it ends is told once: after another attempt with another end, whoever asked sees that they do not meet.
    let tell = |upto: Option<&Cursor>| drop(ask.end.try_send(upto.cloned().map_or(End::OfTable, End::Key)));
    hand.begun = Some(Instant::now());
    let mut read = connected.read_up_to(&ask.plan, after, limits, tell)?;
    read.cost.others = others;
    hand.free_at = Instant::now() + rest(others, read.cost.spent);
    Ok(read)
}

impl Ask {
    /// Waits for a moment.
    ///
    /// # Errors
    /// Transient where nobody wants the chunk any more.
    fn wait(&self, moment: Instant) -> Result<(), SourceError> {
        loop {
            if self.wanted.strong_count() == 0 {
                return Err(SourceError::Transient("nobody wants these rows any more".to_owned()));
            }
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}
