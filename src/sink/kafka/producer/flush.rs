//! Sends what lingers.

use std::time::Duration;

use rdkafka::bindings::rd_kafka_flush;
use rdkafka::client::ClientContext;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// Has everything sent that lingers, and waits until it is answered, but no longer than `wait`, in whole milliseconds.
///
/// The library heeds `linger.ms` no more while this call lasts (`rd_kafka_flush` in rdkafka.c), so it must last until its
/// threads woke up. The wrapper's own one asks for no time at all and then waits for answers, in steps of 100 ms.
pub(super) fn flush<C: ClientContext + ProducerContext>(producer: &BaseProducer<C>, wait: Duration) {
    let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
    let client = producer.client().native_ptr();
    #[expect(
        unsafe_code,
        reason = "the wrapper has no flush that lasts; the client is live for as long as the producer is borrowed"
    )]
    // What is not answered in time is answered later: who sent it counts the answers.
    let _in_time = unsafe { rd_kafka_flush(client, millis) };
}
