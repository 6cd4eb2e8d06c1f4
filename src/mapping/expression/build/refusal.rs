//! What lies outside the subset, named.

use std::ops::Range;

use sqlparser::ast::{BinaryOperator, CastKind, Expr, UnaryOperator};

use crate::mapping::expression::ExpressionError;
use crate::mapping::expression::build::Builder;

/// Words that PostgreSQL takes for no column unless they are quoted (reserved, and those of functions and types).
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization binary both case cast check \
    collate collation column concurrently constraint create cross current_catalog current_date current_role \
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end except \
    false fetch for foreign freeze from full grant group having ilike in initially inner intersect into is isnull join \
    lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer \
    overlaps placing primary references returning right select session_user similar some symmetric system_user table \
    tablesample then to trailing true union unique user using variadic verbose when where window with ";

/// Whether an unquoted name cannot be a column's.
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    RESERVED.split_ascii_whitespace().any(|word| word == name)
}

/// The rank of an operator that does not stand beside its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Is,
    Comparison,
    Membership,
}

pub(super) fn chain_level(expr: &Expr) -> Option<Level> {
    match expr {
        Expr::IsNull(_) | Expr::IsNotNull(_) | Expr::IsTrue(_) | Expr::IsNotTrue(_) | Expr::IsFalse(_) => {
            Some(Level::Is)
        }
        Expr::IsNotFalse(_) | Expr::IsUnknown(_) | Expr::IsNotUnknown(_) => Some(Level::Is),
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => Some(Level::Is),
        Expr::Between { .. } | Expr::In { .. } | Expr::Like { .. } | Expr::ILike { .. } => Some(Level::Membership),
        Expr::BinaryOp { op, .. } => match op {
            BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::Lt | BinaryOperator::LtEq => {
                Some(Level::Comparison)
            }
            BinaryOperator::Gt | BinaryOperator::GtEq => Some(Level::Comparison),
            _ => None,
        },
        _ => None,
    }
}

/// The operands of such an operator that may stand beside it without parentheses.
pub(super) fn sides(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::IsNull(x) | Expr::IsNotNull(x) | Expr::IsTrue(x) | Expr::IsNotTrue(x) | Expr::IsFalse(x) => vec![x],
        Expr::IsNotFalse(x) | Expr::IsUnknown(x) | Expr::IsNotUnknown(x) | Expr::In { expr: x, .. } => vec![x],
        Expr::IsDistinctFrom(a, b) | Expr::IsNotDistinctFrom(a, b) => vec![a, b],
        Expr::BinaryOp { left, right, .. } => vec![left, right],
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => vec![expr, pattern],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        _ => Vec::new(),
    }
}

/// Whether the first bound of BETWEEN may stand without parentheses.
pub(super) fn may_be_bound(expr: &Expr) -> bool {
    match expr {
        Expr::Collate { .. } => false,
        Expr::UnaryOp { op, expr } => *op != UnaryOperator::Not && may_be_bound(expr),
        Expr::BinaryOp { left, right, .. } => may_be_bound(left) && may_be_bound(right),
        Expr::Cast {
            kind: CastKind::DoubleColon,
            expr,
            ..
        } => may_be_bound(expr),
        _ => true,
    }
}

pub(super) fn operators() -> String {
    "known are = <> < <= > >= + - * / % || and or not is in between like case coalesce nullif collate ::".to_owned()
}

pub(super) fn functions() -> String {
    "known are trim, lower, upper, substr, length, replace, abs, round, coalesce, nullif".to_owned()
}

impl Builder<'_> {
    /// The error for a form that the subset does not have.
    pub(super) fn refused(&self, expr: &Expr, place: &Range<usize>) -> ExpressionError {
        let (what, hint) = match expr {
            Expr::ILike { .. } => ("ILIKE", Some("write lower(…) like '…'")),
            Expr::Like {
                escape_char: Some(_), ..
            } => ("LIKE … ESCAPE", Some("escape with a backslash in the pattern")),
            Expr::SimilarTo { .. } => ("SIMILAR TO", Some("write it with like")),
            Expr::RLike { .. } => ("a regular expression", Some("write it with like")),
            Expr::AtTimeZone { .. } => ("AT TIME ZONE", Some("a field of the entity takes `zone = \"…\"`")),
            Expr::Extract { .. } => ("extract()", None),
            Expr::Ceil { .. } => ("ceil()", None),
            Expr::Floor { .. } => ("floor()", None),
            Expr::Position { .. } => ("position()", Some("write it with like")),
            Expr::Overlay { .. } => ("overlay()", Some("write it with substr and ||")),
            Expr::Interval(_) => ("INTERVAL", None),
            Expr::Exists { .. } | Expr::Subquery(_) => ("a subquery", Some("an expression sees one row only")),
            Expr::Like { .. } | Expr::AnyOp { .. } | Expr::AllOp { .. } => ("ANY and ALL", Some("write `in (…)`")),
            Expr::Array(_) => ("ARRAY", None),
            Expr::Tuple(_) => ("a row of several values", Some("compare each value by itself")),
            Expr::JsonAccess { .. } | Expr::CompoundFieldAccess { .. } => ("a subscript", None),
            _ => ("this form", None),
        };
        self.error(
            place,
            format!("{what} is not one of the expressions of a mapping"),
            hint,
        )
    }
}
