//! What is refused when the bridge starts.

use super::*;

/// Holds the message of every refusal against what it must name.
fn refuses(cases: Vec<(Field, SqlType, &str)>) {
    for (field, sql_type, expected) in cases {
        let problem = refused(&field, sql_type);
        assert!(
            problem.message.contains(expected),
            "{} lacks {expected}",
            problem.message
        );
    }
}

#[test]
fn zones_patterns_and_decimals_are_refused_by_name() {
    refuses(vec![
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
    ]);
    let hint = refused(&zone("Europe/Berln"), SqlType::Timestamp).hint.unwrap();
    assert!(hint.contains("Europe/Berlin"), "{hint}");
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
    refuses(vec![
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
    ]);
}
