//! A compiled expression: a typed tree whose operands have already been brought to one type.

use std::borrow::Cow;

use crate::flow::catalog::Nullable;
use crate::mapping::expression::kind::Kind;
use crate::mapping::expression::value::decimal::Decimal;

/// A value while it is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Unknown,
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    /// `real` is kept as the double that it is equal to.
    Float(f64),
    /// Microseconds since 2000-01-01.
    Stamp(i128),
    Text(Cow<'a, [u8]>),
}

/// What `collate` or a column says of a text's collation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Collation {
    /// No text, or a literal: the database's own.
    Default,
    /// A column's.
    Implicit(String),
    /// `collate "…"`.
    Explicit(String),
    /// Two columns of different collations.
    Conflict,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) kind: Kind,
    pub(super) collation: Collation,
    pub(super) nullable: Nullable,
    /// On some row it has no value.
    pub(super) can_fail: bool,
}

/// `=`, `<`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How two values of one type are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    Value,
    /// `char(n)`: trailing blanks do not count.
    Padded,
    /// By the place of an enum's label.
    Label(Vec<String>),
}

/// `+`, `-`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What `IS` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Null,
    True,
    False,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Negated {
    Yes,
    No,
}

/// AND or OR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Junction {
    And,
    Or,
}

impl Junction {
    /// The value of one operand that decides for all.
    pub(super) fn decisive(self) -> bool {
        self == Self::Or
    }
}

/// A conversion that does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cast {
    /// To the node's own type, by its rules.
    Convert,
    /// From a text by the type's input function.
    Read,
    /// To a text by the type's output function.
    Show,
    /// `numeric(precision, scale)`.
    Limit(u32, u32),
    /// `varchar(n)`.
    Cut(usize),
    /// `char(n)`.
    Pad(usize),
    /// Padding is dropped.
    Strip,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    TrimBoth,
    TrimLeading,
    TrimTrailing,
    LowerAscii,
    UpperAscii,
    LowerUnicode,
    UpperUnicode,
    Substr,
    Length,
    Replace,
    Abs,
    /// `round(numeric)`, `round(numeric, places)`, `round(double precision)`.
    Round,
}

/// What a node does.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Leaf(u16),
    Constant(Value<'static>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Is(Asked, Negated, Box<Node>),
    Compare(Comparison, By, Box<[Node; 2]>),
    /// `is distinct from`, or with Negated `is not distinct from`.
    Distinct(Negated, By, Box<[Node; 2]>),
    In(Negated, By, Box<Node>, Vec<Node>),
    Like(Negated, Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    Negate(Box<Node>),
    Concat(Box<[Node; 2]>),
    Case(Vec<(Node, Node)>, Box<Node>),
    Coalesce(Vec<Node>),
    /// Null where the second (a comparison) is true, else the first.
    NullIf(Box<Node>, Box<Node>),
    Cast(Cast, Box<Node>),
    Call(Function, Vec<Node>),
}

impl Op {
    /// Operands, in the order of their evaluation.
    pub(super) fn operands(&self) -> Vec<&Node> {
        match self {
            Self::Leaf(_) | Self::Constant(_) => Vec::new(),
            Self::And(nodes) | Self::Or(nodes) | Self::Coalesce(nodes) | Self::Call(_, nodes) => nodes.iter().collect(),
            Self::Not(node) | Self::Is(_, _, node) | Self::Negate(node) | Self::Cast(_, node) => vec![node],
            Self::Compare(_, _, pair) | Self::Distinct(_, _, pair) => pair.iter().collect(),
            Self::Like(_, pair) | Self::Arithmetic(_, pair) | Self::Concat(pair) => pair.iter().collect(),
            Self::In(_, _, node, list) => std::iter::once(&**node).chain(list).collect(),
            Self::Case(whens, otherwise) => whens
                .iter()
                .flat_map(|(when, then)| [when, then])
                .chain([&**otherwise])
                .collect(),
            Self::NullIf(first, equal) => vec![first, equal],
        }
    }

    /// Null where any operand is null.
    pub(super) fn is_strict(&self) -> bool {
        match self {
            Self::Compare(..) | Self::Like(..) | Self::Arithmetic(..) | Self::Negate(_) | Self::Concat(_) => true,
            Self::Not(_) | Self::Cast(..) | Self::Call(..) => true,
            Self::Leaf(_) | Self::Constant(_) | Self::And(_) | Self::Or(_) | Self::Is(..) | Self::Distinct(..) => false,
            Self::In(..) | Self::Case(..) | Self::Coalesce(_) | Self::NullIf(..) => false,
        }
    }
}

impl Node {
    pub(super) fn constant(&self) -> Option<&Value<'static>> {
        match &self.op {
            Op::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.constant() == Some(&Value::Null)
    }
}
