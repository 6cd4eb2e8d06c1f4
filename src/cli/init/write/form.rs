//! One field's line, with what was guessed and why.

use crate::cli::init::guess::Guess;
use crate::cli::init::guess::values::Seen;
use crate::cli::init::guess::words::is_simple;
use crate::cli::init::write::quoted;
use crate::flow::catalog::ColumnFacts;

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

    /// The line.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Told { text, why: None } => format!("{text}\n"),
            Self::Told { text, why: Some(why) } => format!("{text}   # {why}\n"),
            Self::Left { text, why } => format!("# {text}   # {why}\n"),
        }
    }
}

/// A key of TOML.
fn bare(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn list(values: &[String]) -> String {
    values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", ")
}

/// How often each value was seen, the more frequent first.
fn counts(seen: &Seen) -> String {
    let mut found: Vec<(&str, usize)> = seen.values().collect();
    found.sort_by_key(|(value, count)| (usize::MAX - count, (*value).to_owned()));
    let shown: Vec<String> = found
        .iter()
        .take(12)
        .map(|(value, count)| format!("{:?} {count}", value.trim()))
        .collect();
    shown.join(", ")
}

/// The line of a column.
pub(super) fn line(
    column: &ColumnFacts,
    (guess, seen): (&Guess, &Seen),
    (name, id, zone): (&str, Option<&str>, &str),
) -> Line {
    let (key, from) = (bare(name), quoted(&column.name));
    let told = |forms: String, why: String| Line::Told {
        text: format!("{key} = {{ from = {from}{forms} }}"),
        why: Some(why),
    };
    let left = |forms: String, why: &str| Line::Left {
        text: format!("{key} = {{ from = {from}{forms} }}"),
        why: why.to_owned(),
    };
    let null_when = |values: &[String]| match values {
        [] => String::new(),
        values => format!(", null_when = [{}]", list(values)),
    };
    match guess {
        Guess::Plain => plain(column, &key),
        Guess::SoftDelete { .. } => left(String::new(), "guess: says which rows are deleted; `where` looks at it"),
        Guess::Flag { yes, no } => {
            let codes = format!(", codes = {{ {} = true, {} = false }}", bare(yes), bare(no));
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
            let forms = format!(", zone = {}{}", quoted(zone), null_when(none));
            told(forms, "guess: a time without zone, read in the server's own".to_owned())
        }
        Guess::Digits {
            pattern,
            null_when: none,
        } => {
            let zone = if pattern.contains("HH") {
                format!(", zone = {}", quoted(zone))
            } else {
                String::new()
            };
            let forms = format!(", parse = {}{zone}{}", quoted(pattern), null_when(none));
            told(forms, "guess: digits that are a date".to_owned())
        }
        Guess::Sentinel { null_when: none } => told(null_when(none), "guess: such days mean none".to_owned()),
        Guess::Personal => left(
            String::new(),
            "guess: about a person; tell it only where a consumer needs it",
        ),
        Guess::Secret => left(String::new(), "guess: a secret; nobody's business"),
        Guess::Unpublishable => left(String::new(), "generated: PostgreSQL does not send its values"),
        Guess::Surrogate(_) => match id {
            Some(id) => Line::Told {
                text: format!("{key} = {{ from = {from}, public_id = {} }}", quoted(id)),
                why: None,
            },
            None => left(
                String::new(),
                "a number that only the database knows; the key names the thing outside",
            ),
        },
    }
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
        .map(|value| format!("{} = {}", bare(value), quoted(&value.to_lowercase())))
        .collect();
    format!(", codes = {{ {} }}", pairs.join(", "))
}

/// A column as it is; by its name alone where that is no expression.
fn plain(column: &ColumnFacts, key: &str) -> Line {
    let text = match is_simple(&column.name) {
        true => format!("{key} = {}", quoted(&column.name)),
        false => format!("{key} = {{ from = {} }}", quoted(&column.name)),
    };
    Line::Told { text, why: None }
}
