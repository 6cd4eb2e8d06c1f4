//! The rows of a chunk, taken from COPY's messages until it is full.

use std::ops::ControlFlow;

use crate::backfill::pace::Cut;
use crate::backfill::target::row_name;
use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::chunk::copy::{Fields, Lines};
use crate::source::postgres::chunk::{ChunkPlan, Cursor, OldRow, column_bytes, push_column};
use crate::source::postgres::sql::halt;

/// The rows of a chunk as they come.
pub(super) struct Gathered<'p> {
    plan: &'p ChunkPlan,
    bytes_max: usize,
    key_places: Vec<usize>,
    width: usize,
    lines: Lines,
    fields: Fields,
    rows: Vec<OldRow>,
    bytes: usize,
    last: Vec<Vec<u8>>,
    stop: Option<Stop>,
}

/// Why no more rows are taken.
enum Stop {
    /// The next row does not fit in.
    Full,
    /// Something is wrong.
    Failed(SourceError),
}

impl<'p> Gathered<'p> {
    pub(super) fn new(plan: &'p ChunkPlan, bytes_max: usize) -> Self {
        Self {
            plan,
            bytes_max,
            key_places: plan.key_places(),
            width: plan.width(),
            lines: Lines::default(),
            fields: Fields::default(),
            rows: Vec::new(),
            bytes: 0,
            last: Vec::new(),
            stop: None,
        }
    }

    /// Takes what a message holds; breaks where no more is wanted.
    pub(super) fn take(&mut self, message: &[u8]) -> ControlFlow<()> {
        let mut lines = std::mem::take(&mut self.lines);
        let taken = lines.feed(message, |line| self.row(line));
        self.lines = lines;
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(stop) => {
                self.stop = Some(stop);
                ControlFlow::Break(())
            }
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.fields
            .read(line)
            .map_err(|error| self.failed(&error.to_string()))?;
        let fields = &self.fields;
        if fields.count() != self.width {
            return Err(self.failed("it has another number of columns"));
        }
        let key = || self.key_places.iter().map(|place| fields.get(*place));
        if key().any(|value| value.is_none()) {
            return Err(self.failed("its key holds a null"));
        }
        let told = || fields.iter().take(self.plan.columns.len());
        let mut tuple = Vec::with_capacity(told().map(column_bytes).sum());
        for value in told() {
            push_column(&mut tuple, value);
        }
        let row = OldRow {
            name: row_name(key().flatten()),
            tuple,
        };
        let bytes = self
            .bytes
            .saturating_add(row.name.len())
            .saturating_add(row.tuple.len());
        if bytes > self.bytes_max && !self.rows.is_empty() {
            return Err(Stop::Full);
        }
        self.last.resize(self.key_places.len(), Vec::new());
        for (kept, value) in self.last.iter_mut().zip(key().flatten()) {
            kept.clear();
            kept.extend_from_slice(value);
        }
        self.bytes = bytes;
        self.rows.push(row);
        Ok(())
    }

    fn failed(&self, why: &str) -> Stop {
        let what = format!("cannot read a row of {}: {why}", self.plan.table);
        Stop::Failed(SourceError::Transient(what))
    }

    /// The rows, where the next chunk begins if this one was to end at `upto`, and whether it does.
    pub(super) fn end(self, upto: Option<Cursor>) -> Result<Ended, SourceError> {
        let (bytes, rows) = (self.bytes, self.rows);
        match self.stop {
            Some(Stop::Failed(error)) => return Err(error),
            Some(Stop::Full) => {}
            None => {
                let whole = self.lines.end();
                whole.map_err(|error| SourceError::Transient(format!("cannot read a chunk: {error}")))?;
                return Ok(Ended {
                    rows,
                    bytes,
                    next: upto,
                    cut: Cut::No,
                });
            }
        }
        let texts: Result<Vec<String>, _> = self.last.into_iter().map(String::from_utf8).collect();
        match texts {
            Ok(texts) => Ok(Ended {
                rows,
                bytes,
                next: Some(Cursor(texts)),
                cut: Cut::BySize,
            }),
            Err(_) => Err(halt(Finding::error(
                Cause::Surroundings,
                "backfill.key_not_utf8",
                format!("a key of the table {} is no UTF-8 text", self.plan.table),
            ))),
        }
    }
}

/// A chunk's rows, all of them.
pub(super) struct Ended {
    pub(super) rows: Vec<OldRow>,
    pub(super) bytes: usize,
    pub(super) next: Option<Cursor>,
    pub(super) cut: Cut,
}
