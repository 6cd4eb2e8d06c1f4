//! Tables of every form: what they share.

mod options;
mod refusals;
mod shapes;
mod types;

use std::sync::Arc;

use super::{Form, FormProblem, RowProblem, Scratch};
use crate::finding::Place;
use crate::flow::catalog::{ColumnFacts, Generated, Nullable, SqlType, Toast};
use crate::flow::cell::Cell;
use crate::flow::event::Value;
use crate::mapping::entity::{CodeValue, Field, IdOf, Located, OnUnknown, PublishedAs, Source};
use crate::mapping::public_id::{PublicId, Spelling};

fn located(text: &str) -> Located {
    Located {
        text: text.to_owned(),
        place: Place::default(),
    }
}

fn field() -> Field {
    Field::bare("f", Place::default(), Source::Column(located("c")))
}

fn zone(name: &str) -> Field {
    Field {
        zone: Some(located(name)),
        ..field()
    }
}

fn parse(pattern: &str, zone: Option<&str>) -> Field {
    Field {
        parse: Some(located(pattern)),
        zone: zone.map(located),
        ..field()
    }
}

fn decimals(n: u32) -> Field {
    Field {
        decimals: Some(n),
        ..field()
    }
}

fn as_(published_as: PublishedAs, field: Field) -> Field {
    Field {
        published_as: Some(published_as),
        ..field
    }
}

fn codes(list: &[(&str, CodeValue)], on_unknown: OnUnknown) -> Field {
    Field {
        codes: Some(
            list.iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
        ),
        on_unknown,
        ..field()
    }
}

/// A field that is an id of the documented example.
fn with_id(null_when: &[&str]) -> Field {
    let spelling = Spelling::parse("cus_{base32:20}").unwrap();
    let id = PublicId::new("customer", "a secret of the example, not yours", spelling);
    Field {
        null_when: null_when.iter().map(|text| (*text).to_owned()).collect(),
        public_id: Some(IdOf {
            name: located("customer"),
            id: id.map(Arc::new),
        }),
        ..field()
    }
}

fn text_code(text: &str) -> CodeValue {
    CodeValue::Text(text.to_owned())
}

fn column(sql_type: SqlType) -> ColumnFacts {
    let type_text = crate::mapping::form::published::type_word(&sql_type).to_owned();
    ColumnFacts {
        name: "c".to_owned(),
        sql_type,
        type_oid: 0,
        type_text,
        nullable: Nullable::Yes,
        collation: String::new(),
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
        surrogate: None,
    }
}

fn compiled(field: &Field, sql_type: SqlType) -> Form {
    Form::compile(field, &column(sql_type)).unwrap()
}

fn refused(field: &Field, sql_type: SqlType) -> FormProblem {
    Form::compile(field, &column(sql_type)).unwrap_err()
}

/// The published value as JSON.
fn told(form: &Form, text: &str) -> Result<String, RowProblem> {
    let mut scratch = Scratch::default();
    scratch.bytes.extend_from_slice(b"earlier pieces");
    let cell = Cell::Text(text.as_bytes());
    let piece = form.read(cell, &mut scratch)?;
    let mut out = Vec::new();
    piece.value(cell, &scratch).unwrap().append_json(&mut out);
    serde_json::from_slice::<serde_json::Value>(&out).unwrap();
    Ok(String::from_utf8(out).unwrap())
}

fn operand(form: &Form, text: &str) -> String {
    let mut scratch = Scratch::default();
    let cell = Cell::Text(text.as_bytes());
    match form.write_operand(cell, &mut scratch).unwrap().value(cell, &scratch) {
        Some(Value::Text(text)) => String::from_utf8(text.to_vec()).unwrap(),
        other => format!("{other:?}"),
    }
}

fn table(form: &Form, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(told(form, text).as_deref(), Ok(*expected), "{text}");
    }
}

fn plain(sql_type: SqlType, cases: &[(&str, &str)]) {
    table(&compiled(&field(), sql_type.clone()), cases);
    table(&Form::of_type(&sql_type), cases);
}

fn array(of: SqlType) -> SqlType {
    SqlType::Array(Box::new(of))
}
