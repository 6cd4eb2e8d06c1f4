//! What operators see of old rows: what is stored of them, and never more.

use crate::backfill::target::Target;
use crate::bridge::BridgeError;
use crate::bridge::batch::Batch;
use crate::bridge::old::Turns;
use crate::flow::generation::{Generation, Pace, Standing};
use crate::sink::Sink;
use crate::telemetry::{Account, Share, Telling};

/// What is to be shown, and waits until it is stored.
#[derive(Debug, Default)]
pub(super) struct Showing {
    is_stale: bool,
    /// Entities whose old rows are all told, and how many those are.
    finished: Vec<(String, u64)>,
    after_commit: Option<AfterCommit>,
}

/// What is shown when a commit is stored.
#[derive(Debug)]
struct AfterCommit {
    mark: u64,
    accounts: Vec<Account>,
    finished: Vec<(String, u64)>,
}

impl Turns<'_> {
    /// What is shown is no longer how it is.
    pub(super) fn changed(&mut self) {
        self.showing.is_stale = true;
    }

    /// An entity's old rows are all told.
    pub(super) fn finished(&mut self, entity: &str) {
        let rows = self.ledger.generation(entity).map_or(0, |one| one.rows);
        self.showing.finished.push((entity.to_owned(), rows));
    }

    /// Shows how it is at the start, which is what was stored.
    pub(super) fn show_stored(&self) {
        self.status.old_rows(self.accounts());
    }

    /// Shows what is stored by now.
    pub(super) fn show<K: Sink>(&mut self, batch: &Batch, sink: &mut K) -> Result<(), BridgeError> {
        loop {
            if let Some(shown) = self.showing.after_commit.take() {
                if !batch.is_stored(shown.mark, sink)? {
                    self.showing.after_commit = Some(shown);
                    return Ok(());
                }
                self.status.old_rows(shown.accounts);
                for (entity, rows) in shown.finished {
                    tracing::info!(entity, rows, "all old rows are told");
                }
            }
            // What changed since then may be stored with it.
            if !self.showing.is_stale {
                return Ok(());
            }
            self.showing.is_stale = false;
            self.showing.after_commit = Some(AfterCommit {
                mark: batch.mark(),
                accounts: self.accounts(),
                finished: std::mem::take(&mut self.showing.finished),
            });
        }
    }

    fn accounts(&self) -> Vec<Account> {
        let targets = self.old.targets.iter();
        targets
            .map(|target| account(target, self.ledger.generation(&target.entity)))
            .collect()
    }
}

fn account(target: &Target, known: Option<&Generation>) -> Account {
    Account {
        entity: target.entity.clone(),
        generation: known.map_or(0, |known| known.number),
        telling: known.map_or(Telling::NeverTold, telling),
        rows: known.map_or(0, |known| known.rows),
        rows_estimate: target.rows_estimate,
        share: if known.is_some_and(Generation::is_of_some) {
            Share::Some
        } else {
            Share::All
        },
    }
}

fn telling(known: &Generation) -> Telling {
    match (&known.standing, known.pace) {
        (Standing::After(_) | Standing::Sweeping, Pace::Paused) => Telling::Paused,
        (Standing::After(_), Pace::Going) => Telling::Telling,
        (Standing::Sweeping, Pace::Going) => Telling::Reconciling,
        (Standing::Complete, _) => Telling::Complete,
        (Standing::Cancelled, _) => Telling::Cancelled,
    }
}
