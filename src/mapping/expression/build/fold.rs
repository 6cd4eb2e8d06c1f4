//! A finished node: what follows from its operands, and its value where they are constant.

use std::ops::Range;

use crate::flow::catalog::Nullable;
use crate::mapping::expression::build::{Builder, Built};
use crate::mapping::expression::evaluate::NoOperands;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{By, Cast, Collation, Function, Node, Op, Value};

/// A constant of a type.
pub(super) fn constant(value: Value<'static>, kind: Kind) -> Node {
    let nullable = if value == Value::Null {
        Nullable::Yes
    } else {
        Nullable::No
    };
    Node {
        op: Op::Constant(value),
        kind,
        collation: Collation::Default,
        nullable,
        can_fail: false,
    }
}

impl Builder<'_> {
    /// Derives the rest of a node. PostgreSQL evaluates constant parts before it sees a row: so does this, and refuses
    /// one that has no value.
    pub(super) fn finish(&self, op: Op, kind: Kind, collation: Collation, place: &Range<usize>) -> Built {
        let operands = op.operands();
        if op.is_strict() && operands.iter().any(|n| n.is_null()) {
            return Ok(Node {
                collation,
                ..constant(Value::Null, kind)
            });
        }
        let foldable = !operands.is_empty() && operands.iter().all(|n| n.constant().is_some());
        let can_fail = itself_can_fail(&op) || operands.iter().any(|n| n.can_fail);
        let nullable = nullable(&op);
        let node = Node {
            op,
            kind,
            collation,
            nullable,
            can_fail,
        };
        if !foldable {
            return Ok(node);
        }
        let value = node
            .value(&NoOperands)
            .map_err(|error| self.error(place, error.to_string(), None))?;
        let value = owned(value);
        Ok(Node {
            collation: node.collation.clone(),
            ..constant(value, node.kind.clone())
        })
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Unknown => Value::Unknown,
        Value::Null => Value::Null,
        Value::Bool(value) => Value::Bool(value),
        Value::Int(value) => Value::Int(value),
        Value::Decimal(value) => Value::Decimal(value),
        Value::Float(value) => Value::Float(value),
        Value::Stamp(value) => Value::Stamp(value),
        Value::Text(text) => Value::Text(text.into_owned().into()),
    }
}

fn nullable(op: &Op) -> Nullable {
    let any = |nodes: &[&Node]| {
        if nodes.iter().any(|n| n.nullable == Nullable::Yes) {
            Nullable::Yes
        } else {
            Nullable::No
        }
    };
    match op {
        Op::Is(..) | Op::Distinct(..) => Nullable::No,
        Op::NullIf(..) => Nullable::Yes,
        Op::Coalesce(nodes) => {
            if nodes.iter().all(|n| n.nullable == Nullable::Yes) {
                Nullable::Yes
            } else {
                Nullable::No
            }
        }
        Op::Case(whens, otherwise) => {
            let results: Vec<&Node> = whens.iter().map(|(_, then)| then).chain([&**otherwise]).collect();
            any(&results)
        }
        Op::Leaf(_) | Op::Constant(_) | Op::And(_) | Op::Or(_) | Op::Not(_) | Op::Compare(..) => any(&op.operands()),
        Op::In(..) | Op::Like(..) | Op::Arithmetic(..) | Op::Negate(_) | Op::Concat(_) => any(&op.operands()),
        Op::Cast(..) | Op::Call(..) => any(&op.operands()),
    }
}

/// Whether PostgreSQL might raise an error for some values of the operands.
fn itself_can_fail(op: &Op) -> bool {
    match op {
        Op::Arithmetic(..) | Op::Negate(_) => true,
        Op::Compare(_, by, _) | Op::Distinct(_, by, _) | Op::In(_, by, ..) => matches!(by, By::Label(_)),
        Op::Like(_, pair) => {
            let [_, pattern] = &**pair;
            !matches!(pattern.constant(), Some(Value::Text(text)) if !text.ends_with(b"\\"))
        }
        Op::Cast(cast, _) => !matches!(cast, Cast::Show | Cast::Strip | Cast::Cut(_) | Cast::Pad(_)),
        Op::Call(function, _) => matches!(function, Function::Substr | Function::Abs | Function::Round),
        Op::Leaf(_) | Op::Constant(_) | Op::And(_) | Op::Or(_) | Op::Not(_) | Op::Is(..) => false,
        Op::Concat(_) | Op::Case(..) | Op::Coalesce(_) | Op::NullIf(..) => false,
    }
}
