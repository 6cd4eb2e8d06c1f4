//! What happens in the source, step by step: transactions, and row changes in them.

use crate::flow::cell::{CellSpan, Row};
use crate::flow::position::Lsn;
use crate::flow::table::Table;

/// 2000-01-01 00:00:00 UTC, from which PostgreSQL counts, in microseconds of Unix time.
const POSTGRES_EPOCH_UNIX_MICROS: i64 = 946_684_800_000_000;

/// Microseconds since 2000-01-01 00:00:00 UTC, as PostgreSQL counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitTime(pub i64);

impl CommitTime {
    /// A moment in microseconds of Unix time, at least the first that fits.
    pub fn of_unix_micros(micros: i64) -> Self {
        Self(micros.saturating_sub(POSTGRES_EPOCH_UNIX_MICROS))
    }

    /// Microseconds of Unix time, at most the last that fits.
    pub fn unix_micros(self) -> i64 {
        self.0.saturating_add(POSTGRES_EPOCH_UNIX_MICROS)
    }
}

/// A source transaction as its BEGIN announces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Where its commit record starts.
    pub commit_lsn: Lsn,
    /// When it committed.
    pub commit_time: CommitTime,
    /// PostgreSQL's transaction id, 32 bits; it wraps.
    pub xid: u32,
}

/// A tuple as the server sent it: not looked into before somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple<'a> {
    columns: u16,
    bytes: &'a [u8],
}

impl<'a> Tuple<'a> {
    /// A tuple of `columns` columns over the bytes after the column count
    /// (TupleData, <https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
    /// Whoever makes it has checked that the lengths fit: see [`Tuple::locate`].
    pub fn new(columns: u16, bytes: &'a [u8]) -> Self {
        Self { columns, bytes }
    }

    /// Number of columns.
    pub fn columns(&self) -> u16 {
        self.columns
    }

    /// Finds the columns, into a buffer that is used again and again. A tuple whose lengths do not
    /// fit its bytes ends early: the columns that follow are not known. The decoder refuses such a tuple.
    #[inline]
    pub fn locate(&self, cells: &mut Vec<CellSpan>) {
        cells.clear();
        let mut at = 0usize;
        for _ in 0..self.columns {
            let Some(&tag) = self.bytes.get(at) else { return };
            at += 1;
            match tag {
                b'n' => cells.push(CellSpan::Null),
                b't' => {
                    let Some(len) = self.bytes.get(at..at + 4).and_then(|b| <[u8; 4]>::try_from(b).ok()) else {
                        return;
                    };
                    let len = u32::from_be_bytes(len);
                    at += 4;
                    cells.push(CellSpan::Text {
                        start: u32::try_from(at).unwrap_or(u32::MAX),
                        len,
                    });
                    at = at.saturating_add(usize::try_from(len).unwrap_or(usize::MAX));
                }
                _ => cells.push(CellSpan::Unknown),
            }
        }
    }

    /// The row over a buffer that [`Tuple::locate`] filled.
    pub fn row<'r>(&self, cells: &'r [CellSpan]) -> Row<'r>
    where
        'a: 'r,
    {
        Row::new(self.bytes, cells)
    }
}

/// What an UPDATE or DELETE tells of the row before it, by the tuple's own tag in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldTuple<'a> {
    /// Nothing: the identity's columns are as in the new row.
    Absent,
    /// The identity's columns (`K`); all others are null in the tuple and mean "not known".
    Key(Tuple<'a>),
    /// The whole row (`O`).
    Full(Tuple<'a>),
}

/// A row change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A row came.
    Insert {
        /// The row.
        new: Tuple<'a>,
    },
    /// A row changed.
    Update {
        /// The row before.
        old: OldTuple<'a>,
        /// The row after; unchanged TOAST values are not in it.
        new: Tuple<'a>,
    },
    /// A row went.
    Delete {
        /// The row before.
        old: OldTuple<'a>,
    },
}

impl<'a> Change<'a> {
    /// What is told of the row before, and the row after, where there is one.
    pub fn sides(&self) -> (OldTuple<'a>, Option<&Tuple<'a>>) {
        match self {
            Change::Insert { new } => (OldTuple::Absent, Some(new)),
            Change::Update { old, new } => (*old, Some(new)),
            Change::Delete { old } => (*old, None),
        }
    }
}

/// The next thing the source has to say.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A transaction begins.
    Begin(Transaction),
    /// A table's shape, before its first change and after every change of it.
    Shape(&'a Table),
    /// A row change of the table with this OID.
    Change {
        /// OID that the last [`Step::Shape`] of the table carried.
        table_oid: u32,
        /// What happened.
        change: Change<'a>,
    },
    /// These tables were emptied, by one statement.
    Truncate {
        /// Their OIDs; tables outside the publications are not among them.
        table_oids: &'a [u32],
    },
    /// The open transaction ends; everything up to here is complete.
    Commit {
        /// The end of its commit record: the position after it.
        end_lsn: Lsn,
    },
    /// Nothing more for now. The server has told all that concerns us up to `seen_lsn`.
    Drained {
        /// How far the server has read its log for us; not beyond an open transaction.
        seen_lsn: Lsn,
        /// The server waits for an acknowledgement (it asked for a reply while nothing was open).
        asked: Asked,
    },
}

/// Whether the server waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It asked for a reply: progress is to be stored and acknowledged at once.
    Yes,
    /// It did not.
    No,
}
