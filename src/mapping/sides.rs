//! The two sides of a row change, as far as the stream tells them, and what is published of each.

use crate::flow::cell::{Cell, Row};
use crate::flow::event::Value;
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth, Written};
use crate::mapping::fitted::Spot;
use crate::mapping::form::{Form, Piece, RowProblem, Scratch};
use crate::mapping::plan::{FieldSource, InIdentity, Plan, PlanField, Side, Slot};

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
    pub(super) places: &'a [Spot],
    pub(super) old: OldRow<'a>,
    pub(super) new: Option<Row<'a>>,
}

impl<'a> Sides<'a> {
    /// A column's value on one side.
    #[inline]
    pub(super) fn cell(&self, side: Side, column: usize) -> Cell<'a> {
        let Some(&Spot { at: place, in_identity }) = self.places.get(column) else {
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
                OldRow::SameIdentity => match (in_identity, self.new) {
                    (InIdentity::Yes, Some(new)) => new.cell(place),
                    (InIdentity::Yes | InIdentity::No, _) => Cell::Unknown,
                },
            },
        }
    }

    /// Whether the server says that a column has not changed, without telling its value.
    pub(super) fn unchanged_unsent(&self, column: usize) -> bool {
        let place = self.places.get(column).map_or(usize::MAX, |spot| spot.at);
        self.new.is_some_and(|row| row.cell(place) == Cell::Unknown)
    }

    /// Whether it is known of each of these columns what it was, or that it has not changed.
    pub(super) fn knows_old(&self, columns: &[usize]) -> bool {
        let knows = |column: &usize| self.cell(Side::Old, *column) != Cell::Unknown || self.unchanged_unsent(*column);
        columns.iter().all(knows)
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
                Truth::Null | Truth::False => Ok(Truth::False),
                truth @ (Truth::True | Truth::Unknown) => Ok(truth),
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
    entries: Vec<Entry>,
    scratch: Scratch,
    texts: Vec<u8>,
}

/// A field's value, or why it has none.
#[derive(Clone, Copy, Debug)]
enum Entry {
    /// Read from a column of the row.
    Column(Piece, usize),
    /// Read from a text that an expression wrote.
    Text(Piece, usize, usize),
    /// There is none: an error only if somebody asks for it.
    Missing(NoValue),
    /// Nobody asks for it.
    Skipped,
}

/// Published values, or values for expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// To be told: all fields.
    Telling,
    /// As `old.x` and `new.x`: those that an expression names.
    Comparing,
}

impl Rendered {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.scratch.clear();
        self.texts.clear();
    }

    /// Renders the fields of a side. One that has no value is an error only where it is asked for: a row that leaves may
    /// hold what nobody can tell.
    pub(super) fn render(&mut self, sides: &Sides<'_>, side: Side, purpose: For) {
        self.clear();
        for field in &sides.plan.fields {
            let entry = match purpose {
                For::Comparing if !field.compared.contains(&side) => Ok(Entry::Skipped),
                For::Comparing | For::Telling => self.read(sides, side, (field, purpose)),
            };
            self.entries.push(entry.unwrap_or_else(Entry::Missing));
        }
    }

    fn read(&mut self, sides: &Sides<'_>, side: Side, (field, purpose): (&PlanField, For)) -> Result<Entry, NoValue> {
        let read = |cell: Cell<'_>, scratch: &mut Scratch| match purpose {
            For::Telling => field.form.read(cell, scratch).map_err(NoValue::Form),
            For::Comparing => field.form.write_operand(cell, scratch).map_err(NoValue::Form),
        };
        match &field.from {
            FieldSource::Column(column) => Ok(Entry::Column(
                read(sides.cell(side, *column), &mut self.scratch)?,
                *column,
            )),
            FieldSource::Expression(expression, _) => {
                let write = |out: &mut Vec<u8>| expression.write(&Here { sides, side }, out);
                self.read_text(write, read)
            }
        }
    }

    fn read_text(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, EvaluationError>,
        read: impl FnOnce(Cell<'_>, &mut Scratch) -> Result<Piece, NoValue>,
    ) -> Result<Entry, NoValue> {
        let start = self.texts.len();
        let cell = match write(&mut self.texts).map_err(NoValue::Expression)? {
            Written::Null => Cell::Null,
            Written::Unknown => Cell::Unknown,
            Written::Text => Cell::Text(self.texts.get(start..).unwrap_or_default()),
        };
        let piece = read(cell, &mut self.scratch)?;
        Ok(Entry::Text(piece, start, self.texts.len()))
    }

    /// Renders what an expression writes, after what is there (for `with`).
    pub(super) fn push_text(
        &mut self,
        form: &Form,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Written, EvaluationError>,
    ) -> Result<(), NoValue> {
        let entry = self.read_text(write, |cell, scratch| form.read(cell, scratch).map_err(NoValue::Form))?;
        self.entries.push(entry);
        Ok(())
    }

    /// The first entry that has no value, by number.
    pub(super) fn missing(&self) -> Option<(usize, NoValue)> {
        let missing = |(number, entry): (usize, &Entry)| match entry {
            Entry::Missing(no) => Some((number, *no)),
            Entry::Column(..) | Entry::Text(..) | Entry::Skipped => None,
        };
        self.entries.iter().enumerate().find_map(missing)
    }

    /// The value of an entry; none where it is not known.
    #[inline]
    pub(super) fn value<'v>(
        &'v self,
        sides: &Sides<'v>,
        side: Side,
        number: usize,
    ) -> Result<Option<Value<'v>>, NoValue> {
        match self.entries.get(number) {
            Some(Entry::Column(piece, column)) => Ok(piece.value(sides.cell(side, *column), &self.scratch)),
            Some(Entry::Text(piece, start, end)) => {
                let text = self.texts.get(*start..*end).unwrap_or_default();
                Ok(piece.value(Cell::Text(text), &self.scratch))
            }
            Some(Entry::Missing(no)) => Err(*no),
            Some(Entry::Skipped) | None => Ok(None),
        }
    }
}
