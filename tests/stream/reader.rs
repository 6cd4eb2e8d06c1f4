//! Reads a source as a bridge does, into text that a test can compare.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use walbridge::flow::cell::{Cell, CellSpan};
use walbridge::flow::change::{Asked, Change, OldTuple, Step, Tuple};
use walbridge::flow::checkpoint::Checkpoint;
use walbridge::flow::position::Lsn;
use walbridge::source::postgres::Postgres;
use walbridge::source::{Hold, Source as _, SourceError};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Takes the slot, waiting for it, and proves the position.
pub fn begin(source: &mut Postgres, stored: Option<Checkpoint>) -> Checkpoint {
    hold(source);
    source.prove(stored).unwrap().checkpoint
}

/// Takes the slot, waiting for it.
pub fn hold(source: &mut Postgres) -> Lsn {
    let begun = Instant::now();
    loop {
        match source.hold().unwrap() {
            Hold::Taken { confirmed_lsn } => return confirmed_lsn,
            Hold::Busy => {
                assert!(begun.elapsed() < PATIENCE, "the slot stays busy");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// What the last Drained said.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    pub seen_lsn: Lsn,
    pub asked: Asked,
}

/// One line a step.
#[derive(Debug, Default)]
pub struct Heard {
    pub lines: Vec<String>,
    pub last_end_lsn: Option<Lsn>,
    pub commits: usize,
    pub idle: Option<Idle>,
    names: HashMap<u32, String>,
}

impl Heard {
    /// Takes one step.
    pub fn step(&mut self, source: &mut Postgres) -> Result<(), SourceError> {
        match source.next(Duration::from_millis(20))? {
            Step::Begin(_) => self.lines.push("begin".to_owned()),
            Step::Shape(table) => {
                let _ = self.names.insert(table.oid, table.name.to_string());
            }
            Step::Change { table_oid, change } => {
                let line = format!("{} {}", self.names[&table_oid], change_text(&change));
                self.lines.push(line);
            }
            Step::Truncate { table_oids } => {
                let names: Vec<&str> = table_oids.iter().map(|oid| self.names[oid].as_str()).collect();
                self.lines.push(format!("truncate {}", names.join(", ")));
            }
            Step::Commit { end_lsn } => {
                self.lines.push("commit".to_owned());
                self.last_end_lsn = Some(end_lsn);
                self.commits += 1;
            }
            Step::Drained { seen_lsn, asked } => self.idle = Some(Idle { seen_lsn, asked }),
        }
        Ok(())
    }

    /// Reads until so many transactions came.
    pub fn commits(&mut self, source: &mut Postgres, count: usize) -> Result<(), SourceError> {
        let begun = Instant::now();
        while self.commits < count {
            self.step(source)?;
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?}",
                self.lines.iter().take(20).collect::<Vec<_>>()
            );
        }
        Ok(())
    }

    /// Reads until `done` says so.
    pub fn until(&mut self, source: &mut Postgres, mut done: impl FnMut(&Self) -> bool) -> Result<(), SourceError> {
        let begun = Instant::now();
        while !done(self) {
            self.step(source)?;
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.idle);
        }
        Ok(())
    }
}

fn change_text(change: &Change<'_>) -> String {
    match change {
        Change::Insert { new } => format!("+ {}", tuple_text(new)),
        Change::Update { old, new } => format!("{} > {}", old_text(old), tuple_text(new)),
        Change::Delete { old } => format!("- {}", old_text(old)),
    }
}

fn old_text(old: &OldTuple<'_>) -> String {
    match old {
        OldTuple::Absent => "same".to_owned(),
        OldTuple::Key(tuple) => format!("key {}", tuple_text(tuple)),
        OldTuple::Full(tuple) => format!("full {}", tuple_text(tuple)),
    }
}

fn tuple_text(tuple: &Tuple<'_>) -> String {
    let mut spans: Vec<CellSpan> = Vec::new();
    tuple.locate(&mut spans);
    let row = tuple.row(&spans);
    let cell = |at: usize| match row.cell(at) {
        Cell::Null => "null".to_owned(),
        Cell::Unknown => "?".to_owned(),
        Cell::Text(bytes) if bytes.len() > 40 => format!("{} bytes", bytes.len()),
        Cell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    (0..spans.len()).map(cell).collect::<Vec<_>>().join(",")
}
