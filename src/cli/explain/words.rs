//! What several ways of printing say in the same words.

use crate::cli::explain::Ground;
use crate::contract::{Contract, FieldContract, Present};
use crate::flow::table::TableName;
use crate::mapping::entity::{CodeValue, Entity, Field, Move, OnUnknown, OnUnknownOld, Source};
use crate::mapping::explained::{Changes, Explained, ExplainedField, Made};
use crate::source::postgres::publication::{Filter, Membership};

pub(super) fn of_move(on: Move) -> &'static str {
    match on {
        Move::Enters => "enters",
        Move::Changes => "changes",
        Move::Leaves => "leaves",
    }
}

/// The declared field behind an explained one.
pub(super) fn declared<'a>(entity: &'a Entity, field: &ExplainedField<'_>) -> Option<&'a Field> {
    entity.fields.iter().find(|declared| declared.name == field.name)
}

/// What is published of a column, and what makes it so.
pub(super) fn published(entity: &Entity, field: &ExplainedField<'_>) -> String {
    let mut parts = Vec::new();
    let declared = declared(entity, field);
    match declared.and_then(|declared| declared.codes.as_ref().map(|codes| (declared, codes))) {
        Some((declared, codes)) => parts.push(by_codes(declared, codes)),
        None => parts.push(field.shape.to_string()),
    }
    if let Some(declared) = declared {
        if let Source::Text(text) = &declared.from
            && field.made == Made::ByExpression
        {
            parts.push(format!("by {}", text.text));
        }
        if let Some(zone) = &declared.zone {
            parts.push(match zone.text.as_str() {
                "none" => "as it stands".to_owned(),
                zone => format!("meant in {zone}"),
            });
        }
        if let Some(parse) = &declared.parse {
            parts.push(format!("read by {}", parse.text));
        }
        if !declared.null_when.is_empty() {
            let list: Vec<String> = declared.null_when.iter().map(|text| format!("{text:?}")).collect();
            parts.push(format!("null for {}", list.join(", ")));
        }
        if let Some(reason) = &declared.expose {
            parts.push(format!("an internal number, exposed: {}", reason.text));
        }
    }
    if field.changes == Changes::Ignored {
        parts.push("its change alone is none".to_owned());
    }
    parts.join("; ")
}

fn by_codes(declared: &Field, codes: &[(String, CodeValue)]) -> String {
    let value = |value: &CodeValue| match value {
        CodeValue::Text(text) | CodeValue::Number(text) => text.clone(),
        CodeValue::Bool(truth) => truth.to_string(),
    };
    let code = |code: &str| {
        if code.is_empty() {
            "blank".to_owned()
        } else {
            code.to_owned()
        }
    };
    let list: Vec<String> = codes
        .iter()
        .map(|(from, to)| format!("{} is {}", code(from), value(to)))
        .collect();
    let other = match declared.on_unknown {
        OnUnknown::Halt => "another halts",
        OnUnknown::Null => "another is null",
        OnUnknown::Raw => "another stays as it is",
    };
    format!("{}; {other}", list.join(", "))
}

/// Fields that are in every record, and those that are not.
pub(super) fn data(contract: &Contract, fields: &[ExplainedField<'_>]) -> String {
    let (always, sometimes): (Vec<_>, Vec<_>) = contract
        .fields
        .iter()
        .partition(|field| field.present == Present::Always);
    let names = |list: Vec<&FieldContract>| list.iter().map(|one| one.name.clone()).collect::<Vec<_>>().join(", ");
    let is_all = always.len() == fields.len() && always.iter().zip(fields).all(|(told, field)| told.name == field.name);
    match (is_all, sometimes.is_empty()) {
        (true, _) => "all fields".to_owned(),
        (false, true) => names(always),
        (false, false) => format!("{}; and but for leaves {}", names(always), names(sometimes)),
    }
}

/// What PostgreSQL sends of the table, and what it leaves out.
pub(super) fn sent(ground: &Ground<'_>, table: &TableName) -> String {
    let told = ground.telling(table);
    if told.is_empty() {
        return format!(
            "no publication sends changes of {table} yet; setup adds it to {}, which filters nothing: `where` is the bridge's",
            ground.config.source.publication
        );
    }
    let one = |(name, member): &(&str, &Membership)| {
        let operations = ground.publications.get(*name).map(|facts| facts.operations.join(", "));
        let rows = match member.filter {
            Filter::None => "all rows",
            Filter::Rows => "only the rows that its filter lets pass",
        };
        let columns = member.columns.as_ref().map_or("all columns".to_owned(), |names| {
            format!("columns {}", names.join(", "))
        });
        format!("{name} sends {} of {rows}, {columns}", operations.unwrap_or_default())
    };
    told.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What happens where it is not known whether a row was the entity; none: that is always known.
pub(super) fn unknown_old(one: &Explained<'_>) -> Option<String> {
    one.old.as_ref()?;
    Some(match (one.entity.on_unknown_old, &one.entity.filter) {
        (_, None) => return None,
        (OnUnknownOld::Halt, Some(_)) => {
            "halt: whether a row was inside `where` is known of every change, or the set-up is refused".to_owned()
        }
        (OnUnknownOld::Tombstone, Some(_)) if !one.events.is_empty() => {
            "tombstone: but there are events, and the bridge halts rather than guess one".to_owned()
        }
        (OnUnknownOld::Tombstone, Some(_)) => format!(
            "tombstone: each row outside `where` that may have been inside gives one, so keys of rows that never were {} \
             appear in {}",
            one.entity.name,
            one.entity
                .state_topic
                .as_ref()
                .map_or("its topic", |topic| topic.text.as_str())
        ),
    })
}

/// Names of the key's fields.
pub(super) fn key(entity: &Entity) -> String {
    let names: Vec<&str> = entity.key.iter().map(|name| name.text.as_str()).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("{{{}}}", several.join(", ")),
    }
}
