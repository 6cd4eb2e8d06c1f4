//! What is refused, where, and with which repair.

use super::{COLUMNS, ENGLISH, Table, compile};
use crate::mapping::expression::Expression;

/// Text, the part that is meant, a part of the message, a part of the hint.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("i = foo(1)", "foo(1)", "unknown function \"foo\"", "known are trim"),
    ("i = 1 and x = 2", "x", "unknown column \"x\"", "single quotes: 'x'"),
    (
        "s = RE",
        "RE",
        "unknown column \"re\"",
        "single quotes: 'RE'; SQL folds",
    ),
    ("s = \"RE\"", "\"RE\"", "unknown column \"RE\"", "single quotes: 'RE'"),
    ("i =", "", "expected an expression, found", ""),
    (
        "i is nul",
        "nul",
        "expected [NOT] NULL, TRUE, FALSE or DISTINCT FROM after IS, found nul",
        "",
    ),
    (
        "i = 1 garbage",
        "garbage",
        "syntax error at or near \"garbage\"",
        "one expression",
    ),
    ("i = 1; drop", ";", "syntax error", ""),
    (
        "s < 'a'",
        "s < 'a'",
        "ordered by the database's collation",
        "collate \"C\"",
    ),
    (
        "s between 'a' and 'b'",
        "s between 'a' and 'b'",
        "ordered by",
        "collate \"C\"",
    ),
    ("german > 'a'", "german > 'a'", "\"de_DE\"", "collate \"C\""),
    (
        "loose = 'a'",
        "loose = 'a'",
        "may take different texts for equal",
        "collate \"C\"",
    ),
    (
        "german = c",
        "german = c",
        "could not determine which collation",
        "collate",
    ),
    ("lower(c)", "lower(c)", "it is not known whether", "collate"),
    ("s ilike 'a'", "s ilike 'a'", "ILIKE", "lower"),
    ("s ~ 'a'", "s ~ 'a'", "unknown operator ~", "known are"),
    ("i ^ 2 = 4", "i ^ 2", "unknown operator ^", "known are"),
    ("s similar to 'a'", "s similar to 'a'", "SIMILAR TO", "like"),
    ("s like 'a' escape '!'", "s like 'a'", "ESCAPE", "backslash"),
    ("i in (select 1)", "i in (select 1)", "subquery", ""),
    ("exists (select 1)", "", "subquery", ""),
    ("i = any(array[1])", "", "ANY", "in ("),
    (
        "current_date > d",
        "current_date",
        "unknown function \"current_date\"",
        "",
    ),
    ("now() > z", "now", "unknown function \"now\"", ""),
    ("i = '1x'", "i = '1x'", "'1x' is no integer", ""),
    ("d = '31.01.2026'", "d = '31.01.2026'", "is no date", "YYYY-MM-DD"),
    (
        "z > '2026-01-01 00:00:00'",
        "z > '2026-01-01 00:00:00'",
        "is no timestamp with time zone",
        "offset",
    ),
    ("z > d", "z > d", "operator does not exist", "time zone"),
    ("i = s", "i = s", "operator does not exist: integer = text", "cast"),
    ("i || i", "i || i", "operator does not exist", "text"),
    ("s + 1", "s + 1", "operator does not exist", "numbers"),
    ("doc = '{}'", "doc = '{}'", "operator does not exist", "is null"),
    ("z::text", "z", "no cast", "time zone"),
    ("s::date", "s", "no cast from text to date", "parse"),
    ("i::money", "i", "no cast to", "types are"),
    ("pad = s", "pad = s", "padding", "::text"),
    ("coalesce(i, s)", "coalesce(i, s)", "cannot be matched", "text"),
    ("case when i then 1 end", "i", "must be boolean, not integer", ""),
    ("i and a", "i", "must be boolean", ""),
    ("a = b = a", "a = b = a", "cannot be chained", "parentheses"),
    ("1 / 0 = i", "1 / 0", "division by zero", ""),
    ("2147483647 + 1 = i", "2147483647 + 1", "integer out of range", ""),
    ("case when a then 1 / 0 end", "1 / 0", "division by zero", ""),
    ("i = $1", "$1", "parameter", ""),
    ("i = e'1'", "e'1'", "unknown spelling", ""),
    ("i %-1", "i %-1", "unknown operator %-", "known are"),
    ("user = 'a'", "user", "unknown function \"user\"", ""),
    ("end = 1", "end", "", ""),
    (
        "round(1.5::float8, 1)",
        "round(1.5::float8, 1)",
        "does not exist",
        "numeric",
    ),
    ("length(i)", "length(i)", "wants a text", "text"),
    ("substr(s, 1.5)", "s, 1.5", "does not exist", ""),
    ("lower(distinct s)", "lower(distinct s)", "plain arguments", ""),
    ("old.x = 1", "old.x", "unknown column \"x\"", ""),
    ("a.b.c = 1", "a.b.c", "at most two parts", ""),
    ("'ä' || s < 'b'", "'ä' || s < 'b'", "ordered by", ""),
    ("i = 1\n  and x", "x", "unknown column", ""),
];

#[test]
fn what_lies_outside_is_refused_by_name_and_place() {
    let mut wrong = Vec::new();
    for &(text, part, message, hint) in REFUSED {
        match compile(text) {
            Ok(_) => wrong.push(format!("{text}: not refused")),
            Err(error) => {
                let meant = text.get(error.span.clone()).unwrap_or("outside");
                let hinted = error.hint.as_deref().unwrap_or_default();
                let placed = if part.is_empty() {
                    text.is_char_boundary(error.span.start)
                } else {
                    meant == part
                };
                if !placed || !error.message.contains(message) || !hinted.contains(hint) {
                    wrong.push(format!("{text}\n   at `{meant}`: {} ({hinted})", error.message));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}\n{}",
        wrong.len(),
        REFUSED.len(),
        wrong.join("\n")
    );
}

#[test]
fn letters_of_some_languages_are_refused() {
    for ctype in ["tr_TR.UTF-8", "az_AZ", "lt_LT.utf8", "Turkish_Türkiye.1254"] {
        let error = Expression::compile("lower(s) = 'a'", &Table, ctype).unwrap_err();
        assert!(error.message.contains(ctype), "{error}");
    }
    for ctype in ["C", "POSIX", "de_DE.UTF-8", "C.UTF-8"] {
        assert!(Expression::compile("lower(s) = 'a'", &Table, ctype).is_ok(), "{ctype}");
    }
    assert!(Expression::compile("lower(c) = 'a'", &Table, "C").is_ok());
}

#[test]
fn no_text_is_too_deep_or_too_long_to_be_refused() {
    let deep = |open: &str, middle: &str, close: &str, n: usize| open.repeat(n) + middle + &close.repeat(n);
    for text in [
        deep("(", "a", ")", 90),
        deep("(", "a", ")", 8000),
        deep("not ", "a", "", 2000),
        deep("- ", "i", "", 5000),
        deep("coalesce(", "i", ", 1)", 1000),
        deep("case when a then ", "i", " end", 500),
        deep("i + ", "1", "", 4000),
        deep("", "s", "::text", 2000),
        deep("", "s", " collate \"C\"", 1000),
        deep("a is null and ", "a", "", 20_000),
    ] {
        assert!(compile(&text).is_err(), "{}", text.get(..40).unwrap());
    }
    let long = deep("i = 1 or ", "a", "", 190);
    assert!(compile(&long).is_ok());
}

#[test]
fn no_text_makes_it_panic() {
    let pieces = [
        "i", "s", "a", "(", ")", "'", "''", "'x'", "1", "1.5", "-", "::", "int", "text", "and", "or", "not", "is",
        "null", "in", "between", "like", "case", "when", "then", "else", "end", ",", "lower(", "trim(", "substr(", "ä",
        "\"", "$$", "e'\\", "collate", "\"C\"", "=", "<>", "%", "||", "/*", "--", "\n", ".", "date", "interval",
        "x'1'", "[1]", "*",
    ];
    let mut state = 88_172_645_463_325_252_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text += pieces[usize::try_from(state % u64::try_from(pieces.len()).unwrap()).unwrap()];
            text += if state.is_multiple_of(3) { "" } else { " " };
        }
        if let Err(error) = compile(&text) {
            assert!(text.get(error.span.clone()).is_some(), "{text:?} {error:?}");
        }
    }
    assert_eq!(COLUMNS.len(), 14);
    assert!(Expression::compile("", &Table, ENGLISH).is_err());
}
