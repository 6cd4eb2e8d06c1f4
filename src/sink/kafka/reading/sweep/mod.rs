//! Looks through a state topic for keys that a generation did not tell again: on a thread of its own, in bounded memory.

mod keys;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rdkafka::consumer::Consumer as _;
use rdkafka::message::Message as _;

use crate::backfill::sweep::{Found, Gone, Rest, Span, Sweep, hash};
use crate::flow::change::CommitTime;
use crate::sink::SinkError;
use crate::sink::kafka::reading::sweep::keys::{Candidates, Gathered, last, of_key};
use crate::sink::kafka::reading::{COMMITTED, Patience, Stretch, UNCOMMITTED, client, extent, let_go, through};
use crate::sink::kafka::settings::Settings;
use crate::sink::kafka::{Stop, topics};

/// Keys that are handed over at once: a tombstone with its headers takes most of a kB in librdkafka.
const PART_MAX: usize = 4_000;
/// How long nothing may come.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A look that is under way, on a thread that ends when this is dropped.
#[derive(Debug)]
pub(in crate::sink::kafka) struct Search {
    /// Its number.
    pub(in crate::sink::kafka) look: u64,
    answer: Receiver<Result<Found, SinkError>>,
    stop: Stop,
}

impl Drop for Search {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// What is looked for, as the thread holds it.
struct Wanted {
    topic: String,
    before: String,
    span: Span,
}

impl Search {
    /// Begins.
    pub(in crate::sink::kafka) fn begin(
        settings: &Arc<Settings>,
        stop: &Stop,
        wanted: &Sweep<'_>,
    ) -> Result<Self, SinkError> {
        let (tell, told) = bounded(1);
        let (settings, sinks, own, look) = (Arc::clone(settings), stop.clone(), Stop::default(), wanted.look);
        let search = Self {
            look,
            answer: told,
            stop: own.clone(),
        };
        let wanted = Wanted {
            topic: wanted.topic.to_owned(),
            before: wanted.before.to_owned(),
            span: wanted.span,
        };
        let work = move || match found(&settings, &wanted, &[&sinks, &own]) {
            // Whoever asked may have gone.
            Ok(parts) => drop(parts.into_iter().try_for_each(|part| tell.send(Ok(part)))),
            Err(error) => drop(tell.send(Err(error))),
        };
        std::thread::Builder::new()
            .name("sweep".to_owned())
            .spawn(work)
            .map_err(|error| SinkError::Transient(format!("cannot start a thread that reads a topic: {error}")))?;
        Ok(search)
    }

    /// What it found, part by part, once it is through.
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

fn found(settings: &Settings, wanted: &Wanted, stops: &[&Stop]) -> Result<Vec<Found>, SinkError> {
    let patience = Patience {
        silence_max: SILENCE_MAX,
        stops,
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
        span: wanted.span,
        keys: BTreeSet::new(),
    };
    for stretch in &stretches {
        through(&reading, stretch, patience, |message| {
            let key = message.key().unwrap_or_default();
            let place = (hash(key), stretch.partition);
            candidates.hear(place, || last(key, message.payload(), &wanted.before));
        })?;
    }
    // Most topics hold nothing that is gone; the others are read once more, for its keys.
    let mut gone = Gathered::of(candidates.span);
    for stretch in stretches.iter().filter(|_| !candidates.keys.is_empty()) {
        through(&reading, stretch, patience, |message| {
            let key = message.key().unwrap_or_default();
            if candidates.keys.range(of_key(hash(key))).next().is_some() {
                let last = last(key, message.payload(), &wanted.before);
                gone.hear(
                    (key, stretch.partition),
                    (last, message.payload().is_some()),
                    &candidates.keys,
                );
            }
        })?;
    }
    let_go(reading);
    let rest = gone.span.to.map_or(Rest::Nothing, Rest::From);
    Ok(parts(gone.without_moved(), (rest, now())))
}

/// What was found, in parts; an empty one where it is nothing.
fn parts(gone: Vec<Gone>, (rest, at): (Rest, CommitTime)) -> Vec<Found> {
    let (mut left, mut parts) = (gone.into_iter(), Vec::new());
    loop {
        let gone: Vec<Gone> = left.by_ref().take(PART_MAX).collect();
        let is_last = left.len() == 0;
        let rest = if is_last { rest } else { Rest::OfThis };
        parts.push(Found { gone, rest, at });
        if is_last {
            return parts;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tombstone says when it was seen that its key is gone"
)]
fn now() -> CommitTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    CommitTime::of_unix_micros(unix_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_comes_in_parts_of_one_look() {
        let gone = |count: usize| {
            let one = Gone {
                key: b"k".to_vec(),
                partition: 0,
            };
            vec![one; count]
        };
        let of = |count: usize| {
            let parts = parts(gone(count), (Rest::From(7), CommitTime(0)));
            parts
                .iter()
                .map(|part| (part.gone.len(), part.rest))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(0), [(0, Rest::From(7))]);
        assert_eq!(of(PART_MAX), [(PART_MAX, Rest::From(7))]);
        assert_eq!(of(PART_MAX + 1), [(PART_MAX, Rest::OfThis), (1, Rest::From(7))]);
    }

    #[test]
    fn a_search_that_is_given_up_is_told_to_stop() {
        let own = Stop::default();
        let search = Search {
            look: 1,
            answer: bounded(1).1,
            stop: own.clone(),
        };
        assert!(own.check().is_ok());
        drop(search);
        assert!(own.check().is_err());
    }
}
