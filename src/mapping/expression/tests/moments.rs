//! Dates and timestamps.

use super::{Row, value};
use crate::mapping::expression::value::stamp::{DAY, INFINITY, Shape, parse, write};

fn shown(value: i128, shape: Shape) -> String {
    let mut out = Vec::new();
    write(value, shape, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn days_are_counted_from_2000() {
    for (text, days) in [
        ("2000-01-01", 0),
        ("2000-02-29", 59),
        ("2000-03-01", 60),
        ("1999-12-31", -1),
        ("1970-01-01", -10_957),
        ("2026-01-31", 9_527),
        ("1900-03-01", -36_465),
        ("0001-01-01", -730_119),
        ("0001-12-31 BC", -730_120),
        ("4713-01-01 BC", -2_451_507),
        ("5874897-12-31", 2_145_031_948),
    ] {
        assert_eq!(parse(text.as_bytes(), Shape::Date), Some(days * DAY), "{text}");
        assert_eq!(shown(days * DAY, Shape::Date), text);
    }
}

#[test]
fn every_day_of_ages_is_read_as_it_is_written() {
    for day in (-2_451_545..2_145_031_949).step_by(79_190).chain(-150_000..150_000) {
        let text = shown(day * DAY, Shape::Date);
        assert_eq!(parse(text.as_bytes(), Shape::Date), Some(day * DAY), "{text}");
    }
}

#[test]
fn limits_and_malformed_texts() {
    for (text, shape) in [
        ("5874898-01-01", Shape::Date),
        ("4714-11-23 BC", Shape::Date),
        ("2023-02-29", Shape::Date),
        ("2023-13-01", Shape::Date),
        ("2023-00-01", Shape::Date),
        ("2023-01-00", Shape::Date),
        ("0000-01-01", Shape::Date),
        ("2023-1-1", Shape::Date),
        ("2023-01-01 00:00:00", Shape::Date),
        ("294277-01-01 00:00:00", Shape::Timestamp),
        ("2023-01-01 24:00:01", Shape::Timestamp),
        ("2023-01-01 00:60:00", Shape::Timestamp),
        ("2023-01-01 00:00:00+00", Shape::Timestamp),
        ("2023-01-01 00:00:00", Shape::TimestampTz),
        ("now", Shape::Timestamp),
        ("", Shape::Date),
    ] {
        assert_eq!(parse(text.as_bytes(), shape), None, "{text}");
    }
    assert_eq!(parse(b"4714-11-24 BC", Shape::Date), Some(-2_451_545 * DAY));
    assert_eq!(parse(b"infinity", Shape::Timestamp), Some(INFINITY));
    let noon = parse(b"2000-01-01 12:00:00.5+02:30", Shape::TimestampTz).unwrap();
    assert_eq!(shown(noon, Shape::TimestampTz), "2000-01-01 09:30:00.5+00");
    assert_eq!(shown(noon, Shape::Timestamp), "2000-01-01 09:30:00.5");
}

#[test]
fn moments_are_compared_as_moments() {
    let row = Row(vec![("d", "2026-01-31"), ("z", "2026-01-31 12:00:00+01")]);
    for (text, expected) in [
        ("d = '2026-01-31'", "t"),
        ("d > date '2025-12-31'", "t"),
        ("d < timestamp '2026-01-31 00:00:01'", "t"),
        ("d between '2026-01-01' and '2026-12-31'", "t"),
        ("d = 'infinity'", "f"),
        ("z = '2026-01-31 11:00:00+00'", "t"),
        ("z <> timestamptz '2026-01-31 11:00:00+00'", "f"),
    ] {
        assert_eq!(value(text, &row), expected, "{text}");
    }
}
