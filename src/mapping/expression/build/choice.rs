//! `case`, `coalesce`, `nullif`, `in`.

use std::ops::Range;

use sqlparser::ast::{CaseWhen, Expr, InTarget};

use crate::flow::catalog::Nullable;
use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::{Builder, Built, fold};
use crate::mapping::expression::kind::{Kind, common};
use crate::mapping::expression::node::{By, Collation, Comparison, Junction, Negated, Node, Op, Value};

impl Builder<'_> {
    /// One type and one collation for several results.
    fn unified(
        &self,
        nodes: Vec<Node>,
        what: &str,
        place: &Range<usize>,
    ) -> Result<(Vec<Node>, Kind, Collation), ExpressionError> {
        let Some(kind) = common(nodes.iter().map(|node| &node.kind)) else {
            let names: Vec<&str> = nodes.iter().map(|node| node.kind.name()).collect();
            let message = format!("{what} types {} cannot be matched", names.join(" and "));
            return Err(self.error(place, message, Some("cast them to one type, such as `…::text`")));
        };
        let mut collation = Collation::Default;
        for node in &nodes {
            let so_far = Node {
                collation,
                ..fold::constant(Value::Null, Kind::Text)
            };
            collation = self.together(&so_far, node, place)?;
        }
        let nodes = nodes
            .into_iter()
            .map(|node| self.brought(node, &kind, place))
            .collect::<Result<Vec<_>, _>>()?;
        Ok((nodes, kind, collation))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        place: &Range<usize>,
    ) -> Built {
        let mut whens = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for CaseWhen { condition, result } in conditions {
            whens.push(match operand {
                None => self.condition(condition, "CASE/WHEN")?,
                Some(operand) => {
                    let (operand, value) = (self.node(operand)?, self.node(condition)?);
                    let operand = if operand.kind == Kind::Literal {
                        self.brought(operand, &Kind::Text, place)?
                    } else {
                        operand
                    };
                    let (pair, by) = self.paired(Comparison::Equal, [operand, value], place)?;
                    let op = Op::Compare(Comparison::Equal, by, Box::new(pair));
                    self.finish(op, Kind::Bool, Collation::Default, place)?
                }
            });
            results.push(self.node(result)?);
        }
        results.push(match otherwise {
            Some(expr) => self.node(expr)?,
            None => fold::constant(Value::Null, Kind::Literal),
        });
        let (mut results, kind, collation) = self.unified(results, "CASE", place)?;
        let otherwise = results
            .pop()
            .unwrap_or_else(|| fold::constant(Value::Null, kind.clone()));
        let pairs: Vec<(Node, Node)> = whens.into_iter().zip(results).collect();
        let (pairs, otherwise) = simplified(pairs, otherwise);
        if pairs.is_empty() {
            return Ok(Node { collation, ..otherwise });
        }
        self.finish(Op::Case(pairs, Box::new(otherwise)), kind, collation, place)
    }

    pub(super) fn coalesce(&mut self, arguments: Vec<Node>, place: &Range<usize>) -> Built {
        let (nodes, kind, collation) = self.unified(arguments, "COALESCE", place)?;
        let mut kept = Vec::with_capacity(nodes.len());
        for node in nodes.into_iter().filter(|node| !node.is_null()) {
            let last = node.constant().is_some();
            kept.push(node);
            if last {
                break;
            }
        }
        if kept.len() > 1 {
            return self.finish(Op::Coalesce(kept), kind, collation, place);
        }
        let only = kept.pop().unwrap_or_else(|| fold::constant(Value::Null, kind));
        Ok(Node { collation, ..only })
    }

    pub(super) fn nullif(&mut self, a: Node, b: Node, place: &Range<usize>) -> Built {
        // Where PostgreSQL has an operator for the two types as they are, the first keeps its type.
        let keeps = (a.kind.is_integer() && b.kind.is_integer()) || (a.kind == Kind::Float4 && b.kind.is_number());
        let (as_it_is, collation) = (a.clone(), self.together(&a, &b, place)?);
        let ([a, b], by) = self.paired(Comparison::Equal, [a, b], place)?;
        let first = if keeps { as_it_is } else { a.clone() };
        let kind = first.kind.clone();
        let op = Op::Compare(Comparison::Equal, by, Box::new([a, b]));
        let equal = self.finish(op, Kind::Bool, Collation::Default, place)?;
        self.finish(Op::NullIf(Box::new(first), Box::new(equal)), kind, collation, place)
    }

    /// `x in (…)`: constants are brought to one type with `x` where they are several, else each is compared by itself.
    pub(super) fn membership(&mut self, whole: &Expr, place: &Range<usize>) -> Built {
        let Expr::In {
            expr,
            target: InTarget::List(list),
            negated,
            global: false,
        } = whole
        else {
            let hint = Some("an expression sees one row only: write the values");
            return Err(self.error(
                place,
                "IN with a subquery is not one of the expressions of a mapping".to_owned(),
                hint,
            ));
        };
        let negated = if *negated { Negated::Yes } else { Negated::No };
        let node = self.node(expr)?;
        let items = list.iter().map(|item| self.node(item)).collect::<Result<Vec<_>, _>>()?;
        if negated == Negated::Yes && [&node].into_iter().chain(&items).any(|n| n.nullable == Nullable::Yes) {
            self.warn_of_nulls("not in", place);
        }
        let (constants, others): (Vec<Node>, Vec<Node>) = items.into_iter().partition(|item| item.constant().is_some());
        let common = common([&node].into_iter().chain(&constants).map(|n| &n.kind));
        let mut parts = Vec::new();
        let mut others = others;
        match common {
            Some(kind) if constants.len() > 1 => {
                parts.push(self.in_constants(negated, &node, (constants, kind), place)?);
            }
            _ => others.splice(0..0, constants).for_each(drop),
        }
        let how = if negated == Negated::Yes {
            Comparison::NotEqual
        } else {
            Comparison::Equal
        };
        for item in others {
            let (pair, by) = self.paired(how, [node.clone(), item], place)?;
            parts.push(self.finish(
                Op::Compare(how, by, Box::new(pair)),
                Kind::Bool,
                Collation::Default,
                place,
            )?);
        }
        self.joined(
            parts,
            if negated == Negated::Yes {
                Junction::And
            } else {
                Junction::Or
            },
            place,
        )
    }

    fn in_constants(
        &self,
        negated: Negated,
        node: &Node,
        (constants, kind): (Vec<Node>, Kind),
        place: &Range<usize>,
    ) -> Built {
        let mut items = Vec::with_capacity(constants.len());
        let mut compared: Option<(Node, By)> = None;
        for item in constants {
            let item = self.brought(item, &kind, place)?;
            let ([node, item], by) = self.paired(Comparison::Equal, [node.clone(), item], place)?;
            compared = Some((node, by));
            items.push(item);
        }
        let Some((node, by)) = compared else {
            return Err(self.error(place, "IN wants at least one value".to_owned(), None));
        };
        self.finish(
            Op::In(negated, by, Box::new(node), items),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }
}

/// Conditions that are constant decide before any row is seen.
fn simplified(pairs: Vec<(Node, Node)>, otherwise: Node) -> (Vec<(Node, Node)>, Node) {
    let mut kept = Vec::with_capacity(pairs.len());
    for (when, then) in pairs {
        match when.constant() {
            None => kept.push((when, then)),
            Some(Value::Bool(true)) => return (kept, then),
            Some(_) => {}
        }
    }
    (kept, otherwise)
}
