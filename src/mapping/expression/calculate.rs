//! Arithmetic, casts and functions on values that are there.

use std::borrow::Cow;

use crate::mapping::expression::EvaluationError;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::letter;
use crate::mapping::expression::node::{Arithmetic, Cast, Function, Value};
use crate::mapping::expression::value::decimal::Decimal;
use crate::mapping::expression::value::float;
use crate::mapping::expression::value::stamp;
use crate::mapping::expression::value::text;

type Outcome<'a> = Result<Value<'a>, EvaluationError>;

const BY_ZERO: EvaluationError = EvaluationError("division by zero");
/// The compiler lets no such operand through.
const UNTYPED: EvaluationError = EvaluationError("an operand of another type than was compiled");

pub(super) fn operator<'a>(how: Arithmetic, left: Value<'a>, right: Value<'a>, kind: &Kind) -> Outcome<'a> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => integers(how, a, b, kind).map(Value::Int),
        (Value::Float(a), Value::Float(b)) => float::calculate(how, a, b, text::width(kind)).map(Value::Float),
        (Value::Decimal(a), Value::Decimal(b)) => match how {
            Arithmetic::Add => a.add(&b),
            Arithmetic::Subtract => b.negate().and_then(|b| a.add(&b)),
            Arithmetic::Multiply => a.multiply(&b),
            Arithmetic::Divide => a.divide(&b),
            Arithmetic::Remainder => a.remainder(&b),
        }
        .map(Value::Decimal),
        _ => Err(UNTYPED),
    }
}

fn integers(how: Arithmetic, a: i64, b: i64, kind: &Kind) -> Result<i64, EvaluationError> {
    let result = match how {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Err(BY_ZERO),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => Some(a.checked_rem(b).unwrap_or(0)),
    };
    text::within(result.ok_or_else(|| text::out_of(kind))?, kind)
}

pub(super) fn negate<'a>(value: Value<'a>, kind: &Kind) -> Outcome<'a> {
    match value {
        Value::Int(n) => {
            let negative = n.checked_neg().ok_or_else(|| text::out_of(kind))?;
            text::within(negative, kind).map(Value::Int)
        }
        Value::Float(n) => Ok(Value::Float(-n)),
        Value::Decimal(n) => n.negate().map(Value::Decimal),
        _ => Err(UNTYPED),
    }
}

pub(super) fn cast<'a>(cast: &Cast, value: Value<'a>, from: &Kind, to: &Kind) -> Outcome<'a> {
    match (cast, value) {
        (Cast::Convert, value) => convert(value, from, to),
        (Cast::Show, Value::Bool(value)) => Ok(Value::Text(Cow::Borrowed(if value { b"true" } else { b"false" }))),
        (Cast::Show, value) => {
            let mut out = Vec::new();
            text::write(&value, from, &mut out);
            Ok(Value::Text(out.into()))
        }
        (Cast::Read, Value::Text(text)) => text::input(&text, to),
        (Cast::Limit(precision, scale), Value::Decimal(n)) => n.limit(*precision, *scale).map(Value::Decimal),
        (Cast::Cut(length), Value::Text(text)) => Ok(Value::Text(
            text::cut(text::utf8(&text)?, *length).as_bytes().to_vec().into(),
        )),
        (Cast::Pad(length), Value::Text(text)) => {
            Ok(Value::Text(text::pad(text::utf8(&text)?, *length).into_bytes().into()))
        }
        (Cast::Strip, Value::Text(Cow::Borrowed(text))) => Ok(Value::Text(Cow::Borrowed(text::unpadded(text)))),
        (Cast::Strip, Value::Text(text)) => Ok(Value::Text(text::unpadded(&text).to_vec().into())),
        _ => Err(UNTYPED),
    }
}

fn convert<'a>(value: Value<'a>, from: &Kind, to: &Kind) -> Outcome<'a> {
    match (value, to) {
        (Value::Int(n), Kind::Int2 | Kind::Int4 | Kind::Int8) => text::within(n, to).map(Value::Int),
        (Value::Int(n), Kind::Numeric) => Ok(Value::Decimal(Decimal::from_int(n))),
        (Value::Int(n), Kind::Float4 | Kind::Float8) => Ok(Value::Float(float::of_int(n, text::width(to)))),
        (Value::Int(n), Kind::Bool) => Ok(Value::Bool(n != 0)),
        (Value::Bool(b), Kind::Int4) => Ok(Value::Int(i64::from(b))),
        (Value::Decimal(n), Kind::Int2 | Kind::Int4 | Kind::Int8) => {
            if n.finite().is_none() {
                return Err(EvaluationError("cannot convert NaN or infinity to an integer"));
            }
            text::within(n.to_int().ok_or_else(|| text::out_of(to))?, to).map(Value::Int)
        }
        (Value::Decimal(n), Kind::Float4 | Kind::Float8) => {
            let mut shown = Vec::new();
            n.write(&mut shown);
            let range = EvaluationError("out of range for a floating-point type");
            float::parse(&shown, text::width(to))
                .map(Value::Float)
                .map_err(|error| error.unwrap_or(range))
        }
        (Value::Float(n), Kind::Int2 | Kind::Int4 | Kind::Int8) => {
            text::within(float::to_int(n).ok_or_else(|| text::out_of(to))?, to).map(Value::Int)
        }
        (Value::Float(n), Kind::Numeric) => decimal(n, from),
        (Value::Float(n), Kind::Float4) => float::to_real(n).map(Value::Float),
        (Value::Float(n), Kind::Float8) => Ok(Value::Float(n)),
        (Value::Stamp(at), Kind::Timestamp) => stamp::date_to_stamp(at).map(Value::Stamp),
        (Value::Stamp(at), Kind::Date) => Ok(Value::Stamp(stamp::stamp_to_date(at))),
        (value, _) => Ok(value),
    }
}

fn decimal<'a>(value: f64, from: &Kind) -> Outcome<'a> {
    let shown = if value.is_finite() {
        float::significant(value, text::width(from))
    } else {
        match value {
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            _ => "NaN".to_owned(),
        }
    };
    Decimal::parse(shown.as_bytes()).map(Value::Decimal).ok_or(UNTYPED)
}

pub(super) fn call<'a>(function: Function, arguments: Vec<Value<'a>>, kind: &Kind) -> Outcome<'a> {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(Value::Text(text)), second, third) => of_text(function, text, second.as_ref(), third.as_ref()),
        (Some(Value::Int(n)), None, None) if function == Function::Abs => {
            text::within(n.checked_abs().ok_or_else(|| text::out_of(kind))?, kind).map(Value::Int)
        }
        (Some(Value::Float(n)), None, None) => Ok(Value::Float(if function == Function::Abs {
            n.abs()
        } else {
            n.round_ties_even()
        })),
        (Some(Value::Decimal(n)), None, None) if function == Function::Abs => n.abs().map(Value::Decimal),
        (Some(Value::Decimal(n)), None, None) => n.round(0).map(Value::Decimal),
        (Some(Value::Decimal(n)), Some(Value::Int(places)), None) => n.round(places).map(Value::Decimal),
        _ => Err(UNTYPED),
    }
}

fn of_text<'a>(
    function: Function,
    text: Cow<'a, [u8]>,
    second: Option<&Value<'a>>,
    third: Option<&Value<'a>>,
) -> Outcome<'a> {
    let string = text::utf8(&text)?;
    let owned = |text: String| Ok(Value::Text(text.into_bytes().into()));
    match (function, second, third) {
        (Function::TrimBoth | Function::TrimLeading | Function::TrimTrailing, set, _) => {
            let set = match set {
                Some(Value::Text(set)) => text::utf8(set)?,
                _ => " ",
            };
            let strange = |c: char| set.contains(c);
            owned(match function {
                Function::TrimLeading => string.trim_start_matches(strange).to_owned(),
                Function::TrimTrailing => string.trim_end_matches(strange).to_owned(),
                _ => string.trim_matches(strange).to_owned(),
            })
        }
        (Function::LowerAscii, ..) => owned(string.to_ascii_lowercase()),
        (Function::UpperAscii, ..) => owned(string.to_ascii_uppercase()),
        (Function::LowerUnicode, ..) => owned(letter::to_lower(string)?),
        (Function::UpperUnicode, ..) => owned(letter::to_upper(string)?),
        (Function::Length, ..) => Ok(Value::Int(i64::try_from(string.chars().count()).unwrap_or(i64::MAX))),
        (Function::Substr, Some(Value::Int(start)), length) => {
            let length = match length {
                Some(Value::Int(length)) => Some(*length),
                _ => None,
            };
            owned(text::substr(string, *start, length)?.to_owned())
        }
        (Function::Replace, Some(Value::Text(from)), Some(Value::Text(to))) => {
            owned(text::replace(string, text::utf8(from)?, text::utf8(to)?)?)
        }
        _ => Err(UNTYPED),
    }
}
