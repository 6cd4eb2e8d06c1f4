//! Texts, choices, casts.

use super::{ENGLISH, Row, Table, constant, value};
use crate::flow::catalog::{Nullable, SqlType};
use crate::mapping::expression::Expression;

#[test]
fn functions_of_texts() {
    let row = Row(vec![("s", " Äb "), ("pad", "ab   "), ("i", "2")]);
    for (text, expected) in [
        ("trim(s)", "Äb"),
        ("trim(leading from s)", "Äb "),
        ("trim(trailing ' b' from s)", " Ä"),
        ("lower(s)", " äb "),
        ("upper(s)", " ÄB "),
        ("lower(s collate \"C\")", " Äb "),
        ("length(s)", "4"),
        ("length(pad)", "2"),
        ("pad || '!'", "ab!"),
        ("'<' || i || '>'", "<2>"),
        ("substr(s, i)", "Äb "),
        ("substr(s, 0, 3)", " Ä"),
        ("substring(s from 2 for 1)", "Ä"),
        ("replace(s, 'b', 'xx')", " Äxx "),
        ("replace(s, '', 'x')", " Äb "),
        ("s like '_Ä%'", "t"),
        ("pad like 'ab'", "f"),
        ("pad = 'ab'", "t"),
        ("pad::text = 'ab '", "f"),
        ("s::varchar(2)", " Ä"),
        ("s::char(6)", " Äb   "),
        ("s || null", "null"),
        (
            "substr(s, 1, -1 + 0 * i)",
            "error: negative substring length not allowed",
        ),
    ] {
        assert_eq!(value(text, &row), expected, "{text}");
    }
}

#[test]
fn like_patterns() {
    for (text, pattern, expected) in [
        ("", "", "t"),
        ("", "%", "t"),
        ("a", "", "f"),
        ("a", "_", "t"),
        ("ä", "_", "t"),
        ("ab", "a%", "t"),
        ("ab", "%b", "t"),
        ("axbxc", "a%x%c", "t"),
        ("a%", "a\\%", "t"),
        ("ab", "a\\%", "f"),
        ("a\\", "a\\\\", "t"),
        ("abc", "%_", "t"),
        ("abc", "____", "f"),
        ("aaa", "%aab", "f"),
        ("日本", "日_", "t"),
        ("A", "a", "f"),
    ] {
        assert_eq!(
            constant(&format!("'{text}' like '{pattern}'")),
            expected,
            "{text} like {pattern}"
        );
    }
    let row = Row(vec![("s", "a\\")]);
    assert_eq!(value("'a' like s", &row), "f", "the text ends before the pattern does");
    assert_eq!(
        value("'ab' like s", &row),
        "error: LIKE pattern must not end with escape character"
    );
}

#[test]
fn choices_have_one_type() {
    let row = Row(vec![("i", "7"), ("n", "1.50")]);
    for (text, expected, sql_type) in [
        ("coalesce(j, i)", "7", SqlType::Int4),
        ("coalesce(j, n)", "1.50", SqlType::Numeric),
        ("coalesce(j, 2147483648)", "2147483648", SqlType::Int8),
        ("case i when 7 then 'seven' else null end", "seven", SqlType::Text),
        ("case when j > 1 then 1 else 2.5 end", "2.5", SqlType::Numeric),
        ("nullif(i, 7)", "null", SqlType::Int4),
        ("nullif(i, 7.5)", "7", SqlType::Numeric),
        ("'x'", "x", SqlType::Text),
        ("null", "null", SqlType::Text),
        ("i", "7", SqlType::Int4),
        ("i = 7", "t", SqlType::Bool),
        ("doc", "null", SqlType::Json),
    ] {
        assert_eq!(value(text, &row), expected, "{text}");
        assert_eq!(super::compile(text).unwrap().sql_type(), &sql_type, "{text}");
    }
}

#[test]
fn casts() {
    for (text, expected) in [
        ("'12'::int + 1", "13"),
        ("cast(' 7 ' as smallint)", "7"),
        ("1.5::int", "2"),
        ("2.5::float8::int", "2"),
        ("-2.5::int", "-3"),
        ("1::boolean", "t"),
        ("true::int", "1"),
        ("true::text", "true"),
        ("1.005::numeric(10,2)", "1.01"),
        ("'abc'::varchar(2)", "ab"),
        ("'yes'::bool", "t"),
        ("date '2024-02-29'::text", "2024-02-29"),
        ("0.1::real::float8", "0.10000000149011612"),
        ("1e23::float8", "9.999999999999999e+22"),
        ("123456789::real", "1.2345679e+08"),
        (
            "'A0EEBC999C0B4EF8BB6D6BB9BD380A11'::uuid",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ),
        ("date '2024-02-29'::timestamp", "2024-02-29 00:00:00"),
        ("timestamptz '2024-02-29 12:00:00+02'", "2024-02-29 10:00:00+00"),
    ] {
        assert_eq!(constant(text), expected, "{text}");
    }
    let row = Row(vec![("s", "12x")]);
    assert_eq!(value("s::int", &row), "error: invalid input syntax for the type");
    assert_eq!(value("s::boolean", &row), "error: invalid input syntax for the type");
}

#[test]
fn what_a_result_may_be() {
    let facts = |text: &str| {
        let expression = Expression::compile(text, &Table, ENGLISH).unwrap();
        (
            expression.nullable(),
            expression.slots().to_vec(),
            expression.warnings().len(),
        )
    };
    assert_eq!(facts("i = 1 or i = 2"), (Nullable::No, vec![2], 0));
    assert_eq!(facts("j = 1"), (Nullable::Yes, vec![3], 0));
    assert_eq!(facts("j <> 1"), (Nullable::Yes, vec![3], 1));
    assert_eq!(facts("i <> 1"), (Nullable::No, vec![2], 0));
    assert_eq!(facts("j = i"), (Nullable::Yes, vec![2, 3], 1));
    assert_eq!(facts("j is distinct from 1"), (Nullable::No, vec![3], 0));
    assert_eq!(facts("j not in (1, 2)"), (Nullable::Yes, vec![3], 1));
    assert_eq!(facts("j in (1, 2)"), (Nullable::Yes, vec![3], 0));
    assert_eq!(facts("not (j = 1)"), (Nullable::Yes, vec![3], 1));
    assert_eq!(facts("coalesce(j, 0)"), (Nullable::No, vec![3], 0));
    assert_eq!(facts("nullif(i, 0)"), (Nullable::Yes, vec![2], 0));
    assert_eq!(facts("case when a then 1 end"), (Nullable::Yes, vec![0], 0));
    assert_eq!(facts("case when a then 1 else 2 end"), (Nullable::No, vec![0], 0));
    let warning = Expression::compile("i = 1 and j <> 1", &Table, ENGLISH)
        .unwrap()
        .warnings()[0]
        .clone();
    assert_eq!(warning.span, 10..16);
    assert_eq!(
        warning.hint.as_deref(),
        Some("`is distinct from` takes null as a value")
    );
}

#[test]
fn names_are_folded_as_in_sql_and_fields_are_not() {
    let row = Row(vec![("s", "x"), ("i", "1"), ("Mixed", "5")]);
    assert_eq!(value("I", &row), "1");
    assert_eq!(value("\"Mixed\"", &row), "5");
    assert_eq!(value("old.placedAt", &row), "x");
    assert_eq!(value("OLD.\"placedAt\"", &row), "x");
    assert_eq!(value("new_row.S", &row), "x");
    assert!(
        super::compile("Mixed")
            .unwrap_err()
            .hint
            .unwrap()
            .contains("double quotes")
    );
    assert!(super::compile("old.placedat").is_err());
}
