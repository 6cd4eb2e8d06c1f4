//! Conditions by the short way: a column against a constant is compared where its bytes lie, and nothing is built.

use std::cmp::Ordering;

use crate::mapping::expression::evaluate::{holds, truth};
use crate::mapping::expression::node::{Asked, By, Comparison, Junction, Negated, Node, Op, Value};
use crate::mapping::expression::value::text::unpadded;
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth};

/// Digits that cannot overflow a `bigint`.
const DIGITS_MAX: usize = 18;

impl Node {
    /// The value of a condition.
    pub(super) fn truth(&self, row: &dyn Operands) -> Result<Truth, EvaluationError> {
        let short = match &self.op {
            Op::And(nodes) => return all(nodes, row, Junction::And),
            Op::Or(nodes) => return all(nodes, row, Junction::Or),
            Op::Not(node) => return Ok(turned(node.truth(row)?, Negated::Yes)),
            Op::Compare(how, by, pair) => {
                let [a, b] = &**pair;
                match (&a.op, &b.op) {
                    (Op::Leaf(slot), Op::Constant(constant)) => {
                        against(row.operand(*slot), |text| comparison(*how, by, text, constant))
                    }
                    _ => None,
                }
            }
            Op::In(negate, by, node, list) => match &node.op {
                Op::Leaf(slot) => against(row.operand(*slot), |text| Some(turned(among(by, text, list)?, *negate))),
                _ => None,
            },
            Op::Is(Asked::Null, negate, node) => match &node.op {
                Op::Leaf(slot) => match row.operand(*slot) {
                    Operand::Unknown => Some(Truth::Unknown),
                    operand => Some(Truth::from((operand == Operand::Null) == (*negate == Negated::No))),
                },
                _ => None,
            },
            _ => None,
        };
        match short {
            Some(truth) => Ok(truth),
            None => Ok(truth(&self.value(row)?)),
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

fn turned(truth: Truth, negate: Negated) -> Truth {
    match (truth, negate) {
        (Truth::True, Negated::Yes) => Truth::False,
        (Truth::False, Negated::Yes) => Truth::True,
        (truth, _) => truth,
    }
}

#[inline]
fn against(operand: Operand<'_>, compare: impl FnOnce(&[u8]) -> Option<Truth>) -> Option<Truth> {
    match operand {
        Operand::Unknown => Some(Truth::Unknown),
        Operand::Null => Some(Truth::Null),
        Operand::Text(text) => compare(text),
    }
}

#[inline]
fn comparison(how: Comparison, by: &By, text: &[u8], constant: &Value<'_>) -> Option<Truth> {
    match (how, by, constant) {
        (Comparison::Equal, By::Value, Value::Text(constant)) => Some(Truth::from(text == &**constant)),
        (Comparison::NotEqual, By::Value, Value::Text(constant)) => Some(Truth::from(text != &**constant)),
        _ => Some(Truth::from(holds(how, order(by, text, constant)?))),
    }
}

/// Compares a text with a constant of its type, where that is done on the text as it lies.
#[inline]
fn order(by: &By, text: &[u8], constant: &Value<'_>) -> Option<Ordering> {
    match (by, constant) {
        (By::Value, Value::Text(constant)) => Some(text.cmp(constant)),
        (By::Padded, Value::Text(constant)) => Some(unpadded(text).cmp(unpadded(constant))),
        (By::Value, Value::Int(constant)) => Some(integer(text)?.cmp(constant)),
        _ => None,
    }
}

fn among(by: &By, text: &[u8], list: &[Node]) -> Option<Truth> {
    let mut result = Truth::False;
    for item in list {
        match item.constant()? {
            Value::Null => result = Truth::Null,
            constant => {
                if order(by, text, constant)? == Ordering::Equal {
                    return Some(Truth::True);
                }
            }
        }
    }
    Some(result)
}

/// An integer in the server's spelling, if it is a short one.
#[inline]
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    let mut value = 0i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// AND and OR, from the left, only as far as needed.
///
/// After an operand that is not known the others are still looked at: one of them may decide. But where that operand
/// might have had no value at all, PostgreSQL would have come to an error, so nothing decides any more; and an error of
/// a later operand is none if the unknown one would have decided.
fn all(nodes: &[Node], row: &dyn Operands, junction: Junction) -> Result<Truth, EvaluationError> {
    let decisive = Truth::from(junction.decisive());
    let mut result = turned(decisive, Negated::Yes);
    for node in nodes {
        let unknown = result == Truth::Unknown;
        match node.truth(row) {
            Ok(value) if value == decisive => return Ok(decisive),
            Ok(Truth::True | Truth::False) => {}
            Ok(Truth::Unknown) if node.can_fail => return Ok(Truth::Unknown),
            Ok(Truth::Unknown) => result = Truth::Unknown,
            Ok(Truth::Null) if unknown => {}
            Ok(Truth::Null) => result = Truth::Null,
            Err(_) if unknown => return Ok(Truth::Unknown),
            Err(error) => return Err(error),
        }
    }
    Ok(result)
}
