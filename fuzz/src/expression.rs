use walbridge::flow::catalog::{Nullable, SqlType};
use walbridge::mapping::expression::{Expression, Leaf, Names, Operand, Operands, Written};

/// An expression is refused at a place in its text, or has the same value whenever the same row is asked. The text ends at
/// the first zero byte; the columns' texts follow, each ended by another, and what is left out is null.
pub fn expression(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else {
        return;
    };
    let expression = match Expression::compile(text, &Columns, "C") {
        Ok(expression) => expression,
        Err(error) => return assert!(text.get(error.span.clone()).is_some(), "{error:?} of {text:?}"),
    };
    let row = Row(parts.collect());
    let told = || {
        let mut out = Vec::new();
        (expression.truth(&row), expression.write(&row, &mut out), out)
    };
    let (truth, written, out) = told();
    assert!(
        out.is_empty() || written == Ok(Written::Text),
        "{written:?} and {out:?}"
    );
    assert_eq!((truth, written, out), told());
}

/// Columns of each type.
struct Columns;

fn columns() -> [(&'static str, SqlType); 13] {
    [
        ("b", SqlType::Bool),
        ("i", SqlType::Int4),
        ("l", SqlType::Int8),
        ("n", SqlType::Numeric),
        ("f", SqlType::Float8),
        ("s", SqlType::Text),
        ("c", SqlType::Bpchar),
        ("d", SqlType::Date),
        ("t", SqlType::Timestamp),
        ("z", SqlType::TimestampTz),
        ("u", SqlType::Uuid),
        ("e", SqlType::Enum(vec!["new".to_owned(), "paid".to_owned()])),
        ("j", SqlType::Json),
    ]
}

impl Names for Columns {
    fn resolve(&self, _: Option<&str>, name: &str) -> Result<Leaf, String> {
        let mut columns = columns().into_iter().zip(0..);
        let ((_, sql_type), slot) = columns.find(|((known, _), _)| *known == name).ok_or("unknown")?;
        Ok(Leaf {
            slot,
            sql_type,
            nullable: Nullable::Yes,
            collation: "C".to_owned(),
        })
    }
}

struct Row<'a>(Vec<&'a [u8]>);

impl Operands for Row<'_> {
    fn operand(&self, slot: u16) -> Operand<'_> {
        match self.0.get(usize::from(slot)) {
            Some(text) if *text == b"?" => Operand::Unknown,
            Some(text) => Operand::Text(text),
            None => Operand::Null,
        }
    }
}
