//! Keys in a state topic whose rows are gone: what a generation did not tell again.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher as _};

use crate::flow::change::CommitTime;
use crate::flow::event::KindId;

/// So many keys are remembered while a topic is looked through.
const TOLD_MAX: usize = 1_000_000;

/// Which keys of a state topic are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// Which look this is: the answer to an earlier one is not the answer to this.
    pub look: u64,
    /// Whose states.
    pub state: KindId,
    /// The topic.
    pub topic: &'a str,
    /// `type` of its records; others stay as they are.
    pub event_type: &'a str,
    /// A key is gone if its last record has a value and a `sequence` before this one.
    pub before: &'a str,
    /// Only keys with this [`hash`], or a larger one.
    pub from: u64,
}

/// A key that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The key.
    pub key: Vec<u8>,
    /// Where it is.
    pub partition: i32,
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Keys that are gone, each once.
    pub gone: Vec<Gone>,
    /// Where the next look begins; none: it was the last one.
    pub next: Option<u64>,
    /// When that was seen.
    pub at: CommitTime,
}

/// Orders keys, so that a topic with more keys than fit into memory is looked through in several parts. Two keys with the
/// same hash are as good as excluded; should there be any, one that is gone may stay.
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

/// Keys that were told since a look began: what it says of them is out of date.
#[derive(Debug, Default)]
pub struct ToldSince {
    keys: HashSet<u64>,
    complete: Completeness,
}

/// Whether all of them are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Completeness {
    #[default]
    All,
    TooMany,
}

/// More keys were told than are remembered: the look says nothing, and is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many keys were told while a topic was looked through")]
pub struct TooMany;

impl ToldSince {
    /// A key is told, with a value or without.
    pub fn tell(&mut self, key: &[u8]) {
        if self.keys.len() >= TOLD_MAX {
            self.complete = Completeness::TooMany;
            return;
        }
        self.keys.insert(hash(key));
    }

    /// The keys found that nothing was told of since.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn still_gone(&self, found: Vec<Gone>) -> Result<Vec<Gone>, TooMany> {
        if self.complete == Completeness::TooMany {
            return Err(TooMany);
        }
        let still = |gone: &Gone| !self.keys.contains(&hash(&gone.key));
        Ok(found.into_iter().filter(still).collect())
    }
}

/// A look through a topic that is under way.
#[derive(Debug)]
pub struct Looking {
    /// Its number.
    pub look: u64,
    /// Whose state topic.
    pub state: KindId,
    /// Where it begins: see [`Sweep::from`].
    pub from: u64,
    /// What was told since.
    pub told: ToldSince,
    /// It is made once everything up to this commit is stored: what is on its way would look as if it was not told.
    pub after_commit: u64,
}
