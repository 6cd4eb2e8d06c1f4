//! For machines: one JSON document.

use serde_json::{Value, json};

use crate::cli::explain::{Ground, words};
use crate::contract::{Contract, FieldContract, Null, Present};
use crate::mapping::entity::{Located, OnUnknownOld, Source};
use crate::mapping::explained::{Changes, Explained, ExplainedEvent, ExplainedField, Made, Old};
use crate::source::postgres::publication::Filter;

/// All of it.
pub(super) fn document(ground: &Ground<'_>, all: &[Explained<'_>]) -> Value {
    json!({
        "bridge": ground.config.name,
        "entities": all.iter().map(|one| entity(ground, one)).collect::<Vec<_>>(),
    })
}

fn texts(all: &[Located]) -> Vec<&str> {
    all.iter().map(|one| one.text.as_str()).collect()
}

fn entity(ground: &Ground<'_>, one: &Explained<'_>) -> Value {
    let entity = one.entity;
    json!({
        "entity": entity.name,
        "table": one.table.name.to_string(),
        "where": entity.filter.as_ref().map(|filter| &filter.text),
        "rows_estimate": one.table.rows_estimate,
        "key": texts(&entity.key),
        "partition_by": if entity.partition_by.is_empty() { texts(&entity.key) } else { texts(&entity.partition_by) },
        "state": one.state.as_ref().map(contract),
        "fields": one.fields.iter().map(|one_field| field(one, one_field)).collect::<Vec<_>>(),
        "events": one.events.iter().map(event).collect::<Vec<_>>(),
        "old_row": one.old.as_ref().map(old),
        "on_unknown_old": match entity.on_unknown_old {
            OnUnknownOld::Halt => "halt",
            OnUnknownOld::Tombstone => "tombstone",
        },
        "publications": publications(ground, one),
    })
}

fn field(one: &Explained<'_>, field: &ExplainedField<'_>) -> Value {
    let columns = field
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "type": column.type_text}));
    let declared = words::declared(one.entity, field);
    let text = declared.map(|declared| match &declared.from {
        Source::Column(text) | Source::Text(text) => text.text.as_str(),
    });
    json!({
        "name": field.name,
        "columns": columns.collect::<Vec<_>>(),
        "expression": text.filter(|_| field.made == Made::ByExpression),
        "published": words::published(one.entity, field),
        "schema": field.shape.schema(),
        "null": field.null == Null::Possible,
        "public_id": declared.and_then(|declared| declared.public_id.as_ref()).map(|of| &of.name.text),
        "ignored": field.changes == Changes::Ignored,
    })
}

fn contract(contract: &Contract) -> Value {
    let data = contract.fields.iter().map(|field: &FieldContract| {
        json!({
            "name": field.name,
            "schema": field.shape.schema(),
            "null": field.null == Null::Possible,
            "always": field.present == Present::Always,
        })
    });
    json!({
        "name": contract.name,
        "version": contract.version,
        "topic": contract.topic,
        "data": data.collect::<Vec<_>>(),
    })
}

fn event(event: &ExplainedEvent) -> Value {
    let on = event.on.iter();
    let on = on.map(|(on, evidence)| json!({"move": words::of_move(*on), "evidence": evidence}));
    let mut document = contract(&event.contract);
    if let Some(fields) = document.as_object_mut() {
        fields.insert("on".to_owned(), on.collect());
        fields.insert("when".to_owned(), json!(event.when));
        fields.insert("old_columns".to_owned(), json!(event.old_columns));
    }
    document
}

fn old(old: &Old<'_>) -> Value {
    let columns = old
        .columns
        .iter()
        .map(|(name, needs)| json!({"name": name, "needed_for": needs}));
    let identities = old.identities.iter().map(|given| {
        json!({
            "table": given.table.to_string(),
            "identity": given.words(),
            "missing": given.missing,
            "repair": (!given.missing.is_empty()).then(|| given.table.full_identity_sql()),
        })
    });
    json!({"columns": columns.collect::<Vec<_>>(), "identities": identities.collect::<Vec<_>>()})
}

fn publications(ground: &Ground<'_>, one: &Explained<'_>) -> Vec<Value> {
    let telling = ground.telling(&one.table.name).into_iter();
    telling
        .map(|(name, member)| {
            json!({
                "name": name,
                "operations": ground.publications.get(name).map(|facts| &facts.operations),
                "row_filter": member.filter == Filter::Rows,
                "columns": member.columns,
            })
        })
        .collect()
}
