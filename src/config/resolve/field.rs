//! `[entity.….fields]`: what is published of a row.

use toml::de::DeValue;

use crate::config::file::report::Report;
use crate::config::file::{Node, Section};
use crate::finding::Finding;
use crate::mapping::entity::{CodeValue, Field, IdOf, Located, OnUnknown, PublishedAs, Source};

use super::entity::is_name;

pub(super) fn fields(mut section: Section<'_>, report: &mut Report<'_>) -> Vec<Field> {
    let (place, path) = (section.place(), section.path().to_owned());
    let mut found = Vec::new();
    for (name, node) in section.rest() {
        if !is_name(name) {
            let what = format!("{} must be a letter, then letters, digits and _", node.path());
            report.push(Finding {
                place: Some(node.key_place()),
                ..node.error("config.value", what)
            });
        }
        found.extend(field(name, &node, report));
    }
    if found.is_empty() {
        let what = format!("{path} names no field");
        report.push(
            Finding::error(crate::finding::Cause::Config, "config.value", what)
                .at(place)
                .repair("number = \"ord_no\""),
        );
    }
    found
}

fn field(name: &str, node: &Node<'_>, report: &mut Report<'_>) -> Option<Field> {
    let bare = |from| Field::bare(name, node.key_place(), from);
    if node.raw().is_str() {
        return node.located(report).map(|text| bare(Source::Text(text)));
    }
    if !node.raw().is_table() {
        let what = format!("{} must be a column, an expression or a table with `from`", node.path());
        report.push(
            node.error("config.wrong_type", what)
                .repair(format!("{name} = {{ from = \"ord_no\" }}")),
        );
        return None;
    }
    let mut section = node.table(report)?;
    let from = section.need("from", &format!("{name} = {{ from = \"ord_no\" }}"));
    let from = from.and_then(|node| node.located(report)).unwrap_or_default();
    let zone = section.take("zone").and_then(|node| zone(&node, report));
    let decimals = section.take("decimals").and_then(|node| node.integer(0..=38, report));
    let parse = section.take("parse").and_then(|node| node.located(report));
    let null_when = section
        .take("null_when")
        .map(|node| null_when(&node, report))
        .unwrap_or_default();
    let codes = section.take("codes");
    let on_unknown = section.take("on_unknown");
    if let (Some(node), None) = (&on_unknown, &codes) {
        let what = format!("{} says nothing without codes", node.path());
        report.push(node.error("config.value", what).repair("codes = { P = \"paid\" }"));
    }
    let codes = codes.and_then(|node| codes_of(&node, report));
    let on_unknown = on_unknown
        .and_then(|node| on_unknown_of(&node, report))
        .unwrap_or_default();
    let published_as = section.take("as").and_then(|node| {
        let words = [
            ("text", PublishedAs::Text),
            ("number", PublishedAs::Number),
            ("epoch_ms", PublishedAs::EpochMs),
        ];
        node.word(&words, report)
    });
    let public_id = section.take("public_id").and_then(|node| node.located(report));
    let expose = section.take("expose");
    if let (Some(_), Some(node)) = (&public_id, &expose) {
        let what = format!(
            "{} says that a column is published, and public_id that it is not",
            node.path()
        );
        report.push(node.error("config.value", what).repair("leave one of them out"));
    }
    let expose = expose.and_then(|node| node.located(report));
    section.not_yet("transitions", report);
    section.finish(report);
    Some(Field {
        zone,
        decimals,
        parse,
        null_when,
        codes,
        on_unknown,
        published_as,
        public_id: public_id.map(|name| IdOf { name, id: None }),
        expose,
        ..bare(Source::Column(from))
    })
}

fn zone(node: &Node<'_>, report: &mut Report<'_>) -> Option<Located> {
    let found = node.located(report)?;
    if is_abbreviation(&found.text) {
        let what = format!("{} cannot be {:?}: an abbreviation", node.path(), found.text);
        let finding = node.error("config.value", what);
        report.push(
            finding
                .repair("a name such as \"Europe/Berlin\"; for one offset all the year \"Etc/GMT-1\" (one hour east)"),
        );
        return None;
    }
    if found.text != "none" && jiff::tz::TimeZone::get(&found.text).is_err() {
        let what = format!("{} cannot be {:?}: no such time zone", node.path(), found.text);
        let finding = node.error("config.value", what);
        report.push(finding.repair("a name such as \"Europe/Berlin\", or \"none\" for local time without offset"));
        return None;
    }
    Some(found)
}

/// PostgreSQL reads such a word as an abbreviation, which is one offset all the year, where it also is a zone's name.
fn is_abbreviation(zone: &str) -> bool {
    zone.len() < 5 && zone.bytes().all(|byte| byte.is_ascii_uppercase()) && !["UTC", "GMT"].contains(&zone)
}

/// Whether `zone` can name it.
pub(in crate::config) fn is_zone(name: &str) -> bool {
    !is_abbreviation(name) && jiff::tz::TimeZone::get(name).is_ok()
}

fn null_when(node: &Node<'_>, report: &mut Report<'_>) -> Vec<String> {
    let items = node.one_or_more();
    items.iter().filter_map(|item| column_text(item, report)).collect()
}

/// A value as PostgreSQL would write it.
fn column_text(node: &Node<'_>, report: &mut Report<'_>) -> Option<String> {
    match node.raw() {
        DeValue::Integer(_) => node
            .integer::<i64>(i64::MIN..=i64::MAX, report)
            .map(|number| number.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(if *truth { "t" } else { "f" }.to_owned()),
        DeValue::Datetime(_) => {
            let finding = node.error(
                "config.wrong_type",
                format!("{} must be a string or a number", node.path()),
            );
            report.push(finding.repair("write it as the column's text, in quotes: \"9999-12-31\""));
            None
        }
        DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => node.string(report),
    }
}

fn codes_of(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<(String, CodeValue)>> {
    let mut section = node.table(report)?;
    let entries = section.rest();
    if entries.is_empty() {
        report.push(node.error("config.value", format!("{} is empty", node.path())));
    }
    let value = |node: &Node<'_>, report: &mut Report<'_>| match node.raw() {
        DeValue::String(_) => node.string(report).map(CodeValue::Text),
        DeValue::Boolean(truth) => Some(CodeValue::Bool(*truth)),
        DeValue::Integer(_) => {
            // Beyond 2^53 consumers that read numbers as doubles would see another one.
            let limit = (1_i64 << 53) - 1;
            node.integer::<i64>(-limit..=limit, report)
                .map(|number| CodeValue::Number(number.to_string()))
        }
        DeValue::Float(number) => {
            let number = number
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64);
            if number.is_none() {
                report.push(node.error("config.value", format!("{} is no number of JSON", node.path())));
            }
            number.map(|number| CodeValue::Number(number.to_string()))
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            let what = format!("{} must be a string, a number or a boolean", node.path());
            report.push(node.error("config.wrong_type", what));
            None
        }
    };
    let codes = entries
        .iter()
        .filter_map(|(code, node)| Some(((*code).to_owned(), value(node, report)?)));
    Some(codes.collect())
}

fn on_unknown_of(node: &Node<'_>, report: &mut Report<'_>) -> Option<OnUnknown> {
    let words = [
        ("halt", Some(OnUnknown::Halt)),
        ("null", Some(OnUnknown::Null)),
        ("raw", Some(OnUnknown::Raw)),
        ("quarantine", None),
    ];
    let found = node.word(&words, report)?;
    if found.is_none() {
        let what = format!("{} = \"quarantine\"", node.path());
        report.push(node.not_yet(&what).repair("on_unknown = \"halt\", \"null\" or \"raw\""));
    }
    found
}
