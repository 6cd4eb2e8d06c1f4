//! Chunks: asked for ahead of their turn, joined in their order.

use std::time::Instant;

use crate::backfill::Joining;
use crate::backfill::target::{Begin, Reading, Rows, Target, Wanted};
use crate::bridge::batch::{Batch, Coming};
use crate::bridge::old::{AGAIN_AFTER, AGAIN_WARN, Turns};
use crate::bridge::{BridgeError, Scribe};
use crate::encoding::Encoder;
use crate::finding::Finding;
use crate::flow::generation::Standing;
use crate::flow::position::Lsn;
use crate::mapping::tell::Desk;
use crate::source::Source;

impl Turns<'_> {
    /// Asks for what may be asked for, and tells the first chunk of it where that may join here.
    pub(super) fn take_chunk<S: Source>(
        &mut self,
        target: &Target,
        (source, passed): (&mut S, Lsn),
        (batch, desk, encoder, kinds): (&mut Batch, &mut Desk, &mut Encoder, &[usize]),
    ) -> Result<(), BridgeError> {
        self.ask(target, source)?;
        let read = match self.first(target, source)? {
            Reading::Read(read) => read,
            Reading::UnderWay | Reading::Nothing => return Ok(()),
            Reading::Refused(finding) => {
                self.end_refused(target, &finding, (batch, encoder));
                return Ok(());
            }
        };
        let told_before = self.turn.map_or(0, |turn| turn.told_before);
        match read.chunk.join(passed, &self.recent, told_before) {
            Joining::Waits(chunk) => self.waiting = Some(Rows { chunk, ..read }),
            Joining::Again => self.read_again(target),
            Joining::Here(rows) => {
                self.again = 0;
                self.recent.joined();
                self.mark_begin(target, (batch, encoder));
                let (records, tally) = batch.paper();
                let mut scribe = Scribe {
                    encoder,
                    records,
                    tally,
                    kinds,
                };
                self.tell(target, (&rows, read.read_at), (desk, &mut scribe))?;
                let told = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                scribe.tally.old_rows(&target.entity, told);
                self.ledger.ends_with(&target.entity, read.last);
                self.advance(target, told, read.next);
                self.mark_end(target, (batch, encoder));
                let coming = if self.turn.is_some() {
                    Coming::More
                } else {
                    Coming::Nothing
                };
                batch.complete_old(self.ledger.progress().clone(), coming);
            }
        }
        Ok(())
    }

    /// What was asked for fits no more: somebody else's turn or nobody's, or a chunk that could not join.
    pub(super) fn begin_anew<S: Source>(&mut self, source: &mut S) {
        source.drop_chunks();
        self.recent.give_up();
        (self.waiting, self.asked) = (None, 0);
        self.asked_for = self.turn;
    }

    /// Asks for the next chunks: each reader has one to read while another waits to join. Not so where rows have to be read
    /// again: of a chunk that is not there yet nobody knows what it sees, and the whole stream is remembered for it.
    fn ask<S: Source>(&mut self, target: &Target, source: &mut S) -> Result<(), BridgeError> {
        let Some(generation) = self.ledger.generation(&target.entity) else {
            return Ok(());
        };
        if self.waiting.as_ref().is_some_and(|waiting| waiting.next.is_none()) {
            return Ok(());
        }
        loop {
            let held = usize::from(self.waiting.is_some());
            let is_due = Instant::now() >= self.not_before && self.pace.may_ask(self.begun.elapsed(), self.asked);
            let ahead = if self.again == 0 { self.old.readers } else { 0 };
            if !is_due || self.asked + held > ahead {
                return Ok(());
            }
            let begin = match &generation.standing {
                _ if self.asked + held > 0 => Begin::BehindAsked,
                Standing::After(Some(key)) => Begin::Behind(key),
                Standing::After(None) | Standing::Sweeping | Standing::Complete | Standing::Cancelled => Begin::First,
            };
            // A smaller chunk is read in less time, in which less is told.
            let rows_max = (self.pace.rows() >> self.again.min(10)).max(1);
            source.ask_chunk(&Wanted {
                target,
                begin,
                only: generation.only.as_deref(),
                within: &generation.within,
                last: generation.last.as_deref(),
                haste: self.pace.haste(),
                rows_max,
                bytes_max: self.pace.bytes(),
                told_before: self.recent.ask(),
            })?;
            self.pace.asked(self.begun.elapsed(), rows_max);
            self.asked += 1;
        }
    }

    /// The first chunk that was asked for, once it is there.
    fn first<S: Source>(&mut self, target: &Target, source: &mut S) -> Result<Reading, BridgeError> {
        if let Some(read) = self.waiting.take() {
            return Ok(Reading::Read(read));
        }
        if self.asked == 0 {
            return Ok(Reading::Nothing);
        }
        let read = match source.next_chunk()? {
            Reading::UnderWay => return Ok(Reading::UnderWay),
            Reading::Read(read) => read,
            end @ (Reading::Nothing | Reading::Refused(_)) => {
                self.begin_anew(source);
                return Ok(end);
            }
        };
        self.asked = self.asked.saturating_sub(1);
        self.recent.read(&read.chunk.snapshot);
        self.pace.read(self.begun.elapsed(), &read.cost);
        let standing = self.ledger.generation(&target.entity).map(|one| &one.standing);
        // Where the one before it ended earlier than it was to, rows would be missing in between.
        if standing != Some(&Standing::After(read.after.clone())) {
            self.begin_anew(source);
            return Ok(Reading::Nothing);
        }
        Ok(Reading::Read(read))
    }

    /// What an operator asked for cannot be had: it ends, and the stream goes on.
    fn end_refused(&mut self, target: &Target, finding: &Finding, (batch, encoder): (&mut Batch, &mut Encoder)) {
        let entity = &target.entity;
        tracing::error!(entity, %finding, "ends the telling of the rows that were asked for");
        let marked = self.marked(std::slice::from_ref(entity));
        self.ledger.cancel(entity);
        self.mark_cancelled(&marked, (batch, encoder));
        batch.complete_old(self.ledger.progress().clone(), Coming::Nothing);
        self.call();
    }

    /// The chunk could not join: too much was told meanwhile to say which of its rows are still as they were read.
    fn read_again(&mut self, target: &Target) {
        self.asked_for = None;
        self.not_before = Instant::now() + AGAIN_AFTER;
        self.again = self.again.saturating_add(1);
        if self.again.is_multiple_of(AGAIN_WARN) {
            let (entity, times) = (&target.entity, self.again);
            tracing::warn!(
                entity,
                times,
                "too much changes while old rows are read: the same rows are read again"
            );
        }
    }
}
