//! Each option of a field.

use super::*;

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
    assert!(scratch.is_empty());
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
fn a_public_id_is_of_the_text_and_null_stays_null() {
    let mut hidden = with_id(&["0"]);
    let form = compiled(&hidden, SqlType::Int4);
    assert_eq!(told(&form, "4711").as_deref(), Ok("\"cus_4kr2kiaulobxp6sar6gs\""));
    assert_eq!(operand(&form, "4711"), "cus_4kr2kiaulobxp6sar6gs");
    table(&form, &[("0", "null")]);
    assert_eq!(*form.sql_type(), SqlType::Text);
    let mut scratch = Scratch::default();
    for (cell, expected) in [(Cell::Null, Some(Value::Null)), (Cell::Unknown, None)] {
        assert_eq!(form.read(cell, &mut scratch).unwrap().value(cell, &scratch), expected);
    }
    let same = [
        (SqlType::Bpchar, "4711  "),
        (SqlType::Text, "4711"),
        (SqlType::Numeric, "4711.00"),
        (SqlType::Numeric, "4711"),
    ];
    for (sql_type, text) in same {
        let id = told(&compiled(&hidden, sql_type.clone()), text);
        assert_eq!(id.as_deref(), Ok("\"cus_4kr2kiaulobxp6sar6gs\""), "{sql_type:?} {text}");
    }
    let numeric = compiled(&hidden, SqlType::Numeric);
    assert_ne!(told(&numeric, "471.10"), told(&numeric, "471.01"));
    assert_eq!(told(&numeric, "471.10"), told(&numeric, "471.1"));
    assert_ne!(told(&numeric, "47100"), told(&numeric, "471"));
    hidden.public_id.as_mut().unwrap().id = None;
    assert!(
        refused(&hidden, SqlType::Int4)
            .message
            .contains("public_id.customer could not be read")
    );
}

#[test]
fn a_public_id_goes_with_no_other_form_and_with_types_of_one_spelling() {
    let hidden = with_id(&[]);
    for sql_type in [
        SqlType::Float8,
        SqlType::Json,
        SqlType::Bool,
        SqlType::Bytea,
        array(SqlType::Int4),
    ] {
        let message = refused(&hidden, sql_type).message;
        assert!(message.starts_with("public_id does not go with"), "{message}");
    }
    let both = as_(PublishedAs::Text, hidden);
    assert_eq!(
        refused(&both, SqlType::Int4).message,
        "as and public_id do not go together"
    );
}
