//! Config files as written: a cursor over parsed TOML that knows where every key and every value stands.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Cause, Finding, Place, nearest, nearest_or_list};

pub(super) mod read;
pub(super) mod report;
mod twice;
mod value;

use report::Report;

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    /// Path as the user gave it.
    pub(super) name: Arc<str>,
    /// What it holds.
    pub(super) text: String,
}

impl Text {
    /// A place in this file.
    pub(super) fn place(&self, span: Range<usize>, path: &str) -> Place {
        let before = self.text.as_bytes().iter().take(span.start);
        Place {
            file: Arc::clone(&self.name),
            line: before.filter(|byte| **byte == b'\n').count() + 1,
            span,
            path: path.to_owned(),
        }
    }

    /// Parses it; a file that is no TOML gives a finding for each thing wrong, and none of its keys.
    pub(super) fn parse(&self, report: &mut Report<'_>) -> Option<Spanned<DeTable<'_>>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        let mut twice = twice::Twice::default();
        for error in &errors {
            if twice::is_told(error) {
                let told = twice.finding(self, error.span().unwrap_or(0..0));
                told.into_iter().for_each(|finding| report.push(finding));
                continue;
            }
            let place = self.place(error.span().unwrap_or(0..0), "");
            let what = format!(
                "cannot read this as TOML: {}",
                error.message().trim().replace('\n', ", ")
            );
            report.push(Finding::error(Cause::Config, "config.syntax", what).at(place));
        }
        if !errors.is_empty() {
            self.mask_lines(report);
        }
        errors.is_empty().then_some(table)
    }

    /// Hides what may be secrets in a file that cannot be parsed.
    fn mask_lines(&self, report: &mut Report<'_>) {
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let key = line.split('=').next().unwrap_or("");
            if key.len() < line.len() && may_be_secret(line) {
                report.mask(&self.place(start + key.len() + 1..start + line.trim_end().len(), ""));
            }
            start += line.len();
        }
    }
}

/// A value with its key.
#[derive(Clone)]
pub(super) struct Node<'a> {
    file: &'a Text,
    path: String,
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Node<'a> {
    /// Where the value stands.
    pub(super) fn place(&self) -> Place {
        self.file.place(self.value.span(), &self.path)
    }

    /// Where the key stands, or the value of a list's item.
    pub(super) fn key_place(&self) -> Place {
        self.file.place(self.key.clone(), &self.path)
    }

    /// Where a part of the value stands, by its spelling in the file; the whole value if it is not found.
    pub(super) fn part(&self, spelling: &str) -> Place {
        let whole = self.value.span();
        let found = self
            .file
            .text
            .get(whole.clone())
            .and_then(|text| text.find(spelling))
            .map(|at| whole.start + at..whole.start + at + spelling.len());
        self.file.place(found.unwrap_or(whole), &self.path)
    }

    /// Its key path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// An error at the value.
    pub(super) fn error(&self, code: &'static str, what: impl Into<String>) -> Finding {
        Finding::error(Cause::Config, code, what).at(self.place())
    }

    /// As [`Node::error`], of what may stay as it is.
    pub(super) fn warning(&self, code: &'static str, what: impl Into<String>) -> Finding {
        Finding::warning(Cause::Config, code, what).at(self.place())
    }

    /// An error that says that this is known, and that its time has not come.
    pub(super) fn not_yet(&self, what: &str) -> Finding {
        self.error("config.not_yet", format!("{what} is not yet supported"))
            .because("a key is never ignored: it would promise what does not happen")
    }
}

struct Entry<'a> {
    key: &'a str,
    span: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
    taken: Taken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    No,
    Yes,
}

/// A table whose keys are asked for one by one; what nobody asked for is unknown.
pub(super) struct Section<'a> {
    file: &'a Text,
    path: String,
    span: Range<usize>,
    entries: Vec<Entry<'a>>,
    asked: Vec<&'static str>,
    missing: Vec<(&'static str, String)>,
}

impl<'a> Section<'a> {
    /// The whole of a file.
    pub(super) fn whole(file: &'a Text, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(file, String::new(), 0..0, table.get_ref())
    }

    fn new(file: &'a Text, path: String, span: Range<usize>, table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<Entry<'a>> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref(),
                span: key.span(),
                value,
                taken: Taken::No,
            })
            .collect();
        // The parser keeps keys sorted by name; the order of the file is part of what a mapping says.
        entries.sort_by_key(|entry| entry.span.start);
        Self {
            file,
            path,
            span,
            entries,
            asked: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Where its key stands.
    pub(super) fn place(&self) -> Place {
        self.file.place(self.span.clone(), &self.path)
    }

    /// Its key path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Asks for a key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.asked.push(key);
        let file = self.file;
        let path = join(&self.path, key);
        let entry = self.entries.iter_mut().find(|entry| entry.key == key)?;
        entry.taken = Taken::Yes;
        Some(Node {
            file,
            path,
            key: entry.span.clone(),
            value: entry.value,
        })
    }

    /// Asks for a key that must be there; `example` is a line that would do.
    pub(super) fn need(&mut self, key: &'static str, example: &str) -> Option<Node<'a>> {
        let found = self.take(key);
        if found.is_none() {
            self.missing.push((key, example.to_owned()));
        }
        found
    }

    /// Asks for a table.
    pub(super) fn section(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Section<'a>> {
        self.take(key)?.table(report)
    }

    /// Refuses a key whose capability is not there yet.
    pub(super) fn not_yet(&mut self, key: &'static str, report: &mut Report<'_>) {
        if let Some(node) = self.take(key) {
            let what = node.path().to_owned();
            report.push(Finding {
                place: Some(node.key_place()),
                ..node.not_yet(&what)
            });
        }
    }

    /// All that was not asked for, in the order of the file: names that the user chose.
    pub(super) fn rest(&mut self) -> Vec<(&'a str, Node<'a>)> {
        let (file, path) = (self.file, &self.path);
        self.entries
            .iter_mut()
            .filter(|entry| entry.taken == Taken::No)
            .map(|entry| {
                entry.taken = Taken::Yes;
                let node = Node {
                    file,
                    path: join(path, entry.key),
                    key: entry.span.clone(),
                    value: entry.value,
                };
                (entry.key, node)
            })
            .collect()
    }

    /// Refuses what nobody asked for, and says what is missing.
    pub(super) fn finish(mut self, report: &mut Report<'_>) {
        for entry in self.entries.iter().filter(|entry| entry.taken == Taken::No) {
            let path = join(&self.path, entry.key);
            let place = self.file.place(entry.span.clone(), &path);
            let what = format!("unknown key {path}");
            let finding = Finding::error(Cause::Config, "config.unknown_key", what).at(place);
            report.push(finding.repair(nearest_or_list(entry.key, &self.asked)));
            let meant = nearest(entry.key, &self.asked);
            // A misspelt key is one mistake, not two.
            self.missing.retain(|(key, _)| Some(*key) != meant);
            // A table's header is drawn alone, without what stands under it.
            let is_header = entry.value.span().contains(&entry.span.start);
            if meant.is_none_or(may_be_secret) && !is_header {
                report.mask(&self.file.place(entry.value.span(), &path));
            }
        }
        for (key, example) in &self.missing {
            let what = format!("{} is missing", join(&self.path, key));
            let finding = Finding::error(Cause::Config, "config.missing_key", what);
            report.push(finding.at(self.place()).repair(example));
        }
    }
}

/// Whether what stands under this key may be a secret, even where it must not.
fn may_be_secret(key: &str) -> bool {
    ["password", "secret", "token", "url", "env", "file", "key", "command"]
        .iter()
        .any(|word| key.contains(word))
}

/// A key path with one more key, quoted where TOML wants it.
pub(super) fn join(path: &str, key: &str) -> String {
    let is_bare = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
