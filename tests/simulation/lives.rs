//! Instances of a bridge, one after another, and the faults that end them.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use walbridge::backfill::ledger::NeverTold;
use walbridge::backfill::pace::Limits;
use walbridge::backfill::target::Target;
use walbridge::bridge::orders::{self, Requests};
use walbridge::bridge::{Accept, BridgeError, Markers, Old, Works, run};
use walbridge::encoding::{self, Encoder};
use walbridge::flow::declaration::Declarations;
use walbridge::flow::generation::OnGone;
use walbridge::mapping::plan::Mapping;
use walbridge::sink::SinkError;
use walbridge::sink::memory::{Delay, Fault, Memory, Shared};
use walbridge::source::SourceError;
use walbridge::source::scripted::{Log, Scripted};
use walbridge::telemetry::{Names, Status};

use crate::feeding::Feeding;
use crate::legacy::{Deed, Dice};
use crate::watched::{LOOK_FAILED, Met, Watched, count};

/// Faults to come, at random places.
pub(crate) fn plan_faults(dice: &mut Dice, log: &Arc<Mutex<Log>>, store: &Shared) {
    let mut log = log.lock().expect("a log");
    let mut store = store.lock().expect("a store");
    for _ in 0..dice.below(6) {
        log.disconnect_after(dice.index(300));
    }
    for _ in 0..dice.below(6) {
        let fault = [Fault::Append, Fault::CommitLost, Fault::CommitUnknown, Fault::Overrun];
        store.fail(dice.index(12), fault[dice.index(4)]);
    }
    // Fewer calls than a bridge that stops has time for.
    store.delay((0..dice.below(6)).map(|_| Delay {
        stored: dice.index(5),
        answered: dice.index(5),
    }));
}

/// How events are written.
pub(crate) fn written() -> encoding::Settings {
    encoding::Settings {
        source: "walbridge/sim".to_owned(),
        type_prefix: String::new(),
        dataschema_prefix: "urn:".to_owned(),
    }
}

/// Chunks of few rows, so that there are many.
pub(crate) fn old<'a>(targets: &'a [Target], requests: &'a Requests, readers: usize) -> Old<'a> {
    Old {
        targets,
        never_told: NeverTold::Tell,
        requests,
        on_gone: OnGone::Keep,
        markers: Markers::Left,
        may_select: &|_, _| Ok(()),
        limits: Limits {
            rows_per_chunk: 3,
            rows_per_second: 0,
            bytes_per_second: 0,
        },
        readers,
        settle: Duration::ZERO,
    }
}

/// Runs instance after instance until everything is told.
pub(crate) fn live(
    (mapping, targets): (&Mapping, &[Target]),
    world: (&Arc<Mutex<Log>>, &Shared, &Met),
    waiting: &mut VecDeque<Deed>,
    dice: &mut Dice,
) {
    let (log, store, met) = world;
    let status = Status::new(Names::default());
    for failed in 0..1_000 {
        let stop = AtomicBool::new(false);
        let readers = 1 + dice.index(3);
        let inner = Scripted::new(Arc::clone(log));
        let mut source = Feeding {
            inner,
            log: Arc::clone(log),
            store,
            waiting,
            dice,
            stop: &stop,
            idle: 0,
            settled: 0,
            chunks: VecDeque::new(),
            last_end: None,
        };
        let mut sink = Watched {
            inner: Memory::new(Arc::clone(store), format!("instance {failed}")),
            met,
        };
        let requests = orders::channel().1;
        let works = Works {
            mapping,
            old: old(targets, &requests, readers),
            encoder: &mut Encoder::new(&mapping.kinds, &written()),
            fingerprint: "sim",
            declared: &Declarations::new(),
            accept: Accept::No,
            stop: &stop,
            status: &status,
        };
        let ended = run(&mut source, &mut sink, works);
        let acknowledged = log.lock().expect("a log").confirmed_lsn();
        let stored = store
            .lock()
            .expect("a store")
            .checkpoints
            .last()
            .map(|(_, last)| last.commit_end_lsn);
        assert!(
            Some(acknowledged) <= stored,
            "acknowledged {acknowledged}, stored {stored:?}"
        );
        match ended {
            Ok(()) => return,
            Err(BridgeError::Sink(SinkError::Transient(why))) if why == LOOK_FAILED => {
                panic!("a look for keys that are gone ends the stream")
            }
            Err(BridgeError::Source(SourceError::Transient(_)))
            | Err(BridgeError::Sink(SinkError::Transient(_) | SinkError::Overrun(_))) => count(&met.faults),
            Err(error) => panic!("cannot go on: {error}"),
        }
    }
    panic!("does not come to an end");
}
