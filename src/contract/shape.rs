//! The shape of a published value: which JSON it can be.

use std::fmt;

/// Which JSON a value can be, apart from null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number that every JSON reader takes exactly.
    Integer,
    /// A whole number, as text where a reader might not take it exactly.
    LargeInteger,
    /// Any number.
    Number,
    /// A number, or the text `NaN`, `Infinity` or `-Infinity`.
    FloatingNumber,
    /// Any text.
    Text,
    /// A text that matches a regular expression (ECMA-262), with words for what it is.
    Pattern {
        /// The expression.
        expression: String,
        /// What it is.
        words: String,
    },
    /// Digits with a point, exactly; so many behind the point where that is always the same.
    Decimal(Option<usize>),
    /// A day; what ISO 8601 cannot say is as PostgreSQL writes it.
    Date,
    /// RFC 3339 in UTC; what it cannot say is as PostgreSQL writes it.
    Instant,
    /// The same of a clock that hangs somewhere, without offset.
    LocalTime,
    /// Milliseconds since 1970 in UTC.
    EpochMs,
    /// A UUID.
    Uuid,
    /// Bytes in base64.
    Base64,
    /// Any JSON.
    Json,
    /// One of these.
    OneOf(Vec<Constant>),
    /// One of these, or another text, number or boolean of the column.
    Open(Vec<Constant>, Box<Shape>),
    /// A list, maybe of lists.
    List(Box<Shape>),
}

/// A value that is written in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A text.
    Text(String),
    /// A number in JSON's spelling.
    Number(String),
    /// A boolean.
    Bool(bool),
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Number(text) => f.write_str(text),
            Self::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

/// In words, as `explain` shows it.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |all: &[Constant]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Integer => f.write_str("integer"),
            Self::LargeInteger => f.write_str("integer, text from 2^53"),
            Self::Number => f.write_str("number"),
            Self::FloatingNumber => f.write_str("number, or NaN and infinities as text"),
            Self::Text => f.write_str("text"),
            Self::Pattern { words, .. } => f.write_str(words),
            Self::Decimal(None) => f.write_str("decimal text"),
            Self::Decimal(Some(digits)) => write!(f, "decimal text, {digits} behind the point"),
            Self::Date => f.write_str("date"),
            Self::Instant => f.write_str("timestamp in UTC"),
            Self::LocalTime => f.write_str("local time"),
            Self::EpochMs => f.write_str("milliseconds since 1970"),
            Self::Uuid => f.write_str("UUID"),
            Self::Base64 => f.write_str("base64"),
            Self::Json => f.write_str("any JSON"),
            Self::OneOf(all) => f.write_str(&listed(all)),
            Self::Open(all, other) => write!(f, "{} | {other}", listed(all)),
            Self::List(of) => write!(f, "list of {of}"),
        }
    }
}
