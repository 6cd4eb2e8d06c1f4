//! The strict subset of PostgreSQL's SQL expressions: parsed, type-checked, compiled, evaluated in four truth values.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a rule does not name (of syntax, of types) falls to its last arm, which refuses it"
)]

mod build;
mod calculate;
mod compiled;
mod condition;
mod evaluate;
mod kind;
mod letter;
mod node;
mod parse;
#[cfg(test)]
mod tests;
mod value;

pub use build::is_reserved;
pub use compiled::Expression;
pub use parse::parses;

use std::ops::Range;

use crate::flow::catalog::{Nullable, SqlType};

/// What a name in an expression stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Number under which [`Operands`] gives its value.
    pub slot: u16,
    /// Its type.
    pub sql_type: SqlType,
    /// Whether it may be null.
    pub nullable: Nullable,
    /// Collation, as in `ColumnFacts::collation`.
    pub collation: String,
}

/// Resolves names: a column `c`, or `old.c`, `new.c`, `old_row.c`, `new_row.c`.
pub trait Names {
    /// Finds a name; the error says what is not known and the nearest known name.
    ///
    /// # Errors
    /// A message without a place; the compiler adds it.
    fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Leaf, String>;
}

/// Values of the leaves, in PostgreSQL's text format.
pub trait Operands {
    /// The value of a slot.
    fn operand(&self, slot: u16) -> Operand<'_>;
}

/// A leaf's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand<'a> {
    /// Not known: neither a value nor null.
    Unknown,
    /// SQL NULL.
    Null,
    /// Text in PostgreSQL's output format of the leaf's type (`t`/`f` or `true`/`false` for booleans).
    Text(&'a [u8]),
}

/// A condition's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// SQL true.
    True,
    /// SQL false.
    False,
    /// SQL null ("unknown" in SQL's own words).
    Null,
    /// It depends on a value that is not known.
    Unknown,
}

/// What an expression wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// SQL NULL, nothing written.
    Null,
    /// It depends on a value that is not known; nothing written.
    Unknown,
    /// A value in PostgreSQL's text format of the expression's type.
    Text,
}

/// An expression that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong: `unknown function "foo"`.
    pub message: String,
    /// Where in the expression's text, bytes.
    pub span: Range<usize>,
    /// How to repair it.
    pub hint: Option<String>,
}

/// A row on which the expression has no value (overflow, division by zero, a text that is no number).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluationError(pub &'static str);
