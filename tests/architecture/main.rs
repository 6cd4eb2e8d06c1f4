//! The rules of the house that no compiler and no lint checks; each shows on a sample that it can fail.

use std::collections::BTreeMap;
use std::fs;

use crate::pages::{Page, every_text, root, rust_in};

mod hints;
mod pages;

/// Rooms from the ground up: a room uses only rooms of lower levels, and itself.
const LEVELS: [&[&str]; 8] = [
    &["flow", "finding", "telemetry", "secret"],
    &["contract"],
    &["mapping", "encoding", "backfill"],
    &["source", "sink"],
    &["bridge", "verify"],
    &["config"],
    &["http"],
    &["cli"],
];
/// The crate's roots may use every room.
const ROOTS: [&str; 2] = ["main", "lib"];
const PURE: [&str; 6] = ["flow", "finding", "contract", "mapping", "encoding", "backfill"];
const IMPURE_WORDS: [&str; 8] = [
    "tokio",
    "rdkafka",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
];
const LINES_MAX: usize = 400;
const FILES_IN_A_ROOM_MAX: usize = 10;
const EMPTY_NAMES: [&str; 14] = [
    "util", "utils", "common", "helper", "helpers", "type", "types", "core", "base", "manager", "handler", "service",
    "services", "misc",
];
/// Left-over words, in two halves so that this file does not hold them.
const LEFT_OVER: [(&str, &str); 6] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("to", "do!("),
    ("unimple", "mented!("),
    ("#[ig", "nore"),
];
/// Beginnings of paths that exist on one machine only, in two halves for the same reason.
const MACHINE_PATHS: [(&str, &str); 4] = [("/wo", "rk/"), ("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/")];
/// What may be wrong for now, and never worse; what is right by now has to leave.
const NAMES_RATCHET: [&str; 2] = [
    "src/mapping/form/tests/types.rs",
    "src/source/postgres/catalog/types.rs",
];

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// Names that follow `crate::` (in the binary: `walbridge::`) in a line.
fn named_rooms<'a>(line: &'a str, start: &'static str) -> impl Iterator<Item = &'a str> {
    line.match_indices(start).filter_map(move |(at, _)| {
        let before = line[..at].chars().next_back();
        let is_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let rest = &line[at + start.len()..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        (!is_word).then_some(&rest[..end])
    })
}

fn wrong_directions(pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in pages {
        let Some(room) = page.room() else { continue };
        if ROOTS.contains(&room) {
            continue;
        }
        let Some(own) = level(room) else {
            wrong.push(format!("{}: the room {room} has no level", page.path));
            continue;
        };
        for (number, line) in page.code() {
            let place = format!("{}:{number}", page.path);
            if line.contains("crate::{") || line.contains("super::super") || line.contains("crate::*") {
                wrong.push(format!("{place}: name the room"));
            }
            for used in named_rooms(line, "crate::").filter(|used| !used.is_empty() && *used != room) {
                match level(used) {
                    Some(other) if other < own => {}
                    Some(_) => wrong.push(format!("{place}: {room} uses {used}, which is not below it")),
                    None => wrong.push(format!("{place}: {room} uses {used}, which has no level")),
                }
            }
        }
    }
    wrong
}

fn impure(pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in pages
        .iter()
        .filter(|page| page.room().is_some_and(|room| PURE.contains(&room)))
    {
        for (number, line) in page.code() {
            for word in IMPURE_WORDS.iter().filter(|&&word| holds_word(line, word)) {
                wrong.push(format!("{}:{number}: {word} in a pure room", page.path));
            }
        }
    }
    wrong
}

fn holds_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

fn too_long(pages: &[Page]) -> Vec<String> {
    let lines = |page: &Page| page.text.lines().count();
    let long = pages.iter().filter(|page| lines(page) > LINES_MAX);
    long.map(|page| format!("{}: {} lines, more than {LINES_MAX}", page.path, lines(page)))
        .collect()
}

fn badly_named(pages: &[Page]) -> Vec<String> {
    let mut wrong = Vec::new();
    for page in pages {
        let parts = page.path.split('/').map(|part| part.trim_end_matches(".rs"));
        for word in parts
            .flat_map(|part| part.split('_'))
            .filter(|word| EMPTY_NAMES.contains(word))
        {
            wrong.push(format!("{}: {word} says nothing", page.path));
        }
    }
    wrong
}

fn without_first_line(pages: &[Page]) -> Vec<String> {
    let silent = pages
        .iter()
        .filter(|page| !page.text.lines().next().is_some_and(|line| line.starts_with("//! ")));
    silent
        .map(|page| format!("{}: the first line says what the file holds", page.path))
        .collect()
}

fn held_halves(pages: &[Page], halves: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (first, second) in halves {
        let word = format!("{first}{second}");
        let whole_word = word.chars().all(char::is_alphabetic);
        let holds = |line: &str| {
            if whole_word {
                holds_word(line, &word)
            } else {
                line.contains(&word)
            }
        };
        for page in pages {
            let lines = page.text.lines().enumerate().filter(|(_, line)| holds(line));
            wrong.extend(lines.map(|(number, _)| format!("{}:{}: {word}", page.path, number + 1)));
        }
    }
    wrong
}

fn crowded(pages: &[Page]) -> Vec<String> {
    let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
    for page in pages {
        if let Some((folder, _)) = page.path.rsplit_once('/') {
            *rooms.entry(folder).or_default() += 1;
        }
    }
    let full = rooms.into_iter().filter(|(_, files)| *files > FILES_IN_A_ROOM_MAX);
    full.map(|(room, files)| format!("{room}: {files} files are two rooms"))
        .collect()
}

fn holds_up(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What is wrong but for the places of a ratchet, and places there that are right by now.
fn but_for(ratchet: &[&str], wrong: Vec<String>) -> Vec<String> {
    let is_at = |place: &str, line: &str| line.strip_prefix(place).is_some_and(|rest| rest.starts_with(':'));
    let (known, mut left): (Vec<String>, Vec<String>) = wrong
        .into_iter()
        .partition(|line| ratchet.iter().any(|place| is_at(place, line)));
    let right = ratchet
        .iter()
        .filter(|place| !known.iter().any(|line| is_at(place, line)));
    left.extend(right.map(|place| format!("{place}: it is right by now: take it out of its ratchet")));
    left
}

#[test]
fn a_ratchet_only_tightens() {
    let wrong = || vec!["src/types.rs: types says nothing".to_owned()];
    assert!(but_for(&["src/types.rs"], wrong()).is_empty());
    assert_eq!(but_for(&[], wrong()), wrong());
    assert_eq!(but_for(&["src/type"], wrong()).len(), 2, "another place");
    assert_eq!(but_for(&["src/types.rs"], Vec::new()).len(), 1, "right by now");
    assert_eq!(but_for(&["src/types.rs", "src/misc.rs"], wrong()).len(), 1);
}

#[test]
fn a_room_uses_only_rooms_of_lower_levels() {
    holds_up(wrong_directions(&rust_in(&["src"])));
}

#[test]
fn the_rule_of_levels_can_fail() {
    let count = |path: &str, text: &str| wrong_directions(&[Page::of(path, text)]).len();
    assert_eq!(
        count(
            "src/sink/mod.rs",
            "use crate::flow::cell::Cell;\nuse crate::sink::Sink;"
        ),
        0
    );
    assert_eq!(count("src/sink/mod.rs", "// use crate::config::Config;"), 0);
    assert_eq!(
        count("src/sink/mod.rs", "use crate::source::Step;"),
        1,
        "a room beside it"
    );
    assert_eq!(
        count("src/flow/cell.rs", "fn f() -> crate::config::Config {}"),
        1,
        "a room above, inside a line"
    );
    assert_eq!(count("src/flow/cell.rs", "use crate::{config, sink};"), 1);
    assert_eq!(count("src/flow/cell.rs", "use crate::*;"), 1);
    assert_eq!(
        count("src/mapping/form/step.rs", "use super::super::entity::Entity;"),
        1
    );
    assert_eq!(count("src/attic.rs", ""), 1, "a room without a level");
    assert_eq!(count("src/cli/run.rs", "use crate::attic::Box;"), 1);
}

#[test]
fn every_room_is_on_the_map() {
    let map = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    holds_up(off_the_map(&map, &rust_in(&["src"])));
}

/// Rooms that `lib.rs` does not show with their level.
fn off_the_map(map: &str, pages: &[Page]) -> Vec<String> {
    let mut rooms: Vec<&str> = pages
        .iter()
        .filter_map(Page::room)
        .filter(|room| !ROOTS.contains(room))
        .collect();
    rooms.dedup();
    let shown = |room: &str| {
        let level = level(room)?;
        let before = map
            .lines()
            .zip(map.lines().skip(1))
            .find(|(_, line)| line.contains(&format!("mod {room};")))?
            .0;
        before.starts_with(&format!("/// `[{level}]`")).then_some(())
    };
    let lost = rooms.into_iter().filter(|room| shown(room).is_none());
    lost.map(|room| format!("src/lib.rs: show {room} with its level in its doc"))
        .collect()
}

#[test]
fn the_rule_of_the_map_can_fail() {
    let pages = [Page::of("src/flow/mod.rs", "")];
    assert!(off_the_map("/// `[0]` Values.\npub mod flow;", &pages).is_empty());
    assert_eq!(off_the_map("/// `[1]` Values.\npub mod flow;", &pages).len(), 1);
    assert_eq!(off_the_map("", &pages).len(), 1);
}

#[test]
fn pure_rooms_do_no_io() {
    holds_up(impure(&rust_in(&["src"])));
}

#[test]
fn the_rule_of_purity_can_fail() {
    let count = |path: &str, text: &str| impure(&[Page::of(path, text)]).len();
    assert_eq!(count("src/mapping/plan.rs", "let now = Instant::now();"), 1);
    assert_eq!(count("src/flow/cell.rs", "use std::fs;"), 1);
    assert_eq!(count("src/flow/cell.rs", "let tokio_like = 1; // fine"), 0);
    assert_eq!(count("src/sink/mod.rs", "use std::fs;"), 0, "a room that may");
}

#[test]
fn files_are_small_and_well_named() {
    let pages = rust_in(&["src", "tests"]);
    holds_up(too_long(&pages));
    holds_up(but_for(&NAMES_RATCHET, badly_named(&pages)));
}

#[test]
fn the_rules_of_size_and_name_can_fail() {
    assert_eq!(
        too_long(&[Page::of("src/flow/cell.rs", &"\n".repeat(LINES_MAX + 1))]).len(),
        1
    );
    assert!(too_long(&[Page::of("src/flow/cell.rs", &"\n".repeat(LINES_MAX))]).is_empty());
    assert_eq!(badly_named(&[Page::of("src/flow/string_utils.rs", "")]).len(), 1);
    assert_eq!(badly_named(&[Page::of("src/common/cell.rs", "")]).len(), 1);
    assert!(badly_named(&[Page::of("src/flow/cell.rs", "")]).is_empty());
}

#[test]
fn every_file_says_what_it_holds() {
    holds_up(without_first_line(&rust_in(&["src", "tests"])));
}

#[test]
fn the_rule_of_the_first_line_can_fail() {
    assert_eq!(
        without_first_line(&[Page::of("src/flow/cell.rs", "use std::fmt;")]).len(),
        1
    );
    assert_eq!(without_first_line(&[Page::of("src/flow/cell.rs", "")]).len(), 1);
    assert!(without_first_line(&[Page::of("src/flow/cell.rs", "//! A cell.\n")]).is_empty());
}

#[test]
fn no_word_is_left_over() {
    holds_up(held_halves(&rust_in(&["src", "tests"]), &LEFT_OVER));
}

#[test]
fn no_path_of_one_machine() {
    holds_up(held_halves(&every_text(), &MACHINE_PATHS));
}

#[test]
fn the_rules_of_words_can_fail() {
    for (first, second) in LEFT_OVER.iter().chain(&MACHINE_PATHS) {
        let page = Page::of("src/flow/cell.rs", &format!("// {first}{second} later"));
        assert!(!held_halves(&[page], &[(first, second)]).is_empty(), "{first}{second}");
    }
    assert!(held_halves(&[Page::of("a", "XXXL and TODOS")], &LEFT_OVER).is_empty());
}

#[test]
fn a_room_holds_few_files() {
    holds_up(crowded(&rust_in(&["src", "tests"])));
}

#[test]
fn the_rule_of_few_files_can_fail() {
    let room = |files: usize| {
        (0..files)
            .map(|n| Page::of(&format!("src/flow/f{n}.rs"), ""))
            .collect::<Vec<_>>()
    };
    assert!(crowded(&room(FILES_IN_A_ROOM_MAX)).is_empty());
    assert_eq!(crowded(&room(FILES_IN_A_ROOM_MAX + 1)).len(), 1);
}
