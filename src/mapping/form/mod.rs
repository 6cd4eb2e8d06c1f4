//! Published forms: how a column's text becomes the value that is published.
//!
//! A form is compiled once and then reads PostgreSQL's text format. What is published as it stands is only pointed at;
//! what is rewritten goes into a scratch that is used again for every row.

mod array;
mod compile;
mod instant;
mod pattern;
mod published;
mod shape;
mod step;
#[cfg(test)]
mod tests;

use crate::flow::catalog::SqlType;
use crate::flow::cell::Cell;
use crate::flow::event::Value;
pub use published::has_ids;
pub(in crate::mapping) use published::is_formless;
use step::Step;

/// A form that a column cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormProblem {
    /// What is wrong, naming the option: lower case, no full stop.
    pub message: String,
    /// How to repair it.
    pub hint: Option<String>,
}

/// A value that a form cannot tell. Never says the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RowProblem {
    /// `codes` does not list it.
    #[error("a code that is not listed")]
    UnknownCode,
    /// It does not fit the pattern of `parse`, or names no day or time there is.
    #[error("a text that is no date or timestamp by the pattern")]
    NotADate,
    /// The text is not UTF-8.
    #[error("a text that is not valid UTF-8")]
    NotUtf8,
    /// Beyond what the published form can say.
    #[error("a value out of range")]
    OutOfRange,
    /// Not as PostgreSQL writes this type under the session's settings.
    #[error("a text that is not in the server's format of its type")]
    Malformed,
}

/// Bytes that forms write; cleared for every row, so that nothing is allocated for one.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    bytes: Vec<u8>,
    /// An element's text without its escapes.
    plain: Vec<u8>,
    /// What an element's form wrote.
    element: Vec<u8>,
}

impl Scratch {
    /// Forgets what was written and keeps the memory: earlier pieces lose their meaning.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Bytes in use.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Where a piece lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first bytes of the cell.
    Cell {
        /// How many.
        len: usize,
    },
    /// In the scratch.
    Scratch {
        /// First byte.
        start: usize,
        /// Length in bytes.
        len: usize,
    },
}

/// A published value, by where its bytes lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Null.
    Null,
    /// Not known.
    Unknown,
    /// A boolean.
    Bool(bool),
    /// A number in JSON's spelling.
    Number(Place),
    /// A text.
    Text(Place),
    /// A JSON document.
    Json(Place),
}

impl Piece {
    /// The value, over the cell and the scratch it was read with; none where it is not known.
    #[inline]
    pub fn value<'a>(self, cell: Cell<'a>, scratch: &'a Scratch) -> Option<Value<'a>> {
        let cell = match cell {
            Cell::Text(text) => text,
            Cell::Null | Cell::Unknown => &[],
        };
        match self {
            Self::Null => Some(Value::Null),
            Self::Unknown => None,
            Self::Bool(value) => Some(Value::Bool(value)),
            Self::Number(place) => Some(Value::Number(place.bytes(cell, &scratch.bytes))),
            Self::Text(place) => Some(Value::Text(place.bytes(cell, &scratch.bytes))),
            Self::Json(place) => Some(Value::Json(place.bytes(cell, &scratch.bytes))),
        }
    }
}

impl Place {
    #[inline]
    fn bytes<'a>(self, cell: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Cell { len } => cell.get(..len),
            Self::Scratch { start, len } => scratch.get(start..start.saturating_add(len)),
        }
        .unwrap_or_default()
    }
}

/// Whether trailing blanks are part of a column's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    /// They are padding (`char(n)`).
    Dropped,
    /// They are the text's own.
    Kept,
}

/// A compiled form.
#[derive(Clone, Debug)]
pub struct Form {
    padding: Padding,
    null_when: Vec<Vec<u8>>,
    step: Step,
    sql_type: SqlType,
    uncovered: Vec<String>,
}

impl Form {
    /// Reads a cell: null stays null, and what is not known stays not known.
    ///
    /// # Errors
    /// The form has no value for this text.
    #[inline]
    pub fn read(&self, cell: Cell<'_>, scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        match cell {
            Cell::Null => Ok(Piece::Null),
            Cell::Unknown => Ok(Piece::Unknown),
            Cell::Text(text) => self.write(text, scratch),
        }
    }

    /// Reads a text in PostgreSQL's output format; places in the piece refer to this text and to the scratch.
    ///
    /// # Errors
    /// The form has no value for this text.
    #[inline]
    pub fn write(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let text = self.trimmed(text);
        if self.is_null(text) {
            return Ok(Piece::Null);
        }
        self.step.write(text, scratch)
    }

    /// The published value in PostgreSQL's text format of [`Form::sql_type`], for `old.x` and `new.x` in expressions:
    /// a [`Piece::Text`], or null.
    ///
    /// # Errors
    /// The form has no value for this text.
    pub fn write_operand(&self, cell: Cell<'_>, scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        match cell {
            Cell::Null => Ok(Piece::Null),
            Cell::Unknown => Ok(Piece::Unknown),
            Cell::Text(text) => {
                let text = self.trimmed(text);
                if self.is_null(text) {
                    return Ok(Piece::Null);
                }
                self.step.write_operand(text, scratch)
            }
        }
    }

    /// The type as which expressions see the published value.
    pub fn sql_type(&self) -> &SqlType {
        &self.sql_type
    }

    /// Values that the database allows and that neither `codes` nor `null_when` lists, in the catalogue's order.
    pub fn uncovered(&self) -> &[String] {
        &self.uncovered
    }

    #[inline]
    fn trimmed<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        match self.padding {
            Padding::Kept => text,
            Padding::Dropped => without_padding(text),
        }
    }

    #[inline]
    fn is_null(&self, text: &[u8]) -> bool {
        !self.null_when.is_empty() && self.null_when.iter().any(|null| null == text)
    }
}

/// `char(n)` as `::text` gives it: only blanks are padding, other white space is not.
fn without_padding(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}
