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

/// A domain event. Its `data` follows the kind's fields; without data it is a tombstone.
#[derive(Clone, Copy, Debug)]
pub struct DomainEvent<'a> {
    /// Its kind.
    pub kind: KindId,
    /// Its place: id and sequence.
    pub position: Position,
    /// The source transaction.
    pub transaction: &'a Transaction,
    /// Values of the key's fields.
    pub key: &'a [Value<'a>],
    /// Values of `partition_by`, where that is not the key.
    pub partition_by: Option<&'a [Value<'a>]>,
    /// Values of the fields; none for a tombstone.
    pub data: Option<&'a [Value<'a>]>,
}
