//! Values as text: PostgreSQL's input and output functions, and its string functions.

use std::borrow::Cow;

use crate::mapping::expression::EvaluationError;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::Value;
use crate::mapping::expression::value::decimal::Decimal;
use crate::mapping::expression::value::float::{self, Width};
use crate::mapping::expression::value::stamp::{self, Shape};

/// PostgreSQL holds no text as long as this, bytes.
const TEXT_BYTES_MAX: usize = (1 << 30) - 1;
const TOO_LONG: EvaluationError = EvaluationError("a text longer than PostgreSQL could hold");
const NOT_UTF8: EvaluationError = EvaluationError("a text that is not valid UTF-8");
const MALFORMED: EvaluationError = EvaluationError("a value that is not in the server's format of its type");

/// Reads a column's value in the output format of its type.
#[inline]
pub(in crate::mapping::expression) fn leaf<'a>(text: &'a [u8], kind: &Kind) -> Result<Value<'a>, EvaluationError> {
    let read = match kind {
        Kind::Literal | Kind::Text | Kind::Varchar | Kind::SomeText | Kind::Bpchar => Some(as_it_is(text)),
        Kind::Uuid | Kind::Enum(_) | Kind::Opaque(_) => Some(as_it_is(text)),
        Kind::Bool => match text {
            b"t" | b"true" => Some(Value::Bool(true)),
            b"f" | b"false" => Some(Value::Bool(false)),
            _ => None,
        },
        Kind::Int2 | Kind::Int4 | Kind::Int8 => integer(text).map(Value::Int),
        Kind::Numeric => Decimal::parse(text).map(Value::Decimal),
        Kind::Float4 => float::parse(text, Width::Real).ok().map(Value::Float),
        Kind::Float8 => float::parse(text, Width::Double).ok().map(Value::Float),
        Kind::Date => stamp::parse(text, Shape::Date).map(Value::Stamp),
        Kind::Timestamp => stamp::parse(text, Shape::Timestamp).map(Value::Stamp),
        Kind::TimestampTz => stamp::parse(text, Shape::TimestampTz).map(Value::Stamp),
    };
    read.ok_or(MALFORMED)
}

fn as_it_is(text: &[u8]) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads what a person wrote as the type's input function would; what it takes only in some releases is refused.
pub(in crate::mapping::expression) fn input(text: &[u8], kind: &Kind) -> Result<Value<'static>, EvaluationError> {
    const SYNTAX: EvaluationError = EvaluationError("invalid input syntax for the type");
    let spaced = std::str::from_utf8(text).map_err(|_| NOT_UTF8)?;
    let trimmed = spaced.trim_matches(float::is_space);
    match kind {
        Kind::Bool => boolean(trimmed).map(Value::Bool).ok_or(SYNTAX),
        Kind::Int2 | Kind::Int4 | Kind::Int8 => {
            let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
            let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
            let (number, _) = trimmed.split_at(trimmed.len() - unsigned.len() + digits);
            if digits == 0 {
                return Err(SYNTAX);
            }
            // A number too large is found before what follows it.
            let value = within(number.parse().map_err(|_| out_of(kind))?, kind)?;
            if number.len() == trimmed.len() {
                Ok(Value::Int(value))
            } else {
                Err(SYNTAX)
            }
        }
        Kind::Numeric => Decimal::parse(trimmed.as_bytes()).map(Value::Decimal).ok_or(SYNTAX),
        Kind::Float4 => float::parse(text, Width::Real)
            .map(Value::Float)
            .map_err(|e| e.unwrap_or(SYNTAX)),
        Kind::Float8 => float::parse(text, Width::Double)
            .map(Value::Float)
            .map_err(|e| e.unwrap_or(SYNTAX)),
        Kind::Date => stamp::parse(text, Shape::Date).map(Value::Stamp).ok_or(SYNTAX),
        Kind::Timestamp => stamp::parse(text, Shape::Timestamp).map(Value::Stamp).ok_or(SYNTAX),
        Kind::TimestampTz => stamp::parse(text, Shape::TimestampTz).map(Value::Stamp).ok_or(SYNTAX),
        Kind::Uuid => uuid(spaced).ok_or(SYNTAX),
        Kind::Enum(labels) if !labels.iter().any(|label| label == spaced) => {
            Err(EvaluationError("invalid input value for enum"))
        }
        Kind::Literal | Kind::Text | Kind::Varchar | Kind::SomeText | Kind::Bpchar | Kind::Enum(_) => {
            Ok(Value::Text(Cow::Owned(text.to_vec())))
        }
        Kind::Opaque(_) => Err(SYNTAX),
    }
}

/// A prefix of `true`, `false`, `yes`, `no`, or `on`, `off` (two letters at least), `1`, `0`; in any case.
fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let starts = |word: &str, least: usize| text.len() >= least && word.starts_with(&text);
    if starts("true", 1) || starts("yes", 1) || text == "on" || text == "1" {
        return Some(true);
    }
    (starts("false", 1) || starts("no", 1) || starts("off", 2) || text == "0").then_some(false)
}

/// 32 hexadecimal digits, a hyphen after any group of four, perhaps in braces.
fn uuid(text: &str) -> Option<Value<'static>> {
    let mut rest = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let mut shown = String::with_capacity(36);
    for group in 0..8 {
        let (four, after) = rest.split_at_checked(4)?;
        if !four.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        if (2..=5).contains(&group) {
            shown.push('-');
        }
        shown += four;
        rest = if group < 7 {
            after.strip_prefix('-').unwrap_or(after)
        } else {
            after
        };
    }
    rest.is_empty()
        .then(|| Value::Text(Cow::Owned(shown.to_ascii_lowercase().into_bytes())))
}

/// The error of a number that an integer type cannot hold.
pub(in crate::mapping::expression) fn out_of(kind: &Kind) -> EvaluationError {
    EvaluationError(match kind {
        Kind::Int2 => "smallint out of range",
        Kind::Int4 => "integer out of range",
        _ => "bigint out of range",
    })
}

/// Holds an integer against its type.
pub(in crate::mapping::expression) fn within(value: i64, kind: &Kind) -> Result<i64, EvaluationError> {
    let fits = match kind {
        Kind::Int2 => i16::try_from(value).is_ok(),
        Kind::Int4 => i32::try_from(value).is_ok(),
        _ => true,
    };
    if fits { Ok(value) } else { Err(out_of(kind)) }
}

/// Writes a value as the output function of its type.
pub(in crate::mapping::expression) fn write(value: &Value<'_>, kind: &Kind, out: &mut Vec<u8>) {
    match value {
        Value::Unknown | Value::Null => {}
        Value::Bool(value) => out.push(if *value { b't' } else { b'f' }),
        Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Decimal(value) => value.write(out),
        Value::Float(value) => float::write(*value, width(kind), out),
        Value::Stamp(value) => {
            let shape = match kind {
                Kind::Date => Shape::Date,
                Kind::TimestampTz => Shape::TimestampTz,
                _ => Shape::Timestamp,
            };
            stamp::write(*value, shape, out);
        }
        Value::Text(text) => out.extend_from_slice(text),
    }
}

/// Which float a type is.
pub(in crate::mapping::expression) fn width(kind: &Kind) -> Width {
    if *kind == Kind::Float4 {
        Width::Real
    } else {
        Width::Double
    }
}

/// `char(n)` without its padding.
pub(in crate::mapping::expression) fn unpadded(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

pub(in crate::mapping::expression) fn utf8(text: &[u8]) -> Result<&str, EvaluationError> {
    std::str::from_utf8(text).map_err(|_| NOT_UTF8)
}

/// The first so many characters.
pub(in crate::mapping::expression) fn cut(text: &str, length: usize) -> &str {
    text.char_indices()
        .nth(length)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

/// `char(n)` of a text: cut, else filled up with blanks.
pub(in crate::mapping::expression) fn pad(text: &str, length: usize) -> String {
    let have = text.chars().count();
    let mut padded = cut(text, length).to_owned();
    padded.extend(std::iter::repeat_n(' ', length.saturating_sub(have)));
    padded
}

pub(in crate::mapping::expression) fn concat(left: &[u8], right: &[u8]) -> Result<Vec<u8>, EvaluationError> {
    if left.len() + right.len() > TEXT_BYTES_MAX {
        return Err(TOO_LONG);
    }
    Ok([left, right].concat())
}

/// `substr(text, start, length)`, counted in characters from 1.
pub(in crate::mapping::expression) fn substr(
    text: &str,
    start: i64,
    length: Option<i64>,
) -> Result<&str, EvaluationError> {
    if length.is_some_and(|length| length < 0) {
        return Err(EvaluationError("negative substring length not allowed"));
    }
    let place = |n: i64| usize::try_from(n).unwrap_or(0);
    let skipped = place(start - 1);
    let rest = text
        .char_indices()
        .nth(skipped)
        .and_then(|(at, _)| text.get(at..))
        .unwrap_or_default();
    // PostgreSQL reckons the end in 32 bits, and takes all where that overflows.
    match length
        .map(|length| start + length)
        .filter(|end| i32::try_from(*end).is_ok())
    {
        None => Ok(rest),
        Some(end) => Ok(cut(rest, place(end - 1).saturating_sub(skipped))),
    }
}

pub(in crate::mapping::expression) fn replace(text: &str, from: &str, to: &str) -> Result<String, EvaluationError> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    let more = text.matches(from).count().saturating_mul(to.len());
    if text.len().saturating_add(more) > TEXT_BYTES_MAX {
        return Err(TOO_LONG);
    }
    Ok(text.replace(from, to))
}
