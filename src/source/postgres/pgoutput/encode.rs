//! Messages as a server writes them: what stands in for a server speaks through this.

use crate::flow::change::Transaction;
use crate::flow::position::Lsn;
use crate::flow::table::{ReplicaIdentity, Table};

/// A column of a tuple to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// Not sent: a TOAST value that did not change.
    Unchanged,
    /// PostgreSQL's text format.
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Null, Self::from)
    }
}

/// A row to be written, in the order of the table's columns.
pub type Values = Vec<Value>;

/// The old row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Old {
    /// None; a DELETE has one.
    Absent,
    /// `K`
    Key(Values),
    /// `O`
    Full(Values),
}

/// `B`
pub fn begin(out: &mut Vec<u8>, transaction: &Transaction) {
    out.push(b'B');
    lsn(out, transaction.commit_lsn);
    out.extend(transaction.commit_time.0.to_be_bytes());
    out.extend(transaction.xid.to_be_bytes());
}

/// `C`
pub fn commit(out: &mut Vec<u8>, transaction: &Transaction, end_lsn: Lsn) {
    out.extend([b'C', 0]);
    lsn(out, transaction.commit_lsn);
    lsn(out, end_lsn);
    out.extend(transaction.commit_time.0.to_be_bytes());
}

/// `R`
pub fn relation(out: &mut Vec<u8>, table: &Table) {
    out.push(b'R');
    out.extend(table.oid.to_be_bytes());
    string(out, &table.name.schema);
    string(out, &table.name.name);
    out.push(match table.identity {
        ReplicaIdentity::Default => b'd',
        ReplicaIdentity::Nothing => b'n',
        ReplicaIdentity::Full => b'f',
        ReplicaIdentity::Index => b'i',
    });
    count(out, table.columns.len());
    for column in &table.columns {
        out.push(u8::from(column.in_identity));
        string(out, &column.name);
        out.extend(column.type_oid.to_be_bytes());
        out.extend(column.type_modifier.to_be_bytes());
    }
}

/// `I`
pub fn insert(out: &mut Vec<u8>, table_oid: u32, new: &[Value]) {
    out.push(b'I');
    out.extend(table_oid.to_be_bytes());
    tuple(out, b'N', new);
}

/// `U`
pub fn update(out: &mut Vec<u8>, table_oid: u32, before: &Old, new: &[Value]) {
    out.push(b'U');
    out.extend(table_oid.to_be_bytes());
    old(out, before);
    tuple(out, b'N', new);
}

/// `D`
pub fn delete(out: &mut Vec<u8>, table_oid: u32, before: &Old) {
    out.push(b'D');
    out.extend(table_oid.to_be_bytes());
    old(out, before);
}

/// `T`, without CASCADE and RESTART IDENTITY.
pub fn truncate(out: &mut Vec<u8>, table_oids: &[u32]) {
    out.push(b'T');
    length(out, table_oids.len());
    out.push(0);
    out.extend(table_oids.iter().flat_map(|oid| oid.to_be_bytes()));
}

/// `M`, as part of the transaction.
pub fn logical(out: &mut Vec<u8>, at: Lsn, prefix: &str, content: &[u8]) {
    out.extend([b'M', 1]);
    lsn(out, at);
    string(out, prefix);
    length(out, content.len());
    out.extend(content);
}

fn old(out: &mut Vec<u8>, before: &Old) {
    match before {
        Old::Absent => {}
        Old::Key(values) => tuple(out, b'K', values),
        Old::Full(values) => tuple(out, b'O', values),
    }
}

fn tuple(out: &mut Vec<u8>, tag: u8, values: &[Value]) {
    out.push(tag);
    count(out, values.len());
    for value in values {
        match value {
            Value::Null => out.push(b'n'),
            Value::Unchanged => out.push(b'u'),
            Value::Text(text) => {
                out.push(b't');
                length(out, text.len());
                out.extend(text.as_bytes());
            }
        }
    }
}

fn lsn(out: &mut Vec<u8>, lsn: Lsn) {
    out.extend(lsn.0.to_be_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend(text.as_bytes());
    out.push(0);
}

/// What is longer than the format can say is refused by whoever decodes it.
fn length(out: &mut Vec<u8>, length: usize) {
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn count(out: &mut Vec<u8>, count: usize) {
    out.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}
