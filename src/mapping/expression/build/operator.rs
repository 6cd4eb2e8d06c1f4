//! Operators: to which type each brings its operands.

use std::ops::Range;

use sqlparser::ast::{Expr, Value as Written};

use crate::flow::catalog::Nullable;
use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::cast::showable;
use crate::mapping::expression::build::{Builder, Built, refusal};
use crate::mapping::expression::kind::{Kind, promoted};
use crate::mapping::expression::node::{Arithmetic, By, Collation, Comparison, Junction, Negated, Node, Op};

impl Builder<'_> {
    pub(super) fn compare(&mut self, how: Comparison, [a, b]: [&Expr; 2], place: &Range<usize>) -> Built {
        let (a, b) = (self.node(a)?, self.node(b)?);
        self.compared(how, [a, b], place)
    }

    pub(super) fn compared(&mut self, how: Comparison, [a, b]: [Node; 2], place: &Range<usize>) -> Built {
        let may_be_null = |node: &Node| node.nullable == Nullable::Yes && !node.is_null();
        let constant = a.constant().is_some() || b.constant().is_some();
        match how {
            Comparison::NotEqual if may_be_null(&a) || may_be_null(&b) => self.warn_of_nulls("<>", place),
            Comparison::Equal if !constant && (may_be_null(&a) || may_be_null(&b)) => self.warn_of_nulls("=", place),
            _ => {}
        }
        let (pair, by) = self.paired(how, [a, b], place)?;
        self.finish(
            Op::Compare(how, by, Box::new(pair)),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }

    pub(super) fn distinct(&mut self, negated: Negated, [a, b]: [&Expr; 2], place: &Range<usize>) -> Built {
        let (a, b) = (self.node(a)?, self.node(b)?);
        let (pair, by) = self.paired(Comparison::Equal, [a, b], place)?;
        self.finish(
            Op::Distinct(negated, by, Box::new(pair)),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }

    /// Brings both sides of a comparison to one type.
    pub(super) fn paired(
        &self,
        how: Comparison,
        [a, b]: [Node; 2],
        place: &Range<usize>,
    ) -> Result<([Node; 2], By), ExpressionError> {
        let ordering = how.is_ordering();
        let kind = match (&a.kind, &b.kind) {
            (Kind::Literal, Kind::Literal) => Kind::Text,
            (Kind::Literal, known) | (known, Kind::Literal) => known.clone(),
            (x, y) if x == y => x.clone(),
            (x, y) if x.is_plain_text() && y.is_plain_text() => Kind::SomeText,
            (Kind::Bpchar, Kind::Text) | (Kind::Text, Kind::Bpchar) => Kind::Text,
            (Kind::Bpchar, Kind::Varchar) | (Kind::Varchar, Kind::Bpchar) => Kind::Bpchar,
            (Kind::Bpchar, Kind::SomeText) | (Kind::SomeText, Kind::Bpchar) => {
                let message = "whether padding counts differs between text and varchar".to_owned();
                return Err(self.error(place, message, Some("cast the char(n) side: `…::text`")));
            }
            (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) => {
                // Compared as moments: a date beyond what a timestamp holds is still before or after it.
                return Ok(([a, b], By::Value));
            }
            (x, y) => match promoted(x, y) {
                Some(kind) => kind,
                None => return Err(self.no_operator(how.sign(), [x, y], place)),
            },
        };
        let collation = self.together(&a, &b, place)?;
        let by = match &kind {
            Kind::Opaque(_) => return Err(self.no_operator(how.sign(), [&a.kind, &b.kind], place)),
            Kind::Enum(labels) if ordering => By::Label(labels.clone()),
            Kind::Bpchar => By::Padded,
            _ => By::Value,
        };
        if kind.is_text() {
            self.comparable(&collation, how, place)?;
        }
        Ok(([self.brought(a, &kind, place)?, self.brought(b, &kind, place)?], by))
    }

    fn no_operator(&self, sign: &str, [a, b]: [&Kind; 2], place: &Range<usize>) -> ExpressionError {
        let message = format!("operator does not exist: {} {sign} {}", a.name(), b.name());
        let zoned = |kind: &Kind| *kind == Kind::TimestampTz;
        let hint = if matches!(a, Kind::Opaque(_)) || matches!(b, Kind::Opaque(_)) {
            "only `is null` and `is not null` can be asked of this type"
        } else if zoned(a) || zoned(b) {
            "compare a timestamptz with a timestamptz: another type depends on the session's time zone"
        } else {
            "cast one side"
        };
        self.error(place, message, Some(hint))
    }

    /// `between` is two comparisons joined by AND; `not between` is the two contrary ones joined by OR.
    pub(super) fn between(&mut self, negated: Negated, parts: [&Expr; 3], place: &Range<usize>) -> Built {
        let [x, low, high] = parts;
        if !refusal::may_be_bound(low) {
            let hint = Some("write parentheses around it");
            return Err(self.error(
                &self.source.place(low),
                "a bound of BETWEEN of this form".to_owned(),
                hint,
            ));
        }
        let ([below, above], junction) = match negated {
            Negated::No => ([Comparison::GreaterOrEqual, Comparison::LessOrEqual], Junction::And),
            Negated::Yes => ([Comparison::Less, Comparison::Greater], Junction::Or),
        };
        let first = self.compare(below, [x, low], place)?;
        let second = self.compare(above, [x, high], place)?;
        self.joined(vec![first, second], junction, place)
    }

    pub(super) fn like(&mut self, negated: Negated, [text, pattern]: [&Expr; 2], place: &Range<usize>) -> Built {
        let (text, pattern) = (self.node(text)?, self.node(pattern)?);
        let collation = self.together(&text, &pattern, place)?;
        self.comparable(&collation, Comparison::Equal, place)?;
        // `char(n)` is matched with its padding.
        let text = if text.kind == Kind::Bpchar {
            text
        } else {
            self.as_text(text, place, "LIKE")?
        };
        let pattern = self.as_text(pattern, place, "LIKE")?;
        self.finish(
            Op::Like(negated, Box::new([text, pattern])),
            Kind::Bool,
            Collation::Default,
            place,
        )
    }

    pub(super) fn arithmetic(&mut self, how: Arithmetic, [a, b]: [&Expr; 2], place: &Range<usize>) -> Built {
        let (a, b) = (self.node(a)?, self.node(b)?);
        let kind = match (&a.kind, &b.kind) {
            (Kind::Literal, known) | (known, Kind::Literal) if known.is_number() => Some(known.clone()),
            (x, y) => promoted(x, y),
        };
        match kind {
            Some(kind) if !(kind.is_float() && how == Arithmetic::Remainder) => {
                let pair = [self.brought(a, &kind, place)?, self.brought(b, &kind, place)?];
                self.finish(Op::Arithmetic(how, Box::new(pair)), kind, Collation::Default, place)
            }
            _ => {
                let message = format!(
                    "operator does not exist: {} {} {}",
                    a.kind.name(),
                    how.sign(),
                    b.kind.name()
                );
                Err(self.error(place, message, Some("arithmetic is on numbers: cast both sides")))
            }
        }
    }

    /// `-x`; the sign before a number belongs to the number.
    pub(super) fn negate(&mut self, operand: &Expr, place: &Range<usize>) -> Built {
        let mut inner = operand;
        while let Expr::Nested(nested) = inner {
            inner = nested;
        }
        if let Expr::Value(value) = inner
            && let Written::Number(digits, false) = &value.value
        {
            return self.number(&format!("-{digits}"), place);
        }
        let node = self.node(operand)?;
        if !node.kind.is_number() {
            let message = format!("operator does not exist: - {}", node.kind.name());
            return Err(self.error(place, message, None));
        }
        let kind = node.kind.clone();
        self.finish(Op::Negate(Box::new(node)), kind, Collation::Default, place)
    }

    /// Of two texts; or of one and any other value, which is then shown as a cast to text shows it.
    pub(super) fn concat(&mut self, [a, b]: [&Expr; 2], place: &Range<usize>) -> Built {
        let (a, b) = (self.node(a)?, self.node(b)?);
        let a_text = a.kind == Kind::Literal || a.kind.is_text();
        let b_text = b.kind == Kind::Literal || b.kind.is_text();
        let collation = self.together(&a, &b, place)?;
        if !(a_text || b_text) || !showable(&a.kind) || !showable(&b.kind) {
            let message = format!("operator does not exist: {} || {}", a.kind.name(), b.kind.name());
            return Err(self.error(place, message, Some("cast both sides: `…::text`")));
        }
        let pair = [
            self.brought(a, &Kind::Text, place)?,
            self.brought(b, &Kind::Text, place)?,
        ];
        self.finish(Op::Concat(Box::new(pair)), Kind::Text, collation, place)
    }
}

impl Comparison {
    pub(super) fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
