//! `[entity.…]`: which rows are which things.

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::flow::table::TableName;
use crate::mapping::entity::{Entity, Located, OnUnknownOld};

use super::{checks, event, field};

/// Every entity of a file, in its order; one with errors is still here, so that the others are held against it.
pub(super) fn entities(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<Entity> {
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        if !is_name(name) {
            let what = format!("{} must be a letter, then letters, digits and _", node.path());
            report.push(crate::finding::Finding {
                place: Some(node.key_place()),
                ..node.error("config.value", what)
            });
        }
        if let Some(section) = node.table(report) {
            let entity = entity(name, section, report);
            checks::within(&entity, report);
            found.push(entity);
        }
    }
    found
}

fn entity(name: &str, mut section: Section<'_>, report: &mut Report<'_>) -> Entity {
    let place = section.place();
    let table = section.need("table", "table = \"public.ord_hdr\"");
    let filter = section.take("where").and_then(|node| node.located(report));
    let key = section.need("key", "key = \"number\"");
    let partition_by = section.take("partition_by");
    let state_topic = section.take("state_topic").and_then(|node| topic(&node, report));
    let event_topic = section.take("event_topic").and_then(|node| topic(&node, report));
    let ignore = section.take("ignore");
    let on_unknown_old = section.take("on_unknown_old").and_then(|node| {
        let words = [("halt", OnUnknownOld::Halt), ("tombstone", OnUnknownOld::Tombstone)];
        node.word(&words, report)
    });
    let formerly = section.section("formerly", report);
    if let Some(node) = section.take("on_error") {
        super::on_error(&node, report);
    }
    if let Some(node) = section.take("on_unchanged") {
        super::halt_or_later(&node, &["omit", "reread"], report);
    }
    if let Some(node) = section.take("on_truncate") {
        super::halt_or_later(&node, &[], report);
    }
    for later in ["child", "lookup", "context", "outbox"] {
        section.not_yet(later, report);
    }
    let fields = section.need("fields", &format!("[entity.{name}.fields]\nnumber = \"ord_no\""));
    let fields = fields
        .and_then(|node| node.table(report))
        .map(|section| field::fields(section, report));
    let events = section
        .section("events", report)
        .map(|section| event::events(section, report));
    section.finish(report);
    Entity {
        name: name.to_owned(),
        place,
        table_place: table.as_ref().map(Node::place).unwrap_or_default(),
        table: table
            .and_then(|node| table_name(&node, report))
            .unwrap_or_else(|| TableName::new("", "")),
        filter,
        key: key.map(|node| names(&node, report)).unwrap_or_default(),
        partition_by: partition_by.map(|node| names(&node, report)).unwrap_or_default(),
        state_topic,
        event_topic,
        fields: fields.unwrap_or_default(),
        events: events.unwrap_or_default(),
        ignore: ignore.map(|node| names(&node, report)).unwrap_or_default(),
        on_unknown_old: on_unknown_old.unwrap_or_default(),
        formerly: formerly.map(|section| former(section, report)).unwrap_or_default(),
    }
}

/// `column = "its other name"`
fn former(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<(Located, String)> {
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        let Some(former) = node.text(report) else { continue };
        if former == name {
            report.push(node.error("config.value", format!("{} is the same name", node.path())));
        }
        let column = Located {
            text: name.to_owned(),
            place: node.key_place(),
        };
        found.push((column, former));
    }
    found
}

/// A letter, then letters, digits and `_`: what `new.NAME` can say.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// One name or a list of them, each once.
pub(super) fn names(node: &Node<'_>, report: &mut Report<'_>) -> Vec<Located> {
    let mut found: Vec<Located> = Vec::new();
    let items = node.one_or_more();
    if items.is_empty() {
        report.push(node.error("config.value", format!("{} is empty", node.path())));
    }
    for item in items {
        let Some(name) = item.located(report) else { continue };
        if found.iter().any(|known| known.text == name.text) {
            report.push(item.error("config.duplicate", format!("{} names {} twice", node.path(), name.text)));
            continue;
        }
        found.push(name);
    }
    found
}

/// A topic's name, as Kafka allows it.
pub(super) fn topic(node: &Node<'_>, report: &mut Report<'_>) -> Option<Located> {
    let found = node.located(report)?;
    let is_legal = found
        .text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_legal && found.text.len() <= 249 && found.text != "." && found.text != ".." {
        return Some(found);
    }
    let what = format!("{} is no name of a topic", node.path());
    report.push(
        node.error("config.value", what)
            .repair("letters, digits, `.`, `_` and `-`, at most 249 of them"),
    );
    None
}

/// `schema.table`, either in double quotes where it holds a dot.
fn table_name(node: &Node<'_>, report: &mut Report<'_>) -> Option<TableName> {
    let text = node.text(report)?;
    let found = part(&text).and_then(|(schema, rest)| {
        let (name, rest) = part(rest.strip_prefix('.')?)?;
        rest.is_empty().then(|| TableName::new(schema, name))
    });
    if found.is_none() {
        let what = format!("{} must be a schema and a table", node.path());
        let repair = if text.contains('.') {
            "table = 'sales.\"odd.name\"'".to_owned()
        } else {
            format!("table = \"public.{text}\"")
        };
        report.push(node.error("config.value", what).repair(repair));
    }
    found
}

fn part(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_at_checked(text.find('.').unwrap_or(text.len()))?,
    };
    (!name.is_empty()).then_some((name, rest))
}
