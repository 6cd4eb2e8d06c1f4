//! `real` and `double precision`: conversions and PostgreSQL's shortest text.
#![expect(
    clippy::as_conversions,
    reason = "conversions between floats and integers have no other spelling"
)]

use num_bigint::BigUint;

use crate::mapping::expression::EvaluationError;
use crate::mapping::expression::node::Arithmetic;

const OVERFLOW: EvaluationError = EvaluationError("value out of range: overflow");
const UNDERFLOW: EvaluationError = EvaluationError("value out of range: underflow");
const BY_ZERO: EvaluationError = EvaluationError("division by zero");

/// Which of the two float types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mapping::expression) enum Width {
    Real,
    Double,
}

/// The nearest value of the width.
pub(in crate::mapping::expression) fn narrowed(value: f64, width: Width) -> f64 {
    match width {
        Width::Real => f64::from(value as f32),
        Width::Double => value,
    }
}

pub(in crate::mapping::expression) fn of_int(value: i64, width: Width) -> f64 {
    match width {
        Width::Real => f64::from(value as f32),
        Width::Double => value as f64,
    }
}

/// `double precision` to `real`.
pub(in crate::mapping::expression) fn to_real(value: f64) -> Result<f64, EvaluationError> {
    let real = narrowed(value, Width::Real);
    if real.is_infinite() && value.is_finite() {
        return Err(OVERFLOW);
    }
    if real == 0.0 && value != 0.0 {
        return Err(UNDERFLOW);
    }
    Ok(real)
}

/// To the nearest integer, halves to the even one; none where no `bigint` is so large.
pub(in crate::mapping::expression) fn to_int(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
        .contains(&rounded)
        .then_some(rounded as i64)
}

pub(in crate::mapping::expression) fn calculate(
    how: Arithmetic,
    a: f64,
    b: f64,
    width: Width,
) -> Result<f64, EvaluationError> {
    let result = match how {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide | Arithmetic::Remainder if b == 0.0 && !a.is_nan() => return Err(BY_ZERO),
        Arithmetic::Divide | Arithmetic::Remainder => a / b,
    };
    // One operation on doubles, rounded once more, is the operation on reals: 53 bits are more than twice 24 and two.
    let result = narrowed(result, width);
    let lost = match how {
        Arithmetic::Add | Arithmetic::Subtract => false,
        Arithmetic::Multiply => a != 0.0 && b != 0.0,
        Arithmetic::Divide | Arithmetic::Remainder => a != 0.0 && !b.is_infinite(),
    };
    let infinite_before = match how {
        Arithmetic::Divide | Arithmetic::Remainder => a.is_infinite(),
        Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Multiply => a.is_infinite() || b.is_infinite(),
    };
    if result.is_infinite() && !infinite_before {
        return Err(OVERFLOW);
    }
    if result == 0.0 && lost {
        return Err(UNDERFLOW);
    }
    Ok(result)
}

/// Reads a text as `float8in` and `float4in` do, hexadecimal spellings aside.
pub(in crate::mapping::expression) fn parse(text: &[u8], width: Width) -> Result<f64, Option<EvaluationError>> {
    const RANGE: EvaluationError = EvaluationError("out of range for a floating-point type");
    let text = std::str::from_utf8(text).map_err(|_| None)?.trim_matches(is_space);
    let named = text
        .trim_start_matches(['+', '-'])
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic());
    if named && text.to_ascii_lowercase().contains("nan") && text.len() > 3 {
        return Err(None);
    }
    if named {
        return read(text, width).ok_or(None);
    }
    // A number out of range is found before what follows it.
    let number = number_before(text);
    let value = read(number, width).ok_or(None)?;
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    if value.is_infinite() || (value == 0.0 && mantissa.bytes().any(|b| (b'1'..=b'9').contains(&b))) {
        return Err(Some(RANGE));
    }
    if number.len() == text.len() {
        Ok(value)
    } else {
        Err(None)
    }
}

fn read(text: &str, width: Width) -> Option<f64> {
    match width {
        Width::Real => text.parse::<f32>().ok().map(f64::from),
        Width::Double => text.parse::<f64>().ok(),
    }
}

/// As much of a text as is a decimal number.
fn number_before(text: &str) -> &str {
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let signed = |at: usize| usize::from(matches!(text.as_bytes().get(at), Some(b'+' | b'-')));
    let start = signed(0);
    let mut end = start + digits(start);
    if text.as_bytes().get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(text.as_bytes().get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + signed(end + 1);
        if digits(exponent) > 0 {
            end = exponent + digits(exponent);
        }
    }
    text.get(..end).unwrap_or_default()
}

/// What C's `isspace` takes.
pub(in crate::mapping::expression) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// Whether a decimal lies exactly between two floats: PostgreSQL's shortest output never takes such a one.
fn on_boundary(digits: &str, exponent: i32, value: f64, width: Width) -> bool {
    let (bits, lowest) = match width {
        Width::Double => (value.abs().to_bits(), (52u32, 1075i64)),
        Width::Real => (u64::from((value.abs() as f32).to_bits()), (23u32, 150i64)),
    };
    let (fraction_bits, bias) = lowest;
    let fraction = bits & ((1u64 << fraction_bits) - 1);
    let biased = bits >> fraction_bits;
    let mantissa = if biased == 0 {
        fraction
    } else {
        fraction | (1u64 << fraction_bits)
    };
    let power = i64::try_from(biased.max(1)).unwrap_or(1) - bias;
    // digits·10^exponent against (4·mantissa ± 2 or - 1)·2^(power - 2).
    let Ok(mut decimal) = digits.parse::<BigUint>() else {
        return false;
    };
    let mut ulp = BigUint::from(1u8);
    if exponent >= 0 {
        decimal *= BigUint::from(10u8).pow(exponent.unsigned_abs());
    } else {
        ulp *= BigUint::from(10u8).pow(exponent.unsigned_abs());
    }
    let shift = power - 2;
    if shift >= 0 {
        ulp <<= shift.unsigned_abs();
    } else {
        decimal <<= shift.unsigned_abs();
    }
    let quarters = BigUint::from(mantissa) * 4u8;
    let low = if fraction == 0 && biased > 1 { 1u8 } else { 2u8 };
    decimal == (&quarters + 2u8) * &ulp || (quarters >= BigUint::from(low) && decimal == (quarters - low) * ulp)
}

/// The shortest digits that are read as the value again, and the exponent of the first one.
fn shortest(value: f64, width: Width) -> (String, i32) {
    let split = |text: String| {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        (mantissa.replace('.', ""), exponent.parse::<i32>().unwrap_or(0))
    };
    let magnitude = value.abs();
    let (digits, exponent) = match width {
        Width::Real => split(format!("{:e}", magnitude as f32)),
        Width::Double => split(format!("{magnitude:e}")),
    };
    let mut best = (digits, exponent);
    // Of two that are equally near, PostgreSQL takes the even one, as does formatting to a number of digits.
    let even = format!("{magnitude:.*e}", best.0.len().saturating_sub(1));
    if even
        .parse::<f64>()
        .is_ok_and(|again| narrowed(again, width).total_cmp(&magnitude).is_eq())
    {
        best = split(even);
    }
    for _ in 0..17 {
        let last = best.1 - i32::try_from(best.0.len()).unwrap_or(0) + 1;
        if !on_boundary(&best.0, last, magnitude, width) {
            break;
        }
        best = split(format!("{magnitude:.*e}", best.0.len()));
    }
    (best.0.trim_end_matches('0').to_owned(), best.1)
}

/// Writes as PostgreSQL does under `extra_float_digits = 1`.
pub(in crate::mapping::expression) fn write(value: f64, width: Width, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        return out.extend_from_slice(b"Infinity");
    }
    if value == 0.0 {
        return out.push(b'0');
    }
    let fixed_below = if width == Width::Real { 6 } else { 15 };
    let (digits, exponent) = shortest(value, width);
    let text = if (-4..fixed_below).contains(&exponent) {
        let length = i32::try_from(digits.len()).unwrap_or(0);
        if exponent < 0 {
            format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)))
        } else if length <= exponent + 1 {
            format!(
                "{digits}{}",
                "0".repeat(usize::try_from(exponent + 1 - length).unwrap_or(0))
            )
        } else {
            let (whole, rest) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
            format!("{whole}.{rest}")
        }
    } else {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
    };
    out.extend_from_slice(text.as_bytes());
}

/// The digits that PostgreSQL takes for `numeric`: 15 of a double, 6 of a real, as `%.15g` writes them.
pub(in crate::mapping::expression) fn significant(value: f64, width: Width) -> String {
    let digits = if width == Width::Real { 5 } else { 14 };
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mantissa = if mantissa.contains('.') {
        mantissa.trim_end_matches('0').trim_end_matches('.')
    } else {
        mantissa
    };
    format!("{mantissa}e{exponent}")
}
