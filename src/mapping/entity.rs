//! Entities as declared: what a config says, complete and valid in form, not yet held against a catalogue.

use std::sync::Arc;

use crate::finding::Place;
use crate::flow::event::Holds;
use crate::flow::table::TableName;
use crate::mapping::public_id::PublicId;

/// A text with its place in the config.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Located {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// These rows are this entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Name, such as `Order`.
    pub name: String,
    /// Where `[entity.NAME]` stands.
    pub place: Place,
    /// The table, with its place.
    pub table: TableName,
    /// Place of `table`.
    pub table_place: Place,
    /// Which rows are the entity: an expression over columns.
    pub filter: Option<Located>,
    /// Field names, one or more.
    pub key: Vec<Located>,
    /// Field names; empty: the key.
    pub partition_by: Vec<Located>,
    /// Compacted topic of current states.
    pub state_topic: Option<Located>,
    /// Topic of what happened.
    pub event_topic: Option<Located>,
    /// Published fields, in order.
    pub fields: Vec<Field>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Fields whose change alone is no change.
    pub ignore: Vec<Located>,
    /// What to do where it is not known whether a row was the entity.
    pub on_unknown_old: OnUnknownOld,
    /// Columns that were renamed, or will be: the name that the mapping uses, and the other one.
    pub formerly: Vec<(Located, String)>,
}

impl Entity {
    /// What is told of it, the state first: the name of each kind, its topic, and what that topic holds.
    pub fn told(&self) -> impl Iterator<Item = (&str, &Located, Holds)> {
        let state = self
            .state_topic
            .iter()
            .map(|topic| (self.name.as_str(), topic, Holds::States));
        let events = self.events.iter().filter_map(|event| {
            let topic = event.topic.as_ref().or(self.event_topic.as_ref())?;
            Some((event.name.as_str(), topic, Holds::Events))
        });
        state.chain(events)
    }
}

/// `on_unknown_old`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnUnknownOld {
    /// The set-up is refused.
    #[default]
    Halt,
    /// A tombstone whenever the row is outside and nobody knows whether it was inside.
    Tombstone,
}

/// One published field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Published name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Where its value comes from.
    pub from: Source,
    /// `zone`
    pub zone: Option<Located>,
    /// `decimals`
    pub decimals: Option<u32>,
    /// `parse`
    pub parse: Option<Located>,
    /// `null_when`, as column text.
    pub null_when: Vec<String>,
    /// `codes`, column text to value, in order.
    pub codes: Option<Vec<(String, CodeValue)>>,
    /// `on_unknown`
    pub on_unknown: OnUnknown,
    /// `as`
    pub published_as: Option<PublishedAs>,
    /// `public_id`
    pub public_id: Option<IdOf>,
    /// `expose`: why an internal id is published as it is.
    pub expose: Option<Located>,
}

impl Field {
    /// A field without any form.
    pub fn bare(name: &str, place: Place, from: Source) -> Self {
        Self {
            name: name.to_owned(),
            place,
            from,
            zone: None,
            decimals: None,
            parse: None,
            null_when: Vec::new(),
            codes: None,
            on_unknown: OnUnknown::Halt,
            published_as: None,
            public_id: None,
            expose: None,
        }
    }
}

/// `public_id`: an id in place of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdOf {
    /// Name of the kind of ids.
    pub name: Located,
    /// What mints them; none where the secret could not be read, and then nothing is told.
    pub id: Option<Arc<PublicId>>,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `{ from = "…" }`: a column, by its exact name.
    Column(Located),
    /// A bare string: a column where it is the exact name of one, else an expression.
    Text(Located),
}

/// A value in a code table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeValue {
    /// A string.
    Text(String),
    /// A number, in JSON's spelling.
    Number(String),
    /// A boolean.
    Bool(bool),
}

/// `on_unknown`: a code that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// Halt.
    #[default]
    Halt,
    /// Publish null.
    Null,
    /// Publish the column's text.
    Raw,
}

/// `as`: another published form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedAs {
    /// `"text"`
    Text,
    /// `"number"`
    Number,
    /// `"epoch_ms"`
    EpochMs,
}

/// A declared event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Type name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// On which moves.
    pub on: Vec<Move>,
    /// Condition over `old.`, `new.`, `old_row.`, `new_row.`
    pub when: Option<Located>,
    /// Subset of fields; none: all.
    pub data: Option<Vec<Located>>,
    /// Additional fields by expression, in order.
    pub with: Vec<(String, Located)>,
    /// Another topic.
    pub topic: Option<Located>,
    /// Version of the contract, from 1.
    pub version: u32,
}

/// How a row moves with regard to the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It starts to be the entity.
    Enters,
    /// It goes on being it, and published fields differ.
    Changes,
    /// It stops being it.
    Leaves,
}
