//! What a mapping needs of old rows, and whether the table's replica identity (and each leaf's) gives it.

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Identity, TableFacts, Toast};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::mapping::compile::Out;
use crate::mapping::entity::{Entity, Move, OnUnknownOld};
use crate::mapping::plan::{FollowsOld, InIdentity, Plan, PlanColumn, Side, Slot, Watched};

/// What old rows are held against.
pub(super) struct Ground<'a> {
    pub(super) table: &'a TableFacts,
    /// The first columns of the plan are those of `where`: so many.
    pub(super) filter_columns: usize,
}

/// Whether updates and deletes matter to an entity.
pub(super) fn follows(entity: &Entity) -> FollowsOld {
    let only_enters = entity.events.iter().all(|e| e.on.iter().all(|on| *on == Move::Enters));
    if entity.state_topic.is_none() && only_enters && entity.filter.is_none() {
        FollowsOld::No
    } else {
        FollowsOld::Yes
    }
}

/// Whose identities count: the leaves of a partitioned table, else the table's own.
fn identities(table: &TableFacts) -> Vec<(&TableName, &Identity)> {
    if table.leaves.is_empty() {
        vec![(&table.name, &table.identity)]
    } else {
        table.leaves.iter().map(|leaf| (&leaf.name, &leaf.identity)).collect()
    }
}

/// Columns that every old row carries.
pub(super) fn identity_columns(table: &TableFacts) -> Vec<String> {
    let all = identities(table);
    let Some((_, first)) = all.first() else {
        return Vec::new();
    };
    first
        .columns
        .iter()
        .filter(|c| all.iter().all(|(_, i)| i.columns.contains(c)))
        .cloned()
        .collect()
}

/// Finds what is missing, with the exact statement that would give it.
pub(super) fn check(entity: &Entity, plan: &Plan, ground: &Ground<'_>, out: &mut Out) {
    if plan.follows_old == FollowsOld::No {
        return;
    }
    out_of_line(entity, plan, ground.table, out);
    let needed = needed(entity, plan, ground.filter_columns);
    for (table, identity) in identities(ground.table) {
        let names = needed
            .iter()
            .filter_map(|column| plan.columns.get(*column))
            .map(|c| &c.name);
        let missing: Vec<&String> = names.filter(|name| !identity.columns.contains(name)).collect();
        if missing.is_empty() && identity.kind != ReplicaIdentity::Nothing && !identity.columns.is_empty() {
            continue;
        }
        let list = missing
            .iter()
            .map(|c| format!("\"{c}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let what = if missing.is_empty() {
            format!(
                "{table} has no replica identity: its updates and deletes cannot be told of {}",
                entity.name
            )
        } else {
            format!(
                "{} needs {list} of the old row, which the replica identity of {table} does not give",
                entity.name
            )
        };
        out.findings.push(
            Finding::error(Cause::Surroundings, "mapping.identity", what)
                .at(entity.place.clone())
                .because("it could not be known what a row was before it changed or went")
                .repair(table.full_identity_sql()),
        );
    }
}

/// Values that an UPDATE may leave out, where the old row does not give them either.
fn out_of_line(entity: &Entity, plan: &Plan, table: &TableFacts, out: &mut Out) {
    let updates_told = plan.state.is_some() || entity.events.iter().any(|event| event.on.contains(&Move::Changes));
    let Some((weak, _)) = identities(table)
        .into_iter()
        .find(|(_, identity)| identity.kind != ReplicaIdentity::Full)
    else {
        return;
    };
    let may_be = |column: &&PlanColumn| {
        let toast = table.column(&column.name).map(|facts| facts.toast);
        column.in_identity == InIdentity::No && toast == Some(Toast::Possible)
    };
    let names: Vec<String> = plan
        .columns
        .iter()
        .filter(may_be)
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    if names.is_empty() || !updates_told {
        return;
    }
    let what = format!(
        "{} reads {} of {weak}, which an UPDATE does not send when it is long and has not changed",
        entity.name,
        names.join(", ")
    );
    out.findings.push(
        Finding::warning(Cause::Surroundings, "mapping.out_of_line", what)
            .at(entity.place.clone())
            .because("the bridge halts at such an UPDATE")
            .repair(weak.full_identity_sql()),
    );
}

/// Columns needed of the old row, by number.
fn needed(entity: &Entity, plan: &Plan, filter_columns: usize) -> Vec<usize> {
    let on = |wanted: Move| entity.events.iter().any(|event| event.on.contains(&wanted));
    let mut columns: Vec<usize> = Vec::new();
    let tombstones = entity.on_unknown_old == OnUnknownOld::Tombstone;
    let told = on(Move::Changes) || on(Move::Leaves) || on(Move::Enters);
    if told || (plan.state.is_some() && !tombstones) {
        columns.extend(0..filter_columns);
    }
    let of_field = |field: &usize| plan.fields.get(*field).map_or(&[][..], |f| f.from.columns());
    if plan.state.is_some() || on(Move::Changes) || on(Move::Leaves) {
        columns.extend(plan.key.iter().flat_map(of_field));
    }
    if plan.state.is_some() || on(Move::Leaves) {
        columns.extend(plan.partition_by.iter().flat_map(of_field));
    }
    if on(Move::Changes) {
        let watched = plan.fields.iter().filter(|f| f.watched == Watched::Yes);
        columns.extend(watched.flat_map(|f| f.from.columns()));
    }
    for (event, declared) in plan.events.iter().zip(&entity.events) {
        let slots = event
            .when
            .iter()
            .chain(event.with.iter().map(|(expression, _)| expression));
        for slot in slots.flat_map(|expression| expression.slots()) {
            match plan.slots.get(usize::from(*slot)) {
                Some(Slot::Column(Side::Old, column)) => columns.push(*column),
                Some(Slot::Field(Side::Old, field)) if declared.on != [Move::Enters] => {
                    columns.extend(of_field(field));
                }
                Some(Slot::Here(_) | Slot::Column(Side::New, _) | Slot::Field(..)) | None => {}
            }
        }
        if declared.on.contains(&Move::Leaves) && declared.data.is_some() {
            columns.extend(event.told_leaving.fields.iter().flat_map(of_field));
        }
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}
