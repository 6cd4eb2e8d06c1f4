//! Tables of expressions: what they share.

mod moments;
mod numbers;
mod refusals;
mod truth;
mod values;

use super::{EvaluationError, Expression, ExpressionError, Leaf, Names, Operand, Operands, Written};
use crate::flow::catalog::{Nullable, SqlType};

const ENGLISH: &str = "en_US.UTF-8";

/// Columns by name: their type, whether they may be null, their collation.
const COLUMNS: [(&str, Nullable, &str); 14] = [
    ("a", Nullable::Yes, ""),
    ("b", Nullable::Yes, ""),
    ("i", Nullable::No, ""),
    ("j", Nullable::Yes, ""),
    ("n", Nullable::Yes, ""),
    ("s", Nullable::Yes, "default"),
    ("c", Nullable::No, "C"),
    ("german", Nullable::No, "de_DE"),
    ("loose", Nullable::No, "my_ci"),
    ("pad", Nullable::No, "default"),
    ("d", Nullable::No, ""),
    ("z", Nullable::No, ""),
    ("doc", Nullable::Yes, ""),
    ("Mixed", Nullable::No, ""),
];

fn type_of(name: &str) -> SqlType {
    match name {
        "a" | "b" => SqlType::Bool,
        "i" | "j" | "Mixed" => SqlType::Int4,
        "n" => SqlType::Numeric,
        "pad" => SqlType::Bpchar,
        "d" => SqlType::Date,
        "z" => SqlType::TimestampTz,
        "doc" => SqlType::Json,
        _ => SqlType::Text,
    }
}

/// Columns, and fields of an entity as `old.` and `new.`.
struct Table;

impl Names for Table {
    fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Leaf, String> {
        let known = match (qualifier, name) {
            (None, name) => COLUMNS.iter().position(|(known, ..)| *known == name),
            (Some("old"), "placedAt") => Some(5),
            (Some("new_row"), "s") => Some(5),
            _ => None,
        };
        let at = known.ok_or_else(|| format!("unknown column \"{name}\""))?;
        let (known, nullable, collation) = COLUMNS[at];
        Ok(Leaf {
            slot: u16::try_from(at).unwrap(),
            sql_type: type_of(known),
            nullable,
            collation: collation.to_owned(),
        })
    }
}

/// Values by column, `?` for one that is not known; the others are null.
struct Row(Vec<(&'static str, &'static str)>);

impl Operands for Row {
    fn operand(&self, slot: u16) -> Operand<'_> {
        let (name, ..) = COLUMNS[usize::from(slot)];
        match self.0.iter().find(|(known, _)| *known == name) {
            Some((_, "?")) => Operand::Unknown,
            Some((_, text)) => Operand::Text(text.as_bytes()),
            None => Operand::Null,
        }
    }
}

fn compile(text: &str) -> Result<Expression, ExpressionError> {
    Expression::compile(text, &Table, ENGLISH)
}

/// The value's text; `null`, `unknown`, or the error.
fn value(text: &str, row: &Row) -> String {
    let expression = compile(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let mut out = Vec::new();
    match expression.write(row, &mut out) {
        Ok(Written::Null) => "null".to_owned(),
        Ok(Written::Unknown) => "unknown".to_owned(),
        Ok(Written::Text) => String::from_utf8(out).unwrap(),
        Err(EvaluationError(why)) => format!("error: {why}"),
    }
}

/// The value of an expression without columns.
fn constant(text: &str) -> String {
    value(text, &Row(Vec::new()))
}
