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
/// … nor later than this.
const AGAIN_MAX: Duration = Duration::from_millis(64);

/// When the next flush is due. The library's own clock (`linger.ms`) plays no part: what it finds due and may not send yet,
/// it looks at again and again.
#[derive(Debug)]
pub(super) struct Flushes {
    /// When records were last known to go to partitions that may be new to the transaction.
    new_since: Instant,
    last: Option<Flush>,
}

#[derive(Debug)]
struct Flush {
    at: Instant,
    /// Records that were answered then.
    answered: u64,
}

impl Flushes {
    pub(super) fn new() -> Self {
        Self {
            new_since: Instant::now(),
            last: None,
        }
    }

    /// Records go to partitions that may be new to the transaction.
    pub(super) fn meet_new_partitions(&mut self) {
        self.new_since = Instant::now();
    }

    /// Whether a partition may have become free for what lingers: `answered` of all the records `sent` are answered.
    fn is_due(&self, (answered, sent): (u64, u64), now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.new_since);
        let again = (waited / SHARE).clamp(AGAIN_MIN, AGAIN_MAX);
        let is_due = |last: &Flush| answered > last.answered || now.saturating_duration_since(last.at) >= again;
        answered < sent && self.last.as_ref().is_none_or(is_due)
    }

    /// Has sent what lingers, where that is due.
    pub(super) fn send<C: ClientContext + ProducerContext>(
        &mut self,
        producer: &BaseProducer<C>,
        (answered, sent): (u64, u64),
    ) {
        if self.is_due((answered, sent), Instant::now()) {
            flush(producer);
            self.last = Some(Flush {
                at: Instant::now(),
                answered,
            });
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

    #[test]
    fn a_flush_is_due_when_an_answer_came_or_a_share_of_the_wait_has_passed() {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let flushed = |ms, answered| Flushes {
            new_since: begin,
            last: Some(Flush { at: at(ms), answered }),
        };
        let never = Flushes {
            new_since: begin,
            last: None,
        };
        let cases = [
            ("nothing lingers", &never, (7, 7), 9, false),
            ("the first", &never, (0, 7), 0, true),
            ("no answer, 1 ms is not over", &flushed(0, 0), (0, 7), 0, false),
            ("no answer, early", &flushed(0, 0), (0, 7), 1, true),
            ("an answer came", &flushed(400, 0), (1, 7), 400, true),
            ("a share of 400 ms is not over", &flushed(400, 0), (0, 7), 449, false),
            ("it is", &flushed(400, 0), (0, 7), 460, true),
            ("no longer than that", &flushed(9_000, 0), (0, 7), 9_064, true),
        ];
        for (what, flushes, counts, now, expected) in cases {
            assert_eq!(flushes.is_due(counts, at(now)), expected, "{what}");
        }
    }
}
