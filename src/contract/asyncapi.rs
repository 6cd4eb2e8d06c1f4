//! All contracts of a bridge as one AsyncAPI document (<https://www.asyncapi.com/docs/reference/specification/v3.0.0>).

use serde_json::{Map, Value, json};

use super::schema::{Control, control};
use super::{Contract, Naming, header};
use crate::flow::event::Holds;

/// Version of AsyncAPI's Kafka binding (<https://github.com/asyncapi/bindings/tree/master/kafka>).
const KAFKA_BINDING: &str = "0.5.0";

/// What the document says beside the contracts.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name of the bridge.
    pub bridge: &'a str,
    /// Tells one mapping from another.
    pub version: &'a str,
    /// Whether state topics hold markers of backfills.
    pub markers: Markers,
}

/// Whether state topics hold markers of backfills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markers {
    /// They do.
    Told,
    /// They do not.
    Left,
}

/// A message, and the channel that it goes to.
struct Message {
    name: String,
    topic: String,
    holds: Holds,
    message: Value,
    /// Schema of its payload; a tombstone has none.
    payload: Option<Value>,
}

/// The document.
pub fn document(contracts: &[Contract], naming: &Naming<'_>, about: &About<'_>) -> Value {
    let messages = messages(contracts, naming, about.markers);
    let (mut channels, mut operations) = (Map::new(), Map::new());
    let (mut told, mut schemas) = (Map::new(), Map::new());
    for one in messages {
        let channel = channels.entry(one.topic.clone()).or_insert_with(|| channel(&one));
        let reference = json!({"$ref": format!("#/components/messages/{}", one.name)});
        if let Some(Value::Object(all)) = channel.get_mut("messages") {
            all.insert(one.name.clone(), reference);
        }
        operations
            .entry(format!("tell.{}", one.topic))
            .or_insert_with(|| json!({"action": "send", "channel": {"$ref": format!("#/channels/{}", one.topic)}}));
        let mut message = one.message;
        if let (Some(fields), Some(payload)) = (message.as_object_mut(), one.payload) {
            fields.insert(
                "payload".to_owned(),
                json!({"$ref": format!("#/components/schemas/{}", one.name)}),
            );
            schemas.insert(one.name.clone(), payload);
        }
        told.insert(one.name, message);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": about.bridge,
            "version": about.version,
            "description": "What walbridge tells of a PostgreSQL database. Read with isolation.level=read_committed.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": told, "schemas": schemas},
    })
}

fn channel(first: &Message) -> Value {
    let (what, policy) = match first.holds {
        Holds::States => (
            "The current state by key; a tombstone where it is gone",
            json!(["compact"]),
        ),
        Holds::Events => ("What happened, in the order of each key", json!(["delete"])),
    };
    json!({
        "address": first.topic,
        "description": what,
        "messages": {},
        "bindings": {"kafka": {"topicConfiguration": {"cleanup.policy": policy}, "bindingVersion": KAFKA_BINDING}},
    })
}

fn messages(contracts: &[Contract], naming: &Naming<'_>, markers: Markers) -> Vec<Message> {
    let mut found: Vec<Message> = Vec::new();
    for contract in contracts {
        found.push(of_contract(contract, naming));
        match contract.holds {
            Holds::States => {
                found.push(tombstone(contract));
                if markers == Markers::Told {
                    found.push(of_control(Control::Backfill, contract, naming));
                }
            }
            Holds::Events => {
                // One for each topic of the entity, and one is enough to describe them.
                let gap = of_control(Control::Gap, contract, naming);
                if !found.iter().any(|one| one.name == gap.name && one.topic == gap.topic) {
                    found.push(gap);
                }
            }
        }
    }
    found
}

fn of_contract(contract: &Contract, naming: &Naming<'_>) -> Message {
    let what = match contract.holds {
        Holds::States => format!("The state of a {}", contract.entity),
        Holds::Events => format!("Version {} of an event of a {}", contract.version, contract.entity),
    };
    Message {
        name: contract.name.clone(),
        topic: contract.topic.clone(),
        holds: contract.holds,
        message: message(&contract.name, &what, contract.key_schema()),
        payload: Some(contract.record(naming)),
    }
}

fn of_control(kind: Control, contract: &Contract, naming: &Naming<'_>) -> Message {
    let name = kind.name(&contract.entity);
    let what = match kind {
        Control::Backfill => "Where a telling of old rows begins or ends in this partition",
        Control::Gap => "Changes that will never be told: an operator began a new history",
    };
    Message {
        topic: contract.topic.clone(),
        holds: contract.holds,
        message: message(&name, what, json!({"const": name})),
        payload: Some(control(kind, &contract.entity, naming)),
        name,
    }
}

fn tombstone(contract: &Contract) -> Message {
    let name = format!("{}.gone", contract.entity);
    let text = json!({"type": "string"});
    let mut message = message(
        &name,
        "A tombstone: the key and no value. What a value would have said is in the headers",
        contract.key_schema(),
    );
    if let Some(fields) = message.as_object_mut() {
        let headers = json!({
            "type": "object",
            "properties": {
                header::ID: text, header::SEQUENCE: text,
                header::TIME: {"type": "string", "format": "date-time"}, header::TYPE: {"const": contract.entity},
            },
            "required": [header::ID, header::SEQUENCE, header::TIME, header::TYPE],
        });
        fields.insert("headers".to_owned(), headers);
        fields.insert("payload".to_owned(), json!({"type": "null"}));
    }
    Message {
        name,
        topic: contract.topic.clone(),
        holds: contract.holds,
        message,
        payload: None,
    }
}

fn message(name: &str, what: &str, key: Value) -> Value {
    json!({
        "name": name,
        "summary": what,
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA_BINDING}},
    })
}
