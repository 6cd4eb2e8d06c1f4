//! Literals: numbers, texts, NULL, and typed ones such as `date '2026-01-31'`.

use std::ops::Range;

use sqlparser::ast::{TypedString, Value as Written};

use crate::mapping::expression::build::{Builder, Built, fold};
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::Value;
use crate::mapping::expression::value::decimal::Decimal;
use crate::mapping::expression::value::text;

impl Builder<'_> {
    pub(super) fn literal(&self, written: &Written, place: &Range<usize>) -> Built {
        match written {
            Written::Number(digits, false) => self.number(digits, place),
            Written::SingleQuotedString(text) => Ok(fold::constant(
                Value::Text(text.clone().into_bytes().into()),
                Kind::Literal,
            )),
            Written::Boolean(value) => Ok(fold::constant(Value::Bool(*value), Kind::Bool)),
            Written::Null => Ok(fold::constant(Value::Null, Kind::Literal)),
            Written::Placeholder(name) => {
                Err(self.error(place, format!("a parameter ({name}) has no value here"), None))
            }
            _ => Err(self.error(
                place,
                "unknown spelling of a literal".to_owned(),
                Some("write '…' or a decimal number"),
            )),
        }
    }

    /// A number is the smallest of integer, bigint and numeric that holds it.
    pub(super) fn number(&self, digits: &str, place: &Range<usize>) -> Built {
        let plain = digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'e' | b'E' | b'+'));
        if let (true, Ok(value)) = (plain, digits.parse::<i64>()) {
            let kind = if i32::try_from(value).is_ok() {
                Kind::Int4
            } else {
                Kind::Int8
            };
            return Ok(fold::constant(Value::Int(value), kind));
        }
        match Decimal::parse(digits.as_bytes()) {
            Some(value) if plain => Ok(fold::constant(Value::Decimal(value), Kind::Numeric)),
            _ => Err(self.error(place, format!("unknown spelling of a number: {digits}"), None)),
        }
    }

    /// A quoted literal read as a type.
    pub(super) fn typed(&self, value: &Value<'static>, kind: &Kind, place: &Range<usize>) -> Built {
        let Value::Text(written) = value else {
            return Ok(fold::constant(value.clone(), kind.clone()));
        };
        match text::input(written, kind) {
            Ok(value) => Ok(fold::constant(value, kind.clone())),
            Err(_) => {
                let shown = String::from_utf8_lossy(written);
                let message = format!("'{shown}' is no {}", kind.name());
                let labels = match kind {
                    Kind::Enum(labels) => Some(format!("the labels are {}", labels.join(", "))),
                    _ => None,
                };
                let hint = match kind {
                    Kind::Date => Some("write 'YYYY-MM-DD'"),
                    Kind::Timestamp => Some("write 'YYYY-MM-DD HH:MM:SS'"),
                    Kind::TimestampTz => Some("write 'YYYY-MM-DD HH:MM:SS+00', with its offset"),
                    Kind::Enum(_) => labels.as_deref(),
                    Kind::Opaque(_) => Some("only `is null` and `is not null` can be asked of this type"),
                    _ => None,
                };
                Err(self.error(place, message, hint))
            }
        }
    }

    /// `date '2026-01-31'`, `numeric '1.5'`.
    pub(super) fn typed_literal(&mut self, typed: &TypedString, place: &Range<usize>) -> Built {
        let node = self.literal(&typed.value.value, place)?;
        if typed.uses_odbc_syntax || node.kind != Kind::Literal {
            return Err(self.error(
                place,
                "unknown spelling of a literal".to_owned(),
                Some("write date '2026-01-31'"),
            ));
        }
        self.cast_to(node, &typed.data_type, place)
    }
}
