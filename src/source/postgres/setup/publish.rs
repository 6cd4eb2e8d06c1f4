//! What publications miss, as statements.

use crate::finding::Finding;
use crate::flow::catalog::{Catalog, TableFacts, TableKind};
use crate::source::postgres::publication::{self, Home, Partitions, Publications, Reach};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::setup::migration::{PUBLICATION, statement};
use crate::source::postgres::setup::{Present, refusal};
use crate::source::postgres::slot;
use crate::source::postgres::sql::quote;

/// Plans what publications miss.
///
/// # Errors
/// As [`plan_from`].
pub fn publications(settings: &Settings, catalog: &Catalog, present: &Present) -> Result<Vec<String>, Vec<Finding>> {
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
    let mut statements = Vec::new();
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
        statements.extend(publication_statements(settings, *home, tables, &present.publications));
    }
    Ok(statements)
}

fn publication_statements(
    settings: &Settings,
    home: Home,
    tables: &[&TableFacts],
    present: &Publications,
) -> Vec<String> {
    let (name, operations) = match home {
        Home::Main => (settings.publication.clone(), "'insert, update, delete, truncate'"),
        Home::Inserts if tables.is_empty() => return Vec::new(),
        Home::Inserts => (publication::inserts_name(settings), "'insert'"),
    };
    let quoted = quote::ident(&name);
    let partitioned = tables.iter().any(|table| table.kind == TableKind::Partitioned);
    let list = |tables: &[&TableFacts]| tables.iter().map(|t| t.name.quoted()).collect::<Vec<_>>().join(", ");
    let Some(facts) = present.get(&name) else {
        let for_tables = if tables.is_empty() {
            String::new()
        } else {
            format!("FOR TABLE {} ", list(tables))
        };
        return vec![statement(
            PUBLICATION,
            &[
                ("publication", quoted),
                ("for_tables", for_tables),
                ("operations", operations.to_owned()),
                ("via_root", partitioned.to_string()),
            ],
        )];
    };
    let mut out = Vec::new();
    let wanted = operations.trim_matches('\'').split(", ");
    if wanted
        .into_iter()
        .any(|op| !facts.operations.iter().any(|has| has == op))
    {
        out.push(format!("ALTER PUBLICATION {quoted} SET (publish = {operations});"));
    }
    if partitioned && facts.partitions == Partitions::AsLeaf {
        out.push(format!(
            "ALTER PUBLICATION {quoted} SET (publish_via_partition_root = true);"
        ));
    }
    let absent: Vec<&TableFacts> = tables
        .iter()
        .copied()
        .filter(|table| !facts.members.contains_key(&table.name))
        .collect();
    if facts.reach == Reach::Members && !absent.is_empty() {
        out.push(format!("ALTER PUBLICATION {quoted} ADD TABLE {};", list(&absent)));
    }
    out
}
