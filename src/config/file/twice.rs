//! What stands in a file twice: one finding for each, with the place of the first.
//!
//! TOML's parser tells of every line of a table that is there again, and of none where it was before. So the first is looked for
//! by how it is written; where it is written in another way, the finding names the second alone.

use std::ops::Range;

use crate::config::file::Text;
use crate::finding::{Cause, Finding};

/// What the parser says of the second of two.
const SAID: &str = "duplicate key";

/// Goes through a file's errors in their order.
#[derive(Default)]
pub(super) struct Twice {
    table: Option<String>,
}

/// Whether an error is of this kind.
pub(super) fn is_told(error: &toml::de::Error) -> bool {
    error.message().trim() == SAID
}

impl Twice {
    /// The finding; none for a line of a table that was told already.
    pub(super) fn finding(&mut self, file: &Text, span: Range<usize>) -> Option<Finding> {
        let lines: Vec<Line<'_>> = lines(&file.text);
        let at = lines.iter().rposition(|line| line.start <= span.start)?;
        let (before, second) = (lines.get(..at)?, lines.get(at)?);
        if self.table.as_ref().is_some_and(|table| is_in(&second.table, table)) {
            return None;
        }
        let name = second.name().filter(|_| !second.is_behind_its_key(span.start));
        let what = match &name {
            Some(name) => match before.iter().find(|line| line.name().as_ref() == Some(name)) {
                Some(first) => {
                    let place = file.place(first.start..first.start, name);
                    format!("{name} is declared twice: here and at {}:{}", place.file, place.line)
                }
                None => format!("{name} is declared twice"),
            },
            None => format!("{} is declared twice", file.text.get(span.clone()).unwrap_or("a key")),
        };
        if second.is_header() {
            self.table = Some(second.table.clone());
        }
        let place = file.place(span, name.as_deref().unwrap_or(""));
        let finding = Finding::error(Cause::Config, "config.duplicate", what).at(place);
        Some(finding.repair("take one of them out, or give it another name"))
    }
}

fn is_in(table: &str, outer: &str) -> bool {
    table
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A line, with the table that it stands in or begins.
struct Line<'a> {
    start: usize,
    text: &'a str,
    table: String,
}

impl Line<'_> {
    fn is_header(&self) -> bool {
        header(self.text).is_some()
    }

    /// The path of what it declares.
    fn name(&self) -> Option<String> {
        if self.is_header() {
            return Some(self.table.clone());
        }
        let (key, _) = self.text.split_once('=')?;
        let key = without_blanks(key);
        let is_top = self.table.is_empty();
        Some(if is_top { key } else { format!("{}.{key}", self.table) })
    }

    /// Whether a place in it is in a value, such as a table in braces.
    fn is_behind_its_key(&self, at: usize) -> bool {
        let key_end = self.text.find('=').map(|equals| self.start + equals);
        !self.is_header() && key_end.is_some_and(|end| at > end)
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut found, mut start, mut table) = (Vec::new(), 0, String::new());
    for line in text.split_inclusive('\n') {
        if let Some(begun) = header(line) {
            table = begun;
        }
        found.push(Line {
            start,
            text: line,
            table: table.clone(),
        });
        start += line.len();
    }
    found
}

/// The table that a line begins.
fn header(line: &str) -> Option<String> {
    let (path, rest) = line.trim().strip_prefix('[')?.rsplit_once(']')?;
    let is_alone = rest.trim().is_empty() || rest.trim_start().starts_with('#');
    is_alone.then(|| without_blanks(path.trim_matches(['[', ']'])))
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace()).collect()
}
