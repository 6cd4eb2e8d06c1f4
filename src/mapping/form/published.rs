//! What each PostgreSQL type is published as, where no option says otherwise.

use super::instant::{Instants, Reading, Telling};
use super::step::{Elements, Step};
use super::{Padding, without_padding};
use crate::flow::catalog::SqlType;

/// How a type is published (<https://www.postgresql.org/docs/current/datatype.html>).
pub(super) fn plain(sql_type: &SqlType, reading: &Reading) -> Step {
    let telling = Telling::Iso;
    match sql_type {
        SqlType::Bool => Step::Bool,
        SqlType::Int2 | SqlType::Int4 => Step::Number,
        SqlType::Int8 => Step::Integer,
        SqlType::Float4 | SqlType::Float8 => Step::NumberOrSpecial,
        SqlType::Numeric | SqlType::Date | SqlType::Time | SqlType::TimeTz | SqlType::Interval | SqlType::Uuid => {
            Step::Ascii
        }
        SqlType::Text | SqlType::Bpchar | SqlType::Enum(_) | SqlType::Other(_) => Step::Text,
        SqlType::Bytea => Step::Bytea,
        SqlType::Json => Step::Json,
        SqlType::Timestamp => Step::Instant(Instants {
            reading: reading.clone(),
            telling,
        }),
        SqlType::TimestampTz => Step::Instant(Instants {
            reading: Reading::Utc,
            telling,
        }),
        SqlType::Array(_) => {
            let element = innermost(sql_type);
            let is_box = matches!(element, SqlType::Other(name) if name == "box");
            Step::Array(Elements {
                step: Box::new(plain(element, reading)),
                padding: padding(element),
                delimiter: if is_box { b';' } else { b',' },
            })
        }
    }
}

/// Whether a type has no form of its own: what PostgreSQL writes is published as text.
pub(in crate::mapping) fn is_formless(sql_type: &SqlType) -> bool {
    matches!(innermost(sql_type), SqlType::Other(_) | SqlType::Interval)
}

/// The type of an array's elements, or the type itself.
pub(super) fn innermost(sql_type: &SqlType) -> &SqlType {
    if let SqlType::Array(element) = sql_type {
        innermost(element)
    } else {
        sql_type
    }
}

/// Whether a type's values are padded.
pub(super) fn padding(sql_type: &SqlType) -> Padding {
    if *sql_type == SqlType::Bpchar {
        Padding::Dropped
    } else {
        Padding::Kept
    }
}

/// A declared text as the wire spells it.
pub(super) fn column_text<'t>(text: &'t str, sql_type: &SqlType) -> &'t str {
    match (sql_type, text) {
        (SqlType::Bool, "true") => "t",
        (SqlType::Bool, "false") => "f",
        (SqlType::Bpchar, _) => std::str::from_utf8(without_padding(text.as_bytes())).unwrap_or(text),
        _ => text,
    }
}

/// Whether a type's values may be codes.
pub(super) fn has_codes(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Bool | SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Numeric => true,
        SqlType::Text | SqlType::Bpchar | SqlType::Enum(_) | SqlType::Other(_) => true,
        SqlType::Date | SqlType::Time | SqlType::Uuid => true,
        SqlType::Float4 | SqlType::Float8 | SqlType::Bytea | SqlType::Json | SqlType::Array(_) => false,
        SqlType::TimeTz | SqlType::Timestamp | SqlType::TimestampTz | SqlType::Interval => false,
    }
}

/// Whether one value of a type has one text, so that equal values have one id.
pub fn has_ids(sql_type: &SqlType) -> bool {
    has_codes(sql_type) && *sql_type != SqlType::Bool
}

/// A type's name for messages where the catalogue gives none.
pub(super) fn type_word(sql_type: &SqlType) -> &str {
    match sql_type {
        SqlType::Bool => "boolean",
        SqlType::Int2 => "smallint",
        SqlType::Int4 => "integer",
        SqlType::Int8 => "bigint",
        SqlType::Float4 => "real",
        SqlType::Float8 => "double precision",
        SqlType::Numeric => "numeric",
        SqlType::Text => "text",
        SqlType::Bpchar => "char",
        SqlType::Bytea => "bytea",
        SqlType::Date => "date",
        SqlType::Time => "time",
        SqlType::TimeTz => "time with time zone",
        SqlType::Timestamp => "timestamp without time zone",
        SqlType::TimestampTz => "timestamp with time zone",
        SqlType::Interval => "interval",
        SqlType::Uuid => "uuid",
        SqlType::Json => "json",
        SqlType::Enum(_) => "an enum",
        SqlType::Array(_) => "an array",
        SqlType::Other(name) => name,
    }
}
