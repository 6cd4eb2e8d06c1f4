//! Entities as they were declared when they were last told: stored beside the position, so that a start sees what changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All of them, by name.
pub type Declarations = BTreeMap<String, Declaration>;

/// What an entity's records were told by. Texts are the config's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declaration {
    /// `schema.table`
    pub table: String,
    /// Topic of current states.
    pub state_topic: Option<String>,
    /// Topics of events, in the order of the events.
    pub event_topics: Vec<String>,
    /// Which rows.
    #[serde(rename = "where")]
    pub filter: Option<String>,
    /// Fields of the key, in order.
    pub key: Vec<String>,
    /// Fields of `partition_by`, in order; none: the key.
    pub partition_by: Vec<String>,
    /// Published fields by name, each with how it is told.
    pub fields: BTreeMap<String, String>,
    /// Of fields whose column is `formerly` another: how they were told by that. Not stored.
    #[serde(skip)]
    pub formerly: BTreeMap<String, String>,
    /// Whether the config has it no longer: what its topics hold is by this declaration still.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

impl Declaration {
    /// What is kept of it, and read back.
    #[must_use]
    pub fn as_stored(self) -> Self {
        Self {
            formerly: BTreeMap::new(),
            ..self
        }
    }

    /// Fields that say which partition a record goes to.
    pub fn places(&self) -> &[String] {
        if self.partition_by.is_empty() {
            &self.key
        } else {
            &self.partition_by
        }
    }
}
