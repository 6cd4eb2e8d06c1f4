//! The Kafka sink while its broker is frozen: `WALBRIDGE_TEST_KAFKA` names its bootstrap servers, and
//! `WALBRIDGE_TEST_KAFKA_PID` is its process, which is stopped for some seconds.
//!
//! A program of its own, since cargo runs one after the other: whoever else talks to that broker would wait too.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests are not seen as tests"
)]

#[expect(dead_code, reason = "it is the other Kafka tests' own, and these need less of it")]
#[path = "../kafka/world.rs"]
mod world;

use std::process::Command;
use std::time::{Duration, Instant};

use walbridge::flow::position::Lsn;
use walbridge::flow::record::Records;
use walbridge::sink::Sink;
use walbridge::sink::kafka::Kafka;

use world::{begin, put, seen, world};

/// A process that is frozen until this is dropped.
struct Frozen(String);

impl Frozen {
    fn new() -> Self {
        let Ok(pid) = std::env::var("WALBRIDGE_TEST_KAFKA_PID") else {
            panic!("WALBRIDGE_TEST_KAFKA_PID is not set: the broker's process");
        };
        assert!(signal("-STOP", &pid), "no process {pid}");
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        signal("-CONT", &self.0);
    }
}

/// Whether it was sent.
fn signal(name: &str, pid: &str) -> bool {
    Command::new("kill")
        .args([name, pid])
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_sink_ends_soon_while_kafka_is_frozen() {
    let Some(settings) = world("frozen") else { return };
    for commit in [false, true] {
        let mut sink = Kafka::new(settings.clone(), "one".to_owned()).unwrap();
        let mut at = begin(&mut sink).unwrap();
        let frozen = Frozen::new();
        let mut records = Records::default();
        put(&mut records, "A", Some("{}"), 2);
        sink.append(records).unwrap();
        if commit {
            at.advance(Lsn(9)).unwrap();
            sink.commit(&at).unwrap();
        }
        std::thread::sleep(Duration::from_millis(500));
        let begun = Instant::now();
        drop(sink);
        let took = begun.elapsed();
        drop(frozen);
        assert!(took < Duration::from_millis(2_500), "{took:?}");
    }
    let mut sink = Kafka::new(settings.clone(), "two".to_owned()).unwrap();
    let at = begin(&mut sink).unwrap();
    // What was on its way is stored with its position, or not at all.
    assert_eq!(seen(&settings).len(), usize::from(at.commit_end_lsn == Lsn(9)));
}
