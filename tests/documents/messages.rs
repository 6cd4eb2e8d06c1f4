//! The table of messages holds every code of the sources and none else, and `docs/messages.md` is written from it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use walbridge::finding::Severity;
use walbridge::finding::messages::{Message, SUBJECTS, of};

use crate::{files_in, page, root};

const PAGE: &str = "docs/messages.md";
/// What stands before the tables and behind them.
const BEFORE: &str = include_str!("before.md");
const BEHIND: &str = include_str!("behind.md");
/// Set, the page is written anew.
const WRITES: &str = "WALBRIDGE_WRITE_DOCUMENTS";
/// What fails when told to has words of its own: nobody meets them outside of tests.
const TOLD_TO_FAIL: [&str; 2] = ["scripted.", "memory."];
/// What makes a finding of a code, whatever its first word is, and how bad that one is.
const MAKERS: [(&str, Severity); 5] = [
    ("error(", Severity::Error),
    ("halt(", Severity::Error),
    ("refused(", Severity::Error),
    ("warning(", Severity::Warning),
    ("note(", Severity::Note),
];

/// A word, a point, a name: `source.slot_missing`.
fn is_code(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase();
    let rest = |byte: u8| letter(byte) || byte == b'_' || byte.is_ascii_digit();
    text.split_once('.').is_some_and(|(room, name)| {
        !room.is_empty()
            && room.bytes().all(letter)
            && name.bytes().next().is_some_and(letter)
            && name.bytes().all(rest)
    })
}

/// A file of the product up to its tests.
fn of_product(path: &str) -> Option<String> {
    let is_test = path.ends_with("tests.rs") || path.contains("/tests/");
    if is_test || path.starts_with("src/finding/") {
        return None;
    }
    let text = page(path);
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    Some(product.to_owned())
}

/// What stands in quotes, or between two of them, which looks like no code. Not what a code is asked to begin with.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    let quotes = text.match_indices('"');
    let whole = quotes.filter(|(at, _)| !text.get(..*at).is_some_and(|before| before.ends_with("starts_with(")));
    whole.filter_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        rest.split_once('"').map(|(literal, _)| literal)
    })
}

/// The code that a call begins with: at once, or behind the cause.
fn first_code(call: &str) -> Option<&str> {
    let (before, rest) = call.split_once('"')?;
    let is_near = before
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_whitespace() || b":,".contains(&byte));
    let (literal, _) = rest.split_once('"')?;
    (is_near && is_code(literal)).then_some(literal)
}

/// The codes of a text: what looks like one and begins as one does that is known, and what a finding is made of.
fn codes<'t>(text: &'t str, rooms: &BTreeSet<&str>) -> BTreeSet<&'t str> {
    let known = |literal: &&str| literal.split_once('.').is_some_and(|(room, _)| rooms.contains(room));
    let named = literals(text).filter(|literal| is_code(literal)).filter(known);
    named.chain(made(text).map(|(_, code)| code)).collect()
}

/// What is made where the code stands, with how bad it is there.
fn made(text: &str) -> impl Iterator<Item = (Severity, &str)> {
    MAKERS.iter().flat_map(|(maker, severity)| {
        let calls = text.split(maker).skip(1);
        calls.filter_map(first_code).map(|code| (*severity, code))
    })
}

fn messages() -> impl Iterator<Item = &'static Message> {
    SUBJECTS.iter().flat_map(|subject| subject.messages)
}

fn rooms() -> BTreeSet<&'static str> {
    let rooms = messages().filter_map(|message| message.code.split_once('.'));
    rooms.map(|(room, _)| room).collect()
}

fn product() -> Vec<String> {
    files_in("src", ".rs")
        .iter()
        .filter_map(|path| of_product(path))
        .collect()
}

#[test]
fn every_code_of_the_sources_has_a_message_and_every_message_a_code() {
    let (rooms, mut used) = (rooms(), BTreeSet::new());
    for text in product() {
        used.extend(codes(&text, &rooms).into_iter().map(str::to_owned));
    }
    used.retain(|code| !TOLD_TO_FAIL.iter().any(|room| code.starts_with(room)));
    let silent: Vec<&str> = used
        .iter()
        .map(String::as_str)
        .filter(|code| of(code).is_none())
        .collect();
    let unused: Vec<&str> = messages()
        .map(|message| message.code)
        .filter(|code| !used.contains(*code))
        .collect();
    let none = Vec::<&str>::new();
    assert_eq!(
        (silent, unused),
        (none.clone(), none),
        "(without a message, without use): see src/finding/messages/"
    );
}

#[test]
fn a_message_says_how_bad_each_finding_of_it_is() {
    let texts = product();
    let made: Vec<(Severity, &str)> = texts.iter().flat_map(|text| made(text)).collect();
    assert!(!made.is_empty(), "no finding is made");
    let wrong = made
        .into_iter()
        .filter(|(severity, code)| of(code).is_some_and(|message| !message.severities.contains(severity)));
    assert_eq!(wrong.collect::<Vec<_>>(), []);
}

/// What the page quotes of faults that pass, cut where something is filled in.
fn of_faults(page: &str) -> Vec<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let quoted = rows.filter_map(|row| row.split_once("` | ").map(|(quoted, _)| quoted));
    quoted
        .flat_map(|quoted| quoted.split('…'))
        .map(|part| part.trim_end_matches(" of "))
        .filter(|part| part.len() > 3)
        .collect()
}

#[test]
fn every_fault_that_the_page_quotes_is_said_by_the_sources() {
    let sources: String = files_in("src", ".rs").iter().map(|path| page(path)).collect();
    let quoted = of_faults(BEHIND);
    assert!(quoted.len() > 20, "{quoted:?}");
    let unsaid: Vec<&str> = quoted.into_iter().filter(|part| !sources.contains(part)).collect();
    assert_eq!(unsaid, Vec::<&str>::new());
}

/// The page as it has to be.
fn written() -> String {
    let mut page = BEFORE.to_owned();
    for subject in &SUBJECTS {
        page.push_str("\n## ");
        page.push_str(subject.heading);
        page.push_str(
            "\n\n| code | severity | what happened | what it means for the data | repair |\n|---|---|---|---|---|\n",
        );
        for message in subject.messages {
            row(message, &mut page);
        }
    }
    page.push('\n');
    page.push_str(BEHIND);
    page
}

fn row(message: &Message, page: &mut String) {
    let Message {
        code,
        severities,
        what,
        means,
        repair,
    } = message;
    let how_bad: Vec<&str> = severities.iter().copied().map(Severity::word).collect();
    let how_bad = how_bad.join(", ");
    // A link of its own, so that an alert or a ticket can point to one message.
    let written = writeln!(
        page,
        "| <a id=\"{code}\"></a>`{code}` | {how_bad} | {what} | {means} | {repair} |"
    );
    written.expect("a String takes everything");
}

#[test]
fn the_page_of_messages_is_what_the_table_says() {
    let written = written();
    if std::env::var_os(WRITES).is_some() {
        fs::write(root().join(PAGE), &written).expect("the page");
    }
    let there = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let differs = there
        .lines()
        .zip(written.lines())
        .find(|(there, written)| there != written);
    assert!(
        there == written,
        "{PAGE} is out of date (first: {differs:?}); write it: {WRITES}=1 cargo test --test documents"
    );
}

#[test]
fn the_search_for_codes_can_fail() {
    let rooms = BTreeSet::from(["kafka"]);
    let found = |text| codes(text, &rooms).into_iter().collect::<Vec<_>>();
    assert_eq!(
        found(r#"let code = "kafka.one";"#),
        ["kafka.one"],
        "one that is handed on"
    );
    assert_eq!(
        found("Finding::note(\n    Cause::Config,\n    \"new.code\",\n    what)"),
        ["new.code"],
        "a first word that is not known yet"
    );
    assert_eq!(found(r#"node.error("new.code", what)"#), ["new.code"]);
    assert_eq!(found(r#"code.starts_with("kafka.some")"#), Vec::<&str>::new());
    let none = r#"out.error(field, "a sentence."); error("no code"); set("message.max.bytes"); "kafka.properties: no""#;
    assert_eq!(found(none), Vec::<&str>::new());
}
