//! One message, decoded without a copy of its rows.

use crate::flow::change::{Change, CommitTime, OldTuple, Transaction};
use crate::flow::position::Lsn;
use crate::flow::table::{Column, ReplicaIdentity, Table, TableName};
use crate::source::postgres::pgoutput::reader::{DecodeError, Reader};

/// A message of protocol 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// `B`: a transaction begins.
    Begin(Transaction),
    /// `C`: it ends.
    Commit {
        /// Where its commit record starts.
        commit_lsn: Lsn,
        /// Where its commit record ends.
        end_lsn: Lsn,
        /// When it committed.
        commit_time: CommitTime,
    },
    /// `O`: it came from another server by replication.
    Origin {
        /// Where it committed there.
        commit_lsn: Lsn,
        /// Name of the origin.
        name: &'a str,
    },
    /// `R`: the shape of a table; the only message that is copied.
    Relation(Table),
    /// `Y`: a type that is not built in.
    Type {
        /// Its OID.
        oid: u32,
        /// Its schema; empty for `pg_catalog`.
        schema: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// `I`, `U` or `D`: a row change. Every length in its tuples is checked.
    Change {
        /// OID of the table.
        table_oid: u32,
        /// What happened.
        change: Change<'a>,
    },
    /// `T`: tables were emptied.
    Truncate {
        /// Bit 0 for CASCADE, bit 1 for RESTART IDENTITY.
        options: u8,
        /// Which tables.
        table_oids: Oids<'a>,
    },
    /// `M`: a message of `pg_logical_emit_message`.
    Logical {
        /// Bit 0: part of the transaction; others come between transactions.
        flags: u8,
        /// Where it stands in the log.
        lsn: Lsn,
        /// Its prefix.
        prefix: &'a str,
        /// Its content.
        content: &'a [u8],
    },
}

/// OIDs, as they lie in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oids<'a>(&'a [[u8; 4]]);

impl<'a> Oids<'a> {
    /// Goes through them.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.0.iter().map(|bytes| u32::from_be_bytes(*bytes))
    }
}

/// Decodes the whole of a message.
///
/// # Errors
/// A [`DecodeError`] for whatever is not exactly one message of protocol 1 with tuples in text format.
pub fn decode(message: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut reader = Reader::new(message);
    let kind = reader.u8().map_err(|_| DecodeError::Empty)?;
    let decoded = match kind {
        b'B' => begin(&mut reader),
        b'C' => commit(&mut reader),
        b'O' => origin(&mut reader),
        b'R' => relation(&mut reader),
        b'Y' => type_name(&mut reader),
        b'I' => insert(&mut reader),
        b'U' => update(&mut reader),
        b'D' => delete(&mut reader),
        b'T' => truncate(&mut reader),
        b'M' => logical(&mut reader),
        kind => Err(DecodeError::Kind { kind }),
    }?;
    reader.end()?;
    Ok(decoded)
}

type Decoded<'a> = Result<Message<'a>, DecodeError>;

fn begin<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    Ok(Message::Begin(Transaction {
        commit_lsn: reader.lsn()?,
        commit_time: reader.time()?,
        xid: reader.u32()?,
    }))
}

fn commit<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let at = reader.at();
    match reader.u8()? {
        0 => Ok(Message::Commit {
            commit_lsn: reader.lsn()?,
            end_lsn: reader.lsn()?,
            commit_time: reader.time()?,
        }),
        // Flags that no server sets yet: whatever they will mean is not passed over.
        tag => Err(DecodeError::Tag { at, tag }),
    }
}

fn origin<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    Ok(Message::Origin {
        commit_lsn: reader.lsn()?,
        name: reader.string()?,
    })
}

fn relation<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let oid = reader.u32()?;
    let schema = match reader.string()? {
        "" => "pg_catalog",
        schema => schema,
    };
    let name = TableName::new(schema, reader.string()?);
    let at = reader.at();
    let tag = reader.u8()?;
    let identity = ReplicaIdentity::from_code(tag).ok_or(DecodeError::Tag { at, tag })?;
    let count = reader.u16()?;
    // Grows as columns come: the count may lie.
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(Column {
            in_identity: reader.u8()? & 1 == 1,
            name: reader.string()?.to_owned(),
            type_oid: reader.u32()?,
            type_modifier: reader.i32()?,
        });
    }
    Ok(Message::Relation(Table {
        oid,
        name,
        identity,
        columns,
    }))
}

fn type_name<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    Ok(Message::Type {
        oid: reader.u32()?,
        schema: reader.string()?,
        name: reader.string()?,
    })
}

fn insert<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let table_oid = reader.u32()?;
    let at = reader.at();
    match reader.u8()? {
        b'N' => {
            let new = reader.tuple()?;
            let change = Change::Insert { new };
            Ok(Message::Change { table_oid, change })
        }
        tag => Err(DecodeError::Tag { at, tag }),
    }
}

fn update<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let table_oid = reader.u32()?;
    let mut at = reader.at();
    let mut tag = reader.u8()?;
    let old = match tag {
        b'K' => OldTuple::Key(reader.tuple()?),
        b'O' => OldTuple::Full(reader.tuple()?),
        _ => OldTuple::Absent,
    };
    if old != OldTuple::Absent {
        at = reader.at();
        tag = reader.u8()?;
    }
    if tag != b'N' {
        return Err(DecodeError::Tag { at, tag });
    }
    let new = reader.tuple()?;
    let change = Change::Update { old, new };
    Ok(Message::Change { table_oid, change })
}

fn delete<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let table_oid = reader.u32()?;
    let at = reader.at();
    let old = match reader.u8()? {
        b'K' => OldTuple::Key(reader.tuple()?),
        b'O' => OldTuple::Full(reader.tuple()?),
        tag => return Err(DecodeError::Tag { at, tag }),
    };
    let change = Change::Delete { old };
    Ok(Message::Change { table_oid, change })
}

fn truncate<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let count = reader.length()?;
    let options = reader.u8()?;
    let (oids, _) = reader.bytes(count.saturating_mul(4))?.as_chunks::<4>();
    let table_oids = Oids(oids);
    Ok(Message::Truncate { options, table_oids })
}

fn logical<'a>(reader: &mut Reader<'a>) -> Decoded<'a> {
    let flags = reader.u8()?;
    let lsn = reader.lsn()?;
    let prefix = reader.string()?;
    let length = reader.length()?;
    Ok(Message::Logical {
        flags,
        lsn,
        prefix,
        content: reader.bytes(length)?,
    })
}
