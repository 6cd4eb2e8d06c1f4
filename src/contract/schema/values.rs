//! Values and fields in JSON Schema.

use serde_json::{Map, Value, json};

use crate::contract::shape::{Constant, Shape};
use crate::contract::{FieldContract, Null, Present};

pub(super) fn properties(fields: &[FieldContract]) -> Value {
    let pairs = fields.iter().map(|field| (field.name.clone(), field.schema()));
    Value::Object(pairs.collect())
}

pub(super) fn required(fields: &[FieldContract]) -> Vec<&str> {
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
            Self::EpochMs => {
                let large = "^-?[0-9]{16,}$|^-?infinity$";
                json!({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": large}]})
            }
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
