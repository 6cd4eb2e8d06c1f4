//! What must fit together: names within an entity, topics and names between entities.

use crate::config::file::report::Report;
use crate::finding::nearest_or_list;
use crate::finding::{Cause, Finding, Place};
use crate::mapping::entity::{Entity, Event, Field, Located, Source};

fn error(code: &'static str, place: &Place, what: String) -> Finding {
    Finding::error(Cause::Config, code, what).at(place.clone())
}

/// Holds one entity against itself.
pub(super) fn within(entity: &Entity, report: &mut Report<'_>) {
    let name = &entity.name;
    if entity.fields.is_empty() {
        // Said already; every name would be unknown.
        return;
    }
    for (list, word) in [
        (&entity.key, "key"),
        (&entity.partition_by, "partition_by"),
        (&entity.ignore, "ignore"),
    ] {
        declared(entity, list, &format!("{word} of {name}"), report);
    }
    for key in &entity.key {
        if let Some(field) = entity.fields.iter().find(|field| field.name == key.text) {
            plain(field, key, report);
        }
    }
    if entity.state_topic.is_none()
        && entity.event_topic.is_none()
        && entity.events.iter().all(|event| event.topic.is_none())
    {
        let what = format!("{name} has no state_topic and no event_topic: nothing would be told");
        report.push(error("config.no_topic", &entity.place, what).repair("state_topic = \"shop.orders\""));
    } else if entity.state_topic.is_none() && entity.events.is_empty() {
        let what = format!("{name} has an event_topic and no events: nothing would be told");
        let repair = format!("[entity.{name}.events]\n{name}Placed = {{ on = \"enters\" }}");
        report.push(error("config.no_event", &entity.place, what).repair(repair));
    }
    for event in &entity.events {
        of_event(entity, event, report);
    }
}

fn of_event(entity: &Entity, event: &Event, report: &mut Report<'_>) {
    if event.topic.is_none() && entity.event_topic.is_none() {
        let what = format!("event {} has no topic: {} has no event_topic", event.name, entity.name);
        report.push(error("config.no_topic", &event.place, what).repair("event_topic = \"shop.order-events\""));
    }
    if let Some(data) = &event.data {
        declared(entity, data, &format!("data of {}", event.name), report);
    }
    for (name, expression) in &event.with {
        let is_told = match &event.data {
            Some(data) => data.iter().any(|field| field.text == *name),
            None => entity.fields.iter().any(|field| field.name == *name),
        };
        if is_told {
            let what = format!("event {} has {name} twice: as a field and in `with`", event.name);
            report
                .push(error("config.duplicate", &expression.place, what).repair("give the one in `with` another name"));
        }
    }
}

fn declared(entity: &Entity, names: &[Located], what: &str, report: &mut Report<'_>) {
    let fields: Vec<&str> = entity.fields.iter().map(|field| field.name.as_str()).collect();
    for name in names.iter().filter(|name| !fields.contains(&name.text.as_str())) {
        let source = entity.fields.iter().find(|field| match &field.from {
            Source::Column(column) | Source::Text(column) => column.text == name.text,
        });
        let repair = match source {
            Some(field) => format!("{} is a column; its field is `{}`", name.text, field.name),
            None if name.text.contains(',') => "several are a list: [\"one\", \"two\"]".to_owned(),
            None => nearest_or_list(&name.text, &fields),
        };
        let sentence = format!("{what} names {}, which is no field", name.text);
        report.push(error("config.unknown_field", &name.place, sentence).repair(repair));
    }
}

/// A key is a plain column, so that a consumer can compute it and nothing else can slip into it.
fn plain(field: &Field, key: &Located, report: &mut Report<'_>) {
    if let Source::Text(text) = &field.from {
        let is_column = text
            .text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(&byte) || byte >= 0x80);
        if !is_column {
            let what = format!("{} is a key and must be a plain column, not an expression", field.name);
            let repair = format!("{} = {{ from = \"COLUMN\" }}", field.name);
            report.push(error("config.key", &text.place, what).repair(repair));
        }
    }
    if field.codes.is_some() || !field.null_when.is_empty() {
        let what = format!("{} is a key and cannot have codes or null_when", field.name);
        report.push(error("config.key", &key.place, what).because("two rows could get one key"));
    }
}

/// Holds entities against each other.
pub(super) fn between(entities: &[Entity], bridge: &str, report: &mut Report<'_>) {
    for (index, entity) in entities.iter().enumerate() {
        let before = || entities.iter().take(index);
        if let Some(first) = before().find(|first| first.name == entity.name) {
            let what = format!(
                "entity {} is declared twice: here and at {}",
                entity.name,
                spot(&first.place)
            );
            report.push(error("config.duplicate", &entity.place, what).repair("give one of them another name"));
            continue;
        }
        if let Some(topic) = &entity.state_topic
            && let Some((first, place)) = before().find_map(|first| same(first, topic))
        {
            let what = format!(
                "{} is the state topic of two entities: {} here and {first} at {place}",
                topic.text, entity.name
            );
            report.push(
                error("config.shared_topic", &topic.place, what)
                    .because("a key of one would overwrite the same key of the other")
                    .repair("give each entity its own state_topic"),
            );
        }
        for event in &entity.events {
            told_once(entities, entity, event, report);
        }
    }
    of_topics(entities, bridge, report);
}

fn same<'a>(entity: &'a Entity, topic: &Located) -> Option<(&'a str, String)> {
    let state = entity.state_topic.as_ref()?;
    (state.text == topic.text).then(|| (entity.name.as_str(), spot(&state.place)))
}

fn told_once(entities: &[Entity], entity: &Entity, event: &Event, report: &mut Report<'_>) {
    if let Some(other) = entities.iter().find(|other| other.name == event.name) {
        let what = format!(
            "event {} has the name of an entity, declared at {}",
            event.name,
            spot(&other.place)
        );
        report.push(
            error("config.duplicate", &event.place, what).because("a state record has the entity's name as its type"),
        );
    }
    let before = entities
        .iter()
        .take_while(|other| !std::ptr::eq(*other, entity))
        .filter(|other| other.name != entity.name);
    let first = before
        .flat_map(|other| &other.events)
        .find(|other| other.name == event.name);
    if let Some(first) = first {
        let what = format!(
            "event {} is declared twice: here and at {}",
            event.name,
            spot(&first.place)
        );
        report.push(error("config.duplicate", &event.place, what).repair("give one of them another name"));
    }
}

fn of_topics(entities: &[Entity], bridge: &str, report: &mut Report<'_>) {
    let states: Vec<&Located> = entities
        .iter()
        .filter_map(|entity| entity.state_topic.as_ref())
        .collect();
    let events: Vec<&Located> = entities
        .iter()
        .flat_map(|entity| {
            entity
                .event_topic
                .iter()
                .chain(entity.events.iter().filter_map(|event| event.topic.as_ref()))
        })
        .collect();
    for topic in &events {
        if let Some(state) = states.iter().find(|state| state.text == topic.text) {
            let what = format!(
                "{} is an event topic here and a state topic at {}",
                topic.text,
                spot(&state.place)
            );
            report.push(
                error("config.shared_topic", &topic.place, what)
                    .because("a state topic is compacted, and events would be lost there")
                    .repair("send events to a topic of their own"),
            );
        }
    }
    let ours = ["position", "quarantine"].map(|topic| format!("walbridge.{bridge}.{topic}"));
    for topic in states.iter().chain(&events).filter(|topic| ours.contains(&topic.text)) {
        let what = format!("{} is a topic of the bridge itself", topic.text);
        report.push(error("config.shared_topic", &topic.place, what));
    }
}

pub(super) fn spot(place: &Place) -> String {
    format!("{}:{}", place.file, place.line)
}
