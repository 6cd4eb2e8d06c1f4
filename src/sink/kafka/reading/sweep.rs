//! Looks through a state topic for keys that a generation did not tell again: on a thread of its own, in bounded memory.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;
use serde::Deserialize;

use crate::backfill::sweep::{Found, Gone, Sweep, hash};
use crate::flow::change::{CommitTime, POSTGRES_EPOCH_UNIX_MICROS};
use crate::sink::SinkError;
use crate::sink::kafka::reading::{COMMITTED, Patience, Stretch, UNCOMMITTED, client, extent, let_go, through};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::{Stop, topics};

/// Keys that are held at once while a topic is read: 24 bytes each, and some more.
const CANDIDATES_MAX: usize = 400_000;
/// Keys that one look finds.
const GONE_MAX: usize = 20_000;
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A look that is under way.
#[derive(Debug)]
pub(in crate::sink::kafka) struct Looking {
    /// Its number.
    pub(in crate::sink::kafka) look: u64,
    answer: Receiver<Result<Found, SinkError>>,
}

/// What is looked for, as the thread holds it.
struct Wanted {
    topic: String,
    event_type: String,
    before: String,
    from: u64,
}

/// What the last record of a key says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// A state from before the generation.
    Before,
    /// One of it or later, or none any more.
    Since,
    /// Nothing: it is not of this entity.
    Foreign,
}

/// What is read of a state's document.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, rename = "type")]
    event_type: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    sequence: std::borrow::Cow<'a, str>,
}

impl Looking {
    /// Begins.
    pub(in crate::sink::kafka) fn begin(
        settings: &Arc<Settings>,
        stop: &Stop,
        wanted: &Sweep<'_>,
    ) -> Result<Self, SinkError> {
        let (tell, told) = bounded(1);
        let (settings, stop, look) = (Arc::clone(settings), stop.clone(), wanted.look);
        let wanted = Wanted {
            topic: wanted.topic.to_owned(),
            event_type: wanted.event_type.to_owned(),
            before: wanted.before.to_owned(),
            from: wanted.from,
        };
        std::thread::Builder::new()
            .name("sweep".to_owned())
            // Whoever asked may have gone.
            .spawn(move || drop(tell.send(found(&settings, &wanted, &stop))))
            .map_err(|error| SinkError::Transient(format!("cannot start a thread that reads a topic: {error}")))?;
        Ok(Self { look, answer: told })
    }

    /// What it found, once it is through.
    pub(in crate::sink::kafka) fn found(&self) -> Result<Option<Found>, SinkError> {
        match self.answer.try_recv() {
            Ok(found) => found.map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                Err(SinkError::Transient("a thread that reads a topic ended".to_owned()))
            }
        }
    }
}

fn found(settings: &Settings, wanted: &Wanted, stop: &Stop) -> Result<Found, SinkError> {
    let patience = Patience {
        silence_max: SILENCE_MAX,
        stop,
    };
    let asking = client(settings, UNCOMMITTED)?;
    let described = topics::describe_by(asking.client(), settings)?;
    let count = described.partitions.get(&wanted.topic).copied().unwrap_or(0);
    let stretches: Result<Vec<Stretch>, SinkError> = (0..count)
        .map(|partition| extent(&asking, &wanted.topic, partition))
        .collect();
    let stretches = stretches?;
    let_go(asking);
    let reading = client(settings, COMMITTED)?;
    let mut candidates = Candidates {
        from: wanted.from,
        to: None,
        keys: BTreeSet::new(),
    };
    for stretch in &stretches {
        through(&reading, stretch, patience, |message| {
            let key = (hash(message.key().unwrap_or_default()), stretch.partition);
            candidates.hear(key, || last(message.payload(), wanted));
        })?;
    }
    candidates.shorten();
    // Most topics hold nothing that is gone; the others are read once more, for its keys.
    let mut gone = Gathered::default();
    for stretch in stretches.iter().filter(|_| !candidates.keys.is_empty()) {
        through(&reading, stretch, patience, |message| {
            let key = message.key().unwrap_or_default();
            if candidates.keys.range(of_key(hash(key))).next().is_some() {
                gone.hear((key, stretch.partition), message.payload(), wanted, &candidates.keys);
            }
        })?;
    }
    let gone = gone.without_moved();
    let_go(reading);
    Ok(Found {
        gone,
        next: candidates.to,
        at: now(),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tombstone says when it was seen that its key is gone"
)]
fn now() -> CommitTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    CommitTime(unix_micros.saturating_sub(POSTGRES_EPOCH_UNIX_MICROS))
}

/// A key in all partitions.
fn of_key(hash: u64) -> RangeInclusive<(u64, i32)> {
    (hash, i32::MIN)..=(hash, i32::MAX)
}

/// Candidates with their keys, and where else such keys were told since.
#[derive(Default)]
struct Gathered {
    gone: Vec<Gone>,
    seen: BTreeSet<(u64, i32)>,
    alive: BTreeSet<(u64, i32)>,
}

impl Gathered {
    fn hear(
        &mut self,
        (key, partition): (&[u8], i32),
        value: Option<&[u8]>,
        wanted: &Wanted,
        candidates: &BTreeSet<(u64, i32)>,
    ) {
        let place = (hash(key), partition);
        match (last(value, wanted), value) {
            (Last::Before, _) if candidates.contains(&place) && self.seen.insert(place) => self.gone.push(Gone {
                key: key.to_vec(),
                partition,
            }),
            (Last::Since, Some(_)) => drop(self.alive.insert(place)),
            (Last::Since, None) => drop(self.alive.remove(&place)),
            (Last::Before | Last::Foreign, _) => {}
        }
    }

    /// In a topic that got more partitions, keys moved: what an old partition holds of one is out of date, and a tombstone
    /// there would be newer than the row, which is told in another.
    fn without_moved(mut self) -> Vec<Gone> {
        let alive = self.alive;
        self.gone
            .retain(|gone| alive.range(of_key(hash(&gone.key))).next().is_none());
        self.gone
    }
}

/// Keys whose last record so far is from before: of those from `from` on, as many as fit.
struct Candidates {
    from: u64,
    /// From here on they are left to the next look.
    to: Option<u64>,
    keys: BTreeSet<(u64, i32)>,
}

impl Candidates {
    fn hear(&mut self, key: (u64, i32), last: impl FnOnce() -> Last) {
        if key.0 < self.from || self.to.is_some_and(|to| key.0 >= to) {
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

    /// Leaves what one look need not give.
    fn shorten(&mut self) {
        if let Some((first, _)) = self.keys.iter().nth(GONE_MAX).copied() {
            self.cut(first);
        }
    }

    fn cut(&mut self, to: u64) {
        self.to = Some(to);
        drop(self.keys.split_off(&(to, i32::MIN)));
    }
}

fn last(value: Option<&[u8]>, wanted: &Wanted) -> Last {
    let Some(value) = value else { return Last::Since };
    match serde_json::from_slice::<Document<'_>>(value) {
        Ok(document) if document.event_type == wanted.event_type => {
            if document.sequence.as_ref() < wanted.before.as_str() {
                Last::Before
            } else {
                Last::Since
            }
        }
        Ok(_) | Err(_) => Last::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            topic: "orders".to_owned(),
            event_type: "Order".to_owned(),
            before: "0001-0000000000000010-80000000-00".to_owned(),
            from: 0,
        }
    }

    #[test]
    fn what_was_told_before_is_gone_unless_it_was_told_again_or_removed() {
        let document = |event_type: &str, sequence: &str| {
            format!(r#"{{"id":"x","type":"{event_type}","sequence":"{sequence}","data":{{"sequence":"0"}}}}"#)
        };
        let cases = [
            (document("Order", "0001-0000000000000010-00000005-00"), Last::Before),
            (document("Order", "0001-0000000000000010-80000000-00"), Last::Since),
            (document("Order", "0002-0000000000000001-00000000-00"), Last::Since),
            (
                document("Order.backfill", "0001-0000000000000001-00000000-00"),
                Last::Foreign,
            ),
            ("nothing of ours".to_owned(), Last::Foreign),
        ];
        for (value, expected) in cases {
            assert_eq!(last(Some(value.as_bytes()), &wanted()), expected, "{value}");
        }
        assert_eq!(last(None, &wanted()), Last::Since);
    }

    #[test]
    fn a_key_that_another_partition_holds_is_not_gone() {
        let document = |sequence: &str| format!(r#"{{"type":"Order","sequence":"{sequence}"}}"#);
        let (before, since) = (
            document("0001-0000000000000010-00000005-00"),
            document("0001-0000000000000010-80000000-00"),
        );
        let keys = [b"moved", b"again", b"alone"];
        let candidates: BTreeSet<(u64, i32)> = keys.iter().map(|key| (hash(*key), 0)).collect();
        let mut gathered = Gathered::default();
        let told: [(&[u8], i32, Option<&str>); 7] = [
            (b"moved", 0, Some(&before)),
            (b"moved", 0, Some(&before)),
            (b"again", 0, Some(&before)),
            (b"alone", 0, Some(&before)),
            (b"moved", 2, Some(&since)),
            (b"again", 1, Some(&since)),
            (b"again", 1, None),
        ];
        for (key, partition, value) in told {
            gathered.hear((key, partition), value.map(str::as_bytes), &wanted(), &candidates);
        }
        let gone = gathered.without_moved();
        let keys: Vec<&[u8]> = gone.iter().map(|gone| gone.key.as_slice()).collect();
        assert_eq!(keys, [b"again", b"alone"]);
    }

    #[test]
    fn keys_that_do_not_fit_are_left_to_the_next_look() {
        let mut candidates = Candidates {
            from: 3,
            to: None,
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
        assert_eq!((left, candidates.to), (vec![(3, 0), (4, 1), (5, 0), (6, 0)], Some(7)));
    }
}
