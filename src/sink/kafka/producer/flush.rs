//! When what lingers is sent.

use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::client::ClientContext;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// How long a flush lasts, in ms: librdkafka's threads wake up and send meanwhile.
const LASTS_MS: i32 = 1;

/// A partition that is new to the transaction sends nothing before that is answered: another flush follows after this share
/// of the time for which that has been waited, so that little is added to it and little is done in vain …
const SHARE: u32 = 8;
/// … but not before this …
const AGAIN_MIN: Duration = Duration::from_millis(1);
/// … nor later than this, which is also when a flush follows without any reason.
const AGAIN_MAX: Duration = Duration::from_millis(64);

/// While more is to come, a flush is due only when no answer has come for so long: before that what fills a request goes by
/// itself, and with the next answer another.
pub(super) const QUIET: Duration = Duration::from_millis(2);

/// When the next flush is due: seldom in vain. What the library finds due and may not send yet, because the partition's last
/// request is not answered, it looks at again and again, which takes half a core from the broker beside it
/// (`rd_kafka_toppar_producer_serve` sets the time of the next look before it finds that no request is allowed). For the
/// same reason its own clock (`linger.ms`) plays no part. What fills a request it sends by itself, as soon as it may.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    new: Option<New>,
    last: Option<Seen>,
    newest: Option<Seen>,
}

/// Partitions that may be new to the transaction.
#[derive(Debug)]
struct New {
    /// When the first of them was met.
    since: Instant,
    /// They are no longer, once so many records are answered.
    upto: u64,
}

/// Answers, when they were looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Instant,
    /// Records that were answered then.
    answered: u64,
}

impl Flushes {
    /// The last of the records `sent` goes to a partition that is new to the transaction; `answered` are answered.
    pub(super) fn meet_new_partition(&mut self, (answered, sent): (u64, u64)) {
        let before = self.new.take().filter(|new| answered < new.upto);
        self.new = Some(New {
            since: before.map_or_else(Instant::now, |new| new.since),
            upto: sent,
        });
    }

    /// Whether a partition may have become free for what lingers: `answered` of all the records `sent` are answered, and
    /// none for the time of `patience`.
    fn is_due(&self, (answered, sent): (u64, u64), patience: Duration, now: Instant) -> bool {
        let since = |seen: &Seen| now.saturating_duration_since(seen.at);
        let new = self.new.as_ref().filter(|new| answered < new.upto);
        let again = new.map_or(AGAIN_MAX, |new| {
            (now.saturating_duration_since(new.since) / SHARE).clamp(AGAIN_MIN, AGAIN_MAX)
        });
        let is_quiet = self.newest.as_ref().is_none_or(|newest| since(newest) >= patience);
        let is_due = |last: &Seen| (answered > last.answered && is_quiet) || since(last) >= again;
        answered < sent && self.last.as_ref().is_none_or(is_due)
    }

    /// Has sent what lingers, where that is due; while answers come more often than `patience`, it is not.
    pub(super) fn send<C: ClientContext + ProducerContext>(
        &mut self,
        producer: &BaseProducer<C>,
        (answered, sent): (u64, u64),
        patience: Duration,
    ) {
        let seen = || Seen {
            at: Instant::now(),
            answered,
        };
        if self.newest.is_none_or(|newest| newest.answered != answered) {
            self.newest = Some(seen());
        }
        if self.is_due((answered, sent), patience, Instant::now()) {
            flush(producer);
            self.last = Some(seen());
        }
    }
}

/// Has sent everything that lingers and may be sent.
///
/// The library heeds `linger.ms` no more while this call lasts (`rd_kafka_flush` in rdkafka.c), so it must last until its
/// threads woke up. It lasts its whole time: what it waits for is that this thread takes the answers. The wrapper's own one
/// asks for no time at all and then waits for answers, in steps of 100 ms.
fn flush<C: ClientContext + ProducerContext>(producer: &BaseProducer<C>) {
    let client = producer.client().native_ptr();
    #[expect(
        unsafe_code,
        reason = "the wrapper has no flush that lasts; the client is live for as long as the producer is borrowed"
    )]
    // What is not answered in time is answered later: who sent it counts the answers.
    let _in_time = unsafe { rd_kafka_flush(client, LASTS_MS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flushed at this time in ms, when so many were answered; up to `upto` the partitions are new, since 0 ms.
    fn flushed(ms: u64, answered: u64, upto: u64) -> Flushes {
        let since = Instant::now();
        let at = since + Duration::from_millis(ms);
        Flushes {
            new: Some(New { since, upto }),
            last: Some(Seen { at, answered }),
            newest: Some(Seen { at, answered }),
        }
    }

    #[test]
    fn a_flush_is_due_when_an_answer_came_or_a_new_partition_has_waited() {
        let cases = [
            ("1 ms is not over", flushed(0, 0, 1), (0, 7), 0, false),
            ("early", flushed(0, 0, 1), (0, 7), 1, true),
            ("an answer came", flushed(400, 0, 1), (1, 7), 400, true),
            ("a share of 400 ms is not over", flushed(400, 0, 1), (0, 7), 449, false),
            ("it is", flushed(400, 0, 1), (0, 7), 460, true),
            ("no longer than that", flushed(9_000, 0, 1), (0, 7), 9_064, true),
            ("no longer new, in vain", flushed(2, 1, 1), (1, 7), 65, false),
            ("no longer new, to be sure", flushed(2, 1, 1), (1, 7), 66, true),
        ];
        for (what, flushes, counts, now, expected) in cases {
            let now = flushes.new.as_ref().unwrap().since + Duration::from_millis(now);
            assert_eq!(flushes.is_due(counts, Duration::ZERO, now), expected, "{what}");
        }
        let (never, now) = (Flushes::default(), Instant::now());
        assert!(!never.is_due((7, 7), Duration::ZERO, now), "nothing lingers");
        assert!(never.is_due((0, 7), QUIET, now), "the first");
    }

    #[test]
    fn while_answers_come_more_is_waited_for() {
        let at = |ms: u64| Duration::from_millis(ms);
        let mut flushes = flushed(0, 0, 0);
        let begin = flushes.last.unwrap().at;
        for (newest, now, expected) in [(10, 11, false), (10, 12, true), (12, 13, false)] {
            let seen = begin + at(newest);
            flushes.newest = Some(Seen { at: seen, answered: 3 });
            assert_eq!(
                flushes.is_due((3, 7), at(2), begin + at(now)),
                expected,
                "{newest} {now}"
            );
            assert!(
                flushes.is_due((3, 7), Duration::ZERO, begin + at(now)),
                "{newest} {now}"
            );
        }
    }

    #[test]
    fn partitions_are_new_until_the_last_of_them_is_answered_and_since_the_first() {
        let mut flushes = Flushes::default();
        flushes.meet_new_partition((0, 1));
        let first = flushes.new.as_ref().map(|new| new.since);
        flushes.meet_new_partition((0, 5));
        let both = flushes.new.as_ref().map(|new| (new.since, new.upto));
        assert_eq!(both, first.map(|since| (since, 5)));
        std::thread::sleep(Duration::from_millis(1));
        flushes.meet_new_partition((5, 9));
        let third = flushes.new.as_ref().map(|new| (Some(new.since) > first, new.upto));
        assert_eq!(third, Some((true, 9)));
    }
}
