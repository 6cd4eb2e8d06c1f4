//! Control records: where a telling of old rows begins and ends, in each partition of the state topic, so that a reader of
//! any of them knows when its copy is whole.

use crate::backfill::target::Target;
use crate::bridge::batch::Batch;
use crate::bridge::old::Turns;
use crate::encoding::{About, Control, Encoder, Phase};
use crate::flow::change::CommitTime;
use crate::flow::generation::Standing;
use crate::telemetry::unix_micros;

/// `markers`: whether state topics tell where a telling of old rows begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Markers {
    /// They do.
    Told,
    /// They hold states alone.
    #[default]
    Left,
}

impl<'a> Turns<'a> {
    /// Before rows are told: with the first of them, the beginning. It is stored with the progress that follows, so a
    /// generation that stands before its first row has not told it.
    pub(super) fn mark_begin(&mut self, target: &Target, to: (&mut Batch, &mut Encoder)) {
        if self.standing(target) == Some(&Standing::After(None)) {
            self.mark(target, Phase::Begun, to);
        }
    }

    /// After rows or tombstones were told: with the last of them, the end. Then it is the turn of what came meanwhile.
    pub(super) fn mark_end(&mut self, target: &Target, to: (&mut Batch, &mut Encoder)) {
        if self.standing(target) == Some(&Standing::Complete) {
            self.mark(target, Phase::Complete, to);
            self.ledger.go_on(&target.entity);
            self.call();
        }
    }

    /// Of those that are to end, the ones whose beginning was told.
    pub(super) fn marked(&self, entities: &[String]) -> Vec<&'a Target> {
        let ends = |target: &&Target| {
            let standing = self.standing(target);
            let begun = matches!(standing, Some(Standing::After(Some(_)) | Standing::Sweeping));
            begun && entities.contains(&target.entity)
        };
        self.old.targets.iter().filter(ends).collect()
    }

    /// They ended before they were complete.
    pub(super) fn mark_cancelled(&mut self, ended: &[&Target], (batch, encoder): (&mut Batch, &mut Encoder)) {
        for target in ended {
            self.mark(target, Phase::Cancelled, (batch, encoder));
        }
    }

    fn standing(&self, target: &Target) -> Option<&Standing> {
        self.ledger.generation(&target.entity).map(|one| &one.standing)
    }

    fn mark(&mut self, target: &Target, phase: Phase, (batch, encoder): (&mut Batch, &mut Encoder)) {
        let Some(generation) = self.ledger.generation(&target.entity).cloned() else {
            return;
        };
        if self.old.markers == Markers::Left {
            return;
        }
        let (as_of, time) = (batch.position(), CommitTime::of_unix_micros(unix_micros()));
        for partition in 0..batch.partitions(&target.topic) {
            let control = Control {
                kind: target.state,
                entity: &target.entity,
                about: About::Backfill {
                    generation: &generation,
                    phase,
                    as_of,
                },
                position: self.ledger.take(),
                time,
                partition: Some(partition),
            };
            encoder.control(&control, batch.paper().0);
        }
    }
}
