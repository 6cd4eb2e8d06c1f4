//! Messages to steps: remembers the shapes of tables, and refuses an order that a server never sends.
//!
//! Pure: no I/O. One for each connection: a server tells every shape again to a new one.

use std::collections::BTreeMap;

use crate::flow::change::{Change, OldTuple, Step, Transaction, Tuple};
use crate::flow::position::Lsn;
use crate::flow::table::{Table, TableName};
use crate::source::postgres::pgoutput::{DecodeError, Message, decode};

#[cfg(test)]
mod tests;

/// A stream that makes no sense: the connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A message that is none.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// BEGIN in a transaction.
    #[error("transaction {begun} begins while {open} is open")]
    Nested {
        /// Commit LSN of the open one.
        open: Lsn,
        /// Commit LSN of the new one.
        begun: Lsn,
    },
    /// Something that only a transaction may hold.
    #[error("{what} comes outside a transaction")]
    Outside {
        /// `a row change`, `a truncation` or `a commit`.
        what: &'static str,
    },
    /// A COMMIT that is not the one which BEGIN announced.
    #[error("transaction {begun} ends as {committed}")]
    OtherCommit {
        /// Commit LSN as BEGIN told it.
        begun: Lsn,
        /// Commit LSN as COMMIT tells it.
        committed: Lsn,
    },
    /// A commit record that ends no later than it starts.
    #[error("the commit record at {commit_lsn} ends at {end_lsn}")]
    EmptyCommit {
        /// Where it starts.
        commit_lsn: Lsn,
        /// Where it ends.
        end_lsn: Lsn,
    },
    /// A table whose shape was not told.
    #[error("a change of the table with OID {table_oid} comes before its shape")]
    UnknownTable {
        /// OID of the table.
        table_oid: u32,
    },
    /// A tuple that does not have its table's columns.
    #[error("a row of {table} has {found} columns, its shape {expected}")]
    Columns {
        /// The table.
        table: TableName,
        /// Number of columns of its shape.
        expected: usize,
        /// Number of columns of the tuple.
        found: usize,
    },
}

/// Makes steps of messages.
#[derive(Debug, Default)]
pub struct Assembler {
    open: Option<Lsn>,
    tables: BTreeMap<u32, Table>,
    truncated: Vec<u32>,
}

impl Assembler {
    /// One for a connection that just began.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a transaction began and did not end.
    pub fn in_transaction(&self) -> bool {
        self.open.is_some()
    }

    /// Name of a table whose shape was told.
    pub fn name(&self, table_oid: u32) -> Option<&TableName> {
        self.tables.get(&table_oid).map(|table| &table.name)
    }

    /// Whether a message gives no step whatever it holds: a Type, an Origin or a logical message. For whoever asks
    /// for the next step in a loop, where the borrow of a step cannot be given up again.
    pub fn is_silent(message: &[u8]) -> bool {
        matches!(message.first(), Some(b'Y' | b'O' | b'M'))
    }

    /// What a message says; none for what concerns no row ([`Assembler::is_silent`]).
    ///
    /// Insert, Update and Delete are not copied and take no memory.
    ///
    /// # Errors
    /// An [`AssembleError`] where the message or its place in the stream makes no sense; nothing is remembered of it.
    pub fn step<'a>(&'a mut self, message: &'a [u8]) -> Result<Option<Step<'a>>, AssembleError> {
        let step = match decode(message)? {
            Message::Begin(transaction) => self.begin(transaction)?,
            Message::Commit {
                commit_lsn, end_lsn, ..
            } => self.commit(commit_lsn, end_lsn)?,
            Message::Relation(table) => Step::Shape(self.tables.entry(table.oid).insert_entry(table).into_mut()),
            Message::Change { table_oid, change } => {
                self.inside("a row change")?;
                self.fits(table_oid, &change)?;
                Step::Change { table_oid, change }
            }
            Message::Truncate { table_oids, .. } => {
                self.inside("a truncation")?;
                self.truncated.clear();
                self.truncated.extend(table_oids.iter());
                for table_oid in &self.truncated {
                    self.table(*table_oid)?;
                }
                Step::Truncate {
                    table_oids: &self.truncated,
                }
            }
            Message::Origin { .. } | Message::Type { .. } | Message::Logical { .. } => return Ok(None),
        };
        Ok(Some(step))
    }

    fn begin<'a>(&mut self, transaction: Transaction) -> Result<Step<'a>, AssembleError> {
        let begun = transaction.commit_lsn;
        match self.open {
            Some(open) => Err(AssembleError::Nested { open, begun }),
            None => {
                self.open = Some(begun);
                Ok(Step::Begin(transaction))
            }
        }
    }

    fn commit<'a>(&mut self, committed: Lsn, end_lsn: Lsn) -> Result<Step<'a>, AssembleError> {
        let begun = self.inside("a commit")?;
        if begun != committed {
            return Err(AssembleError::OtherCommit { begun, committed });
        }
        if end_lsn <= committed {
            return Err(AssembleError::EmptyCommit {
                commit_lsn: committed,
                end_lsn,
            });
        }
        self.open = None;
        Ok(Step::Commit { end_lsn })
    }

    fn inside(&self, what: &'static str) -> Result<Lsn, AssembleError> {
        self.open.ok_or(AssembleError::Outside { what })
    }

    fn table(&self, table_oid: u32) -> Result<&Table, AssembleError> {
        self.tables
            .get(&table_oid)
            .ok_or(AssembleError::UnknownTable { table_oid })
    }

    fn fits(&self, table_oid: u32, change: &Change<'_>) -> Result<(), AssembleError> {
        let table = self.table(table_oid)?;
        match change {
            Change::Insert { new } => tuple_fits(table, new),
            Change::Update { old, new } => old_fits(table, old).and_then(|()| tuple_fits(table, new)),
            Change::Delete { old } => old_fits(table, old),
        }
    }
}

fn old_fits(table: &Table, old: &OldTuple<'_>) -> Result<(), AssembleError> {
    match old {
        OldTuple::Absent => Ok(()),
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple_fits(table, tuple),
    }
}

fn tuple_fits(table: &Table, tuple: &Tuple<'_>) -> Result<(), AssembleError> {
    let (expected, found) = (table.columns.len(), usize::from(tuple.columns()));
    if expected == found {
        return Ok(());
    }
    Err(AssembleError::Columns {
        table: table.name.clone(),
        expected,
        found,
    })
}
