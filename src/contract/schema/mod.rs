//! Contracts as JSON Schema, draft 2020-12 (<https://json-schema.org/draft/2020-12>).
//!
//! Only words that draft 7 has too, with the same meaning: AsyncAPI takes the same schemas.

use serde_json::{Map, Value, json};

mod control;
mod values;

use super::{Contract, Naming};
use crate::flow::event::Holds;

pub use control::{Control, control};
use values::{properties, required};

/// The dialect.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// `id` and `sequence`: epoch, commit, rank, part.
const PLACE: &str = "^[0-9A-F]{4}-[0-9A-F]{16}-[0-9A-F]{8}-[0-9A-F]{2}$";

impl Contract {
    /// The schema of a record's value as a document of its own; the data within is named as `dataschema` names it.
    pub fn document(&self, naming: &Naming<'_>) -> Value {
        let dataschema = naming.dataschema(&self.name, self.version);
        let mut document = Map::new();
        document.insert("$schema".to_owned(), DIALECT.into());
        document.insert("$id".to_owned(), format!("{dataschema}:record").into());
        if let Value::Object(record) = self.record(naming) {
            document.extend(record);
        }
        let data = document.get_mut("properties").and_then(|all| all.get_mut("data"));
        if let Some(Value::Object(data)) = data {
            let mut named = Map::from_iter([("$id".to_owned(), dataschema.into())]);
            named.append(data);
            *data = named;
        }
        document.into()
    }

    /// The schema of a record's value. A tombstone has none.
    pub fn record(&self, naming: &Naming<'_>) -> Value {
        let mut envelope = Envelope::of(naming, &self.name);
        let dataschema = naming.dataschema(&self.name, self.version);
        envelope.always("dataschema", json!({"const": dataschema}));
        match self.holds {
            // Events are never told of old rows.
            Holds::Events => envelope.always("transaction", transaction()),
            Holds::States => {
                envelope.sometimes("transaction", transaction());
                envelope.sometimes(
                    "origin",
                    json!({"const": "backfill", "description": "A row as it stood when it was read"}),
                );
                envelope.sometimes("generation", json!({"type": "integer", "minimum": 1}));
            }
        }
        envelope.always("data", self.data());
        envelope.schema(format!("{}, version {}", self.name, self.version))
    }

    /// The schema of `data`.
    pub fn data(&self) -> Value {
        let what = match self.holds {
            Holds::States => format!("A row as {}, as it stands", self.entity),
            Holds::Events => format!("What {} says of {}", self.name, self.entity),
        };
        json!({
            "title": self.name,
            "description": what,
            "type": "object",
            "properties": properties(&self.fields),
            "required": required(&self.fields),
        })
    }

    /// The schema of a record's key, as Kafka holds it: a text, or a JSON document.
    pub fn key_schema(&self) -> Value {
        match self.key.as_slice() {
            [one] => json!({"type": "string", "description": format!("{} as text", one.name)}),
            several => json!({
                "type": "object",
                "description": "A JSON document, its fields in this order",
                "properties": properties(several),
                "required": required(several),
            }),
        }
    }
}

fn transaction() -> Value {
    json!({"type": "string", "pattern": "^[0-9]+$", "description": "PostgreSQL's transaction id, for tracing only: it wraps"})
}

/// What every record has around its data (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>).
struct Envelope {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Envelope {
    fn of(naming: &Naming<'_>, name: &str) -> Self {
        let mut envelope = Self {
            properties: Map::new(),
            required: Vec::new(),
        };
        let order = "Unique, and strictly rising within a partition, as text";
        envelope.always("specversion", json!({"const": "1.0"}));
        envelope.always("id", json!({"type": "string", "pattern": PLACE, "description": order}));
        envelope.always("source", json!({"const": naming.source}));
        envelope.always("type", json!({"const": format!("{}{name}", naming.type_prefix)}));
        envelope.always("subject", json!({"type": "string", "description": "The key as text"}));
        envelope.always(
            "time",
            json!({"type": "string", "format": "date-time", "description": "When it was committed"}),
        );
        envelope.always("datacontenttype", json!({"const": "application/json"}));
        envelope.always(
            "sequence",
            json!({"type": "string", "pattern": PLACE, "description": "The same text as id"}),
        );
        envelope
    }

    fn always(&mut self, name: &str, schema: Value) {
        self.required.push(name.to_owned());
        self.sometimes(name, schema);
    }

    fn sometimes(&mut self, name: &str, schema: Value) {
        self.properties.insert(name.to_owned(), schema);
    }

    fn schema(self, title: String) -> Value {
        json!({"title": title, "type": "object", "properties": self.properties, "required": self.required})
    }
}
