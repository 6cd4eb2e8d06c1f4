//! What operators ask, and when they get their answer.

use tokio::sync::oneshot::Sender;

use crate::backfill::order::{Accepted, Action, Order};
use crate::bridge::BridgeError;
use crate::bridge::batch::{Batch, Coming};
use crate::bridge::old::Turns;
use crate::bridge::orders::{Answer, Request};
use crate::encoding::Encoder;
use crate::finding::Finding;
use crate::sink::Sink;

/// A request that was taken up, and whose answer waits until that is stored.
pub(super) struct Accepting {
    accepted: Accepted,
    answer: Sender<Answer>,
    after_commit: u64,
}

impl Turns<'_> {
    /// Takes up what is asked.
    pub(super) fn hear(&mut self, (batch, encoder): (&mut Batch, &mut Encoder)) {
        while let Some(Request { order, answer }) = self.old.requests.next() {
            let marked = match order.action {
                Action::Cancel => self.marked(&order.entities),
                Action::Tell | Action::Pause | Action::Resume => Vec::new(),
            };
            match self.do_as_asked(&order) {
                Ok(accepted) => {
                    self.mark_cancelled(&marked, (batch, encoder));
                    tracing::info!(action = ?order.action, entities = order.entities.join(", "), "an operator asks");
                    batch.complete_old(self.ledger.progress().clone(), Coming::Nothing);
                    self.accepting.push(Accepting {
                        accepted,
                        answer,
                        after_commit: batch.mark(),
                    });
                    self.call();
                }
                // Whoever asked may have gone.
                Err(refused) => drop(answer.send(Err(refused))),
            }
        }
    }

    fn do_as_asked(&mut self, order: &Order) -> Result<Accepted, Box<Finding>> {
        if let (Action::Tell, Some(only)) = (order.action, &order.only) {
            for entity in &order.entities {
                (self.old.may_select)(entity, only)?;
            }
        }
        self.ledger.order(order, self.old.on_gone)
    }

    /// Answers those whose request is stored.
    pub(super) fn answer<K: Sink>(&mut self, batch: &Batch, sink: &mut K) -> Result<(), BridgeError> {
        for asked in std::mem::take(&mut self.accepting) {
            if batch.is_stored(asked.after_commit, sink)? {
                // Whoever asked may have gone.
                drop(asked.answer.send(Ok(asked.accepted)));
            } else {
                self.accepting.push(asked);
            }
        }
        Ok(())
    }
}
