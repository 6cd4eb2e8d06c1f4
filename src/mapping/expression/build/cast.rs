//! Casts, and bringing an operand to the type that an operator wants.

use std::ops::Range;

use sqlparser::ast::{CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, TimezoneInfo};

use crate::flow::catalog::SqlType;
use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::{Builder, Built};
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{Cast, Collation, Node, Op};

/// Longest `varchar(n)` and `char(n)`.
const LENGTH_MAX: u64 = 10_485_760;

/// A type as a cast names it, and its limit.
struct Target {
    kind: Kind,
    limit: Option<Cast>,
}

impl Builder<'_> {
    pub(super) fn cast(&mut self, whole: &Expr, place: &Range<usize>) -> Built {
        let Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } = whole
        else {
            return Err(self.refused(whole, place));
        };
        let node = self.node(expr)?;
        self.cast_to(node, data_type, place)
    }

    pub(super) fn cast_to(&self, node: Node, data_type: &DataType, place: &Range<usize>) -> Built {
        let Some(Target { kind, limit }) = target(data_type) else {
            let message = format!("no cast to {data_type} here");
            let hint = "types are boolean, smallint, integer, bigint, numeric, real, double precision, text, varchar, \
                        char, date, timestamp, timestamptz, uuid";
            return Err(self.error(place, message, Some(hint)));
        };
        let brought = self.explicitly(node, &kind, place)?;
        match limit {
            None => Ok(brought),
            Some(limit) => {
                let collation = brought.collation.clone();
                self.finish(Op::Cast(limit, Box::new(brought)), kind, collation, place)
            }
        }
    }

    /// An explicit cast: refused where its result depends on the session or on a release.
    fn explicitly(&self, node: Node, to: &Kind, place: &Range<usize>) -> Built {
        let from = node.kind.clone();
        let allowed = match (&from, to) {
            (Kind::Literal, _) => true,
            _ if from == *to => true,
            _ if from.is_number() && to.is_number() => true,
            (Kind::Int4, Kind::Bool) | (Kind::Bool, Kind::Int4) => true,
            (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) => true,
            (_, Kind::Bpchar) => from.is_text(),
            _ if to.is_plain_text() => showable(&from),
            _ if from.is_text() => to.is_number() || matches!(to, Kind::Bool | Kind::Uuid),
            _ => false,
        };
        if allowed {
            return self.brought(node, to, place);
        }
        let hint = match (&from, to) {
            (_, Kind::Date | Kind::Timestamp | Kind::TimestampTz) if from.is_text() => {
                Some("how a text is read as a date depends on the session: give the field a `parse = \"YYYY-MM-DD\"`")
            }
            (Kind::TimestampTz, _) | (_, Kind::TimestampTz) => Some("the result depends on the session's time zone"),
            (_, Kind::Bpchar) => Some("cast to text first"),
            _ => None,
        };
        Err(self.error(
            place,
            format!("no cast from {} to {} here", from.name(), to.name()),
            hint,
        ))
    }

    /// Brings a node to a type that it can be brought to.
    pub(super) fn brought(&self, node: Node, to: &Kind, place: &Range<usize>) -> Built {
        let from = node.kind.clone();
        if from == *to {
            return Ok(node);
        }
        if let (Kind::Literal, Some(value)) = (&from, node.constant()) {
            let typed = self.typed(value, to, place)?;
            return Ok(Node {
                collation: node.collation,
                ..typed
            });
        }
        let cast = match (&from, to) {
            (Kind::Bpchar, _) if to.is_plain_text() => Cast::Strip,
            _ if from.is_text() && to.is_text() => {
                return Ok(Node {
                    kind: to.clone(),
                    ..node
                });
            }
            _ if from.is_text() => Cast::Read,
            _ if to.is_text() => Cast::Show,
            _ => Cast::Convert,
        };
        let collation = if to.is_text() {
            node.collation.clone()
        } else {
            Collation::Default
        };
        self.finish(Op::Cast(cast, Box::new(node)), to.clone(), collation, place)
    }

    /// An argument that is to be a text.
    pub(super) fn as_text(&self, node: Node, place: &Range<usize>, what: &str) -> Result<Node, ExpressionError> {
        if node.kind == Kind::Literal || node.kind == Kind::Bpchar {
            return self.brought(node, &Kind::Text, place);
        }
        if node.kind.is_plain_text() {
            return Ok(node);
        }
        let message = format!("{what} wants a text, not {}", node.kind.name());
        Err(self.error(place, message, Some("cast it: `…::text`")))
    }
}

/// Types whose text does not depend on the session (`DateStyle` is ISO wherever a date is told).
pub(super) fn showable(kind: &Kind) -> bool {
    match kind {
        Kind::TimestampTz => false,
        Kind::Opaque(sql_type) => matches!(sql_type, SqlType::Json | SqlType::Time),
        Kind::Literal | Kind::Bool | Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric => true,
        Kind::Float4 | Kind::Float8 | Kind::Text | Kind::Varchar | Kind::SomeText | Kind::Bpchar => true,
        Kind::Date | Kind::Timestamp | Kind::Uuid | Kind::Enum(_) => true,
    }
}

fn plain(kind: Kind) -> Option<Target> {
    Some(Target { kind, limit: None })
}

fn target(data_type: &DataType) -> Option<Target> {
    match data_type {
        DataType::Bool | DataType::Boolean => plain(Kind::Bool),
        DataType::SmallInt(None) | DataType::Int2(None) => plain(Kind::Int2),
        DataType::Int(None) | DataType::Int4(None) | DataType::Integer(None) => plain(Kind::Int4),
        DataType::BigInt(None) | DataType::Int8(None) => plain(Kind::Int8),
        DataType::Real | DataType::Float4 => plain(Kind::Float4),
        DataType::Float8 | DataType::DoublePrecision | DataType::Float(ExactNumberInfo::None) => plain(Kind::Float8),
        DataType::Float(ExactNumberInfo::Precision(1..=24)) => plain(Kind::Float4),
        DataType::Float(ExactNumberInfo::Precision(25..=53)) => plain(Kind::Float8),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => {
            let limit = match info {
                ExactNumberInfo::None => None,
                ExactNumberInfo::Precision(precision) => Some((*precision, 0)),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => Some((*precision, *scale)),
            };
            let Some((precision, scale)) = limit else {
                return plain(Kind::Numeric);
            };
            let (precision, scale) = (u32::try_from(precision).ok()?, u32::try_from(scale).ok()?);
            // A scale beyond the precision is an error before PostgreSQL 15.
            let valid = (1..=1000).contains(&precision) && scale <= precision;
            valid.then_some(Target {
                kind: Kind::Numeric,
                limit: Some(Cast::Limit(precision, scale)),
            })
        }
        DataType::Text => plain(Kind::Text),
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            let limit = match length {
                None => None,
                Some(length) => Some(Cast::Cut(characters(length)?)),
            };
            Some(Target {
                kind: Kind::Varchar,
                limit,
            })
        }
        DataType::Char(length) | DataType::Character(length) => {
            let length = length.as_ref().map_or(Some(1), characters)?;
            Some(Target {
                kind: Kind::Bpchar,
                limit: Some(Cast::Pad(length)),
            })
        }
        DataType::Date => plain(Kind::Date),
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => plain(Kind::Timestamp),
        DataType::Timestamp(None, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => plain(Kind::TimestampTz),
        DataType::Uuid => plain(Kind::Uuid),
        _ => None,
    }
}

fn characters(length: &CharacterLength) -> Option<usize> {
    match length {
        CharacterLength::IntegerLength { length, unit: None } if (1..=LENGTH_MAX).contains(length) => {
            usize::try_from(*length).ok()
        }
        CharacterLength::IntegerLength { .. } | CharacterLength::Max => None,
    }
}
