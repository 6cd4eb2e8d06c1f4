//! From files as written to a config: every section is looked at, whatever the others hold.

use std::path::Path;

use crate::finding::{Cause, Finding};
use crate::mapping::entity::{Entity, Move};
use crate::source::postgres::settings::{FollowedTable, Publish};

use super::file::read::read;
use super::file::report::Report;
use super::file::{Node, Section, Text};
use super::{Config, SinkChoice};

mod checks;
mod entity;
mod event;
mod field;
mod kafka;
mod public_id;
mod sections;
mod source;

pub(super) use field::is_zone;

/// Reads the file and what it includes; no config where it cannot be read at all.
pub(super) fn resolve(path: &Path, report: &mut Report<'_>) -> (Option<Config>, Vec<Text>) {
    match read(path, report) {
        Some(main) => resolve_text(main, path, report),
        None => (None, Vec::new()),
    }
}

/// The same of a text that is, or is to be, the file of this path.
pub(super) fn resolve_text(main: Text, path: &Path, report: &mut Report<'_>) -> (Option<Config>, Vec<Text>) {
    let (config, included) = match main.parse(report) {
        Some(table) => {
            let mut whole = Section::whole(&main, &table);
            let mut bridge = whole.section("bridge", report);
            let included = included(path, bridge.as_mut(), report);
            let config = assemble(whole, bridge, &included, report);
            (Some(config), included)
        }
        None => (None, Vec::new()),
    };
    let mut files = vec![main];
    files.extend(included);
    (config, files)
}

fn included(main: &Path, bridge: Option<&mut Section<'_>>, report: &mut Report<'_>) -> Vec<Text> {
    let Some(list) = bridge.and_then(|bridge| bridge.take("include")) else {
        return Vec::new();
    };
    let mut seen = vec![main.canonicalize().unwrap_or_default()];
    let mut texts = Vec::new();
    for item in list.list(report) {
        let Some(pattern) = item.text(report) else { continue };
        let folder = main.parent().unwrap_or(Path::new(""));
        let escaped = Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(&pattern);
        let paths = match glob::glob(&escaped.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => {
                let what = format!("{pattern:?} is no file pattern: {}", error.msg);
                report.push(item.error("config.include", what));
                continue;
            }
        };
        let mut found = 0_usize;
        for path in paths.flatten().filter(|path| path.is_file()) {
            found += 1;
            let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
            if !seen.contains(&canonical) {
                seen.push(canonical);
                texts.extend(read(&path, report));
            }
        }
        if found == 0 {
            let what = format!("{pattern:?} matches no file");
            report.push(
                item.error("config.include", what)
                    .because("its entities would be missing without a word")
                    .repair(format!("patterns start at the folder of {}", main.display())),
            );
        }
    }
    texts
}

fn assemble(mut main: Section<'_>, bridge: Option<Section<'_>>, included: &[Text], report: &mut Report<'_>) -> Config {
    let (name, sink) = bridge_section(bridge, &main, report);
    let limits = sections::limits(main.section("limits", report), report);
    let mut source = source::source(&mut main, &name, report);
    let kafka = kafka::kafka(&mut main, &name, (sink, limits), report);
    let cloudevents = sections::cloudevents(main.section("cloudevents", report), &name, report);
    let http = sections::http(main.section("http", report), report);
    let backfill = sections::backfill(main.section("backfill", report), report);
    main.not_yet("mirror", report);
    let mut ids = Vec::new();
    if let Some(section) = main.section("public_id", report) {
        ids.extend(public_id::public_ids(section, report));
    }
    let mut entities = Vec::new();
    if let Some(section) = main.section("entity", report) {
        entities.extend(entity::entities(section, report));
    }
    main.finish(report);
    for text in included {
        included_entities(text, (&mut entities, &mut ids), report);
    }
    if entities.is_empty() {
        let what = "no entity is declared";
        report.push(
            Finding::error(Cause::Config, "config.missing_key", what)
                .repair("[entity.Order]\ntable = \"public.ord_hdr\"\nkey = \"number\"\nstate_topic = \"shop.orders\""),
        );
    }
    checks::between(&entities, &name, report);
    public_id::join(&mut entities, &ids, report);
    source.tables = followed(&entities);
    source.row_bytes_max = limits.row_bytes_max;
    source.buffer_bytes_max = limits.memory_bytes_max / 8;
    source.snapshot_max = backfill.snapshot_max;
    source.readers = backfill.readers;
    Config {
        backfill,
        name,
        source,
        kafka,
        cloudevents,
        http,
        limits,
        entities,
        sink,
    }
}

fn included_entities(
    text: &Text,
    (entities, ids): (&mut Vec<Entity>, &mut Vec<public_id::Declared>),
    report: &mut Report<'_>,
) {
    let Some(table) = text.parse(report) else { return };
    let mut section = Section::whole(text, &table);
    if let Some(section) = section.section("entity", report) {
        entities.extend(entity::entities(section, report));
    }
    if let Some(section) = section.section("public_id", report) {
        ids.extend(public_id::public_ids(section, report));
    }
    for elsewhere in [
        "bridge",
        "source",
        "kafka",
        "cloudevents",
        "http",
        "limits",
        "backfill",
        "mirror",
    ] {
        if let Some(node) = section.take(elsewhere) {
            let what = format!("[{elsewhere}] cannot stand in an included file");
            report.push(
                Finding::error(Cause::Config, "config.include", what)
                    .at(node.key_place())
                    .repair("move it into the file that includes this one"),
            );
        }
    }
    section.finish(report);
}

fn bridge_section(bridge: Option<Section<'_>>, main: &Section<'_>, report: &mut Report<'_>) -> (String, SinkChoice) {
    let Some(mut bridge) = bridge else {
        let what = "[bridge] is missing";
        report.push(
            Finding::error(Cause::Config, "config.missing_key", what)
                .at(main.place())
                .repair("[bridge]\nname = \"shop\""),
        );
        return (String::new(), SinkChoice::Kafka);
    };
    // `walbridge_NAME_inserts` is the longest name made of it, and PostgreSQL cuts names after 63 bytes.
    let name = bridge
        .need("name", "name = \"shop\"")
        .and_then(|node| identifier(&node, 45, report));
    if let Some(node) = bridge.take("on_error") {
        on_error(&node, report);
    }
    let sink = bridge
        .take("sink")
        .and_then(|node| node.word(&[("kafka", SinkChoice::Kafka), ("stdout", SinkChoice::Stdout)], report));
    bridge.finish(report);
    (name.unwrap_or_default(), sink.unwrap_or(SinkChoice::Kafka))
}

/// A name of lower-case letters, digits and `_`.
fn identifier(node: &Node<'_>, bytes_max: usize, report: &mut Report<'_>) -> Option<String> {
    let text = node.text(report)?;
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain && text.len() <= bytes_max {
        return Some(text);
    }
    let what = format!("{} must be of a-z, 0-9 and _, at most {bytes_max} of them", node.path());
    report.push(node.error("config.value", what));
    None
}

/// `on_error`, of the bridge or of an entity.
fn on_error(node: &Node<'_>, report: &mut Report<'_>) {
    halt_or_later(node, &["hold_entity", "hold_key", "quarantine"], report);
}

/// A word of the `on_…` family that only halts for now.
fn halt_or_later(node: &Node<'_>, later: &[&str], report: &mut Report<'_>) {
    let known: Vec<(&str, Option<&str>)> = std::iter::once(("halt", None))
        .chain(later.iter().map(|word| (*word, Some(*word))))
        .collect();
    if let Some(Some(word)) = node.word(&known, report) {
        let what = format!("{} = {word:?}", node.path());
        report.push(node.not_yet(&what).repair("write \"halt\", which is the default"));
    }
}

/// The tables of the entities, each once, with what must be published of it.
fn followed(entities: &[Entity]) -> Vec<FollowedTable> {
    let mut tables: Vec<FollowedTable> = Vec::new();
    for entity in entities {
        let only_enters = entity
            .events
            .iter()
            .all(|event| event.on.iter().all(|on| *on == Move::Enters));
        let publish = if entity.state_topic.is_none() && entity.filter.is_none() && only_enters {
            Publish::InsertsSuffice
        } else {
            Publish::Everything
        };
        match tables.iter_mut().find(|table| table.name == entity.table) {
            Some(table) if publish == Publish::Everything => table.publish = publish,
            Some(_) => {}
            None => tables.push(FollowedTable {
                name: entity.table.clone(),
                publish,
            }),
        }
    }
    tables
}
