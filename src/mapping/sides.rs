//! The two sides of a row change, as far as the stream tells them, and what is published of each.

use crate::flow::cell::{Cell, Row};
use crate::flow::event::Value;
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth, Written};
use crate::mapping::form::{Piece, RowProblem, Scratch};
use crate::mapping::plan::{FieldSource, InIdentity, Plan, Side, Slot};

/// What is known of the row before.
#[derive(Clone, Copy, Debug)]
pub(super) enum OldRow<'a> {
    /// There was none: an INSERT.
    None,
    /// Its identity is that of the new row.
    SameIdentity,
    /// Its identity's columns; a null in it means "not known".
    Key(Row<'a>),
    /// The whole row.
    Full(Row<'a>),
}

/// A change of one row, looked at through a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    pub(super) plan: &'a Plan,
    /// Where each of the plan's columns lies in a tuple.
    pub(super) places: &'a [usize],
    pub(super) old: OldRow<'a>,
    pub(super) new: Option<Row<'a>>,
}

impl<'a> Sides<'a> {
    /// A column's value on one side.
    #[inline]
    pub(super) fn cell(&self, side: Side, column: usize) -> Cell<'a> {
        let Some(&place) = self.places.get(column) else {
            return Cell::Unknown;
        };
        match side {
            Side::New => match (self.new.map(|row| row.cell(place)), self.old) {
                // An unchanged TOAST value is not sent again; a whole old row has it.
                (Some(Cell::Unknown), OldRow::Full(old)) => old.cell(place),
                (Some(cell), _) => cell,
                (None, _) => Cell::Null,
            },
            Side::Old => match self.old {
                OldRow::None => Cell::Null,
                OldRow::Full(old) => old.cell(place),
                OldRow::Key(old) => match old.cell(place) {
                    Cell::Text(text) => Cell::Text(text),
                    Cell::Null | Cell::Unknown => Cell::Unknown,
                },
                OldRow::SameIdentity => match (self.plan.columns.get(column).map(|c| c.in_identity), self.new) {
                    (Some(InIdentity::Yes), Some(new)) => new.cell(place),
                    (Some(InIdentity::Yes | InIdentity::No) | None, _) => Cell::Unknown,
                },
            },
        }
    }

    /// Whether the server says that a column has not changed, without telling its value.
    pub(super) fn unchanged_unsent(&self, column: usize) -> bool {
        let place = self.places.get(column).copied().unwrap_or(usize::MAX);
        self.new.is_some_and(|row| row.cell(place) == Cell::Unknown)
    }

    /// Whether the row of a side is the entity.
    pub(super) fn is_entity(&self, side: Side) -> Result<Truth, EvaluationError> {
        let there = match side {
            Side::New => self.new.is_some(),
            Side::Old => !matches!(self.old, OldRow::None),
        };
        match &self.plan.filter {
            _ if !there => Ok(Truth::False),
            None => Ok(Truth::True),
            Some(filter) => match filter.truth(&Here { sides: self, side })? {
                Truth::Null => Ok(Truth::False),
                truth @ (Truth::True | Truth::False | Truth::Unknown) => Ok(truth),
            },
        }
    }
}

/// Operands of an expression over the columns of one side.
struct Here<'s, 'a> {
    sides: &'s Sides<'a>,
    side: Side,
}

impl Operands for Here<'_, '_> {
    fn operand(&self, slot: u16) -> Operand<'_> {
        match self.sides.plan.slots.get(usize::from(slot)) {
            Some(Slot::Here(column)) => operand(self.sides.cell(self.side, *column)),
            Some(Slot::Column(..) | Slot::Field(..)) | None => Operand::Unknown,
        }
    }
}

/// A cell as an operand.
pub(super) fn operand(cell: Cell<'_>) -> Operand<'_> {
    match cell {
        Cell::Null => Operand::Null,
        Cell::Unknown => Operand::Unknown,
        Cell::Text(text) => Operand::Text(text),
    }
}

/// Why a field has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    /// Its form cannot tell it.
    Form(RowProblem),
    /// Its expression has none.
    Expression(EvaluationError),
}

/// The published fields of one side; used again for every row.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    pieces: Vec<(Piece, Cellular)>,
    scratch: Scratch,
    texts: Vec<u8>,
}

/// Where the text lies that a piece was read from.
#[derive(Clone, Copy, Debug)]
enum Cellular {
    Column(usize),
    Text(usize, usize),
}

/// Published values, or values for expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// To be told.
    Telling,
    /// As `old.x` and `new.x`.
    Comparing,
}

impl Rendered {
    pub(super) fn clear(&mut self) {
        self.pieces.clear();
        self.scratch.clear();
        self.texts.clear();
    }

    /// Renders all fields of a side. On an error, says which field.
    pub(super) fn render(&mut self, sides: &Sides<'_>, side: Side, purpose: For) -> Result<(), (usize, NoValue)> {
        self.clear();
        for number in 0..sides.plan.fields.len() {
            self.push(sides, side, number, purpose).map_err(|no| (number, no))?;
        }
        Ok(())
    }

    /// Renders one field after those that are there.
    pub(super) fn push(&mut self, sides: &Sides<'_>, side: Side, number: usize, purpose: For) -> Result<(), NoValue> {
        let Some(field) = sides.plan.fields.get(number) else {
            return Ok(());
        };
        let entry = match &field.from {
            FieldSource::Column(column) => {
                let cell = sides.cell(side, *column);
                let piece = match purpose {
                    For::Telling => field.form.read(cell, &mut self.scratch),
                    For::Comparing => field.form.write_operand(cell, &mut self.scratch),
                };
                (piece.map_err(NoValue::Form)?, Cellular::Column(*column))
            }
            FieldSource::Expression(expression, _) => {
                let start = self.texts.len();
                let written = expression.write(&Here { sides, side }, &mut self.texts);
                let cell = match written.map_err(NoValue::Expression)? {
                    Written::Null => Cell::Null,
                    Written::Unknown => Cell::Unknown,
                    Written::Text => Cell::Text(self.texts.get(start..).unwrap_or_default()),
                };
                let piece = match purpose {
                    For::Telling => field.form.read(cell, &mut self.scratch),
                    For::Comparing => field.form.write_operand(cell, &mut self.scratch),
                };
                (piece.map_err(NoValue::Form)?, Cellular::Text(start, self.texts.len()))
            }
        };
        self.pieces.push(entry);
        Ok(())
    }

    /// Writes a text through a form, after the fields that are there (for `with`).
    pub(super) fn push_text(
        &mut self,
        form: &crate::mapping::form::Form,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, EvaluationError>,
    ) -> Result<(), NoValue> {
        let start = self.texts.len();
        let cell = match write(&mut self.texts).map_err(NoValue::Expression)? {
            Written::Null => Cell::Null,
            Written::Unknown => Cell::Unknown,
            Written::Text => Cell::Text(self.texts.get(start..).unwrap_or_default()),
        };
        let piece = form.read(cell, &mut self.scratch).map_err(NoValue::Form)?;
        self.pieces.push((piece, Cellular::Text(start, self.texts.len())));
        Ok(())
    }

    /// The value of an entry; none where it is not known.
    #[inline]
    pub(super) fn value<'v>(&'v self, sides: &Sides<'v>, side: Side, entry: usize) -> Option<Value<'v>> {
        let (piece, at) = self.pieces.get(entry)?;
        let cell = match *at {
            Cellular::Column(column) => sides.cell(side, column),
            Cellular::Text(start, end) => Cell::Text(self.texts.get(start..end).unwrap_or_default()),
        };
        piece.value(cell, &self.scratch)
    }
}
