//! Schemas of the records that tell of an entity's stream, and of none of its rows.

use serde_json::{Value, json};

use super::Envelope;
use crate::contract::Naming;

/// A kind of control records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `<Entity>.backfill`, in each partition of a state topic where `markers` are told.
    Backfill,
    /// `<Entity>.gap`, in each event topic after a lost history.
    Gap,
}

impl Control {
    /// The kind's name, which is its key too.
    pub fn name(self, entity: &str) -> String {
        match self {
            Self::Backfill => format!("{entity}.backfill"),
            Self::Gap => format!("{entity}.gap"),
        }
    }
}

/// The schema of such a record's value.
pub fn control(kind: Control, entity: &str, naming: &Naming<'_>) -> Value {
    let name = kind.name(entity);
    let mut envelope = Envelope::of(naming, &name);
    envelope.sometimes("subject", json!({"const": entity}));
    envelope.always("data", data(kind));
    envelope.schema(name)
}

fn data(kind: Control) -> Value {
    let place = json!({"type": "string", "pattern": "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$", "description": "A place in PostgreSQL's log"});
    match kind {
        Control::Backfill => json!({
            "type": "object",
            "properties": {
                "phase": {"enum": ["begun", "complete", "cancelled"]},
                "generation": {"type": "integer", "minimum": 1},
                "where": {"type": "boolean", "description": "Whether only some of the rows are told"},
                "reconcile": {"type": "boolean", "description": "Whether keys whose rows are gone get tombstones"},
                "rows": {"type": "integer", "minimum": 0},
                "as_of": place,
            },
            "required": ["phase", "generation", "as_of"],
        }),
        Control::Gap => json!({
            "type": "object",
            "properties": {
                "from": {"anyOf": [place.clone(), {"type": "null"}]},
                "to": place,
                "epoch": {"type": "integer", "minimum": 1},
                "reason": {"type": "string"},
            },
            "required": ["from", "to", "epoch", "reason"],
        }),
    }
}
