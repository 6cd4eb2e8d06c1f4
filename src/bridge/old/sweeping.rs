//! Keys whose rows are gone get their tombstones, once all rows are told.

use std::time::{Duration, Instant};

use crate::backfill::sweep::{Found, Gone, Look, Rest, Span, Sweep, ToldSince};
use crate::backfill::target::Target;
use crate::bridge::BridgeError;
use crate::bridge::batch::{Batch, Coming};
use crate::bridge::old::{AGAIN_AFTER, Turns};
use crate::encoding::{Encoder, Tombstone};
use crate::flow::change::CommitTime;
use crate::flow::record::{RecordSpan, Records};
use crate::sink::{Sink, SinkError};

/// After a look that failed, and before the next one.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two warnings of looks that said nothing.
const COMPLAINTS: Duration = Duration::from_secs(30);

impl Turns<'_> {
    /// Keys that are told while a topic is looked through are none of those that are gone.
    pub(super) fn look_away(&mut self, told: &[RecordSpan], records: &Records) {
        if let Some(looking) = &mut self.looking {
            let state = looking.state;
            let of_it = told.iter().filter(|span| span.kind == state);
            of_it.for_each(|span| looking.tell(records.part(&span.key)));
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
        let looking = self
            .looking
            .get_or_insert_with(|| look(target, (looks, Span::default()), batch));
        if !batch.is_stored(looking.after_commit, sink)? {
            return Ok(());
        }
        let before = self.ledger.generation(&target.entity).map_or("", |one| &one.began);
        let span = looking.span;
        let sweep = Sweep {
            look: looking.number,
            state: target.state,
            topic: &target.topic,
            before,
            span,
        };
        let Found { gone, rest, at } = match sink.sweep(&sweep) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(()),
            // Nothing of the stream hangs on it.
            Err(SinkError::Transient(why)) => {
                self.look_again(target, (span, PAUSE), (&why, batch));
                return Ok(());
            }
            // What is complete is committed before an operator is called.
            Err(SinkError::Halt(finding)) => return Err(BridgeError::Halt(finding)),
            Err(error) => return Err(error.into()),
        };
        let gone = match looking.told.still_gone(gone) {
            Ok(gone) => gone,
            Err(too_many) => {
                // Of fewer keys, fewer are told meanwhile.
                self.look_again(target, (span.half(), AGAIN_AFTER), (&too_many.to_string(), batch));
                return Ok(());
            }
        };
        if rest != Rest::OfThis {
            self.looking = None;
        }
        self.bury(target, (&gone, at), (batch, encoder));
        match rest {
            Rest::OfThis => {
                // The next part when this one is stored: a tombstone takes more memory in librdkafka than here.
                if let Some(looking) = &mut self.looking {
                    looking.after_commit = batch.mark();
                }
                return Ok(());
            }
            Rest::From(next) => {
                self.looking = Some(look(target, (&mut self.looks, span.after(next)), batch));
                return Ok(());
            }
            Rest::Nothing => {}
        }
        self.ledger.swept(&target.entity);
        self.mark_end(target, (batch, encoder));
        tracing::info!(entity = target.entity, "keys whose rows are gone have their tombstones");
        batch.complete_old(self.ledger.progress().clone(), Coming::Nothing);
        self.call();
        Ok(())
    }

    fn look_again(&mut self, target: &Target, (span, pause): (Span, Duration), (why, batch): (&str, &Batch)) {
        let now = Instant::now();
        self.not_before = now + pause;
        self.looking = Some(look(target, (&mut self.looks, span), batch));
        if self.complained.is_none_or(|at| now.duration_since(at) >= COMPLAINTS) {
            self.complained = Some(now);
            tracing::warn!(
                entity = target.entity,
                why,
                "cannot say yet which keys are gone: looks again"
            );
        }
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
            batch.complete_old(self.ledger.progress().clone(), Coming::Nothing);
        }
    }
}

/// A look that begins once everything that is told by now is stored.
fn look(target: &Target, (looks, span): (&mut u64, Span), batch: &Batch) -> Look {
    *looks = looks.saturating_add(1);
    Look {
        number: *looks,
        state: target.state,
        span,
        told: ToldSince::default(),
        after_commit: batch.mark(),
    }
}
