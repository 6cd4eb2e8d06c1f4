//! Columns with two names: those that were renamed, or will be.

use std::borrow::Cow;

use crate::flow::catalog::TableFacts;
use crate::mapping::compile::Out;
use crate::mapping::compile::names::Asked;
use crate::mapping::entity::{Entity, Located};

/// The other name of a column.
pub(super) fn of(entity: &Entity, column: &str) -> Option<String> {
    let known = entity.formerly.iter().find(|(name, _)| name.text == column);
    known.map(|(_, former)| former.clone())
}

/// The table under the names that the entity uses: a column that is there under its other name only goes by the one
/// the entity gives it, so that the same config fits before the `ALTER TABLE` and after it.
pub(super) fn renamed<'t>(table: &'t TableFacts, formerly: &[(Located, String)]) -> Cow<'t, TableFacts> {
    let mut table = Cow::Borrowed(table);
    for (name, former) in formerly {
        if table.column(&name.text).is_none() && table.column(former).is_some() {
            rename(table.to_mut(), former, &name.text);
        }
    }
    table
}

fn rename(table: &mut TableFacts, from: &str, to: &str) {
    let columns = table.columns.iter_mut().map(|column| &mut column.name);
    let uniques = table.uniques.iter_mut().flat_map(|unique| &mut unique.columns);
    let leaves = table.leaves.iter_mut().flat_map(|leaf| &mut leaf.identity.columns);
    let names = columns.chain(&mut table.identity.columns).chain(uniques).chain(leaves);
    for name in names.filter(|name| *name == from) {
        to.clone_into(name);
    }
}

/// A name that nothing of the entity looks at is misspelt, or of no use.
pub(super) fn check(entity: &Entity, asked: &Asked, out: &mut Out) {
    for (name, _) in &entity.formerly {
        if !asked.columns.contains(&name.text) {
            let what = format!("{} looks at no column \"{}\"", entity.name, name.text);
            out.error("mapping.formerly", &name.place, what);
        }
    }
}
