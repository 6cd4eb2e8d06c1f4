//! What the stream told lately: the rows that each transaction touched, until every later snapshot sees it.

use std::collections::{BTreeSet, VecDeque};

use crate::backfill::snapshot::{Snapshot, Xid};

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
}

#[derive(Debug)]
struct Told<R> {
    number: u64,
    xid: Xid,
    touched: Touched<R>,
}

/// The rows that a transaction touched.
#[derive(Debug)]
enum Touched<R> {
    /// These.
    Rows(BTreeSet<R>),
    /// Any: they were too many, nobody looked, or the table changed as a whole.
    Any,
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
        }
    }

    /// How many transactions were told: whoever asks for a snapshot keeps this number from before.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// A transaction is told from here on.
    pub fn begin(&mut self, xid: Xid) {
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

    /// It touches rows that are not named: TRUNCATE, a new shape of a table, or nobody is interested for now.
    pub fn touch_any(&mut self) {
        if let Some(last) = self.transactions.back_mut() {
            self.rows = self.rows.saturating_sub(last.touched.len());
            last.touched = Touched::Any;
        }
    }

    /// Forgets what this snapshot sees, as every later one does.
    pub fn forget(&mut self, seen_by: &Snapshot) {
        self.transactions.retain(|told| !seen_by.sees(told.xid));
        self.rows = self.transactions.iter().map(|told| told.touched.len()).sum();
    }

    /// The rows touched by transactions that were told and that the snapshot does not see. `told_before` is
    /// [`Recent::told`] from before the snapshot was taken.
    ///
    /// # Errors
    /// [`Unclear`] where one of them may have touched any row.
    pub fn missed_by(&self, snapshot: &Snapshot, told_before: u64) -> Result<BTreeSet<&R>, Unclear> {
        if self.lost > told_before.saturating_sub(SETTLED_AFTER) {
            return Err(Unclear);
        }
        let mut missed = BTreeSet::new();
        for told in self.transactions.iter().filter(|told| !snapshot.sees(told.xid)) {
            match &told.touched {
                Touched::Rows(rows) => missed.extend(rows),
                Touched::Any => return Err(Unclear),
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
            recent.begin(Xid(xid));
            recent.touch("row");
        }
        assert_eq!(recent.missed_by(&nothing_ended(), 2), Ok(BTreeSet::from([&"row"])));
        recent.begin(Xid(7));
        assert_eq!(recent.told(), 3);
        assert_eq!(recent.missed_by(&nothing_ended(), 3), Err(Unclear));
        assert_eq!(recent.missed_by(&nothing_ended(), SETTLED_AFTER), Err(Unclear));
        assert!(recent.missed_by(&nothing_ended(), SETTLED_AFTER + 1).is_ok());
    }

    #[test]
    fn too_many_rows_may_be_any_until_a_snapshot_sees_them() {
        let mut recent = Recent::new(Limits {
            transactions: 9,
            rows: 2,
        });
        recent.begin(Xid(5));
        (0..3).for_each(|row| recent.touch(row));
        recent.begin(Xid(6));
        recent.touch(1);
        assert_eq!(recent.missed_by(&nothing_ended(), 2), Err(Unclear));
        recent.forget(&"6:6:".parse().unwrap());
        assert_eq!(recent.missed_by(&nothing_ended(), 2), Ok(BTreeSet::from([&1])));
    }
}
