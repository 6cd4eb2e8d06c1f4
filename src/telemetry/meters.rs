//! Every metric, named once.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use crate::telemetry::spread::Spread;
use crate::telemetry::tally::{Counts, Operation};
use crate::telemetry::{KindNames, Names, Report, State};

type Labels = Vec<(&'static str, String)>;
type Whole = Gauge<u64, AtomicU64>;

const COMMIT_SECONDS: [f64; 16] = [
    0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
];
const BATCH_RECORDS: [f64; 13] = [
    1.0,
    10.0,
    100.0,
    1_000.0,
    2_000.0,
    5_000.0,
    10_000.0,
    20_000.0,
    50_000.0,
    100_000.0,
    200_000.0,
    500_000.0,
    1_000_000.0,
];

/// The metrics of a bridge.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    shown: Vec<String>,
    gauges: Gauges,
    counted: Counted,
    commit: Spread,
    batch: Spread,
    restarts: Family<Labels, Counter>,
}

/// What stands at one value, set when somebody looks.
#[derive(Debug)]
struct Gauges {
    state: Family<Labels, Whole>,
    lag_bytes: Whole,
    lag_seconds: Gauge<f64, AtomicU64>,
    /// Families without labels: absent until the server has told.
    retained: Family<Labels, Whole>,
    safe: Family<Labels, Whole>,
    /// Of entities whose old rows are being told.
    remaining: Family<Labels, Whole>,
    position: Whole,
}

impl Gauges {
    fn put_up(board: &mut Board) -> Self {
        let oldest = "Age of the oldest source commit that is not durable in Kafka, or how long nothing was carried";
        let unsafe_after = "Log that may still be written before the slot is lost; absent where nothing limits it";
        Self {
            state: board.add(
                "state",
                "",
                "1 for what the bridge is doing, 0 for all else",
                Family::default(),
            ),
            lag_bytes: board.add(
                "lag_bytes",
                "",
                "Log that is not durable in Kafka yet",
                Whole::default(),
            ),
            lag_seconds: board.add("lag_seconds", "", oldest, Gauge::default()),
            retained: board.add(
                "slot_retained_bytes",
                "",
                "Log that the server keeps for us",
                Family::default(),
            ),
            safe: board.add("slot_safe_bytes", "", unsafe_after, Family::default()),
            remaining: board.add(
                "backfill_remaining_rows",
                "",
                "Rows still to be read, as the server estimates; absent where none are",
                Family::default(),
            ),
            position: board.add(
                "position_lsn",
                "",
                "All up to here is durable in Kafka",
                Whole::default(),
            ),
        }
    }
}

/// What only grows, by the numbers of [`Names`].
#[derive(Debug)]
struct Counted {
    transactions: Counter,
    changes: Vec<[Counter; 3]>,
    suppressed: Vec<Counter>,
    old_rows: Vec<Counter>,
    kinds: Vec<Counter>,
    topics: Vec<Counter>,
}

impl Counted {
    fn put_up(board: &mut Board, names: &Names) -> Self {
        let quiet = "Row changes that told nothing, since no published field differed";
        let changes = board.add("changes", "_total", "Row changes published", Family::default());
        let suppressed = board.add("suppressed", "_total", quiet, Family::default());
        let read = "Old rows read, whether or not they are the entity";
        let old_rows = board.add("backfill_rows", "_total", read, Family::default());
        let events = board.add(
            "events",
            "_total",
            "Records published, by what they tell",
            Family::default(),
        );
        let records = board.add("records", "_total", "Records published, by topic", Family::default());
        let quiet = |entity: &String| series(&suppressed, vec![("entity", entity.clone())]);
        let old = |entity: &String| series(&old_rows, vec![("entity", entity.clone())]);
        let event = |kind: &KindNames| {
            let labels = vec![("entity", kind.entity.clone()), ("event", kind.event.clone())];
            series(&events, labels)
        };
        let topic = |topic: &String| series(&records, vec![("topic", topic.clone())]);
        Self {
            transactions: board.add(
                "transactions",
                "_total",
                "Source transactions published",
                Counter::default(),
            ),
            changes: names.entities.iter().map(|name| by_operation(&changes, name)).collect(),
            suppressed: names.entities.iter().map(quiet).collect(),
            old_rows: names.entities.iter().map(old).collect(),
            kinds: names.kinds.iter().map(event).collect(),
            topics: names.topics.iter().map(topic).collect(),
        }
    }

    fn add(&self, counts: &Counts, names: &Names) {
        self.transactions.inc_by(counts.transactions);
        for (counters, numbers) in self.changes.iter().zip(&counts.changes) {
            for (counter, number) in counters.iter().zip(numbers) {
                counter.inc_by(*number);
            }
        }
        for (counter, number) in self.old_rows.iter().zip(&counts.old_rows) {
            counter.inc_by(*number);
        }
        for (counter, number) in self.suppressed.iter().zip(&counts.suppressed) {
            counter.inc_by(*number);
        }
        for ((counter, kind), number) in self.kinds.iter().zip(&names.kinds).zip(&counts.kinds) {
            counter.inc_by(*number);
            if let Some(topic) = self.topics.get(kind.topic) {
                topic.inc_by(*number);
            }
        }
    }
}

impl Meters {
    /// All at zero; what is counted by name shows from the start.
    pub fn new(names: &Names) -> Self {
        let mut board = Board::default();
        let up = vec![("name", names.bridge.clone()), ("version", names.version.clone())];
        board.show("up", "_info", "The bridge and its version", Info::new(up));
        let gauges = Gauges::put_up(&mut board);
        let counted = Counted::put_up(&mut board, names);
        let commit = board.add(
            "commit_seconds",
            "",
            "Source commit to Kafka commit",
            Spread::new(&COMMIT_SECONDS),
        );
        let batch = board.add(
            "batch_records",
            "",
            "Records of a Kafka transaction",
            Spread::new(&BATCH_RECORDS),
        );
        let restarts = board.add(
            "restarts",
            "_total",
            "Fresh beginnings after a transient fault",
            Family::default(),
        );
        Self {
            registry: board.registry,
            shown: board.shown,
            gauges,
            counted,
            commit,
            batch,
            restarts,
        }
    }

    /// Names of all metrics, as they are written for Prometheus.
    pub fn names(&self) -> &[String] {
        &self.shown
    }

    pub(super) fn restarted(&self, reason: &str) {
        self.restarts.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    }

    /// Adds what one Kafka commit made durable, at this moment.
    pub(super) fn add(&self, counts: &Counts, names: &Names, now_unix_micros: i64) {
        self.counted.add(counts, names);
        for moment in &counts.moments {
            let age = now_unix_micros.saturating_sub(moment.unix_micros);
            self.commit.observe(u64::try_from(age).unwrap_or(0), moment.commits);
        }
        let records = counts.records();
        if records > 0 {
            self.batch.observe(records.saturating_mul(1_000_000), 1);
        }
    }

    pub(super) fn changes(&self, entity: usize) -> [u64; 3] {
        self.counted
            .changes
            .get(entity)
            .map_or([0; 3], |counters| counters.each_ref().map(Counter::get))
    }

    pub(super) fn suppressed(&self, entity: usize) -> u64 {
        self.counted.suppressed.get(entity).map_or(0, Counter::get)
    }

    pub(super) fn old_rows(&self, entity: usize) -> u64 {
        self.counted.old_rows.get(entity).map_or(0, Counter::get)
    }

    pub(super) fn events(&self, kind: usize) -> u64 {
        self.counted.kinds.get(kind).map_or(0, Counter::get)
    }

    pub(super) fn transactions(&self) -> u64 {
        self.counted.transactions.get()
    }

    /// The text that Prometheus reads, with the gauges as the report says.
    pub(super) fn text(&self, report: &Report) -> String {
        let gauges = &self.gauges;
        for state in State::ALL {
            let shown = u64::from(report.state == state);
            gauges
                .state
                .get_or_create(&vec![("state", state.word().to_owned())])
                .set(shown);
        }
        gauges.lag_bytes.set(report.lag_bytes);
        gauges.lag_seconds.set(report.lag_seconds);
        gauges.position.set(report.position.durable);
        let none = Labels::new();
        if let Some(slot) = report.slot {
            gauges.retained.get_or_create(&none).set(slot.retained_bytes);
            match slot.safe_bytes {
                Some(bytes) => {
                    gauges.safe.get_or_create(&none).set(bytes);
                }
                None => gauges.safe.clear(),
            }
        }
        gauges.remaining.clear();
        for count in &report.entities {
            if let Some(rows) = count.remaining_rows {
                let labels = vec![("entity", count.entity.clone())];
                gauges.remaining.get_or_create(&labels).set(rows);
            }
        }
        let mut page = String::new();
        // Writing into a string does not fail; a number too large for the format would leave the page unfinished, and
        // Prometheus refuses a page without its end.
        if text::encode(&mut page, &self.registry).is_err() {
            page.clear();
        }
        page
    }
}

/// The metrics while they are put up.
#[derive(Default)]
struct Board {
    registry: Registry,
    shown: Vec<String>,
}

impl Board {
    /// Puts one up; `suffix` is what the format itself adds to its name.
    fn add<M: Metric + Clone>(&mut self, name: &str, suffix: &str, help: &str, metric: M) -> M {
        self.show(name, suffix, help, metric.clone());
        metric
    }

    fn show(&mut self, name: &str, suffix: &str, help: &str, metric: impl Metric) {
        self.shown.push(format!("walbridge_{name}{suffix}"));
        self.registry.register(format!("walbridge_{name}"), help, metric);
    }
}

fn series(family: &Family<Labels, Counter>, labels: Labels) -> Counter {
    family.get_or_create(&labels).clone()
}

fn by_operation(family: &Family<Labels, Counter>, entity: &str) -> [Counter; 3] {
    let labels = |operation: Operation| {
        vec![
            ("entity", entity.to_owned()),
            ("operation", operation.word().to_owned()),
        ]
    };
    Operation::ALL.map(|operation| series(family, labels(operation)))
}
