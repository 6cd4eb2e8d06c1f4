//! Columns with two names: those that were renamed, or will be.

use std::borrow::Cow;

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{ColumnFacts, TableFacts, Unique};
use crate::mapping::compile::Out;
use crate::mapping::compile::names::Asked;
use crate::mapping::entity::{Entity, Located};

/// The other name of a column.
pub(super) fn of(entity: &Entity, column: &str) -> Option<String> {
    let known = entity.formerly.iter().find(|(name, _)| name.text == column);
    known.map(|(_, former)| former.clone())
}

/// The table with each such column under both names, whichever of them it has: so the same config fits before the
/// `ALTER TABLE` and after it.
pub(super) fn both_names<'t>(table: &'t TableFacts, formerly: &[(Located, String)]) -> Cow<'t, TableFacts> {
    let mut table = Cow::Borrowed(table);
    for (name, former) in formerly {
        if table.column(&name.text).is_none() && table.column(former).is_some() {
            also(table.to_mut(), former, &name.text);
        }
    }
    table
}

/// A column `from` goes by the name `to` as well.
fn also(table: &mut TableFacts, from: &str, to: &str) {
    let again = |names: &mut Vec<String>| {
        if names.iter().any(|name| name == from) {
            names.push(to.to_owned());
        }
    };
    again(&mut table.identity.columns);
    table
        .leaves
        .iter_mut()
        .for_each(|leaf| again(&mut leaf.identity.columns));
    let renamed = |unique: &Unique| Unique {
        columns: unique
            .columns
            .iter()
            .map(|name| if name == from { to } else { name }.to_owned())
            .collect(),
        ..unique.clone()
    };
    let uniques: Vec<Unique> = table.uniques.iter().map(renamed).collect();
    table.uniques.extend(uniques);
    if let Some(column) = table.column(from) {
        let column = ColumnFacts {
            name: to.to_owned(),
            ..column.clone()
        };
        table.columns.push(column);
    }
}

/// A name that nothing of the entity looks at is misspelt, or of no use; other names must be nobody else's.
pub(super) fn check(entity: &Entity, table: &TableFacts, asked: &Asked, out: &mut Out) {
    for (number, (name, former)) in entity.formerly.iter().enumerate() {
        if !asked.columns.contains(&name.text) {
            let what = format!("{} looks at no column \"{}\"", entity.name, name.text);
            out.error("mapping.formerly", &name.place, what);
        }
        let both = |facts: &&ColumnFacts| facts.name == name.text || facts.name == *former;
        if table.columns.iter().filter(both).count() > 1 {
            let what = format!(
                "{} has a column \"{}\" and a column \"{former}\"",
                table.name, name.text
            );
            let finding = Finding::error(Cause::Config, "mapping.formerly", what);
            out.findings.push(
                finding
                    .at(name.place.clone())
                    .because("`formerly` makes one column of two names, and it is not known which of the two is meant")
                    .repair("take it out of `formerly`"),
            );
        }
        let others = entity.formerly.iter().enumerate().filter(|(other, _)| *other != number);
        let taken = others
            .flat_map(|(_, (name, former))| [&name.text, former])
            .any(|name| name == former);
        if taken || asked.columns.contains(former) {
            let what = format!(
                "\"{former}\" is the other name of \"{}\", and something else too",
                name.text
            );
            out.error("mapping.formerly", &name.place, what);
        }
    }
}
