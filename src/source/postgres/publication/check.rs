//! Whether the publications tell what the mapped tables need, and leave the application's statements alone.

use std::collections::BTreeSet;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{Catalog, TableFacts, TableKind};
use crate::flow::table::TableName;
use crate::source::postgres::publication::{
    Filter, Home, Membership, Partitions, PublicationFacts, Publications, inserts_name, needed, seat, without_identity,
};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::quote;

fn error(code: &'static str, what: String) -> Finding {
    Finding::error(Cause::Surroundings, code, what)
}

/// Everything that keeps the publications from telling what the mapped tables need.
pub fn check(settings: &Settings, catalog: &Catalog, publications: &Publications) -> Vec<Finding> {
    let mut out = Vec::new();
    for name in needed(settings, catalog, publications) {
        let Some(facts) = publications.get(&name) else {
            out.push(
                error(
                    "source.publication_missing",
                    format!("the publication {name} does not exist"),
                )
                .because("the server tells no change of its tables")
                .repair("walbridge setup --apply -c FILE"),
            );
            continue;
        };
        let operations: &[&str] = if name == settings.publication {
            &["insert", "update", "delete", "truncate"]
        } else {
            &["insert"]
        };
        let absent: Vec<&str> = operations
            .iter()
            .copied()
            .filter(|op| !facts.operations.iter().any(|has| has == op))
            .collect();
        if !absent.is_empty() {
            let what = format!("the publication {name} does not publish {}", absent.join(", "));
            out.push(
                error("source.publication_operations", what)
                    .because("such changes would never be told")
                    .repair(format!(
                        "ALTER PUBLICATION {} SET (publish = '{}');",
                        quote::ident(&name),
                        operations.join(", ")
                    )),
            );
        }
    }
    for followed in &settings.tables {
        if let Some(table) = catalog.tables.get(&followed.name) {
            let name = match seat(settings, followed, table, publications) {
                Home::Main => settings.publication.clone(),
                Home::Inserts => inserts_name(settings),
            };
            if let Some(facts) = publications.get(&name) {
                out.extend(check_table(&name, facts, table));
            }
        }
    }
    for (name, facts) in publications {
        out.extend(
            facts
                .members
                .keys()
                .filter_map(|member| breaks_writes(name, facts, catalog.tables.get(member)?)),
        );
    }
    out
}

fn check_table(name: &str, facts: &PublicationFacts, table: &TableFacts) -> Vec<Finding> {
    let mut out = Vec::new();
    let (publication, quoted) = (quote::ident(name), table.name.quoted());
    let Some(member) = facts.members.get(&table.name) else {
        return vec![
            error(
                "source.publication_lacks_table",
                format!("the publication {name} lacks the table {}", table.name),
            )
            .because("its changes would never be told")
            .repair(format!("ALTER PUBLICATION {publication} ADD TABLE {quoted};")),
        ];
    };
    out.extend(under_other_names(name, (facts, member), table));
    let whole = format!(
        "ALTER PUBLICATION {publication} DROP TABLE {quoted}; ALTER PUBLICATION {publication} ADD TABLE {quoted}; \
         -- before the first start: one that has a position halts then, since what was hidden was never told"
    );
    if member.filter == Filter::Rows {
        out.push(
            error(
                "source.row_filter",
                format!("the publication {name} filters the rows of {}", table.name),
            )
            .because("hidden rows are never told, and a row that crosses the filter looks inserted or deleted")
            .repair(whole.clone()),
        );
    }
    if let Some(columns) = &member.columns {
        let hidden: Vec<&str> = table
            .columns
            .iter()
            .map(|c| c.name.as_str())
            .filter(|c| !columns.iter().any(|has| has == c))
            .collect();
        if !hidden.is_empty() {
            let what = format!(
                "the publication {name} hides the columns {} of {}",
                hidden.join(", "),
                table.name
            );
            out.push(
                Finding::warning(Cause::Surroundings, "source.column_list", what)
                    .because("a bridge whose mapping names one of them halts at the table's first change")
                    .repair(whole),
            );
        }
    }
    out
}

/// A partitioned table whose partitions come under their own names, or a partition that comes under its root's.
fn under_other_names(
    name: &str,
    (facts, member): (&PublicationFacts, &Membership),
    table: &TableFacts,
) -> Vec<Finding> {
    let (mut out, publication) = (Vec::new(), quote::ident(name));
    if table.kind == TableKind::Partitioned && facts.partitions == Partitions::AsLeaf {
        let what = format!(
            "the publication {name} tells the partitions of {} under their own names",
            table.name
        );
        out.push(
            error("source.publication_leaves", what)
                .because("a mapping names the partitioned table, and its changes would not be recognised")
                .repair(format!(
                    "ALTER PUBLICATION {publication} SET (publish_via_partition_root = true);"
                )),
        );
    }
    if let Some(root) = &member.told_as {
        let what = format!(
            "the publication {name} tells the changes of {} under the name of {root}",
            table.name
        );
        out.push(
            error("source.publication_root", what)
                .because("a mapping names the partition, and its changes would not be recognised")
                .repair(format!(
                    "table = \"{root}\", or: ALTER PUBLICATION {publication} SET (publish_via_partition_root = false);"
                )),
        );
    }
    out
}

/// A column that a mapping looks at, by either of its names, and no publication of the table sends.
pub fn hidden<'c>(
    publications: &Publications,
    table: &TableName,
    mut wanted: impl Iterator<Item = (&'c str, Option<&'c str>)>,
) -> Option<Finding> {
    let members = || {
        publications
            .iter()
            .filter_map(|(name, facts)| Some((name, facts.members.get(table)?)))
    };
    let (publication, _) = members().next()?;
    let sends = |column: &str| {
        members().any(|(_, member)| {
            let listed = member.columns.as_ref();
            listed.is_none_or(|columns| columns.iter().any(|listed| listed == column))
        })
    };
    let (column, _) = wanted.find(|(column, other)| !sends(column) && !other.is_some_and(sends))?;
    let what = format!("the publication {publication} hides the column {column} of {table}, which is mapped");
    let (publication, quoted) = (quote::ident(publication), table.quoted());
    Some(error("source.column_hidden", what).because("its changes come without it").repair(format!(
        "ALTER PUBLICATION {publication} DROP TABLE {quoted}; ALTER PUBLICATION {publication} ADD TABLE {quoted}; \
         -- before the first start: one that has a position halts then, since what was hidden was never told"
    )))
}

/// A membership that makes the application's own UPDATE and DELETE fail.
fn breaks_writes(name: &str, facts: &PublicationFacts, table: &TableFacts) -> Option<Finding> {
    if !facts.operations.iter().any(|op| op == "update" || op == "delete") {
        return None;
    }
    if let Some(bare) = without_identity(table).into_iter().next() {
        return Some(no_identity(name, bare));
    }
    let columns = facts.members.get(&table.name)?.columns.as_ref()?;
    let identities = std::iter::once(&table.identity).filter(|_| table.leaves.is_empty());
    let identities = identities.chain(table.leaves.iter().map(|leaf| &leaf.identity));
    let outside: BTreeSet<&str> = identities
        .flat_map(|identity| &identity.columns)
        .filter(|c| !columns.contains(c))
        .map(String::as_str)
        .collect();
    if outside.is_empty() {
        return None;
    }
    let what = format!(
        "the column list of {} in the publication {name} lacks {} of its identity",
        table.name,
        outside.into_iter().collect::<Vec<_>>().join(", ")
    );
    let (publication, quoted) = (quote::ident(name), table.name.quoted());
    Some(error("source.column_list_identity", what).because("the application's own UPDATE and DELETE fail").repair(
        format!("ALTER PUBLICATION {publication} DROP TABLE {quoted}; ALTER PUBLICATION {publication} ADD TABLE {quoted};"),
    ))
}

/// The finding for a table without identity in a publication that tells updates.
pub(crate) fn no_identity(publication: &str, table: &TableName) -> Finding {
    error(
        "source.identity_missing",
        format!("the table {table} has no replica identity, and the publication {publication} publishes updates"),
    )
    .because("the application's own UPDATE and DELETE of it fail as long as it is published so")
    .repair(table.full_identity_sql())
}
