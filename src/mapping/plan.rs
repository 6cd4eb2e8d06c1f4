//! A mapping compiled against a catalogue: what is looked at in a row, and what is told of it.

use std::collections::BTreeMap;

use crate::finding::Place;
use crate::flow::catalog::{Catalog, ColumnFacts, Nullable, TableFacts};
use crate::flow::event::{EventKind, KindId, Topic};
use crate::flow::table::TableName;
use crate::mapping::entity::{Move, OnUnknownOld};
use crate::mapping::expression::Expression;
use crate::mapping::form::Form;

/// The whole mapping, compiled.
#[derive(Debug)]
pub struct Mapping {
    /// All kinds of events; a [`KindId`] is an index into it.
    pub kinds: Vec<EventKind>,
    /// All topics; a `TopicId` is an index into it.
    pub topics: Vec<Topic>,
    pub(super) plans: Vec<Plan>,
    pub(super) by_table: BTreeMap<TableName, Vec<usize>>,
    pub(super) type_oids: BTreeMap<TableName, BTreeMap<String, u32>>,
}

/// One entity, compiled.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) entity: String,
    pub(super) place: Place,
    /// Columns that anything below looks at.
    pub(super) columns: Vec<PlanColumn>,
    /// What a slot of an expression stands for.
    pub(super) slots: Vec<Slot>,
    pub(super) filter: Option<Expression>,
    /// The first columns are those that `filter` looks at: so many.
    pub(super) filter_columns: usize,
    pub(super) fields: Vec<PlanField>,
    /// Fields of the key, by number.
    pub(super) key: Vec<usize>,
    /// Fields of `partition_by`; empty: the key.
    pub(super) partition_by: Vec<usize>,
    /// The state's kind, which carries all fields.
    pub(super) state: Option<Told>,
    pub(super) events: Vec<PlanEvent>,
    pub(super) on_unknown_old: OnUnknownOld,
    /// Whether an old row matters at all: there is a state, or an event beside `enters` without `where`.
    pub(super) follows_old: FollowsOld,
    /// Columns without whose old value something would be told wrongly, and nobody would see it.
    pub(super) vital: Vital,
    /// What the catalogue says of old rows.
    pub(super) old_rows: OldRows,
}

/// Columns whose old value must be known, by number.
#[derive(Debug, Default)]
pub(super) struct Vital {
    /// Of the key and of `partition_by`: which record is meant.
    pub(super) key: Vec<usize>,
    /// Of the fields that tell an event when they differ.
    pub(super) watched: Vec<usize>,
}

/// What is sent of an old row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OldRows {
    /// All of it, of every table: each identity is FULL.
    Whole,
    /// Of some table only the columns of its identity, and those only where one of them changed.
    OfIdentity,
}

/// Whether what was before matters to an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowsOld {
    /// Updates and deletes are told.
    Yes,
    /// Only rows that come are told.
    No,
}

/// A column that a plan looks at.
#[derive(Clone, Debug)]
pub(super) struct PlanColumn {
    pub(super) name: String,
    /// The other name that it has had, or will have.
    pub(super) formerly: Option<String>,
    /// Whether every old key of the table (and of each leaf) carries it.
    pub(super) in_identity: InIdentity,
}

/// Whether a column is part of every identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InIdentity {
    /// Where no old row is sent, it has not changed.
    Yes,
    /// Its old value is known only from a whole old row.
    No,
}

/// Before or after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Before.
    Old,
    /// After.
    New,
}

/// What an expression's slot stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A column, by its number in the plan; the side is that of the row at hand.
    Here(usize),
    /// A column of one side.
    Column(Side, usize),
    /// A field of one side.
    Field(Side, usize),
}

/// A field, compiled.
#[derive(Debug)]
pub(super) struct PlanField {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) from: FieldSource,
    pub(super) form: Form,
    /// Whether what it is made of may be null.
    pub(super) nullable: Nullable,
    pub(super) watched: Watched,
    /// Sides on which an expression of an event names it.
    pub(super) compared: Vec<Side>,
}

/// Whether a change of a field is a change of the entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// It is.
    Yes,
    /// `ignore` names it.
    No,
}

/// Where a field's value comes from.
#[derive(Debug)]
pub(super) enum FieldSource {
    /// A column, by its number in the plan.
    Column(usize),
    /// An expression over columns, which are these.
    Expression(Expression, Vec<usize>),
}

impl FieldSource {
    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Column(column) => std::slice::from_ref(column),
            Self::Expression(_, columns) => columns,
        }
    }
}

/// A declared event, compiled.
#[derive(Debug)]
pub(super) struct PlanEvent {
    pub(super) on: Vec<Move>,
    pub(super) when: Option<Expression>,
    /// Its kind where there is a row after the change, and the numbers of its fields.
    pub(super) told: Told,
    /// The same on `leaves`, where only what is known of the old row is told.
    pub(super) told_leaving: Told,
    pub(super) with: Vec<(Expression, Form)>,
}

/// A kind and which fields it carries.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: KindId,
    pub(super) fields: Vec<usize>,
}

/// An entity with a state topic.
#[derive(Debug)]
pub struct Stated<'a> {
    /// Its name.
    pub entity: &'a str,
    /// Kind of its state.
    pub state: KindId,
    /// Its state topic.
    pub topic: &'a str,
    /// Its table.
    pub table: &'a TableFacts,
    /// What tells it.
    pub columns: Vec<&'a ColumnFacts>,
    /// Columns of its key, as the catalogue names them.
    pub key: Vec<String>,
}

impl Mapping {
    /// Whether any entity stands on this table.
    pub fn maps(&self, table: &TableName) -> bool {
        self.by_table.contains_key(table)
    }

    /// The tables that entities stand on.
    pub fn tables(&self) -> impl Iterator<Item = &TableName> {
        self.by_table.keys()
    }

    /// Whether this is an entity with a state topic.
    pub fn has_state(&self, entity: &str) -> bool {
        self.plans
            .iter()
            .any(|plan| plan.entity == entity && plan.state.is_some())
    }

    fn topic_of(&self, kind: KindId) -> &str {
        let topic = self
            .kinds
            .get(usize::from(kind.0))
            .map(|kind| usize::from(kind.topic.0));
        topic
            .and_then(|topic| self.topics.get(topic))
            .map_or("", |topic| topic.name.as_str())
    }

    /// Columns that entities look at, each with its other name where it has one.
    pub fn columns(&self, table: &TableName) -> impl Iterator<Item = (&str, Option<&str>)> {
        let numbers = self.by_table.get(table).into_iter().flatten();
        let columns = numbers
            .filter_map(|number| self.plans.get(*number))
            .flat_map(|plan| &plan.columns);
        columns.map(|column| (column.name.as_str(), column.formerly.as_deref()))
    }

    /// Entities with a state topic, in the config's order, each with its table and the columns that tell it.
    pub fn states<'a>(&'a self, catalog: &'a Catalog) -> impl Iterator<Item = Stated<'a>> {
        let table_of = |number: usize| self.by_table.iter().find(|(_, plans)| plans.contains(&number));
        self.plans.iter().enumerate().filter_map(move |(number, plan)| {
            let state = plan.state.as_ref()?.kind;
            let facts = catalog.tables.get(table_of(number)?.0)?;
            let either = |column: &PlanColumn| {
                let former = column.formerly.as_deref().and_then(|former| facts.column(former));
                facts.column(&column.name).or(former)
            };
            let fields = plan.key.iter().filter_map(|number| plan.fields.get(*number));
            let key = fields.flat_map(|field| field.from.columns());
            let key = key.filter_map(|number| plan.columns.get(*number));
            Some(Stated {
                entity: &plan.entity,
                state,
                topic: self.topic_of(state),
                table: facts,
                columns: plan.columns.iter().filter_map(either).collect(),
                key: key.filter_map(either).map(|facts| facts.name.clone()).collect(),
            })
        })
    }
}
