//! Which keys of a state topic are gone, by what is read of it: twice, and in bounded memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::backfill::sweep::{Gone, Span, hash};
use crate::sink::kafka::reading::epoch;

/// Keys that are looked for at once while a topic is read: some 100 bytes each with those that are gone.
const CANDIDATES_MAX: usize = 200_000;
/// What those that are gone take together.
const KEYS_BYTES_MAX: usize = 8 << 20;

/// What the last record of a key says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// A state from before the generation.
    Before,
    /// One of it or later, or none any more.
    Since,
    /// Nothing: it is no state.
    Foreign,
}

/// What is read of a state's document.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    sequence: Cow<'a, str>,
}

/// A key in all partitions.
pub(super) fn of_key(hash: u64) -> RangeInclusive<(u64, i32)> {
    (hash, i32::MIN)..=(hash, i32::MAX)
}

/// Candidates with their keys, and where else such keys were told since.
#[derive(Default)]
pub(super) struct Gathered {
    /// As many of them as fit.
    pub(super) span: Span,
    gone: BTreeMap<(u64, i32), Vec<u8>>,
    bytes: usize,
    alive: BTreeSet<(u64, i32)>,
}

impl Gathered {
    pub(super) fn of(span: Span) -> Self {
        Self {
            span,
            ..Self::default()
        }
    }

    pub(super) fn hear(
        &mut self,
        (key, partition): (&[u8], i32),
        (last, has_value): (Last, bool),
        candidates: &BTreeSet<(u64, i32)>,
    ) {
        let place = (hash(key), partition);
        if !self.span.holds(place.0) {
            return;
        }
        match (last, has_value) {
            (Last::Before, _) if candidates.contains(&place) && !self.gone.contains_key(&place) => {
                self.bytes = self.bytes.saturating_add(key.len());
                self.gone.insert(place, key.to_vec());
                self.shorten(KEYS_BYTES_MAX);
            }
            (Last::Since, true) => drop(self.alive.insert(place)),
            (Last::Since, false) => drop(self.alive.remove(&place)),
            (Last::Before | Last::Foreign, _) => {}
        }
    }

    /// Leaves to the next look what does not fit; one key fits whatever its length.
    fn shorten(&mut self, bytes_max: usize) {
        while self.bytes > bytes_max
            && let (Some(((first, _), _)), Some(((last, _), _))) =
                (self.gone.first_key_value(), self.gone.last_key_value())
            && first < last
        {
            let last = *last;
            let cut = self.gone.split_off(&(last, i32::MIN));
            self.bytes = self.bytes.saturating_sub(cut.values().map(Vec::len).sum());
            self.span.to = Some(last);
        }
    }

    /// In a topic that got more partitions, keys moved: what an old partition holds of one is out of date, and a tombstone
    /// there would be newer than the row, which is told in another.
    pub(super) fn without_moved(self) -> Vec<Gone> {
        let alive = self.alive;
        let gone = self.gone.into_iter();
        gone.filter(|((hash, _), _)| alive.range(of_key(*hash)).next().is_none())
            .map(|((_, partition), key)| Gone { key, partition })
            .collect()
    }
}

/// Keys whose last record so far is from before: of those that are wanted, as many as fit.
pub(super) struct Candidates {
    pub(super) span: Span,
    pub(super) keys: BTreeSet<(u64, i32)>,
}

impl Candidates {
    pub(super) fn hear(&mut self, key: (u64, i32), last: impl FnOnce() -> Last) {
        if !self.span.holds(key.0) {
            return;
        }
        match last() {
            Last::Before => drop(self.keys.insert(key)),
            Last::Since => drop(self.keys.remove(&key)),
            Last::Foreign => {}
        }
        if self.keys.len() > CANDIDATES_MAX
            && let Some((largest, _)) = self.keys.last().copied()
        {
            self.cut(largest);
        }
    }

    /// Leaves these and larger ones to the next look.
    fn cut(&mut self, to: u64) {
        self.span.to = Some(to);
        drop(self.keys.split_off(&(to, i32::MIN)));
    }
}

/// A state topic is one entity's, so whatever has a `sequence` of ours is a state of it, also where prefix or name were
/// others when it was told.
pub(super) fn last(key: &[u8], value: Option<&[u8]>, before: &str) -> Last {
    let Some(value) = value else { return Last::Since };
    let Ok(document) = serde_json::from_slice::<Document<'_>>(value) else {
        return Last::Foreign;
    };
    if epoch(document.sequence.as_bytes()).is_none() || is_control(key, &document.event_type) {
        return Last::Foreign;
    }
    if document.sequence.as_ref() < before {
        Last::Before
    } else {
        Last::Since
    }
}

/// Whether it tells of the stream and of no row: its key is its type, less the prefix.
fn is_control(key: &[u8], event_type: &str) -> bool {
    let words: [&[u8]; 2] = [b".backfill", b".gap"];
    words.iter().any(|word| key.ends_with(word)) && event_type.as_bytes().ends_with(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_before_is_gone_unless_it_was_told_again_or_removed() {
        let document = |event_type: &str, sequence: &str| {
            format!(r#"{{"id":"x","type":"{event_type}","sequence":"{sequence}","data":{{"sequence":"0"}}}}"#)
        };
        let (before, since) = ("0001-0000000000000010-00000005-00", "0001-0000000000000010-80000000-00");
        let cases = [
            ("7", document("Order", before), Last::Before),
            ("7", document("Order", since), Last::Since),
            ("7", document("Order", "0002-0000000000000001-00000000-00"), Last::Since),
            // Under a former prefix, or name.
            ("7", document("com.shop.Order", before), Last::Before),
            ("7", document("Purchase", before), Last::Before),
            ("Order.backfill", document("Order.backfill", before), Last::Foreign),
            ("Order.gap", document("com.shop.Order.gap", before), Last::Foreign),
            ("7", document("Order", "17"), Last::Foreign),
            ("7", "nothing of ours".to_owned(), Last::Foreign),
        ];
        for (key, value, expected) in cases {
            assert_eq!(last(key.as_bytes(), Some(value.as_bytes()), since), expected, "{value}");
        }
        assert_eq!(last(b"7", None, since), Last::Since);
    }

    #[test]
    fn a_key_that_another_partition_holds_is_not_gone() {
        let keys = [b"moved", b"again", b"alone"];
        let candidates: BTreeSet<(u64, i32)> = keys.iter().map(|key| (hash(*key), 0)).collect();
        let mut gathered = Gathered::default();
        let told: [(&[u8], i32, Last, bool); 7] = [
            (b"moved", 0, Last::Before, true),
            (b"moved", 0, Last::Before, true),
            (b"again", 0, Last::Before, true),
            (b"alone", 0, Last::Before, true),
            (b"moved", 2, Last::Since, true),
            (b"again", 1, Last::Since, true),
            (b"again", 1, Last::Since, false),
        ];
        for (key, partition, last, has_value) in told {
            gathered.hear((key, partition), (last, has_value), &candidates);
        }
        let gone = gathered.without_moved();
        let mut keys: Vec<&[u8]> = gone.iter().map(|gone| gone.key.as_slice()).collect();
        keys.sort_unstable();
        assert_eq!(keys, [b"again", b"alone"]);
    }

    #[test]
    fn keys_that_do_not_fit_are_left_to_the_next_look() {
        let mut candidates = Candidates {
            span: Span { from: 3, to: None },
            keys: BTreeSet::new(),
        };
        for key in 0..10 {
            candidates.hear((key, 0), || Last::Before);
        }
        assert_eq!(candidates.keys.first(), Some(&(3, 0)));
        candidates.cut(7);
        candidates.hear((7, 1), || Last::Before);
        candidates.hear((4, 0), || Last::Since);
        candidates.hear((4, 1), || Last::Before);
        let left: Vec<(u64, i32)> = candidates.keys.iter().copied().collect();
        assert_eq!(
            (left, candidates.span.to),
            (vec![(3, 0), (4, 1), (5, 0), (6, 0)], Some(7))
        );
    }

    #[test]
    fn keys_that_are_too_long_together_are_left_to_the_next_look() {
        let keys: Vec<String> = (0..10).map(|number| format!("{number:010}")).collect();
        let candidates: BTreeSet<(u64, i32)> = keys.iter().map(|key| (hash(key.as_bytes()), 0)).collect();
        let mut gathered = Gathered::default();
        for key in &keys {
            gathered.hear((key.as_bytes(), 0), (Last::Before, true), &candidates);
        }
        gathered.shorten(45);
        let cut = candidates.iter().nth(4).map(|(hash, _)| *hash);
        assert_eq!((gathered.gone.len(), gathered.bytes, gathered.span.to), (4, 40, cut));
        gathered.shorten(0);
        assert_eq!(
            gathered.gone.len(),
            1,
            "or the next look would find no more than this one"
        );
    }
}
