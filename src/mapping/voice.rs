//! What is told of a move becomes one domain event each, numbered within its change.

use crate::flow::event::{DomainEvent, KindId, Value};
use crate::flow::position::Position;
use crate::mapping::plan::{Plan, Side};
use crate::mapping::sides::{Rendered, Sides};
use crate::mapping::tell::{At, Listener};
use crate::mapping::untellable::Reason;

/// Lists of values, empty, whose memory is used again.
#[derive(Debug, Default)]
pub(super) struct Spare {
    key: Vec<Value<'static>>,
    partition_by: Vec<Value<'static>>,
    data: Vec<Value<'static>>,
}

/// The same memory for values that live otherwise. Collecting an emptied list of the same shape allocates nothing.
fn emptied<'b>(mut list: Vec<Value<'_>>) -> Vec<Value<'b>> {
    list.clear();
    list.into_iter().map(|_| Value::Null).collect()
}

/// Numbers the records of one change.
pub(super) struct Voice<'a> {
    pub(super) at: &'a At<'a>,
    pub(super) listener: &'a mut dyn Listener,
    pub(super) spare: &'a mut Spare,
    pub(super) part: u8,
}

/// What one record is made of.
pub(super) struct Saying<'s, 'a> {
    pub(super) sides: &'s Sides<'a>,
    pub(super) side: Side,
    pub(super) of_side: &'s Rendered,
    pub(super) kind: KindId,
}

impl Saying<'_, '_> {
    fn gather<'v>(&'v self, fields: &[usize], into: &mut Vec<Value<'v>>) -> Result<(), Reason> {
        let unknown = |field| match self.side {
            Side::Old => Reason::UnknownOld,
            Side::New => Reason::Unchanged(field),
        };
        for &field in fields {
            let value = self.of_side.value(self.sides, self.side, field);
            let value = value.map_err(|no| Reason::Field(field, no))?;
            into.push(value.ok_or_else(|| unknown(field))?);
        }
        Ok(())
    }
}

impl Voice<'_> {
    /// Tells one event: a state or a declared event with these fields and what `with` adds, or a tombstone.
    pub(super) fn say(
        &mut self,
        saying: &Saying<'_, '_>,
        fields: Option<&[usize]>,
        with: &[Value<'_>],
    ) -> Result<(), Reason> {
        let plan: &Plan = saying.sides.plan;
        let mut key = emptied(std::mem::take(&mut self.spare.key));
        let mut partition_by = emptied(std::mem::take(&mut self.spare.partition_by));
        let mut data = emptied(std::mem::take(&mut self.spare.data));
        saying.gather(&plan.key, &mut key)?;
        if let Some(number) = key.iter().position(|value| *value == Value::Null) {
            return Err(Reason::NullKey(plan.key.get(number).copied().unwrap_or(0)));
        }
        saying.gather(&plan.partition_by, &mut partition_by)?;
        saying.gather(fields.unwrap_or_default(), &mut data)?;
        data.extend_from_slice(with);

        let At {
            epoch,
            transaction,
            rank,
            origin,
        } = *self.at;
        let part = self.part;
        self.part = part.checked_add(1).ok_or(Reason::TooManyParts)?;
        self.listener.hear(&DomainEvent {
            kind: saying.kind,
            position: Position {
                epoch,
                commit_lsn: transaction.commit_lsn,
                rank,
                part,
            },
            transaction,
            origin,
            key: &key,
            partition_by: (!plan.partition_by.is_empty()).then_some(partition_by.as_slice()),
            data: fields.map(|_| data.as_slice()),
        });
        self.spare.key = emptied(key);
        self.spare.partition_by = emptied(partition_by);
        self.spare.data = emptied(data);
        Ok(())
    }
}
