//! Which old rows were told: progress that is part of the position.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flow::position::Lsn;

/// Which old rows were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldRows {
    /// The last ones stand behind the transaction whose commit record starts here …
    pub behind: Lsn,
    /// … and so many do.
    pub told: u32,
    /// By entity.
    pub entities: BTreeMap<String, Generation>,
}

/// One telling of the rows of an entity, all of them or some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, from 1.
    pub number: u32,
    /// Table and topic that it is of: for others nothing was told.
    pub of: String,
    /// Key by which its rows are read.
    pub by: String,
    /// Rows read.
    pub rows: u64,
    /// How far it is.
    pub standing: Standing,
    /// Which rows: an expression over columns of the table; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// In which partitions, by OID; none: all of the table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<u32>,
    /// Partitions that came meanwhile: they are told when it is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<u32>,
    /// Key of the last row that was there when its first ones were read, as text: what comes behind it the stream tells; none:
    /// not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Vec<String>>,
    /// What becomes of keys in the topic whose rows are gone.
    #[serde(default, skip_serializing_if = "OnGone::is_keep")]
    pub on_gone: OnGone,
    /// `sequence` of its first record: a key that was last told before it was not told by this generation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub began: String,
    /// Whether it goes on.
    #[serde(default, skip_serializing_if = "Pace::is_going")]
    pub pace: Pace,
}

/// How far a generation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Rows up to this key, as text, were told; none: it begins.
    After(Option<Vec<String>>),
    /// All rows were told; keys whose rows are gone are looked for.
    Sweeping,
    /// Everything was told.
    Complete,
    /// It was ended before: by an operator, or since the rows that one chose cannot be read.
    Cancelled,
}

/// `delete`: what becomes of keys in a state topic whose rows are no longer there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGone {
    /// They stay as they are.
    #[default]
    Keep,
    /// Each gets a tombstone, once all rows are told.
    Reconcile,
}

impl OnGone {
    fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

/// Whether a generation goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// It does.
    #[default]
    Going,
    /// It waits until an operator resumes it.
    Paused,
}

impl Pace {
    fn is_going(&self) -> bool {
        *self == Self::Going
    }
}

impl Generation {
    /// Whether anything of it is still to be told.
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::After(_) | Standing::Sweeping)
    }

    /// Whether it tells some of the rows only.
    pub fn is_of_some(&self) -> bool {
        self.only.is_some() || !self.within.is_empty()
    }

    /// Ends it as if nothing had been told, so that a later start begins anew.
    pub fn forget(&mut self) {
        (self.of, self.by, self.standing) = (String::new(), String::new(), Standing::Cancelled);
    }

    /// Ends it before everything is told.
    pub fn cancel(&mut self) {
        (self.standing, self.pace) = (Standing::Cancelled, Pace::Going);
        self.later.clear();
    }
}
