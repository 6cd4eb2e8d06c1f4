//! A domain event: what a change means to the outside, before it is written in any format.

use crate::flow::change::Transaction;
use crate::flow::position::Position;

/// Which kind of event, an index into the mapping's list of [`EventKind`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KindId(pub u16);

/// Which topic, an index into the mapping's list of topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u16);

/// What all events of one kind have in common. A state record is a kind of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKind {
    /// Name, such as `OrderPaid`; for a state record the entity's.
    pub name: String,
    /// Entity it belongs to.
    pub entity: String,
    /// Version of its contract, from 1.
    pub version: u32,
    /// Where it goes.
    pub topic: TopicId,
    /// Names of its data's fields, in order.
    pub fields: Vec<String>,
    /// Names of the key's fields, in order; one or more.
    pub key: Vec<String>,
    /// Names of `partition_by`'s fields, where that is not the key; empty otherwise.
    pub partition_by: Vec<String>,
}

/// A topic that events go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

/// What a topic holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Current states by key: compacted.
    States,
    /// Events: kept for ever by default.
    Events,
}

/// A published value: borrowed from the row or from the mapping's scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// JSON null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, in JSON's own spelling already.
    Number(&'a [u8]),
    /// A text, UTF-8, not escaped yet.
    Text(&'a [u8]),
    /// A JSON document, copied as it is.
    Json(&'a [u8]),
}

impl Value<'_> {
    /// Appends the value as JSON.
    #[inline]
    pub fn append_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(spelling) | Self::Json(spelling) => out.extend_from_slice(spelling),
            Self::Text(text) => append_json_text(text, out),
        }
    }

    /// Appends the value as plain text: what a key of one field is.
    pub fn append_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Json(_) => self.append_json(out),
        }
    }
}

/// Appends UTF-8 text as a JSON string, quotes included. Only what JSON demands is escaped
/// (<https://www.rfc-editor.org/rfc/rfc8259#section-7>).
#[inline]
pub fn append_json_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let (plain, after) = rest.split_at_checked(plain_prefix(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else {
            break;
        };
        append_escape(byte, out);
        rest = after;
    }
    out.push(b'"');
}

/// Number of leading bytes that stand for themselves in a JSON string, eight at a time.
#[inline]
fn plain_prefix(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let whole = words
        .iter()
        .take_while(|word| !needs_escape(u64::from_le_bytes(**word)))
        .count()
        * 8;
    let tail = text.get(whole..).unwrap_or_default();
    whole
        + tail
            .iter()
            .position(|&b| b < 0x20 || b == b'"' || b == b'\\')
            .unwrap_or(tail.len())
}

/// Whether any of eight bytes is a control character, a quote or a backslash
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
#[inline]
fn needs_escape(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5C);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    (control | zero(quote) | zero(backslash)) & HIGH != 0
}

#[cold]
fn append_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0C => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let low = byte & 0xF;
            let digit = if low < 10 { b'0' + low } else { b'a' + low - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// What an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A change, as it happened.
    Change,
    /// A row as it stands, told by a backfill of this generation.
    Backfill(u32),
}

/// A domain event. Its `data` follows the kind's fields; without data it is a tombstone.
#[derive(Clone, Copy, Debug)]
pub struct DomainEvent<'a> {
    /// Its kind.
    pub kind: KindId,
    /// Its place: id and sequence.
    pub position: Position,
    /// The source transaction; of an old row: which one it comes behind, and when it was read.
    pub transaction: &'a Transaction,
    /// What it tells of.
    pub origin: Origin,
    /// Values of the key's fields.
    pub key: &'a [Value<'a>],
    /// Values of `partition_by`, where that is not the key.
    pub partition_by: Option<&'a [Value<'a>]>,
    /// Values of the fields; none for a tombstone.
    pub data: Option<&'a [Value<'a>]>,
}
