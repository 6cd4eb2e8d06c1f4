//! What publications miss, as statements.

use crate::finding::Finding;
use crate::flow::catalog::{Catalog, TableFacts, TableKind};
use crate::flow::table::TableName;
use crate::source::postgres::publication::{self, Home, Partitions, Publications, Reach};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::migration::{PUBLICATION, statement};
use crate::source::postgres::setup::{Present, refusal};
use crate::source::postgres::slot;
use crate::source::postgres::sql::quote;

/// A change of a publication, and what must belong to whoever makes it
/// (<https://www.postgresql.org/docs/current/sql-alterpublication.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What makes it.
    pub statement: String,
    /// The publication that is altered; none where it is made.
    pub alters: Option<String>,
    /// Tables that it publishes from then on.
    pub adds: Vec<TableName>,
}

/// Plans what publications miss.
///
/// # Errors
/// All that must be mended first.
pub fn publications(settings: &Settings, catalog: &Catalog, present: &Present) -> Result<Vec<Change>, Vec<Finding>> {
    let mut refused: Vec<Finding> = settings
        .tables
        .iter()
        .filter_map(|one| refusal(settings, catalog, one))
        .collect();
    let unfit = [
        "source.row_filter",
        "source.column_list_identity",
        "source.identity_missing",
        "source.publication_root",
    ];
    let there = publication::check(settings, catalog, &present.publications);
    for finding in there.into_iter().filter(|finding| unfit.contains(&finding.code)) {
        if !refused.contains(&finding) {
            refused.push(finding);
        }
    }
    if present.slot.is_some() {
        refused.extend(slot::check_slot(present.slot.as_ref(), settings));
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let mut changes = Vec::new();
    let mut homes: [(Home, Vec<&TableFacts>); 2] = [(Home::Main, Vec::new()), (Home::Inserts, Vec::new())];
    for followed in &settings.tables {
        if let Some(table) = catalog.tables.get(&followed.name) {
            let seat = publication::seat(settings, followed, table, &present.publications);
            homes
                .iter_mut()
                .filter(|(home, _)| *home == seat)
                .for_each(|(_, tables)| tables.push(table));
        }
    }
    for (home, tables) in &homes {
        changes.extend(changes_of(settings, *home, tables, &present.publications));
    }
    Ok(changes)
}

fn changes_of(settings: &Settings, home: Home, tables: &[&TableFacts], present: &Publications) -> Vec<Change> {
    let (name, operations) = match home {
        Home::Main => (settings.publication.clone(), "'insert, update, delete, truncate'"),
        Home::Inserts if tables.is_empty() => return Vec::new(),
        Home::Inserts => (publication::inserts_name(settings), "'insert'"),
    };
    let quoted = quote::ident(&name);
    let partitioned = tables.iter().any(|table| table.kind == TableKind::Partitioned);
    let list = |tables: &[&TableFacts]| tables.iter().map(|t| t.name.quoted()).collect::<Vec<_>>().join(", ");
    let names = |tables: &[&TableFacts]| tables.iter().map(|table| table.name.clone()).collect();
    let Some(facts) = present.get(&name) else {
        let for_tables = if tables.is_empty() {
            String::new()
        } else {
            format!("FOR TABLE {} ", list(tables))
        };
        let made = statement(
            PUBLICATION,
            &[
                ("publication", quoted),
                ("for_tables", for_tables),
                ("operations", operations.to_owned()),
                ("via_root", partitioned.to_string()),
            ],
        );
        return vec![Change {
            statement: made,
            alters: None,
            adds: names(tables),
        }];
    };
    let altered = |what: &str, adds: Vec<TableName>| Change {
        statement: format!("ALTER PUBLICATION {quoted} {what};"),
        alters: Some(name.clone()),
        adds,
    };
    let mut out = Vec::new();
    let wanted = operations.trim_matches('\'').split(", ");
    if wanted
        .into_iter()
        .any(|op| !facts.operations.iter().any(|has| has == op))
    {
        out.push(altered(&format!("SET (publish = {operations})"), Vec::new()));
    }
    if partitioned && facts.partitions == Partitions::AsLeaf {
        out.push(altered("SET (publish_via_partition_root = true)", Vec::new()));
    }
    let absent: Vec<&TableFacts> = tables
        .iter()
        .copied()
        .filter(|table| !facts.members.contains_key(&table.name))
        .collect();
    if facts.reach == Reach::Members && !absent.is_empty() {
        out.push(altered(&format!("ADD TABLE {}", list(&absent)), names(&absent)));
    }
    out
}
