//! When what lingers is sent.

use std::time::{Duration, Instant};

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::client::ClientContext;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// How long a flush is given: librdkafka's threads wake up and send, and the answers are often there.
const GIVEN: Duration = Duration::from_millis(1);

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
    /// When records were first sent to partitions that may be new to the transaction.
    new_since: Instant,
    last: Option<Flush>,
}

#[derive(Debug)]
struct Flush {
    at: Instant,
    /// Records that were answered then.
    answered: u64,
    /// Records that were sent then, or lingered.
    sent: u64,
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

    /// Has sent what lingers, if a partition may have become free for it since the last time.
    pub(super) fn send<C: ClientContext + ProducerContext>(
        &mut self,
        producer: &BaseProducer<C>,
        answered: u64,
        sent: u64,
    ) {
        let again = (self.new_since.elapsed() / SHARE).clamp(AGAIN_MIN, AGAIN_MAX);
        let due = |last: &Flush| answered > last.answered || answered >= last.sent || last.at.elapsed() >= again;
        if answered < sent && self.last.as_ref().is_none_or(due) {
            flush(producer, GIVEN);
            self.last = Some(Flush {
                at: Instant::now(),
                answered,
                sent,
            });
        }
    }
}

/// Has everything sent that lingers, and waits until it is answered, but no longer than `wait`, in whole milliseconds.
///
/// The library heeds `linger.ms` no more while this call lasts (`rd_kafka_flush` in rdkafka.c), so it must last until its
/// threads woke up. The wrapper's own one asks for no time at all and then waits for answers, in steps of 100 ms.
fn flush<C: ClientContext + ProducerContext>(producer: &BaseProducer<C>, wait: Duration) {
    let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    let client = producer.client().native_ptr();
    #[expect(
        unsafe_code,
        reason = "the wrapper has no flush that lasts; the client is live for as long as the producer is borrowed"
    )]
    // What is not answered in time is answered later: who sent it counts the answers.
    let _in_time = unsafe { rd_kafka_flush(client, millis) };
}
