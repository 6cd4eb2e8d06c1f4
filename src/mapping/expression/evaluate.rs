//! The value of a tree on one row. What is not known stays not known, unless the result is the same whatever it were.

use std::cmp::Ordering;

use crate::mapping::expression::calculate;
use crate::mapping::expression::node::{Asked, By, Comparison, Negated, Node, Op, Value};
use crate::mapping::expression::value::like;
use crate::mapping::expression::value::text;
use crate::mapping::expression::{EvaluationError, Operand, Operands, Truth};

type Outcome<'a> = Result<Value<'a>, EvaluationError>;

/// Operands of an expression that has none.
pub(super) struct NoOperands;

impl Operands for NoOperands {
    fn operand(&self, _slot: u16) -> Operand<'_> {
        Operand::Unknown
    }
}

/// The value of a condition.
#[inline]
pub(super) fn truth(value: &Value<'_>) -> Truth {
    match value {
        Value::Bool(true) => Truth::True,
        Value::Bool(false) => Truth::False,
        Value::Null => Truth::Null,
        _ => Truth::Unknown,
    }
}

fn of_truth(truth: Truth) -> Value<'static> {
    match truth {
        Truth::True => Value::Bool(true),
        Truth::False => Value::Bool(false),
        Truth::Null => Value::Null,
        Truth::Unknown => Value::Unknown,
    }
}

impl Node {
    /// Evaluates the node.
    pub(super) fn value<'a>(&'a self, row: &'a dyn Operands) -> Outcome<'a> {
        match &self.op {
            Op::Leaf(slot) => match row.operand(*slot) {
                Operand::Unknown => Ok(Value::Unknown),
                Operand::Null => Ok(Value::Null),
                Operand::Text(text) => text::leaf(text, &self.kind),
            },
            Op::Constant(value) => Ok(borrowed(value)),
            Op::And(_) | Op::Or(_) => Ok(of_truth(self.truth(row)?)),
            Op::Not(node) => Ok(negated(node.value(row)?, Negated::Yes)),
            Op::Is(asked, negate, node) => Ok(negated(is(*asked, &node.value(row)?), *negate)),
            Op::Compare(how, by, pair) => {
                let [a, b] = &**pair;
                strict([a, b], row, |x, y| Ok(Value::Bool(holds(*how, compared(by, &x, &y)?))))
            }
            Op::Like(negate, pair) => {
                let [a, b] = &**pair;
                let like = |x: Value<'a>, y: Value<'a>| match (&x, &y) {
                    (Value::Text(text), Value::Text(pattern)) => Ok(Value::Bool(like::matches(text, pattern)?)),
                    _ => Ok(Value::Unknown),
                };
                Ok(negated(strict([a, b], row, like)?, *negate))
            }
            Op::Arithmetic(how, pair) => {
                let [a, b] = &**pair;
                strict([a, b], row, |x, y| calculate::operator(*how, x, y, &self.kind))
            }
            Op::Concat(pair) => {
                let [a, b] = &**pair;
                strict([a, b], row, |x, y| match (&x, &y) {
                    (Value::Text(x), Value::Text(y)) => Ok(Value::Text(text::concat(x, y)?.into())),
                    _ => Ok(Value::Unknown),
                })
            }
            Op::Distinct(..) | Op::In(..) => self.membership(row),
            Op::Negate(_) | Op::Cast(..) | Op::Call(..) => self.called(row),
            Op::Case(..) | Op::Coalesce(_) | Op::NullIf(..) => self.choice(row),
        }
    }

    /// `is distinct from`, `in`.
    fn membership<'a>(&'a self, row: &'a dyn Operands) -> Outcome<'a> {
        match &self.op {
            Op::Distinct(negate, by, pair) => {
                let [a, b] = &**pair;
                let distinct = match (a.value(row)?, b.value(row)?) {
                    (Value::Unknown, _) | (_, Value::Unknown) => return Ok(Value::Unknown),
                    (Value::Null, Value::Null) => false,
                    (Value::Null, _) | (_, Value::Null) => true,
                    (x, y) => compared(by, &x, &y)? != Ordering::Equal,
                };
                Ok(negated(Value::Bool(distinct), *negate))
            }
            Op::In(negate, by, node, list) => {
                let wanted = node.value(row)?;
                if matches!(wanted, Value::Unknown | Value::Null) {
                    return Ok(wanted);
                }
                let mut result = Value::Bool(false);
                for item in list {
                    match item.value(row)? {
                        Value::Null => result = Value::Null,
                        value => {
                            if compared(by, &wanted, &value)? == Ordering::Equal {
                                return Ok(Value::Bool(*negate == Negated::No));
                            }
                        }
                    }
                }
                Ok(negated(result, *negate))
            }
            _ => Ok(Value::Unknown),
        }
    }

    /// Operations of one value, and functions: all operands are evaluated, then one that is null makes all null.
    fn called<'a>(&'a self, row: &'a dyn Operands) -> Outcome<'a> {
        match &self.op {
            Op::Negate(node) => match node.value(row)? {
                value @ (Value::Unknown | Value::Null) => Ok(value),
                value => calculate::negate(value, &self.kind),
            },
            Op::Cast(cast, node) => match node.value(row)? {
                value @ (Value::Unknown | Value::Null) => Ok(value),
                value => calculate::cast(cast, value, &node.kind, &self.kind),
            },
            Op::Call(function, nodes) => {
                let mut values = Vec::with_capacity(nodes.len());
                let (mut null, mut unknown, mut may_fail) = (false, false, false);
                for node in nodes {
                    let value = node.value(row)?;
                    null |= value == Value::Null;
                    unknown |= value == Value::Unknown;
                    may_fail |= value == Value::Unknown && node.can_fail;
                    values.push(value);
                }
                match () {
                    () if may_fail => Ok(Value::Unknown),
                    () if null => Ok(Value::Null),
                    () if unknown => Ok(Value::Unknown),
                    () => calculate::call(*function, values, &self.kind),
                }
            }
            _ => Ok(Value::Unknown),
        }
    }

    fn choice<'a>(&'a self, row: &'a dyn Operands) -> Outcome<'a> {
        match &self.op {
            Op::Case(whens, otherwise) => {
                for (when, then) in whens {
                    match when.value(row)? {
                        Value::Bool(true) => return then.value(row),
                        Value::Unknown => return Ok(Value::Unknown),
                        _ => {}
                    }
                }
                otherwise.value(row)
            }
            Op::Coalesce(nodes) => {
                for node in nodes {
                    match node.value(row)? {
                        Value::Null => {}
                        value => return Ok(value),
                    }
                }
                Ok(Value::Null)
            }
            Op::NullIf(first, equal) => match equal.value(row)? {
                Value::Unknown => Ok(Value::Unknown),
                Value::Bool(true) => Ok(Value::Null),
                _ => first.value(row),
            },
            _ => Ok(Value::Unknown),
        }
    }
}

/// A constant without a copy of its text.
#[inline]
fn borrowed<'v>(value: &'v Value<'static>) -> Value<'v> {
    match value {
        Value::Text(text) => Value::Text(std::borrow::Cow::Borrowed(text)),
        other => other.clone(),
    }
}

/// Evaluates both operands, and the operator where both have a value.
#[inline]
fn strict<'a>(
    [a, b]: [&'a Node; 2],
    row: &'a dyn Operands,
    operator: impl FnOnce(Value<'a>, Value<'a>) -> Outcome<'a>,
) -> Outcome<'a> {
    let (x, y) = (a.value(row)?, b.value(row)?);
    match (&x, &y) {
        (Value::Unknown, Value::Null) if !a.can_fail => Ok(Value::Null),
        (Value::Null, Value::Unknown) if !b.can_fail => Ok(Value::Null),
        (Value::Unknown, _) | (_, Value::Unknown) => Ok(Value::Unknown),
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        _ => operator(x, y),
    }
}

fn negated(value: Value<'_>, negate: Negated) -> Value<'_> {
    match value {
        Value::Bool(value) => Value::Bool(value != (negate == Negated::Yes)),
        other => other,
    }
}

fn is(asked: Asked, value: &Value<'_>) -> Value<'static> {
    match (asked, value) {
        (_, Value::Unknown) => Value::Unknown,
        (Asked::Null, value) => Value::Bool(*value == Value::Null),
        (Asked::True, value) => Value::Bool(*value == Value::Bool(true)),
        (Asked::False, value) => Value::Bool(*value == Value::Bool(false)),
    }
}

#[inline]
pub(super) fn holds(how: Comparison, order: Ordering) -> bool {
    match how {
        Comparison::Equal => order == Ordering::Equal,
        Comparison::NotEqual => order != Ordering::Equal,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    }
}

/// Compares two values of one type.
#[inline]
fn compared(by: &By, left: &Value<'_>, right: &Value<'_>) -> Result<Ordering, EvaluationError> {
    Ok(match (left, right) {
        (Value::Text(a), Value::Text(b)) => match by {
            By::Value => a.cmp(b),
            By::Padded => text::unpadded(a).cmp(text::unpadded(b)),
            By::Label(labels) => {
                let place = |label: &[u8]| {
                    let found = labels.iter().position(|known| known.as_bytes() == label);
                    found.ok_or(EvaluationError("an enum label that was added after the bridge started"))
                };
                place(a)?.cmp(&place(b)?)
            }
        },
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.compare(b),
        (Value::Stamp(a), Value::Stamp(b)) => a.cmp(b),
        // NaN is equal to itself and above everything.
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        _ => return Err(EvaluationError("values of two types were compared")),
    })
}
