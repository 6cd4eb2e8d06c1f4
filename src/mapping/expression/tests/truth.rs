//! AND, OR, NOT and IS over true, false, null and what is not known.

use super::{Row, compile};
use crate::mapping::expression::Truth;

const WORDS: [&str; 4] = ["t", "f", "", "?"];

fn truth(text: &str, a: &'static str, b: &'static str) -> Truth {
    let given = [("a", a), ("b", b)].into_iter().filter(|(_, word)| !word.is_empty());
    compile(text).unwrap().truth(&Row(given.collect())).unwrap()
}

fn letter(truth: Truth) -> char {
    match truth {
        Truth::True => 't',
        Truth::False => 'f',
        Truth::Null => 'n',
        Truth::Unknown => '?',
    }
}

/// One row a value of `a` (true, false, null, not known), one letter a value of `b`.
fn table(text: &str) -> [String; 4] {
    WORDS.map(|a| WORDS.iter().map(|b| letter(truth(text, a, b))).collect())
}

#[test]
fn tables_of_truth() {
    assert_eq!(table("a and b"), ["tfn?", "ffff", "nfn?", "?f??"]);
    assert_eq!(table("a or b"), ["tttt", "tfn?", "tnn?", "t???"]);
    assert_eq!(table("a = b"), ["tfn?", "ftn?", "nnnn", "??n?"]);
    assert_eq!(table("a is distinct from b"), ["ftt?", "tft?", "ttf?", "????"]);
    assert_eq!(table("a is not distinct from b"), ["tff?", "ftf?", "fft?", "????"]);
    assert_eq!(table("not a"), ["ffff", "tttt", "nnnn", "????"]);
    assert_eq!(table("a is null"), ["ffff", "ffff", "tttt", "????"]);
    assert_eq!(table("a is not null"), ["tttt", "tttt", "ffff", "????"]);
    assert_eq!(table("a is true"), ["tttt", "ffff", "ffff", "????"]);
    assert_eq!(table("a is not true"), ["ffff", "tttt", "tttt", "????"]);
    assert_eq!(table("a is false"), ["ffff", "tttt", "ffff", "????"]);
    assert_eq!(table("a is unknown"), ["ffff", "ffff", "tttt", "????"]);
    assert_eq!(table("coalesce(a, b)"), ["tttt", "ffff", "tfn?", "????"]);
    assert_eq!(table("nullif(a, b)"), ["ntt?", "fnf?", "nnnn", "????"]);
    assert_eq!(table("case when a then b end"), ["tfn?", "nnnn", "nnnn", "????"]);
    assert_eq!(table("a"), ["tttt", "ffff", "nnnn", "????"]);
}

#[test]
fn and_or_bind_as_in_sql() {
    assert_eq!(table("not a or b"), table("(not a) or b"));
    assert_eq!(table("a or b and a"), table("a or (b and a)"));
    assert_eq!(table("not a is null"), table("not (a is null)"));
    assert_eq!(
        table("a is distinct from b and b"),
        table("(a is distinct from b) and b")
    );
    assert_eq!(table("a = b is null"), table("(a = b) is null"));
}

#[test]
fn in_and_between_follow_nulls() {
    let told = |text: &str, i: &'static str| letter(compile(text).unwrap().truth(&Row(vec![("i", i)])).unwrap());
    assert_eq!(told("i in (1, 2)", "2"), 't');
    assert_eq!(told("i in (1, 2)", "3"), 'f');
    assert_eq!(told("i in (1, null)", "1"), 't');
    assert_eq!(told("i in (1, null)", "3"), 'n');
    assert_eq!(told("i not in (1, null)", "3"), 'n');
    assert_eq!(told("i not in (1, null)", "1"), 'f');
    assert_eq!(told("i in (1, j)", "3"), 'n');
    assert_eq!(told("i in (1, 2)", "?"), '?');
    assert_eq!(told("i between 1 and null", "0"), 'f');
    assert_eq!(told("i between 1 and null", "2"), 'n');
    assert_eq!(told("i not between 1 and null", "0"), 't');
    assert_eq!(told("i between 1 and 3", "3"), 't');
}

#[test]
fn a_decided_row_hides_an_error_as_there() {
    let told = |text: &str, i: &'static str| {
        compile(text)
            .unwrap()
            .truth(&Row(vec![("i", i), ("a", "f"), ("b", "t")]))
    };
    assert_eq!(told("a and 1 / i = 1", "0"), Ok(Truth::False));
    assert_eq!(told("b or 1 / i = 1", "0"), Ok(Truth::True));
    assert_eq!(told("1 / i = 1 and a", "0").unwrap_err().0, "division by zero");
    assert_eq!(told("b and 1 / i = 1", "0").unwrap_err().0, "division by zero");
    // A constant that decides does so before a row is seen; so does a null operand.
    assert_eq!(told("1 / i = 1 and false", "0"), Ok(Truth::False));
    assert_eq!(told("1 / i = null", "0"), Ok(Truth::Null));
    assert_eq!(told("1 / i = j", "0").unwrap_err().0, "division by zero");
}
