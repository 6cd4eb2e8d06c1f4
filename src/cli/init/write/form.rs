//! One field's line, with what was guessed and why.

use crate::cli::init::guess::Guess;
use crate::cli::init::guess::traces::Trace;
use crate::cli::init::guess::values::Seen;
use crate::cli::init::guess::words::is_simple;
use crate::cli::init::write::toml::{key, quoted};
use crate::flow::catalog::{ColumnFacts, SqlType};

/// A line of `fields`.
pub(super) enum Line {
    /// A field.
    Told {
        /// Name and value.
        text: String,
        /// What was guessed of it.
        why: Option<String>,
    },
    /// A column that is left out.
    Left {
        /// What it would be.
        text: String,
        /// Why.
        why: String,
    },
}

impl Line {
    /// Whether somebody should look at it.
    pub(super) fn is_guess(&self) -> bool {
        match self {
            Self::Told { why, .. } => why.is_some(),
            Self::Left { .. } => true,
        }
    }

    /// Name and value alone.
    fn into_named(self) -> String {
        match self {
            Self::Told { text, .. } | Self::Left { text, .. } => text,
        }
    }

    /// The line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Told { text, why: None } => format!("{text}\n"),
            Self::Told { text, why: Some(why) } => format!("{text}   # {why}\n"),
            Self::Left { text, why } => format!("# {text}   # {why}\n"),
        }
    }
}

/// How often each value was seen, the more frequent first.
fn counts(seen: &Seen) -> String {
    let mut found: Vec<(&str, usize)> = seen.values().collect();
    found.sort_by_key(|(value, count)| (usize::MAX - count, (*value).to_owned()));
    let shown: Vec<String> = found
        .iter()
        .take(12)
        .map(|(value, count)| format!("{value:?} {count}"))
        .collect();
    shown.join(", ")
}

/// What a column is to be outside.
pub(super) struct Outside<'a> {
    /// The field's name.
    pub(super) name: &'a str,
    /// The public id in place of its values.
    pub(super) id: Option<&'a str>,
    /// The server's own time zone, where it has a name.
    pub(super) zone: Option<&'a str>,
}

impl Outside<'_> {
    /// The zone of a local time, and what is to be said of it.
    fn zoned(&self) -> (String, &'static str) {
        match self.zone {
            Some(zone) => (quoted(zone), "read in the server's own"),
            None => (
                quoted("none"),
                "decide: the server's own is no place, such as Europe/Berlin, so it is told as it stands",
            ),
        }
    }
}

/// The line of a column that is no part of the key.
pub(super) fn line(column: &ColumnFacts, (guess, seen): (&Guess, &Seen), outside: &Outside<'_>) -> Line {
    let start = format!("{} = {{ from = {}", key(outside.name), quoted(&column.name));
    let told = |forms: String, why: String| Line::Told {
        text: format!("{start}{forms} }}"),
        why: Some(why),
    };
    let left = |why: &str| Line::Left {
        text: format!("{start} }}"),
        why: why.to_owned(),
    };
    match guess {
        Guess::Plain => plain(column, outside.name),
        Guess::SoftDelete { .. } => left("guess: says which rows are deleted; `where` looks at it"),
        Guess::Flag { yes, no } => {
            let codes = format!(", codes = {{ {} = true, {} = false }}", key(yes), key(no));
            told(codes, format!("guess: yes or no; seen: {}", counts(seen)))
        }
        Guess::Codes(values) => told(
            codes(column, values),
            format!("guess, decide: a word for each; seen: {}", counts(seen)),
        ),
        Guess::Cents => told(
            ", decimals = 2".to_owned(),
            "guess: an integer that counts hundredths".to_owned(),
        ),
        Guess::Zoneless { null_when: none } => {
            let (zone, why) = outside.zoned();
            let forms = format!(", zone = {zone}{}", null_when(none));
            told(forms, format!("guess: a time without zone, {why}"))
        }
        Guess::Digits {
            pattern,
            null_when: none,
        } => {
            let (zone, why) = match (pattern.contains("HH"), outside.zoned()) {
                (true, (zone, why)) => (format!(", zone = {zone}"), format!(", {why}")),
                (false, _) => (String::new(), String::new()),
            };
            let forms = format!(", parse = {}{zone}{}", quoted(pattern), null_when(none));
            told(forms, format!("guess: digits that are a date{why}"))
        }
        Guess::Sentinel { null_when: none } => told(null_when(none), "guess: such days mean none".to_owned()),
        Guess::Personal => left("guess: about a person; tell it only where a consumer needs it"),
        Guess::Birth(form) => Line::Left {
            text: line(column, (form, seen), outside).into_named(),
            why: "guess: a birth date, about a person; tell it only where a consumer needs it".to_owned(),
        },
        Guess::Traces(found) => left(&of_traces(column, found)),
        Guess::Secret => left("guess: a secret; nobody's business"),
        Guess::Unpublishable => left("generated: PostgreSQL does not send its values"),
        Guess::Surrogate(_) => match outside.id {
            Some(id) => Line::Told {
                text: format!("{start}, public_id = {} }}", quoted(id)),
                why: None,
            },
            None => left("a number that only the database knows; the key names the thing outside"),
        },
    }
}

/// What is said of free text: which things of people are in it, and never one of them.
fn of_traces(column: &ColumnFacts, found: &[Trace]) -> String {
    let what = if column.sql_type == SqlType::Json {
        "a document"
    } else {
        "free text"
    };
    let words: Vec<&str> = found.iter().map(|trace| trace.words()).collect();
    format!(
        "guess: {what} with {}, so perhaps about a person; tell it only where a consumer needs it",
        words.join(" and ")
    )
}

const KEY_OF_A_PERSON: &str =
    "guess, decide: about a person, and part of the key; a public_id in its place says nothing of them";

/// The line of a column of the key: told whatever it is, and as it is, since two rows must not get one key.
pub(super) fn key_line(column: &ColumnFacts, guess: &Guess, outside: &Outside<'_>) -> Line {
    let start = format!("{} = {{ from = {}", key(outside.name), quoted(&column.name));
    let told = |forms: String, why: Option<&str>| Line::Told {
        text: format!("{start}{forms} }}"),
        why: why.map(str::to_owned),
    };
    let id = outside.id.map(|id| format!(", public_id = {}", quoted(id)));
    match guess {
        Guess::Surrogate(_) => told(id.unwrap_or_default(), None),
        Guess::Secret => told(
            id.unwrap_or_default(),
            Some("guess, decide: a secret, and part of the key: told as an id that says nothing of it"),
        ),
        Guess::Personal | Guess::Traces(_) => told(String::new(), Some(KEY_OF_A_PERSON)),
        Guess::Birth(form) => Line::Told {
            text: key_line(column, form, outside).into_named(),
            why: Some(KEY_OF_A_PERSON.to_owned()),
        },
        Guess::Codes(_) => told(
            String::new(),
            Some("guess, decide: letters that mean something; a key is told as it is"),
        ),
        // What a zone makes of local times can be the same moment twice.
        Guess::Zoneless { .. } => told(
            ", zone = \"none\"".to_owned(),
            Some("guess, decide: a time without zone; in a key it is told as it stands"),
        ),
        Guess::Plain
        | Guess::SoftDelete { .. }
        | Guess::Flag { .. }
        | Guess::Cents
        | Guess::Digits { .. }
        | Guess::Sentinel { .. }
        | Guess::Unpublishable => plain(column, outside.name),
    }
}

fn null_when(values: &[String]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!(", null_when = [{}]", list.join(", "))
}

/// Words for letters: what nobody can guess is at least in lower case. What the database allows counts as seen.
fn codes(column: &ColumnFacts, values: &[(String, usize)]) -> String {
    let mut all: Vec<String> = values.iter().map(|(value, _)| value.clone()).collect();
    for allowed in column.allowed.iter().flatten() {
        if !all.contains(allowed) {
            all.push(allowed.clone());
        }
    }
    let pairs: Vec<String> = all
        .iter()
        .map(|value| format!("{} = {}", key(value), quoted(&value.to_lowercase())))
        .collect();
    format!(", codes = {{ {} }}", pairs.join(", "))
}

/// A column as it is; by its name alone where that is no expression.
fn plain(column: &ColumnFacts, name: &str) -> Line {
    let text = match is_simple(&column.name) {
        true => format!("{} = {}", key(name), quoted(&column.name)),
        false => format!("{} = {{ from = {} }}", key(name), quoted(&column.name)),
    };
    Line::Told { text, why: None }
}
