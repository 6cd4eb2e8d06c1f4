//! What can be said of expressions without a catalogue: whether they are any.

use crate::finding::{Cause, Finding};
use crate::mapping::compile::with_hint;
use crate::mapping::entity::{Entity, Located, Source};
use crate::mapping::expression::{ExpressionError, parses};

/// Texts that are no expressions; names, types and functions are left to [`compile`](super::compile).
pub fn syntax(entities: &[Entity]) -> Vec<Finding> {
    entities.iter().flat_map(of_entity).collect()
}

fn of_entity(entity: &Entity) -> Vec<Finding> {
    let whens = entity.events.iter().filter_map(|event| event.when.as_ref());
    let withs = entity
        .events
        .iter()
        .flat_map(|event| event.with.iter().map(|(_, text)| text));
    let conditions = entity.filter.iter().chain(whens).chain(withs);
    let wrong = conditions.filter_map(|text| {
        let error = parses(&text.text).err()?;
        let finding = Finding::error(Cause::Config, "mapping.expression", &error.message);
        Some(with_hint(finding, &error, text))
    });
    let unlikely = entity.fields.iter().filter_map(|field| match &field.from {
        Source::Text(text) => parses(&text.text).err().map(|error| odd_name(&error, text)),
        Source::Column(_) => None,
    });
    wrong.chain(unlikely).collect()
}

/// A column may have any name, also one that is no expression.
fn odd_name(error: &ExpressionError, text: &Located) -> Finding {
    let finding = Finding::warning(Cause::Config, "mapping.expression", &error.message);
    with_hint(finding, error, text).because("so this must be the name of a column, letter by letter")
}
