//! Chunks are read by a thread of their own, so that the stream waits for none.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::backfill::Chunk;
use crate::backfill::target::{Rows, Wanted};
use crate::flow::event::KindId;
use crate::source::SourceError;
use crate::source::postgres::chunk::{ChunkPlan, ChunkReader, Columns, Cursor, OldRow, ReadChunk};
use crate::source::postgres::settings::Settings;

/// Bytes of one chunk: it is held in memory until it joins the stream.
const BYTES_MAX: usize = 4 << 20;

/// Before a chunk that could not be read is asked for again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Between two lines in the log that say so.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// A thread that reads what it is asked for; it ends when this is dropped and its chunk is read.
#[derive(Debug)]
pub struct Reading {
    asks: Sender<Ask>,
    answers: Receiver<Result<ReadChunk, SourceError>>,
    /// What is being read, and what was told before it was asked for.
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    state: KindId,
    told_before: u64,
}

#[derive(Debug, PartialEq)]
struct Ask {
    plan: ChunkPlan,
    after: Option<Cursor>,
    rows_max: usize,
}

impl Reading {
    /// Begins; connects at the first question.
    ///
    /// # Errors
    /// Transient where no thread can be started.
    pub fn begin(settings: &Settings) -> Result<Self, SourceError> {
        let (asks, asked) = bounded(1);
        let (answer, answers) = bounded(1);
        let settings = settings.clone();
        std::thread::Builder::new()
            .name("old rows".to_owned())
            .spawn(move || serve(&settings, &asked, &answer))
            .map_err(|error| SourceError::Transient(format!("cannot start the thread for old rows: {error}")))?;
        Ok(Self {
            asks,
            answers,
            pending: None,
        })
    }

    /// See [`Source::read_chunk`](crate::source::Source::read_chunk).
    ///
    /// # Errors
    /// As [`ChunkReader::read`].
    pub fn read_chunk(&mut self, wanted: &Wanted<'_>) -> Result<Option<Rows>, SourceError> {
        let Some(pending) = &self.pending else {
            let ask = Ask {
                plan: ChunkPlan::of(wanted.target),
                after: wanted.after.map(|after| Cursor(after.to_vec())),
                rows_max: wanted.rows_max,
            };
            self.asks.send(ask).map_err(|_| ended())?;
            self.pending = Some(Pending {
                state: wanted.target.state,
                told_before: wanted.told_before,
            });
            return Ok(None);
        };
        let answer = match self.answers.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => return Err(ended()),
        };
        let (state, told_before) = (pending.state, pending.told_before);
        self.pending = None;
        let read = answer?;
        if read.table == Columns::Altered {
            let what = format!(
                "the table {} was altered since the mapping was compiled",
                wanted.target.shape.name
            );
            return Err(SourceError::Transient(what));
        }
        let named = |row: OldRow| ((state, row.name), row.tuple.into_vec());
        Ok(Some(Rows {
            chunk: Chunk {
                snapshot: read.snapshot,
                told_before,
                horizon: read.horizon,
                rows: read.rows.into_iter().map(named).collect(),
            },
            read_at: read.read_at,
            next: read.next.map(|cursor| cursor.0),
        }))
    }
}

fn ended() -> SourceError {
    SourceError::Transient("the thread for old rows ended".to_owned())
}

fn serve(settings: &Settings, asked: &Receiver<Ask>, answer: &Sender<Result<ReadChunk, SourceError>>) {
    let mut reader = None;
    let mut warned: Option<Instant> = None;
    for mut ask in asked {
        loop {
            let read = read(settings, &mut reader, &ask);
            let Err(SourceError::Transient(why)) = read else {
                if answer.send(read).is_err() {
                    return;
                }
                break;
            };
            // The stream goes on meanwhile: it has a connection of its own, and meets by itself what concerns it.
            if warned.is_none_or(|since| since.elapsed() > WARN_EVERY) {
                tracing::warn!(why, "cannot read old rows: tries again");
                warned = Some(Instant::now());
            }
            // One that took too long may be read in less.
            ask.rows_max = (ask.rows_max / 2).max(1);
            std::thread::sleep(RETRY_AFTER);
            if asked.try_recv() == Err(TryRecvError::Disconnected) {
                return;
            }
        }
    }
}

fn read(settings: &Settings, reader: &mut Option<ChunkReader>, ask: &Ask) -> Result<ReadChunk, SourceError> {
    let mut connected = match reader.take() {
        Some(connected) => connected,
        None => ChunkReader::connect(settings)?,
    };
    let read = connected.read(&ask.plan, ask.after.as_ref(), ask.rows_max, BYTES_MAX);
    *reader = Some(connected);
    read
}
