//! PostgreSQL's `numeric`: a decimal number with its display scale, NaN and the infinities.
//! Rules: <https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/numeric.c>

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::mapping::expression::EvaluationError;

const OUT_OF_RANGE: EvaluationError = EvaluationError("value overflows numeric format");
const BY_ZERO: EvaluationError = EvaluationError("division by zero");
const TOO_MANY_PLACES: EvaluationError = EvaluationError("a number rounded to more than 2000 places");
/// Places that every release rounds to alike.
const PLACES_MAX: usize = 2000;
/// Digits before and after the point that `numeric` can store.
const WHOLE_DIGITS_MAX: usize = 131_072;
const SCALE_MAX: u32 = 16_383;

/// A value of type `numeric`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mapping::expression) enum Decimal {
    NaN,
    Infinite(Sign),
    /// The common case: no allocation.
    Small(i128, u32),
    Large(BigInt, u32),
}

/// Ten to a power.
pub(in crate::mapping::expression) fn ten(power: u32) -> BigInt {
    BigInt::from(10u8).pow(power)
}

/// Divides, rounding half away from zero.
fn divide_rounded(value: &BigInt, by: &BigInt) -> BigInt {
    let quotient = value / by;
    let rest = value - &quotient * by;
    if rest.magnitude() * 2u8 < *by.magnitude() {
        quotient
    } else if (value.sign() == Sign::Minus) == (by.sign() == Sign::Minus) {
        quotient + 1
    } else {
        quotient - 1
    }
}

/// Weight and first digit in base 10000, as `select_div_scale` sees them.
fn weight_and_first(value: &BigInt, scale: u32) -> (i64, u32) {
    let digits = value.magnitude().to_string();
    if digits == "0" {
        return (0, 0);
    }
    let whole = i64::try_from(digits.len()).unwrap_or(i64::MAX) - i64::from(scale);
    // Decimal position of the first digit, counted from the point; groups of four are aligned to the point.
    let weight = (whole - 1).div_euclid(4);
    let width = usize::try_from((whole - 1).rem_euclid(4) + 1).unwrap_or(1);
    let mut first = 0u32;
    for digit in digits.bytes().chain(std::iter::repeat(b'0')).take(width) {
        first = first * 10 + u32::from(digit - b'0');
    }
    (weight, first)
}

impl Decimal {
    pub(in crate::mapping::expression) fn from_big(value: BigInt, scale: u32) -> Result<Self, EvaluationError> {
        match i128::try_from(&value) {
            Ok(small) => Ok(Self::Small(small, scale)),
            Err(_) => {
                let digits = value.magnitude().to_string().len();
                if digits.saturating_sub(usize::try_from(scale).unwrap_or(usize::MAX)) > WHOLE_DIGITS_MAX {
                    return Err(OUT_OF_RANGE);
                }
                Ok(Self::Large(value, scale))
            }
        }
    }

    pub(in crate::mapping::expression) fn from_int(value: i64) -> Self {
        Self::Small(i128::from(value), 0)
    }

    /// Coefficient and scale of a finite value.
    pub(in crate::mapping::expression) fn finite(&self) -> Option<(BigInt, u32)> {
        match self {
            Self::NaN | Self::Infinite(_) => None,
            Self::Small(value, scale) => Some((BigInt::from(*value), *scale)),
            Self::Large(value, scale) => Some((value.clone(), *scale)),
        }
    }

    fn sign(&self) -> Sign {
        match self {
            Self::NaN => Sign::NoSign,
            Self::Infinite(sign) => *sign,
            Self::Small(value, _) => match value.signum() {
                0 => Sign::NoSign,
                1 => Sign::Plus,
                _ => Sign::Minus,
            },
            Self::Large(value, _) => value.sign(),
        }
    }

    /// Reads what `numeric_in` of every supported release reads: sign, digits, point, exponent, `NaN`, `Infinity`.
    pub(in crate::mapping::expression) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let (negative, body) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if body.eq_ignore_ascii_case(b"nan") {
            return (body.len() == text.len()).then_some(Self::NaN);
        }
        if body.eq_ignore_ascii_case(b"infinity") || body.eq_ignore_ascii_case(b"inf") {
            return Some(Self::Infinite(if negative { Sign::Minus } else { Sign::Plus }));
        }
        let (number, exponent) = match body.iter().position(|b| b.eq_ignore_ascii_case(&b'e')) {
            Some(at) => {
                let (number, rest) = body.split_at_checked(at)?;
                let digits = std::str::from_utf8(rest.get(1..)?).ok()?;
                (number, digits.parse::<i32>().ok()?)
            }
            None => (body, 0),
        };
        Self::digits(number, if negative { Sign::Minus } else { Sign::Plus }, exponent)
    }

    fn digits(number: &[u8], sign: Sign, exponent: i32) -> Option<Self> {
        let negative = sign == Sign::Minus;
        let mut small: Option<i128> = Some(0);
        let (mut seen, mut point) = (0usize, None);
        for byte in number {
            match byte {
                b'0'..=b'9' => {
                    small = small
                        .and_then(|v| v.checked_mul(10))
                        .and_then(|v| v.checked_add(i128::from(byte - b'0')));
                    seen += 1;
                }
                b'.' if point.is_none() => point = Some(seen),
                _ => return None,
            }
        }
        if seen == 0 {
            return None;
        }
        let fraction = i64::try_from(seen - point.unwrap_or(seen)).ok()? - i64::from(exponent);
        let scale = u32::try_from(fraction.max(0)).ok()?;
        let shift = u32::try_from((-fraction).max(0)).ok()?;
        if scale > SCALE_MAX || shift > 131_072 {
            return None;
        }
        if let (Some(value), 0) = (small, shift) {
            return Some(Self::Small(if negative { -value } else { value }, scale));
        }
        let text: String = number.iter().filter(|b| **b != b'.').map(|b| char::from(*b)).collect();
        let value = text.parse::<BigInt>().ok()? * ten(shift);
        Self::from_big(if negative { -value } else { value }, scale).ok()
    }

    pub(in crate::mapping::expression) fn write(&self, out: &mut Vec<u8>) {
        let (value, scale) = match self {
            Self::NaN => return out.extend_from_slice(b"NaN"),
            Self::Infinite(Sign::Minus) => return out.extend_from_slice(b"-Infinity"),
            Self::Infinite(Sign::NoSign | Sign::Plus) => return out.extend_from_slice(b"Infinity"),
            Self::Small(value, scale) => (value.unsigned_abs().to_string(), *scale),
            Self::Large(value, scale) => (value.magnitude().to_string(), *scale),
        };
        if self.sign() == Sign::Minus {
            out.push(b'-');
        }
        let scale = usize::try_from(scale).unwrap_or(usize::MAX);
        let padded = format!("{value:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        out.extend_from_slice(whole.as_bytes());
        if scale > 0 {
            out.push(b'.');
            out.extend_from_slice(fraction.as_bytes());
        }
    }

    /// NaN is equal to itself and above everything.
    pub(in crate::mapping::expression) fn compare(&self, other: &Self) -> Ordering {
        let rank = |d: &Self| match d {
            Self::Infinite(Sign::Minus) => 0,
            Self::Small(..) | Self::Large(..) => 1,
            Self::Infinite(Sign::NoSign | Sign::Plus) => 2,
            Self::NaN => 3,
        };
        if let (Self::Small(a, s), Self::Small(b, t)) = (self, other) {
            let (up_a, up_b) = (t.saturating_sub(*s), s.saturating_sub(*t));
            let grow = |v: i128, by: u32| 10i128.checked_pow(by).and_then(|p| v.checked_mul(p));
            if let (Some(a), Some(b)) = (grow(*a, up_a), grow(*b, up_b)) {
                return a.cmp(&b);
            }
        }
        match (self.finite(), other.finite()) {
            (Some(a), Some(b)) => {
                let (x, y, _) = align(a, b);
                x.cmp(&y)
            }
            _ => rank(self).cmp(&rank(other)),
        }
    }

    pub(in crate::mapping::expression) fn negate(&self) -> Result<Self, EvaluationError> {
        match self {
            Self::NaN => Ok(Self::NaN),
            Self::Infinite(sign) => Ok(Self::Infinite(-*sign)),
            Self::Small(..) | Self::Large(..) => match self.finite() {
                Some((value, scale)) => Self::from_big(-value, scale),
                None => Ok(Self::NaN),
            },
        }
    }

    pub(in crate::mapping::expression) fn abs(&self) -> Result<Self, EvaluationError> {
        if self.sign() == Sign::Minus {
            self.negate()
        } else {
            Ok(self.clone())
        }
    }

    pub(in crate::mapping::expression) fn add(&self, other: &Self) -> Result<Self, EvaluationError> {
        match (self.finite(), other.finite()) {
            (Some(a), Some(b)) => {
                let (x, y, scale) = align(a, b);
                Self::from_big(x + y, scale)
            }
            _ => Ok(match (self, other) {
                (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
                (Self::Infinite(a), Self::Infinite(b)) if a != b => Self::NaN,
                (Self::Infinite(a), _) | (_, Self::Infinite(a)) => Self::Infinite(*a),
                _ => Self::NaN,
            }),
        }
    }

    pub(in crate::mapping::expression) fn multiply(&self, other: &Self) -> Result<Self, EvaluationError> {
        match (self.finite(), other.finite()) {
            (Some((a, s)), Some((b, t))) => {
                if s + t > SCALE_MAX {
                    let cut = ten(s + t - SCALE_MAX);
                    return Self::from_big(divide_rounded(&(a * b), &cut), SCALE_MAX);
                }
                Self::from_big(a * b, s + t)
            }
            _ => Ok(match self.sign() * other.sign() {
                Sign::NoSign => Self::NaN,
                sign if *self != Self::NaN && *other != Self::NaN => Self::Infinite(sign),
                _ => Self::NaN,
            }),
        }
    }

    pub(in crate::mapping::expression) fn divide(&self, other: &Self) -> Result<Self, EvaluationError> {
        if *self == Self::NaN || *other == Self::NaN {
            return Ok(Self::NaN);
        }
        match (self.finite(), other.finite()) {
            (_, Some((b, _))) if b.sign() == Sign::NoSign => Err(BY_ZERO),
            (Some((a, s)), Some((b, t))) => {
                let scale = division_scale((&a, s), (&b, t));
                // a/10^s ÷ b/10^t, wanted with `scale` digits: a·10^(scale+t) ÷ b·10^s.
                Self::from_big(divide_rounded(&(a * ten(scale + t)), &(b * ten(s))), scale)
            }
            (None, Some((b, _))) => Ok(Self::Infinite(self.sign() * b.sign())),
            (Some(_), None) => Ok(Self::from_int(0)),
            (None, None) => Ok(Self::NaN),
        }
    }

    pub(in crate::mapping::expression) fn remainder(&self, other: &Self) -> Result<Self, EvaluationError> {
        if *self == Self::NaN || *other == Self::NaN {
            return Ok(Self::NaN);
        }
        match (self.finite(), other.finite()) {
            (_, Some((b, _))) if b.sign() == Sign::NoSign => Err(BY_ZERO),
            (Some(a), Some(b)) => {
                let (x, y, scale) = align(a, b);
                Self::from_big(x % y, scale)
            }
            (None, _) => Ok(Self::NaN),
            (Some(_), None) => Ok(self.clone()),
        }
    }

    /// `round(numeric, places)`.
    pub(in crate::mapping::expression) fn round(&self, places: i64) -> Result<Self, EvaluationError> {
        let Some((value, scale)) = self.finite() else {
            return Ok(self.clone());
        };
        // What lies beyond was limited to 2000 places until a minor release of each version lifted it.
        let beyond = usize::try_from(places.unsigned_abs()).is_ok_and(|n| n > PLACES_MAX);
        if places > 0 && beyond || places < 0 && beyond && value.magnitude().to_string().len() > PLACES_MAX {
            return Err(TOO_MANY_PLACES);
        }
        let places = places.max(-2000);
        let target = u32::try_from(places.max(0)).unwrap_or(0);
        let cut = i64::from(scale) - places;
        let Ok(cut) = u32::try_from(cut) else {
            return Self::from_big(value * ten(target.saturating_sub(scale)), target);
        };
        let below_point = u32::try_from((-places).max(0)).unwrap_or(0);
        Self::from_big(divide_rounded(&value, &ten(cut)) * ten(below_point), target)
    }

    /// `::numeric(precision, scale)`.
    pub(in crate::mapping::expression) fn limit(&self, precision: u32, scale: u32) -> Result<Self, EvaluationError> {
        const FIELD: EvaluationError = EvaluationError("numeric field overflow");
        let rounded = self.round(i64::from(scale))?;
        match rounded.finite() {
            Some((value, _)) if *value.magnitude() >= *ten(precision).magnitude() => Err(FIELD),
            None if rounded != Self::NaN => Err(FIELD),
            Some(_) | None => Ok(rounded),
        }
    }

    /// Rounded half away from zero.
    pub(in crate::mapping::expression) fn to_int(&self) -> Option<i64> {
        let (value, _) = self.round(0).ok()?.finite()?;
        i64::try_from(value).ok()
    }
}

fn align((a, s): (BigInt, u32), (b, t): (BigInt, u32)) -> (BigInt, BigInt, u32) {
    let scale = s.max(t);
    (a * ten(scale - s), b * ten(scale - t), scale)
}

/// `select_div_scale`: at least 16 significant digits and no less than either operand shows.
fn division_scale(a: (&BigInt, u32), b: (&BigInt, u32)) -> u32 {
    let (weight_a, first_a) = weight_and_first(a.0, a.1);
    let (weight_b, first_b) = weight_and_first(b.0, b.1);
    let weight = weight_a - weight_b - i64::from(first_a <= first_b);
    let scale = (16 - weight * 4).max(i64::from(a.1)).max(i64::from(b.1));
    u32::try_from(scale.clamp(0, 1000)).unwrap_or(1000)
}
