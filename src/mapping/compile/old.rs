//! What a mapping needs of old rows, and whether the table's replica identity (and each leaf's) gives it.

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Identity, TableFacts, Toast};
use crate::flow::table::{ReplicaIdentity, TableName};
use crate::mapping::compile::Out;
use crate::mapping::entity::{Entity, Move, OnUnknownOld};
use crate::mapping::plan::{FollowsOld, InIdentity, OldRows, Plan, PlanColumn, Side, Slot, Vital, Watched};

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
pub(in crate::mapping) fn identities(table: &TableFacts) -> Vec<(&TableName, &Identity)> {
    if table.leaves.is_empty() {
        vec![(&table.name, &table.identity)]
    } else {
        table.leaves.iter().map(|leaf| (&leaf.name, &leaf.identity)).collect()
    }
}

/// What is sent of old rows.
pub(super) fn rows(table: &TableFacts) -> OldRows {
    let all = identities(table);
    if all.iter().all(|(_, identity)| identity.kind == ReplicaIdentity::Full) {
        OldRows::Whole
    } else {
        OldRows::OfIdentity
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
pub(super) fn check(entity: &Entity, plan: &Plan, of: &TableFacts, out: &mut Out) {
    if plan.follows_old == FollowsOld::No {
        return;
    }
    let needed = needed(entity, plan);
    let mut refused = Vec::new();
    for (table, identity) in identities(of) {
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
        refused.push(table);
    }
    out_of_line((entity, plan), of, &refused, out);
}

/// Values that an UPDATE may leave out, where the old row does not give them either. What was `refused` gets a whole old row
/// by the same statement.
fn out_of_line((entity, plan): (&Entity, &Plan), table: &TableFacts, refused: &[&TableName], out: &mut Out) {
    let updates_told = plan.state.is_some() || entity.events.iter().any(|event| event.on.contains(&Move::Changes));
    let Some((weak, _)) = identities(table)
        .into_iter()
        .find(|(weak, identity)| identity.kind != ReplicaIdentity::Full && !refused.contains(weak))
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
fn needed(entity: &Entity, plan: &Plan) -> Vec<usize> {
    needed_for(entity, plan, |_| true)
}

/// Those that are looked at while a row is told, since the identity that [`check`] saw need not be the one under which the
/// row was logged. Without the others a condition has no value, which is an error already.
pub(super) fn vital(entity: &Entity, plan: &Plan) -> Vital {
    Vital {
        key: needed_for(entity, plan, |need| matches!(need, Need::Key | Need::PartitionBy)),
        watched: needed_for(entity, plan, |need| need == Need::Changes),
    }
}

fn needed_for(entity: &Entity, plan: &Plan, wanted: impl Fn(Need) -> bool) -> Vec<usize> {
    let needs = needs(entity, plan).into_iter().filter(|(_, need)| wanted(*need));
    let mut columns: Vec<usize> = needs.map(|(column, _)| column).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// What a column of the old row is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping) enum Need {
    /// To know whether the row was the entity.
    Filter,
    /// To know which key it had.
    Key,
    /// To know in which partition it was.
    PartitionBy,
    /// To know whether a field differs.
    Changes,
    /// For what this event, by number, looks at or tells.
    Event(usize),
}

/// Columns of the old row, by number, each with what it is needed for; one may stand here more than once.
pub(in crate::mapping) fn needs(entity: &Entity, plan: &Plan) -> Vec<(usize, Need)> {
    let on = |wanted: Move| entity.events.iter().any(|event| event.on.contains(&wanted));
    let mut found: Vec<(usize, Need)> = Vec::new();
    let mut add = |columns: &[usize], need| found.extend(columns.iter().map(|column| (*column, need)));
    let tombstones = entity.on_unknown_old == OnUnknownOld::Tombstone;
    let told = on(Move::Changes) || on(Move::Leaves) || on(Move::Enters);
    if told || (plan.state.is_some() && !tombstones) {
        add(&(0..plan.filter_columns).collect::<Vec<_>>(), Need::Filter);
    }
    let of_field = |field: &usize| plan.fields.get(*field).map_or(&[][..], |f| f.from.columns());
    if plan.state.is_some() || on(Move::Changes) || on(Move::Leaves) {
        plan.key.iter().for_each(|field| add(of_field(field), Need::Key));
    }
    if plan.state.is_some() || on(Move::Leaves) {
        let fields = plan.partition_by.iter();
        fields.for_each(|field| add(of_field(field), Need::PartitionBy));
    }
    if on(Move::Changes) {
        let watched = plan.fields.iter().filter(|f| f.watched == Watched::Yes);
        watched.for_each(|field| add(field.from.columns(), Need::Changes));
    }
    for (number, (event, declared)) in plan.events.iter().zip(&entity.events).enumerate() {
        let need = Need::Event(number);
        let slots = event
            .when
            .iter()
            .chain(event.with.iter().map(|(expression, _)| expression));
        for slot in slots.flat_map(|expression| expression.slots()) {
            match plan.slots.get(usize::from(*slot)) {
                Some(Slot::Column(Side::Old, column)) => add(&[*column], need),
                Some(Slot::Field(Side::Old, field)) if declared.on != [Move::Enters] => add(of_field(field), need),
                Some(Slot::Here(_) | Slot::Column(Side::New, _) | Slot::Field(..)) | None => {}
            }
        }
        if declared.on.contains(&Move::Leaves) && declared.data.is_some() {
            let fields = event.told_leaving.fields.iter();
            fields.for_each(|field| add(of_field(field), need));
        }
    }
    found
}
