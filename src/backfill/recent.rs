//! What the stream told lately: the rows that each transaction touched, until every later snapshot sees it.

use std::collections::{BTreeSet, VecDeque};

use crate::backfill::snapshot::Snapshot;

/// A transaction that was told has ended for snapshots too once so many others were told after it. Until then it may be
/// durable and still in progress. Only one that waits for a synchronous standby stays so for longer: whoever takes a
/// snapshot looks for those itself (`pg_stat_activity.wait_event = 'SyncRep'`).
pub const SETTLED_AFTER: u64 = 65_536;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transactions.
    pub transactions: usize,
    /// Rows of all transactions.
    pub rows: usize,
}

/// A memory of the stream. `R` names a row: table, and the columns that the stream's old key carries.
#[derive(Debug)]
pub struct Recent<R> {
    limits: Limits,
    transactions: VecDeque<Told<R>>,
    rows: usize,
    told: u64,
    /// One more than the number of the newest transaction that was forgotten although a snapshot may miss it.
    lost: u64,
    /// Chunks that are asked for, in their order: what the snapshot of each sees at least. None: nobody knows.
    chunks: VecDeque<Option<Snapshot>>,
    /// So many of them, the first ones, are read.
    read: usize,
    /// The latest snapshot that is there: whichever is asked for from now on sees what it sees.
    taken: Option<Snapshot>,
}

#[derive(Debug)]
struct Told<R> {
    number: u64,
    /// As the stream tells it.
    xid: u32,
    touched: Touched<R>,
}

/// The rows that a transaction touched.
#[derive(Debug)]
enum Touched<R> {
    /// These.
    Rows(BTreeSet<R>),
    /// Any: they were too many, or one has no name.
    Any,
}

/// Whether it is remembered which rows a transaction touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembers {
    /// A snapshot may miss it.
    Yes,
    /// Every snapshot sees it.
    No,
}

/// It is not known what a transaction did that the snapshot misses: a later snapshot has to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transactions that the snapshot does not see may have changed any row")]
pub struct Unclear;

impl<R: Ord> Recent<R> {
    /// Nothing was told yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            transactions: VecDeque::new(),
            rows: 0,
            told: 0,
            lost: 0,
            chunks: VecDeque::new(),
            read: 0,
            taken: None,
        }
    }

    /// How many transactions were told.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// A chunk is asked for, behind those that are asked for already. Gives [`Recent::told`], which belongs to it.
    ///
    /// Snapshots are taken beside each other and may come in any order. What one that is there by now sees, every one sees
    /// that is asked for later; of those that were asked for before it came, nobody can say.
    pub fn ask(&mut self) -> u64 {
        self.chunks.push_back(self.taken.clone());
        self.told
    }

    /// The first chunk that is asked for and not read yet is there, read in this snapshot.
    pub fn read(&mut self, snapshot: &Snapshot) {
        if let Some(chunk) = self.chunks.get_mut(self.read) {
            *chunk = Some(snapshot.clone());
            self.read = self.read.saturating_add(1);
        }
        // Which of two was taken later shows by what was not yet given out then.
        let is_later = |taken: &Snapshot| snapshot.next() > taken.next();
        if self.taken.as_ref().is_none_or(is_later) {
            self.taken = Some(snapshot.clone());
        }
        self.forget();
    }

    /// The first chunk joined: nothing is asked of its snapshot any more.
    pub fn joined(&mut self) {
        if self.chunks.pop_front().is_some() {
            self.read = self.read.saturating_sub(1);
        }
        self.forget();
    }

    /// Whatever was asked for is given up.
    pub fn give_up(&mut self) {
        (self.chunks, self.read) = (VecDeque::new(), 0);
    }

    /// Old rows are told again, of which nobody told any for a while: nothing was remembered meanwhile, and of a snapshot
    /// taken long ago nobody can say which ids are later.
    pub fn wake(&mut self) {
        self.give_up();
        (self.transactions, self.rows, self.taken) = (VecDeque::new(), 0, None);
    }

    /// Whether every snapshot that will be asked about sees the transaction: those of all chunks, and all later ones.
    fn is_settled(taken: Option<&Snapshot>, chunks: &VecDeque<Option<Snapshot>>, xid: u32) -> bool {
        let sees = |snapshot: &Snapshot| snapshot.sees(xid);
        taken.is_some_and(sees) && chunks.iter().all(|chunk| chunk.as_ref().is_some_and(sees))
    }

    fn forget(&mut self) {
        let (taken, chunks) = (self.taken.as_ref(), &self.chunks);
        self.transactions
            .retain(|told| !Self::is_settled(taken, chunks, told.xid));
        self.rows = self.transactions.iter().map(|told| told.touched.len()).sum();
    }

    /// A transaction is told from here on; says whether it has to be remembered which rows it touches.
    pub fn begin(&mut self, xid: u32) -> Remembers {
        if Self::is_settled(self.taken.as_ref(), &self.chunks, xid) {
            self.pass();
            return Remembers::No;
        }
        self.transactions.push_back(Told {
            number: self.told,
            xid,
            touched: Touched::Rows(BTreeSet::new()),
        });
        self.told = self.told.saturating_add(1);
        while self.transactions.len() > self.limits.transactions {
            if let Some(oldest) = self.transactions.pop_front() {
                self.lost = self.lost.max(oldest.number.saturating_add(1));
                self.rows = self.rows.saturating_sub(oldest.touched.len());
            }
        }
        Remembers::Yes
    }

    /// A transaction is told that every snapshot to come sees: there is nothing to remember of it.
    pub fn pass(&mut self) {
        self.told = self.told.saturating_add(1);
    }

    /// It tells something of this row: by its old name, its new one, or one call for each. A change that tells nothing is
    /// none here: what a snapshot without it sees is told as if it were there.
    pub fn touch(&mut self, row: R) {
        let Some(last) = self.transactions.back_mut() else {
            return;
        };
        let Touched::Rows(rows) = &mut last.touched else { return };
        if rows.insert(row) {
            self.rows = self.rows.saturating_add(1);
        }
        if self.rows > self.limits.rows {
            self.touch_any();
        }
    }

    /// It touches a row that cannot be named.
    pub fn touch_any(&mut self) {
        if let Some(last) = self.transactions.back_mut() {
            self.rows = self.rows.saturating_sub(last.touched.len());
            last.touched = Touched::Any;
        }
    }

    /// The rows touched by transactions that were told and that the snapshot does not see. `told_before` is what
    /// [`Recent::ask`] said for it, `begun` is [`Recent::told`] of when the generation began.
    ///
    /// # Errors
    /// [`Unclear`] where one of them may have touched any row, or was told before the generation began.
    pub fn missed_by(&self, snapshot: &Snapshot, told_before: u64, begun: u64) -> Result<BTreeSet<&R>, Unclear> {
        if self.lost > told_before.saturating_sub(SETTLED_AFTER) {
            return Err(Unclear);
        }
        let mut missed = BTreeSet::new();
        for told in self.transactions.iter().filter(|told| !snapshot.sees(told.xid)) {
            match &told.touched {
                Touched::Rows(rows) if rows.is_empty() || told.number >= begun => missed.extend(rows),
                Touched::Rows(_) | Touched::Any => return Err(Unclear),
            }
        }
        Ok(missed)
    }
}

impl<R> Touched<R> {
    fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Any => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing_ended() -> Snapshot {
        "1:1:".parse().unwrap()
    }

    #[test]
    fn what_was_forgotten_unseen_is_unclear_until_it_has_surely_ended() {
        let mut recent = Recent::new(Limits {
            transactions: 2,
            rows: 10,
        });
        for xid in 5..7 {
            recent.begin(xid);
            recent.touch("row");
        }
        assert_eq!(recent.missed_by(&nothing_ended(), 2, 0), Ok(BTreeSet::from([&"row"])));
        recent.begin(7);
        assert_eq!(recent.told(), 3);
        assert_eq!(recent.missed_by(&nothing_ended(), 3, 0), Err(Unclear));
        assert_eq!(recent.missed_by(&nothing_ended(), SETTLED_AFTER, 0), Err(Unclear));
        assert!(recent.missed_by(&nothing_ended(), SETTLED_AFTER + 1, 0).is_ok());
    }

    #[test]
    fn what_was_told_before_a_generation_began_is_none_of_it() {
        let mut recent = Recent::new(Limits {
            transactions: 9,
            rows: 9,
        });
        recent.begin(5);
        recent.touch("row");
        recent.begin(6);
        let begun = recent.told();
        // Whose row was left out would be told by nobody since: it has to be read again.
        assert_eq!(recent.missed_by(&nothing_ended(), 2, begun), Err(Unclear));
        recent.ask();
        recent.read(&"6:6:".parse().unwrap());
        assert_eq!(recent.missed_by(&nothing_ended(), 2, begun), Ok(BTreeSet::new()));
        recent.begin(7);
        recent.touch("row");
        assert_eq!(
            recent.missed_by(&nothing_ended(), 3, begun),
            Ok(BTreeSet::from([&"row"]))
        );
    }

    #[test]
    fn too_many_rows_may_be_any_until_a_snapshot_sees_them() {
        let mut recent = Recent::new(Limits {
            transactions: 9,
            rows: 2,
        });
        recent.begin(5);
        (0..3).for_each(|row| recent.touch(row));
        recent.begin(6);
        recent.touch(1);
        assert_eq!(recent.missed_by(&nothing_ended(), 2, 0), Err(Unclear));
        recent.ask();
        recent.read(&"6:6:".parse().unwrap());
        assert_eq!(recent.missed_by(&nothing_ended(), 2, 0), Ok(BTreeSet::from([&1])));
    }

    /// Which of the transactions 5 to 8, all told and each touching its own row, are remembered.
    fn remembered(recent: &Recent<u32>) -> Vec<u32> {
        let missed = recent.missed_by(&nothing_ended(), 0, 0).unwrap();
        missed.into_iter().copied().collect()
    }

    #[test]
    fn a_transaction_is_remembered_until_no_chunk_can_miss_it() {
        let snapshot = |text: &str| text.parse::<Snapshot>().unwrap();
        let mut recent = Recent::new(Limits {
            transactions: 9,
            rows: 9,
        });
        recent.ask();
        recent.ask();
        for xid in 5..9 {
            assert_eq!(recent.begin(xid), Remembers::Yes);
            recent.touch(xid);
        }
        recent.read(&snapshot("9:9:"));
        assert_eq!(
            remembered(&recent),
            [5, 6, 7, 8],
            "the second may have been read before the first"
        );
        recent.ask();
        recent.read(&snapshot("6:7:6"));
        assert_eq!(
            remembered(&recent),
            [6, 7, 8],
            "the second misses them, the third is asked for behind the first"
        );
        assert_eq!(recent.begin(5), Remembers::No);
        assert_eq!(recent.begin(9), Remembers::Yes);
        recent.joined();
        assert_eq!(remembered(&recent), [6, 7, 8], "the second is still to join");
        recent.joined();
        assert_eq!(
            remembered(&recent),
            Vec::<u32>::new(),
            "the third was asked for when a snapshot was there that sees all"
        );
        assert_eq!(recent.begin(8), Remembers::No);
        recent.give_up();
        assert_eq!(recent.begin(10), Remembers::Yes);
    }
}
