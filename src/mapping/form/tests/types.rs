//! Each type's published form.

use proptest::prelude::*;

use super::*;

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
