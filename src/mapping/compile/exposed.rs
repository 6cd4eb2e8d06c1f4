//! Numbers that only the database gives out, where they would be published as they are.

use crate::finding::{Cause, Finding};
use crate::flow::catalog::{ColumnFacts, Surrogate, TableFacts};
use crate::mapping::entity::{Entity, Event, Field, Located};

const WHY: &str =
    "consumers come to rest on numbers that end with this database, and whoever sees some can guess the others";

/// A field that is such a column, and neither hides it nor says why not.
pub(super) fn field(entity: &Entity, field: &Field, facts: &ColumnFacts) -> Option<Finding> {
    let surrogate = facts.surrogate.as_ref()?;
    if field.public_id.is_some() || field.expose.is_some() || field.codes.is_some() {
        return None;
    }
    let in_key = if entity.key.iter().any(|key| key.text == field.name) {
        ", also in the key"
    } else {
        ""
    };
    let what = format!(
        "{}.{} is column \"{}\" as it is{in_key}: {}",
        entity.name,
        field.name,
        facts.name,
        says(surrogate)
    );
    let (name, column) = (&field.name, &facts.name);
    Some(
        Finding::warning(Cause::Config, "mapping.surrogate", what)
            .at(field.place.clone())
            .because(WHY)
            .repair(format!(
                "{name} = {{ from = {column:?}, public_id = \"{name}\" }} with [public_id.{name}]; or say why not: {name} = \
                 {{ from = {column:?}, expose = \"REASON\" }}"
            )),
    )
}

/// A field whose expression reads such a column: it may say nothing of the number, so this is only good to know.
pub(super) fn expression(
    entity: &Entity,
    field: &Field,
    (table, columns): (&TableFacts, &[String]),
) -> Option<Finding> {
    let read = columns.iter().filter_map(|name| table.column(name));
    let (facts, surrogate) = read
        .filter_map(|facts| Some((facts, facts.surrogate.as_ref()?)))
        .next()?;
    let what = format!(
        "{}.{} is made of column \"{}\": {}",
        entity.name,
        field.name,
        facts.name,
        says(surrogate)
    );
    Some(
        Finding::note(Cause::Config, "mapping.surrogate", what)
            .at(field.place.clone())
            .because(WHY),
    )
}

/// What `with` adds to an event, where it reads such a column of the row itself. As it is, it is published past every field.
pub(super) fn with(event: &Event, (name, text): &(String, Located), read: &[&ColumnFacts]) -> Option<Finding> {
    let (facts, surrogate) = read.iter().find_map(|facts| Some((facts, facts.surrogate.as_ref()?)))?;
    let what = format!(
        "{name} of {} is made of column \"{}\": {}",
        event.name,
        facts.name,
        says(surrogate)
    );
    let as_it_is = ["old_row", "new_row"].iter().any(|row| {
        let spelt = [format!("{row}.{}", facts.name), format!("{row}.\"{}\"", facts.name)];
        spelt.iter().any(|spelt| spelt == text.text.trim())
    });
    let finding = if as_it_is {
        Finding::warning(Cause::Config, "mapping.surrogate", what)
    } else {
        Finding::note(Cause::Config, "mapping.surrogate", what)
    };
    let repair = "make a field of it, with public_id or expose, and say old.FIELD or new.FIELD";
    Some(finding.at(text.place.clone()).because(WHY).repair(repair))
}

fn says(surrogate: &Surrogate) -> String {
    match surrogate {
        Surrogate::Counted => "a number that the database counts".to_owned(),
        Surrogate::RefersTo { table, column } => {
            format!("it refers to \"{column}\" of {table}, which the database counts")
        }
    }
}
