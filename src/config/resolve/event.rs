//! `[entity.….events]`: which changes are which events.

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::finding::Finding;
use crate::mapping::entity::{Event, Located, Move};

use super::entity::{is_name, names, topic};

pub(super) fn events(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<Event> {
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        let is_type = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_type {
            let what = format!(
                "{} must be a letter, then letters, digits, `.`, `_` and `-`",
                node.path()
            );
            report.push(Finding {
                place: Some(node.key_place()),
                ..node.error("config.value", what)
            });
        }
        found.extend(event(name, &node, report));
    }
    found
}

fn event(name: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Event> {
    let mut section = node.table(report)?;
    let on = section.need("on", &format!("{name} = {{ on = \"enters\" }}"));
    let on = on.map(|node| moves(&node, report)).unwrap_or_default();
    let when = section.take("when").and_then(|node| node.located(report));
    let data = section.take("data").map(|node| names(&node, report));
    let with = section
        .section("with", report)
        .map(|section| with(section, report))
        .unwrap_or_default();
    let topic = section.take("topic").and_then(|node| topic(&node, report));
    let version = section
        .take("version")
        .and_then(|node| node.integer(1..=1_000_000, report));
    section.finish(report);
    Some(Event {
        name: name.to_owned(),
        place: node.key_place(),
        on,
        when,
        data,
        with,
        topic,
        version: version.unwrap_or(1),
    })
}

fn moves(node: &Node<'_>, report: &mut Report<'_>) -> Vec<Move> {
    let mut found = Vec::new();
    let items = node.one_or_more();
    if items.is_empty() {
        report.push(node.error("config.value", format!("{} is empty", node.path())));
    }
    for item in items {
        let words = [
            ("enters", Move::Enters),
            ("changes", Move::Changes),
            ("leaves", Move::Leaves),
        ];
        let Some(on) = item.word(&words, report) else { continue };
        if found.contains(&on) {
            report.push(item.error("config.duplicate", format!("{} says the same twice", node.path())));
            continue;
        }
        found.push(on);
    }
    found
}

fn with(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<(String, Located)> {
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        if !is_name(name) {
            let what = format!("{} must be a letter, then letters, digits and _", node.path());
            report.push(Finding {
                place: Some(node.key_place()),
                ..node.error("config.value", what)
            });
        }
        found.extend(node.located(report).map(|expression| (name.to_owned(), expression)));
    }
    found
}
