//! Tables of every form.

use proptest::prelude::*;

use super::{Form, FormProblem, RowProblem, Scratch};
use crate::finding::Place;
use crate::flow::catalog::{ColumnFacts, Generated, Nullable, SqlType, Toast};
use crate::flow::cell::Cell;
use crate::flow::event::Value;
use crate::mapping::entity::{CodeValue, Field, Located, OnUnknown, PublishedAs, Source};

fn located(text: &str) -> Located {
    Located {
        text: text.to_owned(),
        place: Place::default(),
    }
}

fn field() -> Field {
    Field {
        name: "f".to_owned(),
        place: Place::default(),
        from: Source::Column(located("c")),
        zone: None,
        decimals: None,
        parse: None,
        null_when: Vec::new(),
        codes: None,
        on_unknown: OnUnknown::Halt,
        published_as: None,
    }
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

fn text_code(text: &str) -> CodeValue {
    CodeValue::Text(text.to_owned())
}

fn column(sql_type: SqlType) -> ColumnFacts {
    let type_text = super::published::type_word(&sql_type).to_owned();
    ColumnFacts {
        name: "c".to_owned(),
        sql_type,
        type_text,
        nullable: Nullable::Yes,
        collation: String::new(),
        generated: Generated::No,
        toast: Toast::Never,
        allowed: None,
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

#[test]
fn each_type_has_its_published_form() {
    plain(SqlType::Int2, &[("-32768", "-32768")]);
    plain(SqlType::Int4, &[("-2147483648", "-2147483648"), ("0", "0")]);
    let integers = [
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740992", r#""9007199254740992""#),
        ("-9007199254740992", r#""-9007199254740992""#),
        ("9223372036854775807", r#""9223372036854775807""#),
        ("1000000000000000", "1000000000000000"),
        ("-1", "-1"),
    ];
    plain(SqlType::Int8, &integers);
    plain(SqlType::Numeric, &[("1.50", r#""1.50""#), ("NaN", r#""NaN""#)]);
    let floats = [
        ("1.5", "1.5"),
        ("1e+16", "1e+16"),
        ("1.5e-07", "1.5e-07"),
        ("-0", "-0"),
        ("NaN", r#""NaN""#),
        ("-Infinity", r#""-Infinity""#),
    ];
    plain(SqlType::Float4, &floats);
    plain(SqlType::Float8, &floats);
    plain(
        SqlType::Bool,
        &[("t", "true"), ("f", "false"), ("true", "true"), ("false", "false")],
    );
    plain(SqlType::Text, &[("a\"b\n é ", r#""a\"b\n é ""#), ("", r#""""#)]);
    plain(
        SqlType::Bpchar,
        &[("P   ", r#""P""#), ("   ", r#""""#), (" a\t ", r#"" a\t""#)],
    );
    plain(SqlType::Json, &[(r#"{"a": [1, null]}"#, r#"{"a": [1, null]}"#)]);
    plain(
        SqlType::Date,
        &[
            ("2026-11-23", r#""2026-11-23""#),
            ("0044-03-15 BC", r#""0044-03-15 BC""#),
        ],
    );
    plain(SqlType::Interval, &[("1 day 02:03:04", r#""1 day 02:03:04""#)]);
    plain(SqlType::TimeTz, &[("08:12:00+01", r#""08:12:00+01""#)]);
    plain(SqlType::Enum(vec!["a".to_owned()]), &[("a", r#""a""#)]);
    plain(SqlType::Other("inet".to_owned()), &[("10.0.0.1/8", r#""10.0.0.1/8""#)]);
    plain(
        SqlType::Bytea,
        &[
            ("\\x", r#""""#),
            ("\\x00", r#""AA==""#),
            ("\\xDEadbeef", r#""3q2+7w==""#),
            (
                &format!("\\x{}", "00".repeat(49)),
                &format!("\"{}AA==\"", "A".repeat(64)),
            ),
        ],
    );
}

#[test]
fn instants_are_rfc_3339_where_that_can_say_them() {
    let cases = [
        ("2026-11-23 08:12:00+00", r#""2026-11-23T08:12:00Z""#),
        ("2026-11-23 08:12:00.5+00", r#""2026-11-23T08:12:00.5Z""#),
        ("infinity", r#""infinity""#),
        ("-infinity", r#""-infinity""#),
        ("10000-01-01 00:00:00+00", r#""10000-01-01 00:00:00+00""#),
        ("0044-03-15 12:00:00+00 BC", r#""0044-03-15 12:00:00+00 BC""#),
    ];
    plain(SqlType::TimestampTz, &cases);
    let form = Form::of_type(&SqlType::TimestampTz);
    for odd in [
        "2026-11-23 08:12:00+01",
        "Mon Nov 23 08:12:00 2026 UTC",
        "",
        "2026-11-23",
    ] {
        assert_eq!(told(&form, odd), Err(RowProblem::Malformed), "{odd}");
    }
}

#[test]
fn local_time_is_told_without_offset_where_asked() {
    let form = compiled(&zone("none"), SqlType::Timestamp);
    let cases = [
        ("2026-11-23 08:12:00", r#""2026-11-23T08:12:00""#),
        ("2026-11-23 08:12:00.123456", r#""2026-11-23T08:12:00.123456""#),
        ("infinity", r#""infinity""#),
        ("10000-01-01 00:00:00", r#""10000-01-01 00:00:00""#),
        ("0044-03-15 12:00:00 BC", r#""0044-03-15 12:00:00 BC""#),
    ];
    table(&form, &cases);
    assert_eq!(form.sql_type(), &SqlType::Timestamp);
    assert_eq!(operand(&form, "2026-11-23 08:12:00"), "2026-11-23 08:12:00");
}

#[test]
fn a_zone_is_read_as_postgresql_reads_it() {
    let form = compiled(&zone("Europe/Berlin"), SqlType::Timestamp);
    let cases = [
        ("2026-11-23 08:12:00", r#""2026-11-23T07:12:00Z""#),
        ("2026-07-01 00:30:00.25", r#""2026-06-30T22:30:00.25Z""#),
        // The hour that exists twice is standard time, the one that does not exist has the offset before it.
        ("2026-10-25 02:30:00", r#""2026-10-25T01:30:00Z""#),
        ("2026-03-29 02:30:00", r#""2026-03-29T01:30:00Z""#),
        ("9999-12-31 23:59:59", r#""9999-12-31T22:59:59Z""#),
        ("10000-01-01 00:30:00", r#""9999-12-31T23:30:00Z""#),
        ("10000-07-01 12:00:00", r#""10000-07-01 10:00:00+00""#),
        ("0044-03-15 12:00:00 BC", r#""0044-03-15 11:06:32+00 BC""#),
        ("0001-01-01 00:00:00", r#""0001-12-31 23:06:32+00 BC""#),
        ("infinity", r#""infinity""#),
    ];
    table(&form, &cases);
    assert_eq!(form.sql_type(), &SqlType::TimestampTz);
    assert_eq!(operand(&form, "2026-11-23 08:12:00.5"), "2026-11-23 07:12:00.5+00");
    assert_eq!(operand(&form, "-infinity"), "-infinity");
    assert_eq!(told(&form, "2026-13-01 00:00:00"), Err(RowProblem::OutOfRange));
    let new_york = compiled(&zone("america/new_york"), SqlType::Timestamp);
    table(&new_york, &[("2026-11-01 01:30:00", r#""2026-11-01T06:30:00Z""#)]);
}

#[test]
fn milliseconds_are_counted_from_1970() {
    let utc = compiled(&as_(PublishedAs::EpochMs, field()), SqlType::TimestampTz);
    let cases = [
        ("1970-01-01 00:00:00+00", "0"),
        ("1970-01-01 00:00:01.5+00", "1500"),
        ("1969-12-31 23:59:59.9995+00", "-1"),
        ("2000-02-29 12:00:00.123456+00", "951825600123"),
        ("infinity", r#""infinity""#),
        ("294276-12-31 23:59:59.999999+00", r#""9224318015999999""#),
        ("0001-01-01 00:00:00+00 BC", "-62167219200000"),
    ];
    table(&utc, &cases);
    let berlin = compiled(&as_(PublishedAs::EpochMs, zone("Europe/Berlin")), SqlType::Timestamp);
    table(&berlin, &[("1970-01-01 01:00:00.25", "250")]);
}

#[test]
fn arrays_are_json_arrays_of_their_elements_forms() {
    plain(
        array(SqlType::Int8),
        &[
            ("{}", "[]"),
            ("{1,NULL,9007199254740992}", r#"[1,null,"9007199254740992"]"#),
            ("{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            ("[0:1]={5,6}", "[5,6]"),
            ("[1:1][-2:-1]={{5,6}}", "[[5,6]]"),
        ],
    );
    plain(
        array(SqlType::Text),
        &[
            (
                r#"{a,"b,c","d\"e","f\\g","","NULL",null," h "}"#,
                r#"["a","b,c","d\"e","f\\g","","NULL",null," h "]"#,
            ),
            ("{é}", r#"["é"]"#),
        ],
    );
    plain(array(SqlType::Bpchar), &[(r#"{"a  ",b}"#, r#"["a","b"]"#)]);
    plain(array(SqlType::Bool), &[("{t,f}", "[true,false]")]);
    plain(array(SqlType::Bytea), &[(r#"{"\\xdeadbeef"}"#, r#"["3q2+7w=="]"#)]);
    plain(array(SqlType::Json), &[(r#"{"{\"a\": 1}"}"#, r#"[{"a": 1}]"#)]);
    plain(
        array(SqlType::TimestampTz),
        &[(r#"{"2026-11-23 08:12:00+00"}"#, r#"["2026-11-23T08:12:00Z"]"#)],
    );
    plain(
        array(SqlType::Other("box".to_owned())),
        &[("{(1,1),(0,0);(2,2),(1,1)}", r#"["(1,1),(0,0)","(2,2),(1,1)"]"#)],
    );
    let berlin = compiled(&zone("Europe/Berlin"), array(SqlType::Timestamp));
    table(
        &berlin,
        &[(r#"{"2026-11-23 08:12:00"}"#, r#"["2026-11-23T07:12:00Z"]"#)],
    );
    let form = Form::of_type(&array(SqlType::Int4));
    for odd in [
        "", "{", "}", "{1", "{1,}", "{,1}", "{1}}", "1", "{\"a}", "[0:1]", "{1}x", "{\"a\"b}",
    ] {
        assert_eq!(told(&form, odd), Err(RowProblem::Malformed), "{odd}");
    }
}

#[test]
fn decimals_move_the_point_exactly() {
    let cases = [
        ("1999", "19.99"),
        ("-1999", "-19.99"),
        ("5", "0.05"),
        ("-5", "-0.05"),
        ("0", "0.00"),
        ("100", "1.00"),
    ];
    let form = compiled(&decimals(2), SqlType::Int8);
    for (text, expected) in cases {
        assert_eq!(told(&form, text), Ok(format!("{expected:?}")));
        assert_eq!(operand(&form, text), expected);
    }
    assert_eq!(form.sql_type(), &SqlType::Numeric);
    table(&compiled(&decimals(0), SqlType::Int2), &[("7", r#""7""#)]);
    table(&compiled(&decimals(5), SqlType::Int4), &[("-123", r#""-0.00123""#)]);
    table(
        &compiled(&as_(PublishedAs::Number, decimals(2)), SqlType::Int4),
        &[("-5", "-0.05")],
    );
    let mut whole = column(SqlType::Numeric);
    whole.type_text = "numeric(12,0)".to_owned();
    let form = Form::compile(&decimals(2), &whole).unwrap();
    table(&form, &[("123456789012", r#""1234567890.12""#)]);
    assert_eq!(told(&form, "NaN"), Err(RowProblem::Malformed));
}

#[test]
fn patterns_are_strict() {
    let date = compiled(&parse("YYYYMMDD", None), SqlType::Int4);
    table(
        &date,
        &[("20261123", r#""2026-11-23""#), ("20240229", r#""2024-02-29""#)],
    );
    assert_eq!(
        (date.sql_type(), operand(&date, "20261123").as_str()),
        (&SqlType::Date, "2026-11-23")
    );
    for odd in [
        "0",
        "20261301",
        "20260229",
        "20261100",
        "2026112",
        "202611230",
        "-2026112",
        "2026-1-1",
        "00001231",
    ] {
        assert_eq!(told(&date, odd), Err(RowProblem::NotADate), "{odd}");
    }
    table(
        &compiled(&parse("DD.MM.YYYY", None), SqlType::Text),
        &[("23.11.2026", r#""2026-11-23""#)],
    );
    table(
        &compiled(&parse("YYYYMM", None), SqlType::Bpchar),
        &[("202611  ", r#""2026-11-01""#)],
    );
    let zoned = compiled(
        &parse("YYYY-MM-DD\"T\"HH24:MI:SS.US", Some("Europe/Berlin")),
        SqlType::Text,
    );
    table(
        &zoned,
        &[("2026-11-23T00:12:00.000100", r#""2026-11-22T23:12:00.000100Z""#)],
    );
    assert_eq!(zoned.sql_type(), &SqlType::TimestampTz);
    assert_eq!(
        operand(&zoned, "2026-11-23T00:12:00.000100"),
        "2026-11-22 23:12:00.000100+00"
    );
    assert_eq!(told(&zoned, "2026-11-23T24:00:00.000000"), Err(RowProblem::NotADate));
    let local = compiled(&parse("YYYYMMDDHH24MI", Some("none")), SqlType::Int8);
    table(&local, &[("202611230812", r#""2026-11-23T08:12:00""#)]);
    assert_eq!(local.sql_type(), &SqlType::Timestamp);
}

#[test]
fn codes_have_three_ways_with_what_is_not_listed() {
    let list = [
        ("P", text_code("paid")),
        ("", text_code("none")),
        ("X ", CodeValue::Bool(false)),
    ];
    let halt = compiled(&codes(&list, OnUnknown::Halt), SqlType::Bpchar);
    table(&halt, &[("P  ", r#""paid""#), (" ", r#""none""#), ("X", "false")]);
    assert_eq!(told(&halt, "Q"), Err(RowProblem::UnknownCode));
    assert_eq!(
        (halt.sql_type(), operand(&halt, "X").as_str()),
        (&SqlType::Text, "false")
    );
    let null = compiled(&codes(&list, OnUnknown::Null), SqlType::Text);
    table(&null, &[("Q", "null"), ("P", r#""paid""#)]);
    assert_eq!(operand(&null, "Q"), "Some(Null)");
    let number = [
        ("1", CodeValue::Number("1.5".to_owned())),
        ("2", CodeValue::Number("2".to_owned())),
    ];
    let raw = compiled(&codes(&number, OnUnknown::Raw), SqlType::Int4);
    table(&raw, &[("1", "1.5"), ("3", "3")]);
    assert_eq!(raw.sql_type(), &SqlType::Text);
    assert_eq!(
        compiled(&codes(&number, OnUnknown::Halt), SqlType::Int4).sql_type(),
        &SqlType::Numeric
    );
    let flags = [("Y", CodeValue::Bool(true)), ("N", CodeValue::Bool(false))];
    let flag = compiled(&codes(&flags, OnUnknown::Halt), SqlType::Text);
    assert_eq!(
        (flag.sql_type(), operand(&flag, "Y").as_str()),
        (&SqlType::Bool, "true")
    );
    let words = [("true", text_code("yes")), ("f", text_code("no"))];
    table(
        &compiled(&codes(&words, OnUnknown::Halt), SqlType::Bool),
        &[("t", r#""yes""#), ("f", r#""no""#)],
    );
}

#[test]
fn codes_are_held_against_what_the_database_allows() {
    let mut facts = column(SqlType::Bpchar);
    facts.allowed = Some(vec!["N".to_owned(), "P ".to_owned(), "X".to_owned(), "-".to_owned()]);
    let mut listed = codes(&[("N", text_code("new")), ("P", text_code("paid"))], OnUnknown::Halt);
    listed.null_when = vec!["-".to_owned()];
    assert_eq!(Form::compile(&listed, &facts).unwrap().uncovered(), ["X"]);
    assert!(Form::compile(&field(), &facts).unwrap().uncovered().is_empty());
}

#[test]
fn null_comes_before_every_other_form() {
    let mut due = parse("YYYYMMDD", None);
    due.null_when = vec!["0".to_owned(), "99991231".to_owned()];
    let form = compiled(&due, SqlType::Int4);
    table(
        &form,
        &[("0", "null"), ("99991231", "null"), ("20261123", r#""2026-11-23""#)],
    );
    assert_eq!(operand(&form, "0"), "Some(Null)");
    let mut blank = field();
    blank.null_when = vec![String::new()];
    table(
        &compiled(&blank, SqlType::Bpchar),
        &[("   ", "null"), (" x", r#"" x""#)],
    );
    let mut scratch = Scratch::default();
    for (cell, expected) in [(Cell::Null, Some(Value::Null)), (Cell::Unknown, None)] {
        assert_eq!(form.read(cell, &mut scratch).unwrap().value(cell, &scratch), expected);
        assert_eq!(
            form.write_operand(cell, &mut scratch).unwrap().value(cell, &scratch),
            expected
        );
    }
    assert!(scratch.is_empty() && scratch.len() == 0);
}

#[test]
fn another_published_form_where_a_type_has_one() {
    let form = |as_word, sql_type| compiled(&as_(as_word, field()), sql_type);
    table(
        &form(PublishedAs::Number, SqlType::Numeric),
        &[("1.50", "1.50"), ("NaN", r#""NaN""#)],
    );
    table(
        &form(PublishedAs::Number, SqlType::Int8),
        &[("9223372036854775807", "9223372036854775807")],
    );
    table(&form(PublishedAs::Text, SqlType::Int4), &[("7", r#""7""#)]);
    table(
        &form(PublishedAs::Text, SqlType::Bool),
        &[("t", r#""true""#), ("f", r#""false""#)],
    );
    table(
        &form(PublishedAs::Text, SqlType::Json),
        &[(r#"{"a":1}"#, r#""{\"a\":1}""#)],
    );
    table(&form(PublishedAs::Text, SqlType::Text), &[("x", r#""x""#)]);
}

#[test]
fn text_that_is_not_utf8_is_a_problem_of_the_row() {
    let odd = b"a\xFF".as_slice();
    let mut scratch = Scratch::default();
    for sql_type in [
        SqlType::Text,
        SqlType::Bpchar,
        SqlType::Json,
        SqlType::Other("x".to_owned()),
    ] {
        assert_eq!(
            Form::of_type(&sql_type).write(odd, &mut scratch),
            Err(RowProblem::NotUtf8)
        );
        assert_eq!(
            Form::of_type(&sql_type).write_operand(Cell::Text(odd), &mut scratch),
            Err(RowProblem::NotUtf8)
        );
    }
    assert_eq!(
        Form::of_type(&array(SqlType::Text)).write(b"{\xFF}", &mut scratch),
        Err(RowProblem::NotUtf8)
    );
    for odd in ["\\xf", "\\xgg", "escape"] {
        assert_eq!(told(&Form::of_type(&SqlType::Bytea), odd), Err(RowProblem::Malformed));
    }
    assert_eq!(told(&Form::of_type(&SqlType::Bool), "yes"), Err(RowProblem::Malformed));
}

#[test]
fn what_does_not_go_together_is_refused_by_name() {
    let null_when = |text: &str| Field {
        null_when: vec![text.to_owned()],
        ..field()
    };
    let lonely = Field {
        on_unknown: OnUnknown::Null,
        ..field()
    };
    let mixed = Field {
        decimals: Some(2),
        ..codes(&[], OnUnknown::Halt)
    };
    let twice = codes(&[("P", text_code("a")), ("P ", text_code("b"))], OnUnknown::Halt);
    let cases = [
        (field(), SqlType::Timestamp, "zone is required"),
        (parse("YYYYMMDDHH24", None), SqlType::Text, "zone is required"),
        (
            zone("Europe/Berln"),
            SqlType::Timestamp,
            "no time zone \"Europe/Berln\"",
        ),
        (
            zone("UTC"),
            SqlType::TimestampTz,
            "zone does not go with timestamp with",
        ),
        (
            parse("YYYYMMDD", Some("UTC")),
            SqlType::Text,
            "zone does not go with a pattern",
        ),
        (parse("YYMMDD", None), SqlType::Text, "\"YYMMDD\" in"),
        (parse("YYYYDD", None), SqlType::Text, "has DD but no MM"),
        (parse("MMDD", None), SqlType::Text, "no YYYY"),
        (parse("YYYYYYYY", None), SqlType::Text, "twice"),
        (parse("YYYYMMDD", None), SqlType::Date, "parse does not go with date"),
        (decimals(2), SqlType::Text, "decimals does not go with text"),
        (decimals(101), SqlType::Int4, "more than 100"),
        (
            as_(PublishedAs::EpochMs, field()),
            SqlType::Date,
            "\"epoch_ms\" does not go with date",
        ),
        (as_(PublishedAs::EpochMs, zone("none")), SqlType::Timestamp, "\"none\""),
        (
            as_(PublishedAs::Number, field()),
            SqlType::Text,
            "\"number\" does not go with text",
        ),
        (
            as_(PublishedAs::Text, field()),
            SqlType::Bytea,
            "\"text\" does not go with bytea",
        ),
        (mixed, SqlType::Int4, "codes and decimals do not go together"),
        (lonely, SqlType::Text, "on_unknown without codes"),
        (twice, SqlType::Bpchar, "\"P\" stands twice"),
        (
            codes(&[("01", text_code("a"))], OnUnknown::Halt),
            SqlType::Int4,
            "codes: no integer is spelt \"01\"",
        ),
        (codes(&[], OnUnknown::Halt), SqlType::Json, "codes do not go with json"),
        (
            codes(&[("a", CodeValue::Number("1_0".to_owned()))], OnUnknown::Halt),
            SqlType::Text,
            "no JSON number",
        ),
        (
            null_when("9999-12-31"),
            SqlType::TimestampTz,
            "null_when: no timestamp with time zone",
        ),
    ];
    for (field, sql_type, expected) in cases {
        let problem = refused(&field, sql_type);
        assert!(
            problem.message.contains(expected),
            "{} lacks {expected}",
            problem.message
        );
    }
    let hint = refused(&zone("Europe/Berln"), SqlType::Timestamp).hint.unwrap();
    assert!(hint.contains("Europe/Berlin"), "{hint}");
}

proptest! {
    #[test]
    fn no_text_makes_a_form_panic(any in prop::collection::vec(any::<u8>(), 0..40), near in "[-0-9: .+{},\"\\\\TBC]{0,30}") {
        let mut forms: Vec<Form> = [SqlType::TimestampTz, SqlType::Timestamp, SqlType::Bytea, SqlType::Int8]
            .iter()
            .flat_map(|t| [Form::of_type(t), Form::of_type(&array(t.clone()))])
            .collect();
        forms.push(compiled(&zone("Europe/Berlin"), SqlType::Timestamp));
        forms.push(compiled(&parse("YYYYMMDDHH24MISSMS", Some("Europe/Berlin")), SqlType::Text));
        forms.push(compiled(&decimals(3), SqlType::Int8));
        let mut scratch = Scratch::default();
        for form in &forms {
            for text in [any.as_slice(), near.as_bytes()] {
                let outcome = form.write(text, &mut scratch);
                let same = form.write(text, &mut scratch);
                prop_assert_eq!(outcome.is_ok(), same.is_ok());
            }
        }
    }

    #[test]
    fn any_text_array_reads_back(texts in prop::collection::vec("(?s).{0,12}", 0..6)) {
        let quoted: Vec<String> = texts.iter().map(|t| format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\""))).collect();
        let json = told(&Form::of_type(&array(SqlType::Text)), &format!("{{{}}}", quoted.join(","))).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), texts);
    }
}
