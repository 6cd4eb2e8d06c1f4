//! Partitions that came and may have brought rows: those are told as old rows are, of these partitions alone.

use std::collections::BTreeMap;

use crate::bridge::old::Turns;
use crate::finding::{Cause, Finding};
use crate::flow::declaration::Declarations;
use crate::flow::table::TableName;
use crate::source::Brought;

/// By table, which came.
pub(in crate::bridge) fn by_table(brought: &[Brought]) -> BTreeMap<TableName, Vec<u32>> {
    let mut out: BTreeMap<TableName, Vec<u32>> = BTreeMap::new();
    for Brought { table, oid, .. } in brought {
        out.entry(table.clone()).or_default().push(*oid);
    }
    out
}

impl Turns<'_> {
    /// Says of each entity on their tables whether it tells what they brought.
    pub(in crate::bridge) fn say(&self, brought: &[Brought], declared: &Declarations) {
        let told = |entity: &str| self.ledger.generation(entity).is_some_and(|one| one.is_open());
        for Brought { table, partition, .. } in brought {
            let of_table = declared.iter().filter(|(_, one)| one.table == table.to_string());
            let (tells, silent): (Vec<&str>, Vec<&str>) = of_table
                .map(|(entity, _)| entity.as_str())
                .partition(|entity| told(entity));
            if !tells.is_empty() {
                let entities = tells.join(", ");
                tracing::info!(%partition, entities, "a partition came that may have brought rows: they are told as old ones");
            }
            let (by_operator, never): (Vec<&str>, Vec<&str>) =
                silent.into_iter().partition(|entity| self.mapping.has_state(entity));
            let said = by_operator.iter().map(|entity| untold(partition, entity));
            for finding in said.chain(never.iter().map(|entity| untellable(partition, entity))) {
                tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
            }
        }
    }
}

fn came(partition: &TableName, entity: &str) -> Finding {
    Finding::warning(
        Cause::Surroundings,
        "source.partition_attached",
        format!("the partition {partition} may have brought rows that {entity} did not tell"),
    )
}

fn untold(partition: &TableName, entity: &str) -> Finding {
    came(partition, entity)
        .because("they came without a change, and old rows of it are not told")
        .repair(format!(
            "where they are to be told, with all others: walbridge backfill -c FILE {entity}"
        ))
}

fn untellable(partition: &TableName, entity: &str) -> Finding {
    came(partition, entity)
        .because("they came without a change, and what has no state topic tells changes alone")
        .repair(format!(
            "tell who follows the events of {entity}; old rows can be told in a state topic alone"
        ))
}
