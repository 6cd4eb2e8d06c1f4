//! Partitions that came with rows: what they brought is told as old rows are, of that part of the table alone.

use std::collections::BTreeMap;

use crate::bridge::old::Turns;
use crate::finding::{Cause, Finding};
use crate::flow::declaration::Declarations;
use crate::flow::table::TableName;
use crate::source::Brought;

/// Which part of each table came.
pub(in crate::bridge) fn bounds(brought: &[Brought]) -> BTreeMap<TableName, String> {
    let mut out: BTreeMap<TableName, String> = BTreeMap::new();
    for Brought { table, bound, .. } in brought {
        let joined = match out.get(table) {
            Some(others) => format!("{others} OR ({bound})"),
            None => format!("({bound})"),
        };
        out.insert(table.clone(), joined);
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
                tracing::info!(%partition, entities, "a partition came: its rows are told, since it may have brought some");
            }
            if !silent.is_empty() {
                let finding = untold(partition, &silent.join(", "));
                tracing::warn!(code = finding.code, repair = finding.repair, "{}", finding.what);
            }
        }
    }
}

fn untold(partition: &TableName, entities: &str) -> Finding {
    Finding::warning(
        Cause::Surroundings,
        "source.partition_attached",
        format!("the partition {partition} may have brought rows that {entities} did not tell"),
    )
    .because("they came without a change, and old rows of it are not told")
    .repair("where they are to be told: walbridge backfill -c FILE ENTITY, which tells all rows of an entity with a state topic")
}
