use std::sync::LazyLock;

use walbridge::finding::Place;
use walbridge::flow::catalog::{ColumnFacts, Generated, Nullable, SqlType, Toast};
use walbridge::flow::cell::Cell;
use walbridge::flow::event::Value;
use walbridge::mapping::entity::{Field, Located, PublishedAs, Source};
use walbridge::mapping::form::{Form, Scratch};

/// A column's text has a published form or none, always the same, and one that is made here of letters is JSON. The first
/// byte chooses the column's type and what the mapping says of it.
pub fn decode_value(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let form = &FORMS[usize::from(*choice) % FORMS.len()];
    let cell = Cell::Text(text);
    let mut scratch = Scratch::default();
    let told = form
        .read(cell, &mut scratch)
        .map(|piece| json(piece.value(cell, &scratch)));
    let mut other = Scratch::default();
    let again = form.read(cell, &mut other).map(|piece| json(piece.value(cell, &other)));
    assert_eq!(told, again, "{form:?}");
    if let (Ok(operand), SqlType::Bool) = (form.write_operand(cell, &mut scratch), form.sql_type()) {
        let value = operand.value(cell, &scratch);
        assert!(matches!(value, Some(Value::Text(_) | Value::Null)), "{value:?}");
    }
}

/// The value as JSON. Numbers and documents are the server's own spelling, which it alone answers for, as it does for digits
/// that are no UTF-8.
fn json(value: Option<Value<'_>>) -> Vec<u8> {
    let value = value.expect("a text that is there is known");
    let mut out = Vec::new();
    value.append_json(&mut out);
    let is_made = !matches!(value, Value::Number(_) | Value::Json(_));
    if is_made && std::str::from_utf8(&out).is_ok() {
        serde_json::from_slice::<serde_json::Value>(&out).expect("JSON");
    }
    out
}

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(forms);

fn forms() -> Vec<Form> {
    let types = [
        SqlType::Bool,
        SqlType::Int8,
        SqlType::Float8,
        SqlType::Numeric,
        SqlType::Text,
        SqlType::Bpchar,
        SqlType::Bytea,
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
        SqlType::TimestampTz,
        SqlType::Interval,
        SqlType::Uuid,
        SqlType::Enum(vec!["new".to_owned(), "paid".to_owned()]),
        SqlType::Other("inet".to_owned()),
    ];
    let arrays = types
        .clone()
        .map(|inner| Form::of_type(&SqlType::Array(Box::new(inner))));
    let plain = types.iter().map(Form::of_type);
    let zone = || Some(located("Europe/Berlin"));
    let parse = |pattern| Some(located(pattern));
    let bare = || Field::bare("f", Place::default(), Source::Column(located("c")));
    let declared = [
        (SqlType::Timestamp, Field { zone: zone(), ..bare() }),
        (
            SqlType::Text,
            Field {
                parse: parse("YYYYMMDDHH24MISSMS"),
                zone: zone(),
                ..bare()
            },
        ),
        (
            SqlType::Int4,
            Field {
                parse: parse("YYYYMMDD"),
                ..bare()
            },
        ),
        (
            SqlType::Int8,
            Field {
                decimals: Some(3),
                ..bare()
            },
        ),
        (
            SqlType::Text,
            Field {
                null_when: vec!["-".to_owned()],
                ..bare()
            },
        ),
        (
            SqlType::TimestampTz,
            Field {
                published_as: Some(PublishedAs::EpochMs),
                ..bare()
            },
        ),
    ];
    let declared = declared.map(|(sql_type, field)| Form::compile(&field, &column(sql_type)));
    let declared = declared.into_iter().map(|form| form.expect("a form"));
    plain.chain(arrays).chain(declared).collect()
}

fn located(text: &str) -> Located {
    Located {
        text: text.to_owned(),
        place: Place::default(),
    }
}

fn column(sql_type: SqlType) -> ColumnFacts {
    ColumnFacts {
        name: "c".to_owned(),
        sql_type,
        type_oid: 0,
        type_text: String::new(),
        nullable: Nullable::Yes,
        collation: String::new(),
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
        surrogate: None,
    }
}
