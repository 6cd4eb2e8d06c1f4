//! Syntax to tree: names are resolved, types derived as PostgreSQL derives them, what is outside the subset refused by name.

mod call;
mod cast;
mod choice;
mod collation;
mod fold;
mod literal;
mod operator;
mod refusal;

pub use refusal::is_reserved;

use std::ops::Range;

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator};

use crate::flow::catalog::Nullable;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::node::{Arithmetic, Asked, Collation, Comparison, Junction, Negated, Node, Op, Value};
use crate::mapping::expression::parse::Source;
use crate::mapping::expression::{ExpressionError, Names};

/// Depth of a tree; a row of AND, OR counts once.
const DEPTH_MAX: usize = 60;

type Built = Result<Node, ExpressionError>;

/// What an expression is compiled with, and what is learnt on the way.
pub(super) struct Builder<'b> {
    source: Source<'b>,
    names: &'b dyn Names,
    ctype: &'b str,
    depth: usize,
    pub(super) slots: Vec<u16>,
    pub(super) warnings: Vec<ExpressionError>,
}

/// Compiles a whole text.
pub(super) fn build<'b>(
    text: &'b str,
    names: &'b dyn Names,
    ctype: &'b str,
) -> Result<(Node, Builder<'b>), ExpressionError> {
    let (source, expr) = Source::parse(text)?;
    let mut builder = Builder {
        source,
        names,
        ctype,
        depth: 0,
        slots: Vec::new(),
        warnings: Vec::new(),
    };
    let node = builder.node(&expr)?;
    let place = builder.source.place(&expr);
    let node = if node.kind == Kind::Literal {
        builder.brought(node, &Kind::Text, &place)?
    } else {
        node
    };
    builder.slots.sort_unstable();
    builder.slots.dedup();
    Ok((node, builder))
}

impl<'b> Builder<'b> {
    fn node(&mut self, expr: &Expr) -> Built {
        self.depth += 1;
        let place = self.source.place(expr);
        if self.depth > DEPTH_MAX {
            return Err(self.error(
                &place,
                "nested too deeply".to_owned(),
                Some("split it into several fields"),
            ));
        }
        self.unchained(expr, &place)?;
        let node = self.dispatch(expr, &place);
        self.depth -= 1;
        node
    }
    fn dispatch(&mut self, expr: &Expr, place: &Range<usize>) -> Built {
        match expr {
            Expr::Nested(inner) => self.node(inner),
            Expr::Identifier(name) => self.name(None, name, place),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [qualifier, name] => self.name(Some(qualifier), name, place),
                _ => Err(self.error(place, "a name has at most two parts".to_owned(), None)),
            },
            Expr::Value(value) => self.literal(&value.value, place),
            Expr::TypedString(typed) => self.typed_literal(typed, place),
            Expr::IsNull(x) => self.is(Asked::Null, Negated::No, x, place),
            Expr::IsNotNull(x) => self.is(Asked::Null, Negated::Yes, x, place),
            Expr::IsTrue(x) => self.is(Asked::True, Negated::No, x, place),
            Expr::IsNotTrue(x) => self.is(Asked::True, Negated::Yes, x, place),
            Expr::IsFalse(x) => self.is(Asked::False, Negated::No, x, place),
            Expr::IsNotFalse(x) => self.is(Asked::False, Negated::Yes, x, place),
            Expr::IsUnknown(x) => self.is_unknown(Negated::No, x, place),
            Expr::IsNotUnknown(x) => self.is_unknown(Negated::Yes, x, place),
            Expr::IsDistinctFrom(a, b) => self.distinct(Negated::No, [a, b], place),
            Expr::IsNotDistinctFrom(a, b) => self.distinct(Negated::Yes, [a, b], place),
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => self.between(
                if *negated { Negated::Yes } else { Negated::No },
                [expr, low, high],
                place,
            ),
            Expr::In { .. } => self.membership(expr, place),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => self.like(
                if *negated { Negated::Yes } else { Negated::No },
                [expr, pattern],
                place,
            ),
            Expr::BinaryOp { left, op, right } => self.binary(op, [left, right], expr, place),
            Expr::UnaryOp { op, expr: operand } => self.unary(op, operand, place),
            Expr::Cast { .. } => self.cast(expr, place),
            Expr::Collate { expr, collation } => self.collate(expr, collation, place),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(operand.as_deref(), conditions, else_result.as_deref(), place),
            Expr::Trim { .. } | Expr::Substring { .. } => self.special_call(expr, place),
            Expr::Function(function) => self.function(function, place),
            other => Err(self.refused(other, place)),
        }
    }

    /// PostgreSQL reads no chain such as `a = b = c`.
    fn unchained(&self, expr: &Expr, place: &Range<usize>) -> Result<(), ExpressionError> {
        let level = refusal::chain_level(expr);
        if level.is_none()
            || refusal::sides(expr)
                .into_iter()
                .all(|side| refusal::chain_level(side) != level)
        {
            return Ok(());
        }
        let hint = Some("write parentheses around one of them");
        Err(self.error(place, "operators of one rank cannot be chained".to_owned(), hint))
    }

    fn error(&self, place: &Range<usize>, message: String, hint: Option<&str>) -> ExpressionError {
        ExpressionError {
            message,
            span: place.clone(),
            hint: hint.map(str::to_owned),
        }
    }

    /// A column or a field. SQL folds unquoted names of columns; fields keep the spelling of the config.
    fn name(&mut self, qualifier: Option<&Ident>, name: &Ident, place: &Range<usize>) -> Built {
        let folded = |ident: &Ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_ascii_lowercase(),
        };
        if qualifier.is_none() && name.quote_style.is_none() && is_reserved(&name.value) {
            let message = format!("\"{}\" is a reserved word", name.value);
            let hint = format!("a column of this name is written \"{}\" in double quotes", name.value);
            return Err(self.error(place, message, Some(&hint)));
        }
        let qualifier = qualifier.map(folded);
        let of_field = matches!(qualifier.as_deref(), Some("old" | "new"));
        let written = if of_field { name.value.clone() } else { folded(name) };
        let found = match self.names.resolve(qualifier.as_deref(), &written) {
            Err(_) if of_field && folded(name) != written => {
                let again = self.names.resolve(qualifier.as_deref(), &folded(name));
                again.or_else(|_| self.names.resolve(qualifier.as_deref(), &written))
            }
            found => found,
        };
        let leaf = found.map_err(|message| {
            let text = qualifier
                .is_none()
                .then(|| format!("a text stands in single quotes: '{}'", name.value));
            let folds = (!of_field && written != name.value).then(|| {
                let name = &name.value;
                format!("SQL folds names to lower case: a column with capitals is written in double quotes: \"{name}\"")
            });
            let hint: Vec<String> = text.into_iter().chain(folds).collect();
            self.error(
                place,
                message,
                Some(hint.join("; ").as_str()).filter(|hint| !hint.is_empty()),
            )
        })?;
        self.slots.push(leaf.slot);
        let kind = Kind::of(&leaf.sql_type);
        let collation = match leaf.collation.as_str() {
            _ if !kind.is_text() => Collation::Default,
            "" | "default" => Collation::Default,
            other => Collation::Implicit(other.to_owned()),
        };
        Ok(Node {
            op: Op::Leaf(leaf.slot),
            kind,
            collation,
            nullable: leaf.nullable,
            can_fail: false,
        })
    }

    /// A node that is to be a condition.
    fn condition(&mut self, expr: &Expr, of: &str) -> Built {
        let node = self.node(expr)?;
        let place = self.source.place(expr);
        match node.kind {
            Kind::Bool => Ok(node),
            Kind::Literal => self.brought(node, &Kind::Bool, &place),
            _ => {
                let message = format!("argument of {of} must be boolean, not {}", node.kind.name());
                Err(self.error(&place, message, None))
            }
        }
    }

    fn is(&mut self, asked: Asked, negated: Negated, expr: &Expr, place: &Range<usize>) -> Built {
        let node = match asked {
            Asked::Null => self.node(expr)?,
            Asked::True | Asked::False => self.condition(expr, "IS")?,
        };
        self.finish(
            Op::Is(asked, negated, Box::new(node)),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }

    fn is_unknown(&mut self, negated: Negated, expr: &Expr, place: &Range<usize>) -> Built {
        let node = self.condition(expr, "IS UNKNOWN")?;
        self.finish(
            Op::Is(Asked::Null, negated, Box::new(node)),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }
    fn binary(&mut self, op: &BinaryOperator, pair: [&Expr; 2], whole: &Expr, place: &Range<usize>) -> Built {
        match op {
            BinaryOperator::And | BinaryOperator::Or => self.junction(op, whole, place),
            BinaryOperator::Eq => self.compare(Comparison::Equal, pair, place),
            BinaryOperator::NotEq => self.compare(Comparison::NotEqual, pair, place),
            BinaryOperator::Lt => self.compare(Comparison::Less, pair, place),
            BinaryOperator::LtEq => self.compare(Comparison::LessOrEqual, pair, place),
            BinaryOperator::Gt => self.compare(Comparison::Greater, pair, place),
            BinaryOperator::GtEq => self.compare(Comparison::GreaterOrEqual, pair, place),
            BinaryOperator::Plus => self.arithmetic(Arithmetic::Add, pair, place),
            BinaryOperator::Minus => self.arithmetic(Arithmetic::Subtract, pair, place),
            BinaryOperator::Multiply => self.arithmetic(Arithmetic::Multiply, pair, place),
            BinaryOperator::Divide => self.arithmetic(Arithmetic::Divide, pair, place),
            BinaryOperator::Modulo => self.arithmetic(Arithmetic::Remainder, pair, place),
            BinaryOperator::StringConcat => self.concat(pair, place),
            other => {
                let hint = refusal::operators();
                Err(self.error(place, format!("unknown operator {other}"), Some(&hint)))
            }
        }
    }

    fn unary(&mut self, op: &UnaryOperator, operand: &Expr, place: &Range<usize>) -> Built {
        match op {
            UnaryOperator::Not => {
                let node = self.condition(operand, "NOT")?;
                self.warn_of_negation(&node, place);
                self.finish(Op::Not(Box::new(node)), Kind::Bool, Collation::Default, place)
            }
            UnaryOperator::Minus => self.negate(operand, place),
            UnaryOperator::Plus => {
                let node = self.node(operand)?;
                if node.kind.is_number() {
                    return Ok(node);
                }
                let message = format!("operator does not exist: + {}", node.kind.name());
                Err(self.error(place, message, None))
            }
            other => {
                let hint = refusal::operators();
                Err(self.error(place, format!("unknown operator {other}"), Some(&hint)))
            }
        }
    }

    /// A row of AND or of OR, from the left, flattened: however long it is, the tree gets no deeper.
    fn junction(&mut self, op: &BinaryOperator, whole: &Expr, place: &Range<usize>) -> Built {
        let mut parts = Vec::new();
        let mut rest = whole;
        while let Expr::BinaryOp { left, op: this, right } = rest {
            if this != op {
                break;
            }
            parts.push(&**right);
            rest = left;
        }
        parts.push(rest);
        let (of, junction) = if *op == BinaryOperator::And {
            ("AND", Junction::And)
        } else {
            ("OR", Junction::Or)
        };
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts.into_iter().rev() {
            nodes.push(self.condition(part, of)?);
        }
        self.joined(nodes, junction, place)
    }

    /// PostgreSQL drops what is constant: one that decides makes the whole constant, whatever the others might do.
    fn joined(&self, mut nodes: Vec<Node>, junction: Junction, place: &Range<usize>) -> Built {
        let decisive = junction.decisive();
        if nodes.iter().any(|n| n.constant() == Some(&Value::Bool(decisive))) {
            return Ok(fold::constant(Value::Bool(decisive), Kind::Bool));
        }
        nodes.retain(|n| n.constant() != Some(&Value::Bool(!decisive)));
        match nodes.len() {
            0 => Ok(fold::constant(Value::Bool(!decisive), Kind::Bool)),
            1 => nodes
                .pop()
                .ok_or_else(|| self.error(place, "an empty row of conditions".to_owned(), None)),
            _ => {
                let op = if junction == Junction::Or {
                    Op::Or(nodes)
                } else {
                    Op::And(nodes)
                };
                self.finish(op, Kind::Bool, Collation::Default, place)
            }
        }
    }

    /// `not (a = b)` is `<>` in other words.
    fn warn_of_negation(&mut self, node: &Node, place: &Range<usize>) {
        if let Op::Compare(Comparison::Equal, _, pair) = &node.op
            && pair.iter().any(|side| side.nullable == Nullable::Yes)
        {
            self.warn_of_nulls("not (… = …)", place);
        }
    }

    fn warn_of_nulls(&mut self, what: &str, place: &Range<usize>) {
        let message = format!("`{what}` on a value that may be null is neither true nor false where it is null");
        let hint = "`is distinct from` takes null as a value";
        let warning = self.error(place, message, Some(hint));
        self.warnings.push(warning);
    }
}
