//! The fingerprint of a mapping: equal where two configs tell the same, wherever in their files they say it.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::mapping::entity::{
    CodeValue, Entity, Event, Field, Located, Move, OnUnknown, OnUnknownOld, PublishedAs, Source,
};

use super::Config;

/// SHA-256, in lower-case hexadecimal, over what the entities mean: names, tables, fields, events, topics, in order.
pub fn fingerprint(config: &Config) -> String {
    let mut digest = Canonical(Sha256::new());
    digest.count("entities", config.entities.len());
    for entity in &config.entities {
        digest.entity(entity);
    }
    digest.0.finalize().iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _never = write!(out, "{byte:02x}");
        out
    })
}

/// Every item is written with its label and its length, so that no two mappings give the same bytes.
struct Canonical(Sha256);

impl Canonical {
    fn put(&mut self, label: &str, text: &str) {
        self.0.update(format!("{label}:{}:{text}\n", text.len()));
    }

    fn count(&mut self, label: &str, count: usize) {
        self.put(label, &count.to_string());
    }

    fn maybe(&mut self, label: &str, text: Option<&Located>) {
        if let Some(text) = text {
            self.put(label, &text.text);
        }
    }

    fn list(&mut self, label: &str, texts: &[Located]) {
        self.count(label, texts.len());
        for text in texts {
            self.put(label, &text.text);
        }
    }

    fn entity(&mut self, entity: &Entity) {
        self.put("entity", &entity.name);
        self.put("schema", &entity.table.schema);
        self.put("table", &entity.table.name);
        self.maybe("where", entity.filter.as_ref());
        self.list("key", &entity.key);
        self.list("partition_by", &entity.partition_by);
        self.maybe("state_topic", entity.state_topic.as_ref());
        self.maybe("event_topic", entity.event_topic.as_ref());
        self.list("ignore", &entity.ignore);
        self.put(
            "on_unknown_old",
            match entity.on_unknown_old {
                OnUnknownOld::Halt => "halt",
                OnUnknownOld::Tombstone => "tombstone",
            },
        );
        self.count("fields", entity.fields.len());
        for field in &entity.fields {
            self.field(field);
        }
        self.count("events", entity.events.len());
        for event in &entity.events {
            self.event(event);
        }
    }

    fn field(&mut self, field: &Field) {
        self.put("field", &field.name);
        match &field.from {
            Source::Column(column) => self.put("column", &column.text),
            Source::Text(text) => self.put("text", &text.text),
        }
        self.maybe("zone", field.zone.as_ref());
        if let Some(decimals) = field.decimals {
            self.put("decimals", &decimals.to_string());
        }
        self.maybe("parse", field.parse.as_ref());
        self.count("null_when", field.null_when.len());
        for text in &field.null_when {
            self.put("null_when", text);
        }
        if let Some(codes) = &field.codes {
            self.count("codes", codes.len());
            for (code, value) in codes {
                self.put("code", code);
                match value {
                    CodeValue::Text(text) => self.put("text", text),
                    CodeValue::Number(number) => self.put("number", number),
                    CodeValue::Bool(truth) => self.put("bool", &truth.to_string()),
                }
            }
        }
        self.put(
            "on_unknown",
            match field.on_unknown {
                OnUnknown::Halt => "halt",
                OnUnknown::Null => "null",
                OnUnknown::Raw => "raw",
            },
        );
        match field.published_as {
            None => {}
            Some(PublishedAs::Text) => self.put("as", "text"),
            Some(PublishedAs::Number) => self.put("as", "number"),
            Some(PublishedAs::EpochMs) => self.put("as", "epoch_ms"),
        }
        if let Some(of) = &field.public_id {
            self.put("public_id", &of.name.text);
            if let Some(id) = &of.id {
                self.put("form", &id.spelling().to_string());
                self.put("key", &id.key_mark());
            }
        }
    }

    fn event(&mut self, event: &Event) {
        self.put("event", &event.name);
        self.count("on", event.on.len());
        for on in &event.on {
            self.put(
                "on",
                match on {
                    Move::Enters => "enters",
                    Move::Changes => "changes",
                    Move::Leaves => "leaves",
                },
            );
        }
        self.maybe("when", event.when.as_ref());
        if let Some(data) = &event.data {
            self.list("data", data);
        }
        self.count("with", event.with.len());
        for (name, expression) in &event.with {
            self.put("name", name);
            self.put("with", &expression.text);
        }
        self.maybe("topic", event.topic.as_ref());
        self.put("version", &event.version.to_string());
    }
}
