//! One row change in, the domain events it means out.

use crate::flow::cell::CellSpan;
use crate::flow::change::{Change, OldTuple, Transaction};
use crate::flow::event::{DomainEvent, KindId, Value};
use crate::flow::position::Position;
use crate::mapping::entity::{Move, OnUnknownOld};
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth};
use crate::mapping::plan::{Fitted, FollowsOld, Mapping, Plan, PlanEvent, Side, Slot, Told, Watched};
use crate::mapping::sides::{For, NoValue, OldRow, Rendered, Sides, operand};
use crate::mapping::untellable::{Reason, Untellable};

/// Buffers that are used again for every change.
#[derive(Debug, Default)]
pub struct Desk {
    new_cells: Vec<CellSpan>,
    old_cells: Vec<CellSpan>,
    new: Rendered,
    old: Rendered,
    /// Values of `old.x` and `new.x` for conditions, one a slot.
    compared: [Rendered; 2],
    with: Rendered,
}

/// Where a change stands in the order of all that is told.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// History of the source.
    pub epoch: u16,
    /// Its transaction.
    pub transaction: &'a Transaction,
    /// Its number in the transaction.
    pub rank: u32,
}

/// Takes events in the order in which they are told.
pub trait Listener {
    /// Takes one.
    fn hear(&mut self, event: &DomainEvent<'_>);
    /// A change of this entity told nothing: no published field differs.
    fn suppressed(&mut self, entity: &str);
}

impl Mapping {
    /// Tells what a change means, for every entity on its table.
    ///
    /// # Errors
    /// A row that cannot be told; what was heard before belongs to the same transaction and must not be published.
    pub fn tell(
        &self,
        fitted: &Fitted,
        change: &Change<'_>,
        at: &At<'_>,
        (desk, listener): (&mut Desk, &mut dyn Listener),
    ) -> Result<(), Box<Untellable>> {
        let Desk {
            new_cells, old_cells, ..
        } = desk;
        let (old, new) = match change {
            Change::Insert { new } => (OldTuple::Absent, Some(new)),
            Change::Update { old, new } => (*old, Some(new)),
            Change::Delete { old } => (*old, None),
        };
        if let Some(new) = new {
            new.locate(new_cells);
        }
        if let OldTuple::Key(tuple) | OldTuple::Full(tuple) = old {
            tuple.locate(old_cells);
        }
        let (new_cells, old_cells) = (std::mem::take(new_cells), std::mem::take(old_cells));
        let new_row = new.map(|tuple| tuple.row(&new_cells));
        let old_row = match (old, change) {
            (_, Change::Insert { .. }) => OldRow::None,
            (OldTuple::Key(tuple), _) => OldRow::Key(tuple.row(&old_cells)),
            (OldTuple::Full(tuple), _) => OldRow::Full(tuple.row(&old_cells)),
            (OldTuple::Absent, _) => OldRow::SameIdentity,
        };
        let mut voice = Voice { at, listener, part: 0 };
        let mut told = Ok(());
        for (number, places) in &fitted.plans {
            let Some(plan) = self.plans.get(*number) else { continue };
            let sides = Sides {
                plan,
                places,
                old: old_row,
                new: new_row,
            };
            told = tell_entity(&sides, desk, &mut voice).map_err(|reason| Box::new(reason.of(plan, fitted)));
            if told.is_err() {
                break;
            }
        }
        desk.new_cells = new_cells;
        desk.old_cells = old_cells;
        told
    }
}

/// Numbers the records of one change.
struct Voice<'a> {
    at: &'a At<'a>,
    listener: &'a mut dyn Listener,
    part: u8,
}

fn tell_entity(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    let plan = sides.plan;
    if plan.follows_old == FollowsOld::No && !matches!(sides.old, OldRow::None) {
        return Ok(());
    }
    let is = sides.is_entity(Side::New).map_err(Reason::Filter)?;
    let was = sides.is_entity(Side::Old).map_err(Reason::Filter)?;
    match (was, is) {
        (_, Truth::Unknown) => Err(Reason::UnchangedFilter),
        (Truth::False | Truth::Null, Truth::True) => enter(sides, desk, voice),
        (Truth::True, Truth::False | Truth::Null) => leave(sides, desk, voice),
        (Truth::False | Truth::Null, Truth::False | Truth::Null) => Ok(()),
        (Truth::True, Truth::True) => go_on(sides, desk, voice),
        (Truth::Unknown, _) if plan.on_unknown_old != OnUnknownOld::Tombstone || !plan.events.is_empty() => {
            Err(Reason::UnknownOld)
        }
        (Truth::Unknown, Truth::True) => go_on(sides, desk, voice),
        (Truth::Unknown, Truth::False | Truth::Null) => leave(sides, desk, voice),
    }
}

fn enter(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    desk.new.render(sides, Side::New, For::Telling)?;
    speak(sides, desk, voice, Move::Enters)
}

fn leave(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    desk.old.render(sides, Side::Old, For::Telling)?;
    speak(sides, desk, voice, Move::Leaves)
}

fn go_on(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    let differs = |number: usize| {
        sides.plan.fields.get(number).is_some_and(|field| {
            field
                .from
                .columns()
                .iter()
                .any(|&c| !sides.unchanged_unsent(c) && sides.cell(Side::Old, c) != sides.cell(Side::New, c))
        })
    };
    let changed = (0..sides.plan.fields.len()).any(differs);
    if !changed {
        voice.listener.suppressed(&sides.plan.entity);
        return Ok(());
    }
    desk.new.render(sides, Side::New, For::Telling)?;
    desk.old.render(sides, Side::Old, For::Telling)?;
    let (old, new) = (&desk.old, &desk.new);
    let same =
        |number: usize| !differs(number) || old.value(sides, Side::Old, number) == new.value(sides, Side::New, number);
    // A key whose old value no identity carries matters to nobody here: the config was checked for that.
    let moved = |&number: &usize| !same(number) && old.value(sides, Side::Old, number).is_some();
    if sides.plan.key.iter().any(moved) {
        speak(sides, desk, voice, Move::Leaves)?;
        return speak(sides, desk, voice, Move::Enters);
    }
    let watched = |number: usize| sides.plan.fields.get(number).is_some_and(|f| f.watched == Watched::Yes);
    if (0..sides.plan.fields.len()).all(|number| same(number) || !watched(number)) {
        voice.listener.suppressed(&sides.plan.entity);
        return Ok(());
    }
    speak(sides, desk, voice, Move::Changes)
}

/// Tells one move: the state first, then the events in the config's order.
fn speak(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>, moved: Move) -> Result<(), Reason> {
    let plan = sides.plan;
    let side = if moved == Move::Leaves { Side::Old } else { Side::New };
    let Desk {
        new,
        old,
        compared,
        with,
        ..
    } = desk;
    let of_side: &Rendered = if moved == Move::Leaves { old } else { new };
    if let Some(kind) = plan.state {
        let all: Vec<usize> = match moved {
            Move::Leaves => Vec::new(),
            Move::Enters | Move::Changes => (0..plan.fields.len()).collect(),
        };
        let data = (moved != Move::Leaves).then_some(all.as_slice());
        voice.say(
            &Saying {
                sides,
                side,
                of_side,
                kind,
            },
            data,
            &[],
        )?;
    }
    if plan.events.is_empty() {
        return Ok(());
    }
    let comparing = |purpose| move |(n, no)| (n, no, purpose);
    let [old_compared, new_compared] = compared;
    for (rendered, of, there) in [
        (old_compared, Side::Old, moved != Move::Enters),
        (new_compared, Side::New, moved != Move::Leaves),
    ] {
        rendered.clear();
        if there {
            rendered
                .render(sides, of, For::Comparing)
                .map_err(comparing(()))
                .map_err(|(n, no, ())| (n, no))?;
        }
    }
    let compared = &*compared;
    for event in plan.events.iter().filter(|event| event.on.contains(&moved)) {
        let operands = Both { sides, compared, moved };
        let told = match &event.when {
            None => Truth::True,
            Some(when) => when.truth(&operands).map_err(Reason::Condition)?,
        };
        match told {
            Truth::True => {}
            Truth::False | Truth::Null => continue,
            Truth::Unknown => return Err(Reason::UnknownOld),
        }
        say_event(event, &operands, (side, of_side, with), voice)?;
    }
    Ok(())
}

fn say_event(
    event: &PlanEvent,
    operands: &Both<'_, '_>,
    (side, of_side, with): (Side, &Rendered, &mut Rendered),
    voice: &mut Voice<'_>,
) -> Result<(), Reason> {
    let sides = operands.sides;
    with.clear();
    for (expression, form) in &event.with {
        with.push_text(form, |out| expression.write(operands, out))
            .map_err(Reason::With)?;
    }
    let Told { kind, fields } = if side == Side::Old {
        &event.told_leaving
    } else {
        &event.told
    };
    let mut extra = Vec::with_capacity(event.with.len());
    for number in 0..event.with.len() {
        extra.push(with.value(sides, side, number).ok_or(Reason::UnknownOld)?);
    }
    voice.say(
        &Saying {
            sides,
            side,
            of_side,
            kind: *kind,
        },
        Some(fields),
        &extra,
    )
}

/// What one record is made of.
struct Saying<'s, 'a> {
    sides: &'s Sides<'a>,
    side: Side,
    of_side: &'s Rendered,
    kind: KindId,
}

impl Saying<'_, '_> {
    fn value(&self, field: usize) -> Result<Value<'_>, Reason> {
        self.of_side
            .value(self.sides, self.side, field)
            .ok_or(Reason::Unchanged(field))
    }

    fn values(&self, fields: &[usize]) -> Result<Vec<Value<'_>>, Reason> {
        fields.iter().map(|&field| self.value(field)).collect()
    }
}

impl Voice<'_> {
    fn say(&mut self, saying: &Saying<'_, '_>, fields: Option<&[usize]>, extra: &[Value<'_>]) -> Result<(), Reason> {
        let plan: &Plan = saying.sides.plan;
        let key = saying.values(&plan.key)?;
        if let Some(number) = key.iter().position(|value| *value == Value::Null) {
            return Err(Reason::NullKey(plan.key.get(number).copied().unwrap_or(0)));
        }
        let partition_by = match plan.partition_by.as_slice() {
            [] => None,
            fields => Some(saying.values(fields)?),
        };
        let mut data = match fields {
            Some(fields) => Some(saying.values(fields)?),
            None => None,
        };
        if let Some(data) = &mut data {
            data.extend_from_slice(extra);
        }
        let At {
            epoch,
            transaction,
            rank,
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
            key: &key,
            partition_by: partition_by.as_deref(),
            data: data.as_deref(),
        });
        Ok(())
    }
}

/// Operands of `when` and `with`.
struct Both<'s, 'a> {
    sides: &'s Sides<'a>,
    /// Fields of the old and of the new side, as expressions see them.
    compared: &'s [Rendered; 2],
    moved: Move,
}

impl Operands for Both<'_, '_> {
    fn operand(&self, slot: u16) -> Operand<'_> {
        let [old, new] = self.compared;
        match self.sides.plan.slots.get(usize::from(slot)) {
            Some(Slot::Column(side, column)) => operand(self.sides.cell(*side, *column)),
            Some(Slot::Field(Side::Old, _)) if self.moved == Move::Enters => Operand::Null,
            Some(Slot::Field(Side::New, _)) if self.moved == Move::Leaves => Operand::Null,
            Some(Slot::Field(side, field)) => {
                let rendered = if *side == Side::Old { old } else { new };
                match rendered.value(self.sides, *side, *field) {
                    None => Operand::Unknown,
                    Some(Value::Null) => Operand::Null,
                    Some(Value::Bool(true)) => Operand::Text(b"t"),
                    Some(Value::Bool(false)) => Operand::Text(b"f"),
                    Some(Value::Number(text) | Value::Text(text) | Value::Json(text)) => Operand::Text(text),
                }
            }
            Some(Slot::Here(_)) | None => Operand::Unknown,
        }
    }
}

impl From<(usize, NoValue)> for Reason {
    fn from((field, no_value): (usize, NoValue)) -> Self {
        Self::Field(field, no_value)
    }
}

/// An expression that has no value on a row.
pub(super) type NoTruth = EvaluationError;
