//! A model of a server: transactions that commit into a log first and become visible later, in another order, and of
//! readers that take their snapshots side by side.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use crate::backfill::recent::{Limits, Recent, Remembers};
use crate::backfill::snapshot::Snapshot;
use crate::backfill::{Chunk, Joining};
use crate::flow::position::Lsn;

type Rows = BTreeMap<u8, u32>;

/// Rows of the table: names 0 to 11, read in chunks of three.
const NAMES: u8 = 12;
const CHUNK: u8 = 3;
/// So many chunks are read side by side, while another waits to join.
const READERS: usize = 2;

/// A transaction's id as the stream tells it.
fn told_as(xid: u64) -> u32 {
    u32::try_from(xid & u64::from(u32::MAX)).unwrap()
}

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// A transaction gets its id, and writes: a value, or none for DELETE.
    Begin(Vec<(u8, Option<u32>)>),
    /// One of those that run writes its commit into the log.
    Commit(usize),
    /// One of those that committed becomes visible.
    Show(usize),
    /// The stream tells the next transaction of the log.
    Tell,
    /// The next chunk is asked for.
    Ask,
    /// One of those that are asked for is read: not always the first.
    Read(usize),
    /// The first one, where it is read, is given to the stream.
    Give,
    /// It tries to join.
    Join,
}

#[derive(Clone, Debug)]
struct Transaction {
    xid: u64,
    writes: Vec<(u8, Option<u32>)>,
}

/// A chunk that was asked for.
#[derive(Debug)]
struct Asked {
    first: u8,
    told_before: u64,
    read: Option<Chunk<u8, u32>>,
}

/// The server, the stream, and the copy that grows from it.
#[derive(Debug)]
struct Model {
    next: u64,
    running: Vec<Transaction>,
    /// In the order of the log; the place of a commit is its number.
    log: Vec<Transaction>,
    /// Committed and still in progress for snapshots.
    hidden: Vec<Transaction>,
    /// The table as snapshots see it.
    visible: Rows,
    told: usize,
    recent: Recent<u8>,
    copy: Rows,
    /// The table after the transactions told so far.
    truth: Rows,
    /// Rows below this name were backfilled.
    done: u8,
    asked: VecDeque<Asked>,
    /// The first chunk, once it was given.
    chunk: Option<Chunk<u8, u32>>,
    again: u32,
}

/// The end of so many transactions in the log.
fn place(transactions: usize) -> Lsn {
    Lsn(u64::try_from(transactions).unwrap())
}

fn apply(rows: &mut Rows, writes: &[(u8, Option<u32>)]) {
    for (name, value) in writes {
        match value {
            Some(value) => rows.insert(*name, *value),
            None => rows.remove(name),
        };
    }
}

impl Model {
    fn new(before: Rows, limits: Limits) -> Self {
        Self {
            // Ids wrap round on the way.
            next: u64::from(u32::MAX) - 20,
            running: Vec::new(),
            log: Vec::new(),
            hidden: Vec::new(),
            visible: before.clone(),
            told: 0,
            recent: Recent::new(limits),
            copy: Rows::new(),
            truth: before,
            done: 0,
            asked: VecDeque::new(),
            chunk: None,
            again: 0,
        }
    }

    /// Row locks: a row is written by one transaction at a time, until it is visible.
    fn begin(&mut self, mut writes: Vec<(u8, Option<u32>)>) {
        let locked = |name: u8| {
            let others = self.running.iter().chain(&self.hidden);
            others.flat_map(|other| &other.writes).any(|(row, _)| *row == name)
        };
        writes.retain(|(name, _)| !locked(*name));
        let xid = self.next;
        self.next += 1;
        self.running.push(Transaction { xid, writes });
    }

    fn commit(&mut self, which: usize) {
        if !self.running.is_empty() {
            let transaction = self.running.remove(which % self.running.len());
            self.log.push(transaction.clone());
            self.hidden.push(transaction);
        }
    }

    fn show(&mut self, which: usize) {
        if !self.hidden.is_empty() {
            let transaction = self.hidden.remove(which % self.hidden.len());
            apply(&mut self.visible, &transaction.writes);
        }
    }

    fn tell(&mut self) {
        let Some(transaction) = self.log.get(self.told).cloned() else {
            return;
        };
        self.told += 1;
        if self.recent.begin(told_as(transaction.xid)) == Remembers::Yes {
            for (name, _) in &transaction.writes {
                self.recent.touch(*name);
            }
        }
        apply(&mut self.truth, &transaction.writes);
        apply(&mut self.copy, &transaction.writes);
    }

    fn snapshot(&self) -> Snapshot {
        let mut open: Vec<u64> = self.running.iter().chain(&self.hidden).map(|one| one.xid).collect();
        open.sort_unstable();
        let xmin = open.first().copied().unwrap_or(self.next);
        let list: Vec<String> = open.iter().map(u64::to_string).collect();
        format!("{xmin}:{}:{}", self.next, list.join(",")).parse().unwrap()
    }

    fn ask(&mut self) {
        let held = self.asked.len() + usize::from(self.chunk.is_some());
        let first = self.done + CHUNK * u8::try_from(held).unwrap();
        if held <= READERS && first < NAMES {
            self.asked.push_back(Asked {
                first,
                told_before: self.recent.ask(),
                read: None,
            });
        }
    }

    fn read(&mut self, which: usize) {
        let open = self.asked.iter().enumerate().filter(|(_, asked)| asked.read.is_none());
        let open: Vec<usize> = open.map(|(at, _)| at).collect();
        if open.is_empty() {
            return;
        }
        let (snapshot, horizon) = (self.snapshot(), place(self.log.len()));
        let asked = &mut self.asked[open[which % open.len()]];
        let rows = self.visible.range(asked.first..asked.first + CHUNK);
        asked.read = Some(Chunk {
            told_before: asked.told_before,
            snapshot,
            horizon,
            rows: rows.map(|(name, value)| (*name, *value)).collect(),
        });
    }

    fn give(&mut self) {
        if self.chunk.is_none() && self.asked.front().is_some_and(|first| first.read.is_some()) {
            self.chunk = self.asked.pop_front().and_then(|first| first.read);
            if let Some(chunk) = &self.chunk {
                self.recent.read(&chunk.snapshot);
            }
        }
    }

    fn join(&mut self) {
        let Some(chunk) = self.chunk.take() else { return };
        match chunk.join(place(self.told), &self.recent, 0) {
            Joining::Waits(chunk) => self.chunk = Some(chunk),
            Joining::Again => {
                self.again += 1;
                self.asked.clear();
                self.recent.give_up();
            }
            Joining::Here(rows) => {
                self.recent.joined();
                self.copy.extend(rows);
                self.done += CHUNK;
            }
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Begin(writes) => self.begin(writes),
            Event::Commit(which) => self.commit(which),
            Event::Show(which) => self.show(which),
            Event::Tell => self.tell(),
            Event::Ask => self.ask(),
            Event::Read(which) => self.read(which),
            Event::Give => self.give(),
            Event::Join => self.join(),
        }
    }

    /// No row of the copy is older or newer than the stream, and none that was backfilled is missing.
    fn check(&self) -> Result<(), TestCaseError> {
        for (name, value) in &self.copy {
            prop_assert_eq!(self.truth.get(name), Some(value), "row {} of the copy", name);
        }
        for (name, value) in self.truth.range(..self.done) {
            prop_assert_eq!(self.copy.get(name), Some(value), "row {} was backfilled", name);
        }
        Ok(())
    }
}

fn writes() -> impl Strategy<Value = Vec<(u8, Option<u32>)>> {
    prop::collection::vec((0..NAMES, prop::option::weighted(0.7, any::<u32>())), 1..5)
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => writes().prop_map(Event::Begin),
        3 => any::<usize>().prop_map(Event::Commit),
        2 => any::<usize>().prop_map(Event::Show),
        3 => Just(Event::Tell),
        2 => Just(Event::Ask),
        2 => any::<usize>().prop_map(Event::Read),
        1 => Just(Event::Give),
        1 => Just(Event::Join),
    ]
}

fn before() -> impl Strategy<Value = Rows> {
    prop::collection::btree_map(0..NAMES, any::<u32>(), 0..usize::from(NAMES))
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        cases: asked.cases.max(3_000),
        failure_persistence: None,
        ..asked
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_copy_equals_the_table_at_every_commit(before in before(), events in prop::collection::vec(event(), 0..80)) {
        let mut model = Model::new(before, Limits { transactions: 1_000, rows: 10 });
        for event in events {
            model.step(event);
            model.check()?;
        }
        while model.done < NAMES {
            for event in [Event::Ask, Event::Read(0), Event::Give, Event::Tell, Event::Join] {
                model.step(event);
                model.check()?;
            }
            for event in [Event::Commit(0), Event::Show(0)] {
                model.step(event);
            }
        }
        prop_assert_eq!(&model.copy, &model.truth);
    }
}
