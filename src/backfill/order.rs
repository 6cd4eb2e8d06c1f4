//! What an operator asks of the telling of old rows.

use serde::{Deserialize, Serialize};

use crate::flow::generation::OnGone;

/// A request, as it is sent: `{"action":"tell","entities":["Order"],"where":"status = 'N'","delete":"keep"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// What is to be done.
    pub action: Action,
    /// With which entities; one or more.
    pub entities: Vec<String>,
    /// For [`Action::Tell`]: only rows for which this holds, an expression over columns of the table.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// For [`Action::Tell`]: what becomes of keys whose rows are gone; none: as the config says.
    #[serde(default, rename = "delete", skip_serializing_if = "Option::is_none")]
    pub on_gone: Option<OnGone>,
}

/// What is to be done with the old rows of entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// They are told again, as a new generation.
    Tell,
    /// Their telling waits, also over a restart.
    Pause,
    /// It goes on.
    Resume,
    /// It ends where it is.
    Cancel,
}

/// What became of a request: each entity with the number of the generation that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// By entity, in the order asked for.
    pub generations: Vec<(String, u32)>,
}
