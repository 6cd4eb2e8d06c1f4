//! The contract of every kind of record that a mapping tells.

use crate::contract::{Contract, FieldContract, Null, Present};
use crate::flow::catalog::Nullable;
use crate::flow::event::{EventKind, Holds, KindId};
use crate::mapping::entity::Move;
use crate::mapping::form::Form;
use crate::mapping::plan::{Mapping, Plan, PlanEvent, PlanField};

impl Mapping {
    /// By entity in the config's order, the state before the events.
    pub fn contracts(&self) -> Vec<Contract> {
        self.plans.iter().flat_map(|plan| self.contracts_of(plan)).collect()
    }

    pub(super) fn contracts_of(&self, plan: &Plan) -> Vec<Contract> {
        let state = plan.state.as_ref().and_then(|told| {
            let fields = plan.fields.iter().map(|field| contract_of(field, Present::Always));
            self.contract(plan, told.kind, Holds::States, fields.collect())
        });
        let events = plan.events.iter().filter_map(|event| {
            let fields = fields(plan, event, self.kind(event.told.kind)?);
            self.contract(plan, event.told.kind, Holds::Events, fields)
        });
        state.into_iter().chain(events).collect()
    }

    fn kind(&self, kind: KindId) -> Option<&EventKind> {
        self.kinds.get(usize::from(kind.0))
    }

    fn contract(&self, plan: &Plan, kind: KindId, holds: Holds, fields: Vec<FieldContract>) -> Option<Contract> {
        let kind = self.kind(kind)?;
        let topic = self.topics.get(usize::from(kind.topic.0))?;
        let key = plan.key.iter().filter_map(|number| plan.fields.get(*number));
        // A key that is null is an error of the row.
        let never_null = |field: &PlanField| FieldContract {
            null: Null::Never,
            ..contract_of(field, Present::Always)
        };
        Some(Contract {
            name: kind.name.clone(),
            entity: kind.entity.clone(),
            version: kind.version,
            topic: topic.name.clone(),
            holds,
            key: key.map(never_null).collect(),
            fields,
        })
    }
}

/// Fields of an event, and those that `with` adds. Where a row leaves, only what is known of it is told.
fn fields(plan: &Plan, event: &PlanEvent, kind: &EventKind) -> Vec<FieldContract> {
    let leaves = event.on.contains(&Move::Leaves);
    let told = if event.on == [Move::Leaves] {
        &event.told_leaving.fields
    } else {
        &event.told.fields
    };
    let of_fields = told.iter().filter_map(|number| {
        let present = if leaves && !event.told_leaving.fields.contains(number) {
            Present::WhereKnown
        } else {
            Present::Always
        };
        Some(contract_of(plan.fields.get(*number)?, present))
    });
    // The kind names all fields, and what `with` adds behind them.
    let names = kind.fields.iter().skip(event.told.fields.len());
    let with = event.with.iter().zip(names).map(|((_, form), name)| FieldContract {
        name: name.clone(),
        shape: form.shape(),
        // `old.x` is null where a row enters, `new.x` where it leaves.
        null: Null::Possible,
        present: Present::Always,
    });
    of_fields.chain(with).collect()
}

fn contract_of(field: &PlanField, present: Present) -> FieldContract {
    FieldContract {
        name: field.name.clone(),
        shape: field.form.shape(),
        null: null(field.nullable, &field.form),
        present,
    }
}

/// Whether a form over a value of this kind gives null.
pub(super) fn null(nullable: Nullable, form: &Form) -> Null {
    match nullable {
        Nullable::Yes => Null::Possible,
        Nullable::No => form.null(),
    }
}
