//! How entities are declared, as it is kept beside the position: texts that say what a field is made of.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::config::Config;
use crate::flow::declaration::{Declaration, Declarations};
use crate::flow::event::Holds;
use crate::mapping::entity::{CodeValue, Entity, Field, Located, OnUnknown, PublishedAs, Source};

/// The declarations of a config.
pub fn declarations(config: &Config) -> Declarations {
    let entities = config.entities.iter();
    entities
        .map(|entity| (entity.name.clone(), declaration(entity)))
        .collect()
}

fn declaration(entity: &Entity) -> Declaration {
    let texts = |all: &[Located]| all.iter().map(|one| one.text.clone()).collect();
    let mut event_topics: Vec<String> = Vec::new();
    for (_, topic, holds) in entity.told() {
        if holds == Holds::Events && !event_topics.contains(&topic.text) {
            event_topics.push(topic.text.clone());
        }
    }
    let fields = entity.fields.iter();
    Declaration {
        table: entity.table.to_string(),
        state_topic: entity.state_topic.as_ref().map(|topic| topic.text.clone()),
        event_topics,
        filter: entity.filter.as_ref().map(|filter| filter.text.clone()),
        key: texts(&entity.key),
        partition_by: texts(&entity.partition_by),
        fields: fields
            .map(|field| (field.name.clone(), spelt(field, &field.from)))
            .collect(),
        formerly: formerly(entity),
        gone: false,
    }
}

/// Fields of columns that were renamed, by their former names.
fn formerly(entity: &Entity) -> BTreeMap<String, String> {
    let former = |field: &Field| {
        let (Source::Column(from) | Source::Text(from)) = &field.from;
        let (_, other) = entity.formerly.iter().find(|(name, _)| name.text == from.text)?;
        let from = Located {
            text: other.clone(),
            ..from.clone()
        };
        let from = match &field.from {
            Source::Column(_) => Source::Column(from),
            Source::Text(_) => Source::Text(from),
        };
        Some((field.name.clone(), spelt(field, &from)))
    };
    entity.fields.iter().filter_map(former).collect()
}

/// Everything that decides what a field's value is, made from `from`.
fn spelt(field: &Field, from: &Source) -> String {
    let mut out = match from {
        Source::Column(column) => format!("column {:?}", column.text),
        Source::Text(text) => text.text.clone(),
    };
    let mut with = |key: &str, value: &str| {
        // Writing to a string cannot fail.
        let _never = write!(out, ", {key} = {value}");
    };
    if let Some(zone) = &field.zone {
        with("zone", &zone.text);
    }
    if let Some(decimals) = field.decimals {
        with("decimals", &decimals.to_string());
    }
    if let Some(parse) = &field.parse {
        with("parse", &parse.text);
    }
    if !field.null_when.is_empty() {
        with("null_when", &format!("{:?}", field.null_when));
    }
    if let Some(codes) = &field.codes {
        with(
            "codes",
            &format!("{{ {} }}", codes.iter().map(code).collect::<Vec<_>>().join(", ")),
        );
    }
    match field.on_unknown {
        OnUnknown::Halt => {}
        OnUnknown::Null => with("on_unknown", "null"),
        OnUnknown::Raw => with("on_unknown", "raw"),
    }
    match field.published_as {
        None => {}
        Some(PublishedAs::Text) => with("as", "text"),
        Some(PublishedAs::Number) => with("as", "number"),
        Some(PublishedAs::EpochMs) => with("as", "epoch_ms"),
    }
    if let Some(of) = &field.public_id {
        with("public_id", &of.name.text);
        if let Some(id) = &of.id {
            with("form", &id.spelling().to_string());
            // Another secret gives other ids.
            with("secret", &format!("(mark {})", id.key_mark()));
        }
    }
    out
}

fn code((code, value): &(String, CodeValue)) -> String {
    match value {
        CodeValue::Text(text) => format!("{code:?} = {text:?}"),
        CodeValue::Number(number) => format!("{code:?} = {number}"),
        CodeValue::Bool(truth) => format!("{code:?} = {truth}"),
    }
}
