//! How many rows the next chunk holds, and when it is asked for.
//!
//! Pure: whoever calls says what time it is, since a moment of its own choice.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// So long should it take to read a chunk: in less the fixed cost of one counts, in more its snapshot holds up vacuum.
const READ_AIM: Duration = Duration::from_millis(500);

/// The first chunk, of which nothing is known, holds no more rows than this.
const FIRST_ROWS: usize = 1_000;
/// The first one where bytes are counted.
const FIRST_ROWS_BY_BYTES: usize = 100;

/// Bytes of one chunk: it is held in memory until it joins the stream.
const CHUNK_BYTES_MAX: usize = 4 << 20;
/// A chunk is asked for with so many rows that it holds about this much: its records are then about one of the buffers
/// that are on their way to Kafka, of which there are several, and rows that are wider than those before still fit in.
const CHUNK_BYTES_AIM: usize = 512 << 10;
/// Beside others at work a chunk holds this share of it: whoever works waits for a short while, not for a long one.
const SHARE: usize = 4;
/// However long a chunk takes, it holds so many rows: on a server that is busy all over it takes long even without any.
const ROWS_MIN: usize = 100;

/// For each row that comes in before the last one that is to be told so many are told: else a busy table whose keys do not
/// rise would never be told to its end.
const AHEAD: u64 = 2;

/// What may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one chunk, at most.
    pub rows_per_chunk: usize,
    /// Rows in each second; 0: as many as there are.
    pub rows_per_second: u64,
    /// Bytes in each second, as the server sends them; 0: as many as there are.
    pub bytes_per_second: u64,
}

/// What a chunk was, and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The most rows that it could hold when it was read.
    pub rows_max: usize,
    /// Rows that it holds.
    pub rows: usize,
    /// Bytes that it holds.
    pub bytes: usize,
    /// How long its snapshot was held.
    pub spent: Duration,
    /// Whether it ends before its rows do.
    pub cut: Cut,
    /// Who else was at work.
    pub others: Others,
}

/// Whether other clients work on the database. Each look is a sample: beside somebody who comes once a second, a tenth of
/// the chunks are followed by a rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They do.
    AtWork,
    /// They do not.
    Quiet,
}

/// Whether a chunk is read as if nobody else was at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// It is: the telling falls behind what comes.
    Yes,
    /// It is not.
    No,
}

/// Whether a chunk ends before its rows do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// All rows that it could hold are there.
    No,
    /// The others did not fit into the bytes of one chunk.
    BySize,
}

/// How the next chunk is asked for.
#[derive(Clone, Debug)]
pub struct Pace {
    limits: Limits,
    /// Of the next chunk.
    rows: usize,
    /// Of a row, from the last chunk that held any; none: not known.
    row_bytes: Option<usize>,
    /// From when on the limits allow another chunk.
    rows_free: Option<Duration>,
    bytes_free: Option<Duration>,
    /// Rows that came since the last chunk was there.
    grown: u64,
    /// Rows that are to be told before the telling is ahead of what came.
    owed: u64,
}

impl Pace {
    /// Nothing is known of the rows yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            rows: Self::first_rows(limits),
            row_bytes: None,
            rows_free: None,
            bytes_free: None,
            grown: 0,
            owed: 0,
        }
    }

    /// Other rows are read from here on, of which nothing is known; what was read before counts.
    pub fn begin_anew(&mut self) {
        (self.rows, self.row_bytes) = (Self::first_rows(self.limits), None);
        (self.grown, self.owed) = (0, 0);
    }

    fn first_rows(limits: Limits) -> usize {
        let first = if limits.bytes_per_second > 0 {
            FIRST_ROWS_BY_BYTES
        } else {
            FIRST_ROWS
        };
        first.min(limits.rows_per_chunk)
    }

    /// Rows of the next chunk, at most: no more than a second allows, so that the rate is smooth.
    pub fn rows(&self) -> usize {
        let a_second = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        let by_rows = a_second(self.limits.rows_per_second);
        let row_bytes = self
            .row_bytes
            .map_or(1, |bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
        let by_bytes = a_second(self.limits.bytes_per_second) / row_bytes.max(1);
        let most = usize::try_from(by_rows.min(by_bytes)).unwrap_or(usize::MAX);
        self.rows.min(most).max(1)
    }

    /// Bytes of the next chunk, at most: where rows turn out to be larger than those before, two seconds' worth.
    pub fn bytes(&self) -> usize {
        let allowed = usize::try_from(self.limits.bytes_per_second).unwrap_or(usize::MAX);
        if allowed == 0 {
            CHUNK_BYTES_MAX
        } else {
            CHUNK_BYTES_MAX.min(allowed.saturating_mul(2))
        }
    }

    /// Whether a chunk may be asked for, while so many others are being read.
    pub fn may_ask(&self, now: Duration, being_read: usize) -> bool {
        // How many bytes those hold is not known before they are there.
        let counted = self.limits.bytes_per_second == 0 || being_read == 0;
        let is_free = |from: Option<Duration>| from.is_none_or(|from| now >= from);
        counted && is_free(self.rows_free) && is_free(self.bytes_free)
    }

    /// A chunk of so many rows is asked for.
    pub fn asked(&mut self, now: Duration, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        charge(&mut self.rows_free, now, (rows, self.limits.rows_per_second));
    }

    /// A row came that the stream told, among those that are still to be read.
    pub fn grew(&mut self) {
        self.grown = self.grown.saturating_add(1);
    }

    /// How the next chunk is read.
    pub fn haste(&self) -> Haste {
        if self.owed > 0 { Haste::Yes } else { Haste::No }
    }

    /// A chunk is there.
    pub fn read(&mut self, now: Duration, cost: &Cost) {
        let told = u64::try_from(cost.rows).unwrap_or(u64::MAX);
        let owed = self.owed.saturating_add(self.grown.saturating_mul(AHEAD));
        (self.grown, self.owed) = (0, owed.saturating_sub(told));
        let bytes = u64::try_from(cost.bytes).unwrap_or(u64::MAX);
        charge(&mut self.bytes_free, now, (bytes, self.limits.bytes_per_second));
        if let Some(row_bytes) = cost.bytes.checked_div(cost.rows) {
            self.row_bytes = Some(row_bytes.max(1));
        }
        let spent = cost.spent.as_micros().max(1);
        let rows = u128::try_from(cost.rows_max).unwrap_or(u128::MAX);
        let by_time = rows.saturating_mul(READ_AIM.as_micros()) / spent;
        let by_time = usize::try_from(by_time).unwrap_or(usize::MAX);
        // One look says little: a chunk grows and shrinks by steps.
        let by_time = by_time
            .clamp(cost.rows_max / 4, cost.rows_max.saturating_mul(2))
            .max(ROWS_MIN);
        let bytes_aim = match cost.others {
            Others::AtWork => CHUNK_BYTES_AIM / SHARE,
            Others::Quiet => CHUNK_BYTES_AIM,
        };
        // Where only some rows are wanted, a chunk holds fewer than it passes by.
        let by_size = match self.row_bytes {
            Some(row_bytes) if cost.cut == Cut::BySize || cost.rows >= cost.rows_max => bytes_aim / row_bytes,
            Some(_) | None => usize::MAX,
        };
        self.rows = by_time.min(by_size).min(self.limits.rows_per_chunk).max(1);
    }
}

/// `amount` was taken of what may be taken in each second: the next is free when its time is over.
fn charge(free: &mut Option<Duration>, now: Duration, (amount, per_second): (u64, u64)) {
    if per_second == 0 {
        return;
    }
    let micros = u128::from(amount).saturating_mul(1_000_000) / u128::from(per_second);
    let lasts = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
    let from = free.map_or(now, |free| free.max(now));
    *free = from.checked_add(lasts).or(Some(now));
}
