//! Names outside, each once: of entities and their events, of topics, and of public ids.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::guess::words::{entity, parts, topic};
use crate::flow::table::TableName;

/// What has happened to a row, after the entity's name.
pub(super) const EVENTS: [(&str, &str); 3] = [("Created", "enters"), ("Changed", "changes"), ("Removed", "leaves")];

/// What a table is called outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) entity: String,
    pub(super) state_topic: String,
    pub(super) event_topic: String,
}

/// All names that are given.
#[derive(Debug, Default)]
pub(super) struct Names {
    tables: BTreeMap<TableName, Called>,
    /// Public ids that are used, by the table whose numbers they stand for.
    pub(super) ids: BTreeMap<TableName, String>,
}

/// The first of `wanted`, `wanted2`, `wanted3` … that is free.
pub(super) fn free(wanted: &str, joint: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = wanted.to_owned();
    let mut number = 2;
    while is_taken(&name) {
        name = format!("{wanted}{joint}{number}");
        number += 1;
    }
    name
}

impl Names {
    /// Of all tables, in this order; a table whose name is taken has its schema in front.
    pub(super) fn of<'t>(tables: impl Iterator<Item = &'t TableName>, bridge: &str) -> Self {
        let (mut found, mut words, mut topics) = (Self::default(), BTreeSet::new(), BTreeSet::new());
        for table in tables {
            let all_of = |name: &str| EVENTS.map(|(event, _)| format!("{name}{event}"));
            // An event must not have the name of an entity, nor one of another's.
            let is_taken = |name: &str| words.contains(name) || all_of(name).iter().any(|event| words.contains(event));
            let short = entity(&table.name);
            let wanted = if is_taken(&short) {
                entity(&format!("{}_{}", table.schema, table.name))
            } else {
                short
            };
            let name = free(&wanted, "", is_taken);
            words.extend(all_of(&name));
            words.insert(name.clone());
            let mut one_topic = |rest: String| {
                let topic = free(&format!("{bridge}.{rest}"), "-", |topic| topics.contains(topic));
                topics.insert(topic.clone());
                topic
            };
            let called = Called {
                state_topic: one_topic(topic(&name)),
                event_topic: one_topic(format!("{}-events", parts(&name).join("-"))),
                entity: name,
            };
            found.tables.insert(table.clone(), called);
        }
        found
    }

    pub(super) fn called(&self, table: &TableName) -> Option<&Called> {
        self.tables.get(table)
    }

    /// The public id in place of a table's own numbers.
    pub(super) fn id(&mut self, table: &TableName) -> String {
        if let Some(id) = self.ids.get(table) {
            return id.clone();
        }
        let called = self.called(table).map(|called| called.entity.clone());
        let wanted = parts(&called.unwrap_or_else(|| entity(&table.name))).join("_");
        let id = free(&wanted, "_", |id| self.ids.values().any(|other| other == id));
        self.ids.insert(table.clone(), id.clone());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tables: &[(&str, &str)]) -> (Names, Vec<Called>) {
        let tables: Vec<TableName> = tables
            .iter()
            .map(|(schema, name)| TableName::new(*schema, *name))
            .collect();
        let names = Names::of(tables.iter(), "shop");
        let called = tables.iter().filter_map(|table| names.called(table).cloned()).collect();
        (names, called)
    }

    #[test]
    fn a_topic_an_entity_and_an_event_are_each_named_once() {
        let (mut names, called) = names(&[
            ("public", "order_events"),
            ("public", "orders"),
            ("sales", "orders"),
            ("public", "order_created"),
            ("public", "注文"),
            ("public", "顧客"),
        ]);
        let mut words: Vec<String> = Vec::new();
        let mut topics = Vec::new();
        for called in &called {
            words.push(called.entity.clone());
            words.extend(EVENTS.map(|(event, _)| format!("{}{event}", called.entity)));
            topics.extend([called.state_topic.clone(), called.event_topic.clone()]);
        }
        for list in [&words, &topics] {
            let different: BTreeSet<&String> = list.iter().collect();
            assert_eq!(different.len(), list.len(), "{list:?}");
        }
        assert_eq!(called[2].entity, "SalesOrder");
        assert!(topics.iter().all(|topic| topic.is_ascii()), "{topics:?}");
        let away = names.id(&TableName::new("away", "orders"));
        assert_ne!(away, names.id(&TableName::new("public", "orders")));
        assert_eq!(away, names.id(&TableName::new("away", "orders")));
    }
}
