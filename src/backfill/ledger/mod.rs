//! How far each entity's old rows are told, whose turn is next, and what operators may ask.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::backfill::order::{Accepted, Action, Order};
use crate::backfill::target::Target;
use crate::finding::{Cause, Finding, nearest_or_list};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::generation::{Generation, OldRows, OnGone, Pace, Standing};
use crate::flow::position::{Lsn, Position};
use crate::flow::table::TableName;

/// Ranks of old rows: behind those of any change of the transaction they stand behind.
const FIRST_RANK: u32 = 0x8000_0000;

/// What becomes of an entity that was never told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverTold {
    /// Its rows are told.
    Tell,
    /// They are not, until somebody asks.
    Leave,
}

/// What was otherwise when entities were told: how they are declared, and which parts their tables have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Their topics hold what is out of date.
    pub told_again: BTreeSet<String>,
    /// Their topics hold it under other keys, and an operator said that they are told again.
    pub accepted: BTreeSet<String>,
    /// Tables that partitions came into which may hold rows, and which those are, by OID.
    pub brought: BTreeMap<TableName, Vec<u32>>,
}

impl Changed {
    /// Whether rows came into the table that a generation is of ([`Target::of`]).
    fn has_brought(&self, of: &str) -> bool {
        let mut tables = self.brought.keys();
        tables.any(|table| {
            of.strip_prefix(&table.to_string())
                .is_some_and(|rest| rest.starts_with(" -> "))
        })
    }

    fn contains(&self, entity: &str) -> bool {
        self.told_again.contains(entity) || self.accepted.contains(entity)
    }
}

/// Account of all entities.
#[derive(Clone, Debug)]
pub struct Ledger<'t> {
    targets: &'t [Target],
    epoch: u16,
    progress: OldRows,
}

impl<'t> Ledger<'t> {
    /// Goes on where the position says. Entities that were never told begin, unless they are to be left; so do those of
    /// another table, topic or key, and those of `changed`: what they told before was told under another mapping. Of a table
    /// that rows came into, those are told.
    ///
    /// `has_state` tells whether the mapping (still) has an entity with a state topic.
    pub fn open(
        targets: &'t [Target],
        stored: &Checkpoint,
        never: NeverTold,
        (has_state, changed): (impl Fn(&str) -> bool, &Changed),
    ) -> Self {
        let mut ledger = Self::at(targets, stored, stored.backfill.clone().unwrap_or_default());
        for target in targets {
            let Some(known) = ledger.progress.entities.get(&target.entity) else {
                // Its old rows were never told, but its topic may hold states: of the stream's, or of another name of it.
                let tells = never == NeverTold::Tell;
                if changed.accepted.contains(&target.entity) || tells && changed.contains(&target.entity) {
                    ledger.begin(target, None, OnGone::Reconcile);
                } else if tells {
                    ledger.begin(target, None, OnGone::Keep);
                }
                continue;
            };
            let is_of = known.of == target.of() && !changed.contains(&target.entity);
            // A key says nothing of the order by another one.
            let cut = known.by != target.by() && matches!(known.standing, Standing::After(Some(_)));
            if !is_of || cut {
                ledger.begin(target, None, OnGone::Reconcile);
            } else if let Some(partitions) = changed.brought.get(&target.shape.name) {
                ledger.begin_within(target, partitions);
            } else if let Some(known) = ledger.progress.entities.get_mut(&target.entity) {
                known.by = target.by();
            }
        }
        for (entity, known) in &mut ledger.progress.entities {
            let can_be_read = targets.iter().any(|target| target.entity == *entity);
            // What changes while it is gone, or cannot be read, is not told: it begins anew when it is there again.
            let is_out = changed.contains(entity) || changed.has_brought(&known.of);
            let is_lost = !has_state(entity) || is_out && !can_be_read;
            if is_lost && !known.of.is_empty() {
                known.forget();
            }
        }
        ledger
    }

    /// Begins a new history of the source, at the position and in the epoch of `checkpoint`, which still has the account of
    /// the former one: every entity is told again, and whatever its topic holds from before is reconciled.
    pub fn anew(targets: &'t [Target], checkpoint: &Checkpoint) -> Self {
        // The new history may begin at lower places.
        let progress = OldRows {
            behind: Lsn::INVALID,
            told: 0,
            ..checkpoint.backfill.clone().unwrap_or_default()
        };
        let mut ledger = Self::at(targets, checkpoint, progress);
        ledger.tell_again(|_| true);
        ledger
    }

    /// Goes on where the position says, and tells these entities again, whatever was told of them.
    pub fn again(targets: &'t [Target], stored: &Checkpoint, is_told: impl Fn(&str) -> bool) -> Self {
        let mut ledger = Self::at(targets, stored, stored.backfill.clone().unwrap_or_default());
        ledger.tell_again(is_told);
        ledger
    }

    /// At a position, with what was told.
    fn at(targets: &'t [Target], position: &Checkpoint, progress: OldRows) -> Self {
        let mut ledger = Self {
            targets,
            epoch: position.epoch,
            progress,
        };
        // The last transaction told begins its commit record before the position, and the next one not before it.
        ledger.passed(Lsn(position.commit_end_lsn.0.saturating_sub(1)));
        ledger
    }

    fn tell_again(&mut self, is_told: impl Fn(&str) -> bool) {
        for (entity, known) in &mut self.progress.entities {
            // One that cannot be told now begins when it can be again.
            if is_told(entity) && !self.targets.iter().any(|target| target.entity == *entity) {
                known.forget();
            }
        }
        for target in self.targets.iter().filter(|target| is_told(&target.entity)) {
            self.begin(target, None, OnGone::Reconcile);
        }
    }

    /// A transaction was told whose commit record starts here.
    pub fn passed(&mut self, commit_lsn: Lsn) {
        if commit_lsn > self.progress.behind {
            (self.progress.behind, self.progress.told) = (commit_lsn, 0);
        }
    }

    /// The place of the next record.
    pub fn next(&self) -> Position {
        Position {
            epoch: self.epoch,
            commit_lsn: self.progress.behind,
            rank: FIRST_RANK.saturating_add(self.progress.told),
            part: 0,
        }
    }

    /// The place of a record that is told now.
    pub fn take(&mut self) -> Position {
        let taken = self.next();
        self.progress.told = self.progress.told.saturating_add(1);
        taken
    }

    /// Whose turn it is, and how far it is: the first that is not told and does not wait.
    pub fn turn(&self) -> Option<(&'t Target, &Generation)> {
        let entities = self.targets.iter();
        let mut open = entities.filter_map(|target| Some((target, self.progress.entities.get(&target.entity)?)));
        open.find(|(_, one)| one.is_open() && one.pace == Pace::Going)
    }

    /// The account of an entity.
    pub fn generation(&self, entity: &str) -> Option<&Generation> {
        self.progress.entities.get(entity)
    }

    /// So many rows more were read; `next` is where it goes on, none: that was all.
    pub fn advance(&mut self, entity: &str, rows: u64, next: Option<Vec<String>>) {
        if let Some(known) = self.progress.entities.get_mut(entity) {
            known.rows = known.rows.saturating_add(rows);
            known.standing = match (next, known.on_gone) {
                (Some(next), _) => Standing::After(Some(next)),
                (None, OnGone::Reconcile) => Standing::Sweeping,
                (None, OnGone::Keep) => Standing::Complete,
            };
        }
    }

    /// The last row that a snapshot saw, where nothing is known of it yet: no earlier one saw another behind it that the
    /// stream does not tell.
    pub fn ends_with(&mut self, entity: &str, last: Option<Vec<String>>) {
        if let Some(known) = self.progress.entities.get_mut(entity) {
            known.last = known.last.take().or(last);
        }
    }

    /// It is not told to its end.
    pub fn cancel(&mut self, entity: &str) {
        if let Some(known) = self.progress.entities.get_mut(entity) {
            known.cancel();
        }
    }

    /// Every key whose row is gone got its tombstone.
    pub fn swept(&mut self, entity: &str) {
        if let Some(known) = self.progress.entities.get_mut(entity) {
            known.standing = Standing::Complete;
        }
    }

    /// Begins with the partitions that came while it was told, once that is complete.
    pub fn go_on(&mut self, entity: &str) {
        let known = self.progress.entities.get_mut(entity);
        let Some(known) = known.filter(|known| known.standing == Standing::Complete) else {
            return;
        };
        let later = std::mem::take(&mut known.later);
        let target = self.targets.iter().find(|target| target.entity == entity);
        if let Some(target) = target.filter(|_| !later.is_empty()) {
            self.begin_within(target, &later);
        }
    }

    /// For the position.
    pub fn progress(&self) -> &OldRows {
        &self.progress
    }

    /// Tells the rows of partitions that came: now, or when what is under way is complete.
    fn begin_within(&mut self, target: &Target, partitions: &[u32]) {
        match self.progress.entities.get_mut(&target.entity) {
            Some(known) if known.is_open() => {
                let new = partitions.iter().filter(|oid| !known.later.contains(oid));
                let new: Vec<u32> = new.copied().collect();
                known.later.extend(new);
            }
            Some(_) => {
                self.begin(target, None, OnGone::Keep);
                if let Some(begun) = self.progress.entities.get_mut(&target.entity) {
                    begun.within = partitions.to_vec();
                }
            }
            None => {}
        }
    }

    fn begin(&mut self, target: &Target, only: Option<String>, on_gone: OnGone) {
        let known = self.progress.entities.get(&target.entity);
        let began = self.next().text();
        let generation = Generation {
            number: known.map_or(1, |known| known.number.saturating_add(1)),
            of: target.of(),
            by: target.by(),
            rows: 0,
            standing: Standing::After(None),
            only,
            within: Vec::new(),
            later: Vec::new(),
            last: None,
            on_gone,
            began: match on_gone {
                OnGone::Keep => String::new(),
                OnGone::Reconcile => String::from_utf8_lossy(&began).into_owned(),
            },
            // What an operator stopped goes on when he says so, whatever it is by then.
            pace: known
                .filter(|known| known.is_open())
                .map_or(Pace::Going, |known| known.pace),
        };
        self.progress.entities.insert(target.entity.clone(), generation);
    }

    /// Does what an operator asks, for all entities that it names or for none. `on_gone` stands where it says nothing.
    ///
    /// # Errors
    /// Why not, and what to do instead.
    pub fn order(&mut self, order: &Order, on_gone: OnGone) -> Result<Accepted, Box<Finding>> {
        let on_gone = order.on_gone.unwrap_or(match order.only {
            // What is not among the rows asked for is not gone.
            Some(_) => OnGone::Keep,
            None => on_gone,
        });
        if order.only.is_some() && on_gone == OnGone::Reconcile {
            return Err(refused(
                "backfill.reconcile_some",
                "a reload of some rows cannot reconcile".to_owned(),
                "whatever is not among them would look as if it was gone",
                "leave out `--where`, or `--delete reconcile`",
            ));
        }
        let mut chosen = BTreeMap::new();
        for entity in &order.entities {
            let target = self.target(entity)?;
            self.may(entity, order.action)?;
            chosen.insert(entity.as_str(), target);
        }
        let mut generations = Vec::with_capacity(chosen.len());
        for (entity, target) in chosen {
            if order.action == Action::Tell {
                self.begin(target, order.only.clone(), on_gone);
            }
            let Some(known) = self.progress.entities.get_mut(entity) else {
                continue;
            };
            match order.action {
                Action::Tell => {}
                Action::Pause => known.pace = Pace::Paused,
                Action::Resume => known.pace = Pace::Going,
                Action::Cancel => known.cancel(),
            }
            generations.push((entity.to_owned(), known.number));
        }
        Ok(Accepted { generations })
    }

    fn target(&self, entity: &str) -> Result<&'t Target, Box<Finding>> {
        if let Some(target) = self.targets.iter().find(|target| target.entity == entity) {
            return Ok(target);
        }
        let names: Vec<&str> = self.targets.iter().map(|target| target.entity.as_str()).collect();
        Err(refused(
            "backfill.unknown_entity",
            format!("there is no entity {entity} whose old rows can be told"),
            "only an entity with a state topic, on a table whose rows the stream names, has old rows to tell",
            &nearest_or_list(entity, &names),
        ))
    }

    fn may(&self, entity: &str, action: Action) -> Result<(), Box<Finding>> {
        let open = self.generation(entity).filter(|known| known.is_open());
        match (action, open) {
            (Action::Tell, None) | (Action::Pause | Action::Resume | Action::Cancel, Some(_)) => Ok(()),
            (Action::Tell, Some(known)) => Err(refused(
                "backfill.under_way",
                format!(
                    "old rows of {entity} are being told already (generation {})",
                    known.number
                ),
                "two tellings of the same rows would be told one after the other, the second without need",
                &format!("wait until it is complete, or end it: walbridge backfill -c FILE {entity} --cancel"),
            )),
            (Action::Pause | Action::Resume | Action::Cancel, None) => Err(refused(
                "backfill.not_under_way",
                format!("no old rows of {entity} are being told"),
                "what is complete, or was never asked for, cannot be stopped or resumed",
                "walbridge backfill -c FILE --status shows what is under way",
            )),
        }
    }
}

fn refused(code: &'static str, what: String, why: &str, repair: &str) -> Box<Finding> {
    Box::new(
        Finding::error(Cause::Surroundings, code, what)
            .because(why)
            .repair(repair),
    )
}
