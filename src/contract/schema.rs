//! Contracts as JSON Schema, draft 2020-12 (<https://json-schema.org/draft/2020-12>).
//!
//! Only words that draft 7 has too, with the same meaning: AsyncAPI takes the same schemas.

use serde_json::{Map, Value, json};

use super::shape::{Constant, Shape};
use super::{Contract, FieldContract, Null, Present};
use crate::flow::event::Holds;

/// The dialect.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Names under which records are told: `[cloudevents]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming<'a> {
    /// `source`
    pub source: &'a str,
    /// Stands before the name in `type`.
    pub type_prefix: &'a str,
    /// Stands before `NAME:VERSION` in `dataschema`.
    pub dataschema_prefix: &'a str,
}

impl Contract {
    /// The URI that `dataschema` names.
    pub fn dataschema(&self, naming: &Naming<'_>) -> String {
        format!("{}{}:{}", naming.dataschema_prefix, self.name, self.version)
    }

    /// The schema of a record's `data`, as it stands alone.
    pub fn data_document(&self, naming: &Naming<'_>) -> Value {
        let mut document = Map::new();
        document.insert("$schema".to_owned(), DIALECT.into());
        document.insert("$id".to_owned(), self.dataschema(naming).into());
        if let Value::Object(data) = self.data() {
            document.extend(data);
        }
        document.into()
    }

    /// The schema of a whole record: the CloudEvent with its data.
    pub fn record_document(&self, naming: &Naming<'_>) -> Value {
        let mut document = Map::new();
        document.insert("$schema".to_owned(), DIALECT.into());
        document.insert("$id".to_owned(), format!("{}:record", self.dataschema(naming)).into());
        if let Value::Object(record) = self.record(naming) {
            document.extend(record);
        }
        document.into()
    }

    /// The schema of `data`.
    pub fn data(&self) -> Value {
        let what = match self.holds {
            Holds::States => format!("The current {}", self.entity),
            Holds::Events => format!("What {} says of a {}", self.name, self.entity),
        };
        json!({
            "title": self.name,
            "description": what,
            "type": "object",
            "properties": properties(&self.fields),
            "required": required(&self.fields),
        })
    }

    /// The schema of a record's value. A tombstone has none.
    pub fn record(&self, naming: &Naming<'_>) -> Value {
        let place = "^[0-9A-F]{4}-[0-9A-F]{16}-[0-9A-F]{8}-[0-9A-F]{2}$";
        let mut properties = json!({
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "pattern": place},
            "source": {"const": naming.source},
            "type": {"const": format!("{}{}", naming.type_prefix, self.name)},
            "subject": {"type": "string", "description": "The key as text"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": self.dataschema(naming)},
            "sequence": {"type": "string", "pattern": place, "description": "The same text as id"},
            "transaction": {"type": "string", "pattern": "^[0-9]+$", "description": "For tracing only: it wraps"},
            "data": self.data(),
        });
        // Events are never told of old rows.
        if let (Holds::States, Some(all)) = (self.holds, properties.as_object_mut()) {
            all.insert("origin".to_owned(), json!({"const": "backfill"}));
            all.insert("generation".to_owned(), json!({"type": "integer", "minimum": 1}));
        }
        json!({
            "title": format!("{} {}", self.name, self.version),
            "type": "object",
            "properties": properties,
            "required": [
                "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "sequence", "data"
            ],
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

fn properties(fields: &[FieldContract]) -> Value {
    let pairs = fields.iter().map(|field| (field.name.clone(), field.schema()));
    Value::Object(pairs.collect())
}

fn required(fields: &[FieldContract]) -> Vec<&str> {
    let always = fields.iter().filter(|field| field.present == Present::Always);
    always.map(|field| field.name.as_str()).collect()
}

impl FieldContract {
    fn schema(&self) -> Value {
        let schema = self.shape.schema();
        match self.null {
            Null::Never => schema,
            Null::Possible => with_null(schema),
        }
    }
}

/// The same schema, for null too.
fn with_null(mut schema: Value) -> Value {
    let is_any = schema.as_object().is_some_and(Map::is_empty);
    if is_any {
        return schema;
    }
    if let Some(list) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        list.push(Value::Null);
        return schema;
    }
    if let Some(list) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        list.push(json!({"type": "null"}));
        return schema;
    }
    if let Some(one) = schema.get_mut("type") {
        *one = json!([one.take(), "null"]);
    }
    schema
}

impl Shape {
    /// What it is in JSON Schema. `format` is never alone: PostgreSQL knows days that RFC 3339 does not.
    pub fn schema(&self) -> Value {
        // Years over 9999 and before our era, and `infinity`.
        let beyond = json!({"type": "string", "pattern": "^-?infinity$|^[0-9]{5,}-| BC$"});
        match self {
            Self::Boolean => json!({"type": "boolean"}),
            Self::Integer => json!({"type": "integer"}),
            Self::LargeInteger => {
                json!({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]{16,}$"}]})
            }
            Self::Number => json!({"type": "number"}),
            Self::FloatingNumber => json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}),
            Self::Text => json!({"type": "string"}),
            Self::Pattern { expression, words } => {
                json!({"type": "string", "pattern": expression, "description": words})
            }
            Self::Decimal(None) => json!({
                "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$|^NaN$|^-?Infinity$", "description": "A decimal, exactly"
            }),
            Self::Decimal(Some(0)) => json!({"type": "string", "pattern": "^-?[0-9]+$"}),
            Self::Decimal(Some(digits)) => json!({
                "type": "string", "pattern": format!("^-?[0-9]+\\.[0-9]{{{digits}}}$"), "description": "A decimal, exactly"
            }),
            Self::Date => json!({"anyOf": [{"type": "string", "format": "date"}, beyond]}),
            Self::Instant => json!({"anyOf": [{"type": "string", "format": "date-time"}, beyond]}),
            Self::LocalTime => {
                let local = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?$";
                json!({"anyOf": [{"type": "string", "pattern": local, "description": "Local time"}, beyond]})
            }
            Self::EpochMs => json!({"anyOf": [{"type": "integer"}, {"enum": ["infinity", "-infinity"]}]}),
            Self::Uuid => json!({"type": "string", "format": "uuid"}),
            Self::Base64 => json!({"type": "string", "contentEncoding": "base64"}),
            Self::Json => json!({}),
            Self::OneOf(all) => json!({"enum": all.iter().map(Constant::json).collect::<Vec<_>>()}),
            Self::Open(all, other) => json!({"anyOf": [Self::OneOf(all.clone()).schema(), other.schema()]}),
            Self::List(of) => {
                let items = json!({"anyOf": [of.schema(), {"type": "null"}, {"type": "array"}]});
                json!({"type": "array", "items": items})
            }
        }
    }
}

impl Constant {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => serde_json::from_str(number).unwrap_or(Value::Null),
            Self::Bool(truth) => (*truth).into(),
        }
    }
}
