//! Which JSON a form gives.

use super::Form;
use super::instant::{Instants, Reading, Telling};
use super::published::innermost;
use super::step::{Code, Codes, Elements, Numbers, Step, Unlisted};
use crate::contract::Null;
use crate::contract::shape::{Constant, Shape};
use crate::flow::catalog::SqlType;

impl Form {
    /// Which JSON its values are, null aside.
    pub fn shape(&self) -> Shape {
        self.step.shape(&self.sql_type)
    }

    /// Whether it makes null of a value that is not.
    pub fn null(&self) -> Null {
        let unlisted = matches!(&self.step, Step::Codes(codes) if matches!(codes.unknown, Unlisted::Null));
        if unlisted || !self.null_when.is_empty() {
            Null::Possible
        } else {
            Null::Never
        }
    }
}

impl Step {
    fn shape(&self, sql_type: &SqlType) -> Shape {
        match self {
            Self::Number => Shape::Integer,
            Self::Integer => Shape::LargeInteger,
            Self::NumberOrSpecial => Shape::FloatingNumber,
            Self::Ascii => ascii(sql_type),
            Self::Text => Shape::Text,
            Self::Json => Shape::Json,
            Self::Bool => Shape::Boolean,
            Self::BoolText => Shape::OneOf(["true", "false"].map(|word| Constant::Text(word.to_owned())).into()),
            Self::Instant(instants) => instants.shape(),
            Self::Parse(pattern, _) if pattern.is_date() => Shape::Date,
            Self::Parse(_, instants) => instants.shape(),
            Self::Decimals(digits, Numbers::Text) => Shape::Decimal(Some(*digits)),
            Self::Decimals(_, Numbers::Number) => Shape::Number,
            Self::Codes(codes) => codes.shape(sql_type),
            Self::Bytea => Shape::Base64,
            Self::Array(elements) => Shape::List(Box::new(elements.shape(sql_type))),
            Self::PublicId(id, _) => Shape::Pattern {
                expression: id.spelling().expression(),
                words: format!("public id {}", id.spelling()),
            },
        }
    }
}

/// What is ASCII by its type, as text.
fn ascii(sql_type: &SqlType) -> Shape {
    match sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => Shape::Pattern {
            expression: "^-?[0-9]+$".to_owned(),
            words: "integer as text".to_owned(),
        },
        SqlType::Numeric => Shape::Decimal(None),
        SqlType::Date => Shape::Date,
        SqlType::Uuid => Shape::Uuid,
        SqlType::Float4 | SqlType::Float8 => Shape::Text,
        SqlType::Time | SqlType::TimeTz | SqlType::Interval => Shape::Text,
        SqlType::Bool | SqlType::Text | SqlType::Bpchar | SqlType::Bytea | SqlType::Timestamp => Shape::Text,
        SqlType::TimestampTz | SqlType::Json | SqlType::Enum(_) | SqlType::Array(_) | SqlType::Other(_) => Shape::Text,
    }
}

impl Instants {
    fn shape(&self) -> Shape {
        match (self.telling, &self.reading) {
            (Telling::EpochMs, _) => Shape::EpochMs,
            (Telling::Iso, Reading::Local) => Shape::LocalTime,
            (Telling::Iso, Reading::Utc | Reading::Zone(_)) => Shape::Instant,
        }
    }
}

impl Codes {
    /// In the order of the column's texts, each value once.
    fn shape(&self, sql_type: &SqlType) -> Shape {
        let mut listed: Vec<Constant> = Vec::new();
        for (_, code) in &self.table {
            let constant = code.constant();
            if !listed.contains(&constant) {
                listed.push(constant);
            }
        }
        match &self.unknown {
            Unlisted::Halt | Unlisted::Null => Shape::OneOf(listed),
            Unlisted::Raw(step) => Shape::Open(listed, Box::new(step.shape(sql_type))),
        }
    }
}

impl Code {
    fn constant(&self) -> Constant {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::Text(bytes) => Constant::Text(text(bytes)),
            Self::Number(bytes) => Constant::Number(text(bytes)),
            Self::Bool(truth) => Constant::Bool(*truth),
        }
    }
}

impl Elements {
    fn shape(&self, sql_type: &SqlType) -> Shape {
        self.step.shape(innermost(sql_type))
    }
}
