//! Declared events held against the entity's fields and the table.

use std::cell::RefCell;

use crate::flow::catalog::{Catalog, ColumnFacts, TableFacts};
use crate::flow::event::{EventKind, Holds};
use crate::mapping::compile::names::{Asked, ChangeNames, FieldFacts};
use crate::mapping::compile::{Out, exposed, fields};
use crate::mapping::entity::{Entity, Event};
use crate::mapping::expression::Expression;
use crate::mapping::form::Form;
use crate::mapping::plan::{InIdentity, Plan, PlanEvent, Slot, Told};

/// What events are held against.
pub(super) struct Ground<'a> {
    pub(super) table: &'a TableFacts,
    pub(super) catalog: &'a Catalog,
    pub(super) asked: &'a RefCell<Asked>,
}

impl Ground<'_> {
    /// Columns of the old and the new row that an expression names itself.
    fn rows_columns(&self, expression: &Expression) -> Vec<&ColumnFacts> {
        let asked = self.asked.borrow();
        let column = |slot: &u16| match asked.slots.get(usize::from(*slot)) {
            Some(Slot::Column(_, column)) => self.table.column(asked.columns.get(*column)?),
            Some(Slot::Here(_) | Slot::Field(..)) | None => None,
        };
        expression.slots().iter().filter_map(column).collect()
    }
}

/// Compiles all events of an entity; none where one has an error.
pub(super) fn compile(entity: &Entity, plan: &Plan, ground: &Ground<'_>, out: &mut Out) -> Option<Vec<PlanEvent>> {
    let facts: Vec<FieldFacts> = plan
        .fields
        .iter()
        .map(|f| FieldFacts {
            name: f.name.clone(),
            sql_type: f.form.sql_type().clone(),
            nullable: f.nullable,
        })
        .collect();
    let names = ChangeNames {
        table: ground.table,
        fields: &facts,
        asked: ground.asked,
    };
    let compiled: Vec<Option<PlanEvent>> = entity
        .events
        .iter()
        .map(|event| one(entity, event, plan, &(&names, ground), out))
        .collect();
    compiled.into_iter().collect()
}

fn one(
    entity: &Entity,
    event: &Event,
    plan: &Plan,
    (names, ground): &(&ChangeNames<'_>, &Ground<'_>),
    out: &mut Out,
) -> Option<PlanEvent> {
    let when = match &event.when {
        Some(text) => Some(out.condition(text, *names, &ground.catalog.ctype)?),
        None => None,
    };
    let mut with = Vec::new();
    for added in &event.with {
        let expression = out.expression(&added.1, *names, &ground.catalog.ctype)?;
        out.findings
            .extend(exposed::with(event, added, &ground.rows_columns(&expression)));
        let form = Form::of_type(expression.sql_type());
        with.push((expression, form));
    }
    let all: Vec<usize> = match &event.data {
        Some(data) => fields::numbers(data, &plan.fields),
        None => (0..plan.fields.len()).collect(),
    };
    let known: Vec<usize> = match &event.data {
        Some(_) => all.clone(),
        None => all.iter().copied().filter(|field| known_of_old(plan, *field)).collect(),
    };
    let topic = event.topic.as_ref().or(entity.event_topic.as_ref())?;
    let topic = out.topic(&topic.text, Holds::Events);
    let mut told = |numbers: Vec<usize>| {
        let of_fields = numbers
            .iter()
            .filter_map(|n| plan.fields.get(*n))
            .map(|f| f.name.clone());
        let kind = EventKind {
            name: event.name.clone(),
            entity: entity.name.clone(),
            version: event.version,
            topic,
            fields: of_fields
                .chain(event.with.iter().map(|(name, _)| name.clone()))
                .collect(),
            key: entity.key.iter().map(|k| k.text.clone()).collect(),
            partition_by: entity.partition_by.iter().map(|k| k.text.clone()).collect(),
        };
        Told {
            kind: out.kind(kind),
            fields: numbers,
        }
    };
    Some(PlanEvent {
        on: event.on.clone(),
        when,
        told: told(all),
        told_leaving: told(known),
        with,
    })
}

/// Whether every old row that can come carries all columns of a field.
fn known_of_old(plan: &Plan, field: usize) -> bool {
    plan.fields.get(field).is_some_and(|f| {
        f.from
            .columns()
            .iter()
            .all(|c| plan.columns.get(*c).is_some_and(|c| c.in_identity == InIdentity::Yes))
    })
}
