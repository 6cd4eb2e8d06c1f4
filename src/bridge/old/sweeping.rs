//! Keys whose rows are gone get their tombstones, once all rows are told.

use std::time::Instant;

use crate::backfill::sweep::{Found, Gone, Looking, Sweep, ToldSince};
use crate::backfill::target::Target;
use crate::bridge::BridgeError;
use crate::bridge::batch::Batch;
use crate::bridge::old::{AGAIN_AFTER, Turns};
use crate::encoding::{Encoder, Tombstone};
use crate::flow::change::CommitTime;
use crate::flow::record::{RecordSpan, Records};
use crate::sink::Sink;

impl Turns<'_> {
    /// Keys that are told while a topic is looked through are none of those that are gone.
    pub(super) fn look_away(&mut self, told: &[RecordSpan], records: &Records) {
        if let Some(looking) = &mut self.looking {
            let of_it = told.iter().filter(|span| span.kind == looking.state);
            of_it.for_each(|span| looking.told.tell(records.part(&span.key)));
        }
    }

    /// Looks through the state topic, part by part, and tells what is gone.
    pub(super) fn sweep<K: Sink>(
        &mut self,
        target: &Target,
        sink: &mut K,
        (batch, encoder): (&mut Batch, &mut Encoder),
    ) -> Result<(), BridgeError> {
        if Instant::now() < self.not_before {
            return Ok(());
        }
        let looks = &mut self.looks;
        let looking = self.looking.get_or_insert_with(|| look(target, (looks, 0), batch));
        if !batch.is_stored(looking.after_commit, sink)? {
            return Ok(());
        }
        let before = self.ledger.generation(&target.entity).map_or("", |one| &one.began);
        let sweep = Sweep {
            look: looking.look,
            state: target.state,
            topic: &target.topic,
            event_type: encoder.event_type(target.state),
            before,
            from: looking.from,
        };
        let Some(Found { gone, next, at }) = sink.sweep(&sweep)? else {
            return Ok(());
        };
        let (still, from) = (looking.told.still_gone(gone), looking.from);
        self.looking = None;
        let Ok(gone) = still else {
            self.not_before = Instant::now() + AGAIN_AFTER;
            self.looking = Some(look(target, (&mut self.looks, from), batch));
            tracing::warn!(
                entity = target.entity,
                "too much is told to say which keys are gone: looks again"
            );
            return Ok(());
        };
        self.bury(target, (&gone, at), (batch, encoder));
        if let Some(next) = next {
            self.looking = Some(look(target, (&mut self.looks, next), batch));
            return Ok(());
        }
        self.ledger.swept(&target.entity);
        self.mark_end(target, (batch, encoder));
        tracing::info!(entity = target.entity, "keys whose rows are gone have their tombstones");
        batch.complete_old(self.ledger.progress().clone());
        self.call();
        Ok(())
    }

    fn bury(
        &mut self,
        target: &Target,
        (gone, time): (&[Gone], CommitTime),
        (batch, encoder): (&mut Batch, &mut Encoder),
    ) {
        let (records, tally) = batch.paper();
        for Gone { key, partition } in gone {
            let tombstone = Tombstone {
                kind: target.state,
                position: self.ledger.take(),
                key,
                partition: *partition,
                time,
            };
            encoder.tombstone(&tombstone, records);
            tally.record(self.status.kind(&target.entity, &target.entity));
        }
        if !gone.is_empty() {
            tracing::info!(
                entity = target.entity,
                keys = gone.len(),
                "keys whose rows are gone are told"
            );
            batch.complete_old(self.ledger.progress().clone());
        }
    }
}

/// A look that begins once everything that is told by now is stored.
fn look(target: &Target, (looks, from): (&mut u64, u64), batch: &Batch) -> Looking {
    *looks = looks.saturating_add(1);
    Looking {
        look: *looks,
        state: target.state,
        from,
        told: ToldSince::default(),
        after_commit: batch.mark(),
    }
}
