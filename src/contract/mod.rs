//! What is promised of an event type: its fields and their shapes, under a version.

pub mod asyncapi;
pub mod header;
pub mod schema;
pub mod shape;
#[cfg(test)]
mod tests;

use shape::Shape;

use crate::flow::event::Holds;

/// The declared shape of one kind of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The event, or the entity whose states these are.
    pub name: String,
    /// The entity.
    pub entity: String,
    /// From 1.
    pub version: u32,
    /// Where they go.
    pub topic: String,
    /// What that topic holds.
    pub holds: Holds,
    /// Fields of the record's key, in order, each with its shape.
    pub key: Vec<FieldContract>,
    /// Fields of the data, in order.
    pub fields: Vec<FieldContract>,
}

/// A field of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldContract {
    /// Its name.
    pub name: String,
    /// Which JSON it can be.
    pub shape: Shape,
    /// Whether it may be null.
    pub null: Null,
    /// Whether it is always there.
    pub present: Present,
}

/// Whether a field may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Null {
    /// It may.
    Possible,
    /// Never.
    Never,
}

/// Whether a field is in every record of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// In every one.
    Always,
    /// Not where a row leaves and its old value is not known.
    WhereKnown,
}

/// Names under which records are told: `[cloudevents]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming<'a> {
    /// `source`
    pub source: &'a str,
    /// Stands before the name in `type`.
    pub type_prefix: &'a str,
    /// Stands before `NAME:VERSION` in `dataschema`.
    pub dataschema_prefix: &'a str,
}

impl Naming<'_> {
    /// What `dataschema` says of a version of a kind.
    pub fn dataschema(&self, name: &str, version: u32) -> String {
        format!("{}{name}:{version}", self.dataschema_prefix)
    }
}
