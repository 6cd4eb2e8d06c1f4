//! One row change in, the domain events it means out.

use crate::flow::cell::CellSpan;
use crate::flow::change::{Change, OldTuple, Transaction, Tuple};
use crate::flow::event::{DomainEvent, Origin, Value};
use crate::mapping::entity::{Move, OnUnknownOld};
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth};
use crate::mapping::fitted::Fitted;
use crate::mapping::plan::{FollowsOld, Mapping, PlanEvent, Side, Slot, Told, Watched};
use crate::mapping::sides::{For, OldRow, Rendered, Sides, operand};
use crate::mapping::untellable::{Reason, Untellable};
use crate::mapping::voice::{Saying, Spare, Voice};

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
    spare: Spare,
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
    /// A change, or an old row.
    pub origin: Origin,
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
        let (old, new) = change.sides();
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
        let mut spare = std::mem::take(&mut desk.spare);
        let mut voice = Voice {
            at,
            listener,
            spare: &mut spare,
            part: 0,
        };
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
        desk.spare = spare;
        desk.new_cells = new_cells;
        desk.old_cells = old_cells;
        told
    }

    /// Tells a row as it stands, which nobody changed: the state of each fitted entity that it is. Never an event: it is
    /// not known what happened.
    ///
    /// # Errors
    /// As [`Mapping::tell`].
    pub fn tell_old(
        &self,
        fitted: &Fitted,
        row: &Tuple<'_>,
        at: &At<'_>,
        (desk, listener): (&mut Desk, &mut dyn Listener),
    ) -> Result<(), Box<Untellable>> {
        let mut cells = std::mem::take(&mut desk.new_cells);
        row.locate(&mut cells);
        let mut spare = std::mem::take(&mut desk.spare);
        let mut voice = Voice {
            at,
            listener,
            spare: &mut spare,
            part: 0,
        };
        let plans = fitted.plans.iter();
        let mut stated = plans.filter_map(|(number, places)| Some((self.plans.get(*number)?, places)));
        let told = stated.try_for_each(|(plan, places)| {
            let sides = Sides {
                plan,
                places,
                old: OldRow::None,
                new: Some(row.row(&cells)),
            };
            stand(&sides, desk, &mut voice).map_err(|reason| Box::new(reason.of(plan, fitted)))
        });
        desk.spare = spare;
        desk.new_cells = cells;
        told
    }
}

/// The state of a row that is the entity.
fn stand(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    let Some(state) = &sides.plan.state else {
        return Ok(());
    };
    match sides.is_entity(Side::New).map_err(Reason::Filter)? {
        Truth::True => {
            render_new(sides, desk)?;
            let saying = Saying {
                sides,
                side: Side::New,
                of_side: &desk.new,
                kind: state.kind,
            };
            voice.say(&saying, Some(&state.fields), &[])
        }
        Truth::False | Truth::Null => Ok(()),
        Truth::Unknown => Err(Reason::UnchangedFilter),
    }
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
    render_new(sides, desk)?;
    speak(sides, desk, voice, Move::Enters)
}

fn leave(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    if !sides.knows_old(&sides.plan.vital.key) {
        return Err(Reason::UnknownOld);
    }
    desk.old.render(sides, Side::Old, For::Telling);
    speak(sides, desk, voice, Move::Leaves)
}

/// A row that is the entity must be mappable, whatever is told of it.
fn render_new(sides: &Sides<'_>, desk: &mut Desk) -> Result<(), Reason> {
    desk.new.render(sides, Side::New, For::Telling);
    desk.new
        .missing()
        .map_or(Ok(()), |(field, no)| Err(Reason::Field(field, no)))
}

fn go_on(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>) -> Result<(), Reason> {
    let plan = sides.plan;
    if !sides.knows_old(&plan.vital.key) || !sides.knows_old(&plan.vital.watched) {
        return Err(Reason::UnknownOld);
    }
    let differs = |number: usize| {
        plan.fields.get(number).is_some_and(|field| {
            let changed =
                |&c: &usize| !sides.unchanged_unsent(c) && sides.cell(Side::Old, c) != sides.cell(Side::New, c);
            field.from.columns().iter().any(changed)
        })
    };
    if !(0..plan.fields.len()).any(differs) {
        voice.listener.suppressed(&plan.entity);
        return Ok(());
    }
    render_new(sides, desk)?;
    desk.old.render(sides, Side::Old, For::Telling);
    let (old, new) = (&desk.old, &desk.new);
    let same =
        |number: usize| !differs(number) || old.value(sides, Side::Old, number) == new.value(sides, Side::New, number);
    // A key whose old value is not known here matters to nobody: it is not vital.
    let moved = |&number: &usize| !same(number) && !matches!(old.value(sides, Side::Old, number), Ok(None));
    if plan.key.iter().any(moved) {
        speak(sides, desk, voice, Move::Leaves)?;
        return speak(sides, desk, voice, Move::Enters);
    }
    let watched = |number: usize| plan.fields.get(number).is_some_and(|f| f.watched == Watched::Yes);
    let rehomed = plan.state.as_ref().filter(|_| plan.partition_by.iter().any(moved));
    if rehomed.is_none() && (0..plan.fields.len()).all(|number| same(number) || !watched(number)) {
        voice.listener.suppressed(&plan.entity);
        return Ok(());
    }
    if let Some(state) = rehomed {
        // Compaction works within a partition: without a tombstone the old one would keep the old state for ever.
        let saying = Saying {
            sides,
            side: Side::Old,
            of_side: old,
            kind: state.kind,
        };
        voice.say(&saying, None, &[])?;
    }
    speak(sides, desk, voice, Move::Changes)
}

/// Tells one move: the state first, then the events in the config's order.
fn speak(sides: &Sides<'_>, desk: &mut Desk, voice: &mut Voice<'_>, moved: Move) -> Result<(), Reason> {
    let plan = sides.plan;
    let Desk {
        new,
        old,
        compared,
        with,
        ..
    } = desk;
    let (side, of_side) = if moved == Move::Leaves {
        (Side::Old, &*old)
    } else {
        (Side::New, &*new)
    };
    if let Some(state) = &plan.state {
        let fields = (moved != Move::Leaves).then_some(state.fields.as_slice());
        voice.say(
            &Saying {
                sides,
                side,
                of_side,
                kind: state.kind,
            },
            fields,
            &[],
        )?;
    }
    if plan.events.is_empty() {
        return Ok(());
    }
    let [old_compared, new_compared] = compared;
    old_compared.clear();
    new_compared.clear();
    if moved != Move::Enters {
        old_compared.render(sides, Side::Old, For::Comparing);
    }
    if moved != Move::Leaves {
        new_compared.render(sides, Side::New, For::Comparing);
    }
    for event in plan.events.iter().filter(|event| event.on.contains(&moved)) {
        let operands = Both { sides, compared, moved };
        let told = match &event.when {
            None => Truth::True,
            Some(when) => when.truth(&operands).map_err(Reason::Condition)?,
        };
        match told {
            Truth::True => say_event(event, &operands, (side, of_side, with), voice)?,
            Truth::False | Truth::Null => {}
            Truth::Unknown => return Err(operands.why_unknown()),
        }
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
    let Told { kind, fields } = if side == Side::Old {
        &event.told_leaving
    } else {
        &event.told
    };
    let saying = Saying {
        sides,
        side,
        of_side,
        kind: *kind,
    };
    if event.with.is_empty() {
        return voice.say(&saying, Some(fields), &[]);
    }
    with.clear();
    for (expression, form) in &event.with {
        with.push_text(form, |out| expression.write(operands, out))
            .map_err(Reason::With)?;
    }
    let mut extra = Vec::with_capacity(event.with.len());
    for number in 0..event.with.len() {
        let value = with.value(sides, side, number).map_err(Reason::With)?;
        extra.push(value.ok_or_else(|| operands.why_unknown())?);
    }
    voice.say(&saying, Some(fields), &extra)
}

/// Operands of `when` and `with`.
struct Both<'s, 'a> {
    sides: &'s Sides<'a>,
    /// Fields of the old and of the new side, as expressions see them.
    compared: &'s [Rendered; 2],
    moved: Move,
}

impl Both<'_, '_> {
    fn why_unknown(&self) -> Reason {
        let missing = self.compared.iter().find_map(Rendered::missing);
        missing.map_or(Reason::UnknownOld, |(field, no)| Reason::Field(field, no))
    }
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
                    Ok(None) | Err(_) => Operand::Unknown,
                    Ok(Some(Value::Null)) => Operand::Null,
                    Ok(Some(Value::Bool(true))) => Operand::Text(b"t"),
                    Ok(Some(Value::Bool(false))) => Operand::Text(b"f"),
                    Ok(Some(Value::Number(text) | Value::Text(text) | Value::Json(text))) => Operand::Text(text),
                }
            }
            Some(Slot::Here(_)) | None => Operand::Unknown,
        }
    }
}

/// An expression that has no value on a row.
pub(super) type NoTruth = EvaluationError;
