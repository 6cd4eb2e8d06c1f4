//! Types of expressions while they are compiled, finer than the catalogue's where PostgreSQL's rules are.

use crate::flow::catalog::SqlType;

/// The type of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A quoted literal or NULL whose type the other side decides.
    Literal,
    Bool,
    Int2,
    Int4,
    Int8,
    Numeric,
    Float4,
    Float8,
    Text,
    Varchar,
    /// `text`, `varchar` or `name`: the catalogue does not tell which.
    SomeText,
    Bpchar,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Enum(Vec<String>),
    /// Anything that can only be null, or be passed on.
    Opaque(SqlType),
}

impl Kind {
    pub(super) fn of(sql_type: &SqlType) -> Self {
        match sql_type {
            SqlType::Bool => Self::Bool,
            SqlType::Int2 => Self::Int2,
            SqlType::Int4 => Self::Int4,
            SqlType::Int8 => Self::Int8,
            SqlType::Numeric => Self::Numeric,
            SqlType::Float4 => Self::Float4,
            SqlType::Float8 => Self::Float8,
            SqlType::Text => Self::SomeText,
            SqlType::Bpchar => Self::Bpchar,
            SqlType::Date => Self::Date,
            SqlType::Timestamp => Self::Timestamp,
            SqlType::TimestampTz => Self::TimestampTz,
            SqlType::Uuid => Self::Uuid,
            SqlType::Enum(labels) => Self::Enum(labels.clone()),
            SqlType::Bytea | SqlType::Time | SqlType::TimeTz | SqlType::Interval | SqlType::Json => {
                Self::Opaque(sql_type.clone())
            }
            SqlType::Array(_) | SqlType::Other(_) => Self::Opaque(sql_type.clone()),
        }
    }

    pub(super) fn sql_type(&self) -> SqlType {
        match self {
            Self::Bool => SqlType::Bool,
            Self::Int2 => SqlType::Int2,
            Self::Int4 => SqlType::Int4,
            Self::Int8 => SqlType::Int8,
            Self::Numeric => SqlType::Numeric,
            Self::Float4 => SqlType::Float4,
            Self::Float8 => SqlType::Float8,
            Self::Literal | Self::Text | Self::Varchar | Self::SomeText => SqlType::Text,
            Self::Bpchar => SqlType::Bpchar,
            Self::Date => SqlType::Date,
            Self::Timestamp => SqlType::Timestamp,
            Self::TimestampTz => SqlType::TimestampTz,
            Self::Uuid => SqlType::Uuid,
            Self::Enum(labels) => SqlType::Enum(labels.clone()),
            Self::Opaque(sql_type) => sql_type.clone(),
        }
    }

    /// Its name as PostgreSQL writes it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Literal => "unknown",
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Numeric => "numeric",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Text | Self::SomeText => "text",
            Self::Varchar => "character varying",
            Self::Bpchar => "character",
            Self::Date => "date",
            Self::Timestamp => "timestamp without time zone",
            Self::TimestampTz => "timestamp with time zone",
            Self::Uuid => "uuid",
            Self::Enum(_) => "an enum",
            Self::Opaque(SqlType::Bytea) => "bytea",
            Self::Opaque(SqlType::Time) => "time without time zone",
            Self::Opaque(SqlType::TimeTz) => "time with time zone",
            Self::Opaque(SqlType::Interval) => "interval",
            Self::Opaque(SqlType::Json) => "json",
            Self::Opaque(SqlType::Other(name)) => name,
            Self::Opaque(_) => "an array",
        }
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    pub(super) fn is_float(&self) -> bool {
        matches!(self, Self::Float4 | Self::Float8)
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || self.is_float() || *self == Self::Numeric
    }

    /// `text`, `varchar`, `name`.
    pub(super) fn is_plain_text(&self) -> bool {
        matches!(self, Self::Text | Self::Varchar | Self::SomeText)
    }

    /// Any string type, `char(n)` too.
    pub(super) fn is_text(&self) -> bool {
        self.is_plain_text() || *self == Self::Bpchar
    }

    /// A place in the order in which numbers are promoted implicitly.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::Int2 => Some(0),
            Self::Int4 => Some(1),
            Self::Int8 => Some(2),
            Self::Numeric => Some(3),
            Self::Float4 => Some(4),
            Self::Float8 => Some(5),
            _ => None,
        }
    }
}

/// The type to which an operator brings two numbers, as PostgreSQL resolves it: `real` with another number is `double precision`.
pub(super) fn promoted(left: &Kind, right: &Kind) -> Option<Kind> {
    let (a, b) = (left.rank()?, right.rank()?);
    if left == right {
        return Some(left.clone());
    }
    let wider = if a > b { left } else { right };
    Some(if wider.is_float() { Kind::Float8 } else { wider.clone() })
}

/// The common type of CASE, COALESCE, IN: <https://www.postgresql.org/docs/15/typeconv-union-case.html>.
/// None where there is no such type, or where the catalogue does not tell enough to know it.
pub(super) fn common<'k>(kinds: impl Iterator<Item = &'k Kind>) -> Option<Kind> {
    let mut found: Option<Kind> = None;
    for kind in kinds.filter(|k| **k != Kind::Literal) {
        found = Some(match found {
            None => kind.clone(),
            Some(known) if known == *kind => known,
            Some(known) => match (known.rank(), kind.rank()) {
                (Some(a), Some(b)) => {
                    if a >= b {
                        known
                    } else {
                        kind.clone()
                    }
                }
                (None, None) if known.is_plain_text() && kind.is_plain_text() => {
                    if known == Kind::Text {
                        known
                    } else {
                        Kind::SomeText
                    }
                }
                (None, None) => match (&known, kind) {
                    (Kind::Date, Kind::Timestamp) | (Kind::Timestamp, Kind::Date) => Kind::Timestamp,
                    _ => return None,
                },
                _ => return None,
            },
        });
    }
    Some(found.unwrap_or(Kind::Text))
}
