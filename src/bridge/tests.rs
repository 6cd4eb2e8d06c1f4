//! When what is told is handed over, and when it is committed.

use super::*;
use crate::backfill::sweep::{Found, Sweep};
use crate::bridge::batch::Coming;
use crate::flow::change::{Asked, CommitTime, Transaction};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::generation::OldRows;
use crate::flow::record::{Partition, RecordSpan};
use crate::sink::Progress;
use crate::sink::contract::checkpoint;
use crate::source::Distance;
use crate::telemetry::Names;

/// What a sink was told to do, in bytes: an append of so many, or a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Append(usize),
    Commit,
}

/// And how many commits it says are under way.
#[derive(Default)]
struct Listing(Vec<Told>, usize);

impl Listing {
    fn commits(&self) -> usize {
        self.0.iter().filter(|told| **told == Told::Commit).count()
    }
}

impl Sink for Listing {
    fn recover(&mut self) -> Result<Option<Checkpoint>, SinkError> {
        Ok(None)
    }

    fn open(&mut self, _: &mut Checkpoint) -> Result<(), SinkError> {
        Ok(())
    }

    fn append(&mut self, records: Records) -> Result<Records, SinkError> {
        self.0.push(Told::Append(records.bytes.len()));
        Ok(Records::default())
    }

    fn commit(&mut self, _: &Checkpoint) -> Result<(), SinkError> {
        self.0.push(Told::Commit);
        Ok(())
    }

    fn progress(&mut self) -> Result<Progress, SinkError> {
        Ok(Progress {
            durable_lsn: Lsn::INVALID,
            commits_in_flight: self.1,
            settling: false,
        })
    }

    fn sweep(&mut self, _: &Sweep<'_>) -> Result<Option<Found>, SinkError> {
        Ok(None)
    }
}

const RECORD_BYTES: usize = 1_000;

/// Tells a transaction of `rows` records at every 0x100th of `lsns`, far from the end of the log.
fn tell(batch: &mut Batch, sink: &mut Listing, lsns: std::ops::Range<u64>, rows: usize) {
    let template = crate::sink::contract::records(&[("k", None)], 1).spans.remove(0);
    for at in lsns.step_by(0x100) {
        batch.begin(Transaction {
            commit_lsn: Lsn(at),
            commit_time: CommitTime(0),
            xid: 700,
        });
        for _ in 0..rows {
            batch.next_rank();
            let (records, _) = batch.paper();
            let start = records.bytes.len();
            records.bytes.resize(start + RECORD_BYTES, b'x');
            let mut span = template.clone();
            (span.key, span.time) = (start..start + RECORD_BYTES, start..start);
            span.partition = Partition::Number(0);
            records.spans.push(span);
            batch.hand_over_if_full(sink).unwrap();
        }
        batch.complete(Lsn(at + 0x10)).unwrap();
        batch.commit_if_due(sink, Distance::Behind).unwrap();
    }
}

fn begun() -> (Batch, Listing) {
    let status = Status::new(Names::default());
    let (mut batch, mut sink) = (Batch::new(checkpoint(0x100), status.tally()), Listing::default());
    // The first after a start hurries.
    tell(&mut batch, &mut sink, 0x200..0x300, 1);
    assert_eq!(sink.0, [Told::Append(RECORD_BYTES), Told::Commit]);
    sink.0.clear();
    (batch, sink)
}

#[test]
fn transactions_that_fill_a_buffer_share_a_commit() {
    let (mut batch, mut sink) = begun();
    tell(&mut batch, &mut sink, 0x1000..0x1000 + 100 * 0x100, 100);
    // Ten buffers' worth; a slow machine may find that it is due by its age.
    assert!(sink.0.len() >= 10, "{:?}", sink.0);
    assert!(sink.commits() <= 2, "{:?}", sink.0);
}

#[test]
fn a_giant_transaction_holds_up_nobody_and_is_handed_over_in_buffers() {
    let (mut batch, mut sink) = begun();
    tell(&mut batch, &mut sink, 0x1000..0x1300, 1);
    assert_eq!(sink.0, []);
    tell(&mut batch, &mut sink, 0x2000..0x2100, 5_000);
    let before = sink.0.iter().position(|told| *told == Told::Commit);
    assert_eq!(
        (before, sink.0.first()),
        (Some(1), Some(&Told::Append(3 * RECORD_BYTES)))
    );
    assert_eq!(sink.commits(), 1, "{:?}", sink.0);
    assert!(sink.0.len() >= 7, "{:?}", sink.0);
}

/// So many old rows, told in the buffer.
fn tell_old(batch: &mut Batch, rows: usize, coming: Coming) {
    let template = crate::sink::contract::records(&[("k", None)], 1).spans.remove(0);
    let (records, _) = batch.paper();
    for _ in 0..rows {
        let start = records.bytes.len();
        records.bytes.resize(start + RECORD_BYTES, b'x');
        let (key, time) = (start..start + RECORD_BYTES, start..start);
        records.spans.push(RecordSpan {
            key,
            time,
            partition: Partition::Number(0),
            ..template.clone()
        });
    }
    batch.complete_old(OldRows::default(), coming);
}

#[test]
fn old_rows_that_come_while_a_commit_is_under_way_are_handed_over_in_buffers() {
    let (mut batch, mut sink) = begun();
    sink.1 = 1;
    for _ in 0..5 {
        tell_old(&mut batch, 1_000, Coming::Nothing);
        batch.commit_if_idle(&mut sink, Lsn(0x300), Asked::No).unwrap();
    }
    assert!(sink.0.len() >= 4, "{:?}", sink.0);
    assert_eq!(sink.commits(), 0, "{:?}", sink.0);
    sink.1 = 0;
    batch.commit_if_idle(&mut sink, Lsn(0x300), Asked::No).unwrap();
    assert_eq!(sink.commits(), 1, "{:?}", sink.0);
}

#[test]
fn old_rows_count_once_they_are_stored() {
    let status = Status::new(Names::default());
    let (mut batch, mut sink) = begun();
    let counted = |batch: &mut Batch, sink: &mut Listing, in_flight: usize| {
        sink.1 = in_flight;
        batch.durable(sink, &status, Lsn::INVALID).unwrap();
        status.stored_commits()
    };
    assert_eq!(counted(&mut batch, &mut sink, 0), 1);
    // The position stays where it is.
    tell_old(&mut batch, 1, Coming::Nothing);
    batch.commit_if_idle(&mut sink, Lsn::INVALID, Asked::No).unwrap();
    assert_eq!(sink.commits(), 1);
    assert_eq!(counted(&mut batch, &mut sink, 1), 1, "it is not answered");
    assert_eq!(counted(&mut batch, &mut sink, 0), 2);
}

#[test]
fn old_rows_of_many_are_committed_together_unless_somebody_waits() {
    let idle = |batch: &mut Batch, sink: &mut Listing| batch.commit_if_idle(sink, Lsn(0x300), Asked::No).unwrap();
    let (mut batch, mut sink) = begun();
    for _ in 0..3 {
        tell_old(&mut batch, 10, Coming::More);
        idle(&mut batch, &mut sink);
    }
    assert_eq!(sink.commits(), 0, "{:?}", sink.0);
    tell_old(&mut batch, 10, Coming::Nothing);
    idle(&mut batch, &mut sink);
    assert_eq!(sink.commits(), 1, "{:?}", sink.0);
    assert_eq!(
        batch.position(),
        Lsn(0x300),
        "what concerned nobody is passed with them"
    );

    // Behind a change nothing makes it wait.
    tell(&mut batch, &mut sink, 0x1000..0x1100, 1);
    let before = sink.commits();
    tell_old(&mut batch, 10, Coming::More);
    idle(&mut batch, &mut sink);
    assert_eq!(sink.commits(), before + 1, "{:?}", sink.0);

    // Nor does a change behind it wait.
    tell_old(&mut batch, 10, Coming::More);
    tell(&mut batch, &mut sink, 0x2000..0x2100, 1);
    idle(&mut batch, &mut sink);
    assert_eq!(sink.commits(), before + 2, "{:?}", sink.0);

    tell_old(&mut batch, 10, Coming::More);
    idle(&mut batch, &mut sink);
    assert_eq!(sink.commits(), before + 2, "{:?}", sink.0);
    std::thread::sleep(Duration::from_millis(600));
    idle(&mut batch, &mut sink);
    assert_eq!(sink.commits(), before + 3, "{:?}", sink.0);
}
