//! Which JSON each form gives, in words; real records are held against the schemas by `dev/test contracts`.

use super::*;
use crate::contract::Null;

fn words(field: &Field, sql_type: SqlType) -> String {
    compiled(field, sql_type).shape().to_string()
}

#[test]
fn every_type_has_its_shape() {
    let cases = [
        (SqlType::Bool, "boolean"),
        (SqlType::Int2, "integer"),
        (SqlType::Int8, "integer, text from 2^53"),
        (SqlType::Float8, "number, or NaN and infinities as text"),
        (SqlType::Numeric, "decimal text"),
        (SqlType::Bpchar, "text"),
        (SqlType::Bytea, "base64"),
        (SqlType::Date, "date"),
        (SqlType::Interval, "text"),
        (SqlType::TimestampTz, "timestamp in UTC"),
        (SqlType::Uuid, "UUID"),
        (SqlType::Json, "any JSON"),
        (SqlType::Enum(vec!["a".to_owned()]), "text"),
        (array(SqlType::Int8), "list of integer, text from 2^53"),
        (array(SqlType::Uuid), "list of UUID"),
    ];
    for (sql_type, expected) in cases {
        assert_eq!(words(&field(), sql_type.clone()), expected, "{sql_type:?}");
    }
}

#[test]
fn every_option_has_its_shape() {
    let list = [
        ("P", text_code("paid")),
        ("p", text_code("paid")),
        ("N", CodeValue::Bool(false)),
    ];
    let open = |on_unknown| codes(&list, on_unknown);
    let cases = [
        (zone("none"), SqlType::Timestamp, "local time"),
        (zone("Europe/Berlin"), SqlType::Timestamp, "timestamp in UTC"),
        (
            as_(PublishedAs::EpochMs, field()),
            SqlType::TimestampTz,
            "milliseconds since 1970",
        ),
        (as_(PublishedAs::Text, field()), SqlType::Int4, "integer as text"),
        (as_(PublishedAs::Text, field()), SqlType::Bool, "true | false"),
        (as_(PublishedAs::Number, field()), SqlType::Int8, "integer"),
        (decimals(2), SqlType::Int4, "decimal text, 2 behind the point"),
        (as_(PublishedAs::Number, decimals(2)), SqlType::Int4, "number"),
        (parse("YYYYMMDD", None), SqlType::Int4, "date"),
        (parse("YYYYMMDDHH24MI", Some("UTC")), SqlType::Text, "timestamp in UTC"),
        (open(OnUnknown::Halt), SqlType::Bpchar, "false | paid"),
        (open(OnUnknown::Raw), SqlType::Text, "false | paid | text"),
        (with_id(&[]), SqlType::Int4, "public id cus_{base32:20}"),
    ];
    for (field, sql_type, expected) in cases {
        assert_eq!(words(&field, sql_type.clone()), expected, "{sql_type:?}");
    }
}

#[test]
fn a_form_says_whether_it_makes_nulls() {
    let null = |field: &Field| compiled(field, SqlType::Text).null();
    assert_eq!(null(&field()), Null::Never);
    assert_eq!(null(&codes(&[("P", text_code("a"))], OnUnknown::Halt)), Null::Never);
    assert_eq!(null(&codes(&[("P", text_code("a"))], OnUnknown::Null)), Null::Possible);
    assert_eq!(null(&with_id(&["0"])), Null::Possible);
}
