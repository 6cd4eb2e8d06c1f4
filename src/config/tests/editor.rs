//! The config's JSON Schema for editors: it knows the keys that the program asks for, no more and no fewer.
//! Whether it takes the examples and refuses spoiled ones, `dev/test contracts` asks official validators.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::config::tests::asking_files;

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Keys that the config's code asks for; those whose time has not come are refused, and so unknown to editors.
fn asked() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in asking_files() {
        let text: String = text.split_whitespace().collect();
        for call in [".take(\"", ".need(\"", ".section(\""] {
            let keys = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(keys.map(str::to_owned));
        }
    }
    found
}

/// Keys of the tables of a schema; names that users give are none.
fn known(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(all) => {
            for (key, inner) in all {
                if let ("properties", Some(keys)) = (key.as_str(), inner.as_object()) {
                    found.extend(keys.keys().cloned());
                    keys.values().for_each(|inner| known(inner, found));
                } else {
                    known(inner, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|inner| known(inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn editors_know_the_keys_that_the_program_asks_for() {
    let schema: Value = serde_json::from_str(&file("config/walbridge.schema.json")).unwrap();
    let mut keys = BTreeSet::new();
    known(&schema, &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    assert_eq!(keys, asked());
}

/// Tables that take keys which nobody knows, and keys without a word of what they are.
fn loose(schema: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(keys) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            found.push(path.to_owned());
        }
        for (key, inner) in keys {
            let is_secret = key == "env" || key == "file";
            if !is_secret && !inner["description"].is_string() {
                found.push(format!("{path}.{key}"));
            }
            loose(inner, &format!("{path}.{key}"), found);
        }
    }
    let within = ["additionalProperties", "items"]
        .into_iter()
        .filter_map(|key| schema.get(key));
    within.for_each(|inner| loose(inner, &format!("{path}.*"), found));
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    let named = schema["$defs"].as_object().into_iter().flat_map(|all| all.values());
    choices.chain(named).for_each(|inner| loose(inner, path, found));
}

#[test]
fn every_table_is_closed_and_every_key_is_explained() {
    let mut schema: Value = serde_json::from_str(&file("config/walbridge.schema.json")).unwrap();
    let found = |schema: &Value| {
        let mut found = Vec::new();
        loose(schema, "", &mut found);
        found
    };
    assert_eq!(found(&schema), Vec::<String>::new());
    let event = "/properties/entity/additionalProperties/properties/events/additionalProperties/properties/when";
    *schema.pointer_mut(event).unwrap() = Value::Bool(true);
    assert_eq!(found(&schema), [".entity.*.events.*.when"]);
}
