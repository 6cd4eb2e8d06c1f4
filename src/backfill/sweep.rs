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
    /// The topic. Its records are of one entity, whatever prefix and name their `type` had; what has no `sequence`, and
    /// control records, stay as they are.
    pub topic: &'a str,
    /// A key is gone if its last record has a value and a `sequence` before this one.
    pub before: &'a str,
    /// Only these keys.
    pub span: Span,
}

/// Keys by their [`hash`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: u64,
    /// The first that is none of them; none: all that follow are.
    pub to: Option<u64>,
}

impl Span {
    /// Whether a hash is within.
    pub fn holds(self, hash: u64) -> bool {
        hash >= self.from && self.to.is_none_or(|to| hash < to)
    }

    fn width(self) -> u64 {
        self.to.unwrap_or(u64::MAX).saturating_sub(self.from)
    }

    /// Its first half.
    #[must_use]
    pub fn half(self) -> Self {
        Self {
            to: Some(self.from.saturating_add((self.width() / 2).max(1))),
            ..self
        }
    }

    /// As wide a one, from here on.
    #[must_use]
    pub fn after(self, from: u64) -> Self {
        Self {
            from,
            to: self.to.and_then(|_| from.checked_add(self.width())),
        }
    }
}

/// A key that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The key.
    pub key: Vec<u8>,
    /// Where it is.
    pub partition: i32,
}

/// What follows what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: all keys were looked for.
    #[default]
    Nothing,
    /// More of this look: it is asked for again.
    OfThis,
    /// Another look, that begins here.
    From(u64),
}

/// A part of what one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Keys that are gone, each once.
    pub gone: Vec<Gone>,
    /// What follows.
    pub rest: Rest,
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
    /// A key with this [`hash`] is told, with a value or without.
    pub fn tell(&mut self, hash: u64) {
        if self.keys.len() >= TOLD_MAX {
            self.complete = Completeness::TooMany;
            return;
        }
        self.keys.insert(hash);
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
pub struct Look {
    /// Its number.
    pub number: u64,
    /// Whose state topic.
    pub state: KindId,
    /// Which keys it is for.
    pub span: Span,
    /// What was told of them since.
    pub told: ToldSince,
    /// It is made once everything up to this commit is stored: what is on its way would look as if it was not told.
    pub after_commit: u64,
}

impl Look {
    /// A key of the topic is told.
    pub fn tell(&mut self, key: &[u8]) {
        let hash = hash(key);
        if self.span.holds(hash) {
            self.told.tell(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_every_key_once() {
        let all = Span::default();
        assert!(all.holds(0) && all.holds(u64::MAX));
        let mut span = all.half().half();
        assert_eq!(span.to, Some(u64::MAX / 4));
        let mut looks = 1;
        while let Some(to) = span.to {
            let next = span.after(to);
            assert!(!span.holds(to) && next.holds(to));
            span = next;
            looks += 1;
        }
        assert!(span.holds(u64::MAX) && looks == 5, "{span:?}, {looks} looks");
        assert_eq!(Span { from: 7, to: Some(8) }.half(), Span { from: 7, to: Some(8) });
    }

    #[test]
    fn what_is_told_elsewhere_takes_no_memory_and_too_much_says_nothing() {
        let span = Span {
            from: 0,
            to: Some(hash(b"here").max(1)),
        };
        let mut look = Look {
            number: 1,
            state: KindId(0),
            span,
            told: ToldSince::default(),
            after_commit: 0,
        };
        look.tell(b"here");
        assert_eq!(look.told.keys.len(), 0);
        look.span = Span::default();
        look.tell(b"here");
        let gone = |key: &[u8]| Gone {
            key: key.to_vec(),
            partition: 0,
        };
        let found = vec![gone(b"here"), gone(b"there")];
        assert_eq!(look.told.still_gone(found.clone()), Ok(vec![gone(b"there")]));
        let all = u64::try_from(TOLD_MAX).unwrap();
        (0..=all).for_each(|hash| look.told.tell(hash));
        assert_eq!(look.told.still_gone(found), Err(TooMany));
    }
}
