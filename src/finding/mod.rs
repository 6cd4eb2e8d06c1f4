//! Something an operator should know or must fix: where, what, why, and the exact repair.

pub mod messages;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Works, and may hurt.
    Warning,
    /// The bridge will not start, or halts.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A place in a config file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// Path of the file as the user gave it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Bytes in the file.
    pub span: Range<usize>,
    /// Key path, such as `entity.Order.fields.total`.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.path.is_empty() {
            return Ok(());
        }
        write!(f, " {}", self.path)
    }
}

/// Whose fault it is, which decides the exit code of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The config is wrong: exit 2.
    Config,
    /// The surroundings are: exit 1.
    Surroundings,
}

impl Cause {
    /// `config` or `surroundings`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Surroundings => "surroundings",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// A stable name, such as `source.slot_missing`.
    pub code: &'static str,
    /// Config or surroundings.
    pub cause: Cause,
    /// Where in the config, if there.
    pub place: Option<Place>,
    /// What is wrong, naming the thing: one sentence, lower case, no full stop, never a row's value.
    pub what: String,
    /// What it means for the data.
    pub why: Option<String>,
    /// The exact repair: SQL or a config line.
    pub repair: Option<String>,
}

impl Finding {
    /// An error.
    pub fn error(cause: Cause, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            cause,
            place: None,
            what: what.into(),
            why: None,
            repair: None,
        }
    }

    /// A warning.
    pub fn warning(cause: Cause, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(cause, code, what)
        }
    }

    /// A note.
    pub fn note(cause: Cause, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::error(cause, code, what)
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(self, place: Place) -> Self {
        Self {
            place: Some(place),
            ..self
        }
    }

    /// Says what it means for the data.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Self {
            why: Some(why.into()),
            ..self
        }
    }

    /// Says the repair.
    #[must_use]
    pub fn repair(self, repair: impl Into<String>) -> Self {
        Self {
            repair: Some(repair.into()),
            ..self
        }
    }

    /// For machines. `means` is what every finding of this code means for the data, where this one does not say `why`.
    pub fn document(&self) -> Value {
        let place = self.place.as_ref();
        let unsaid = self.why.is_none();
        let means = messages::of(self.code).filter(|_| unsaid).map(|message| message.means);
        json!({
            "severity": self.severity.word(),
            "code": self.code,
            "cause": self.cause.word(),
            "file": place.map(|place| place.file.to_string()),
            "line": place.map(|place| place.line),
            "path": place.map(|place| place.path.clone()),
            "what": self.what,
            "why": self.why,
            "means": means,
            "repair": self.repair,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity.word(), self.what)?;
        if let Some(place) = &self.place {
            write!(f, "\n  at: {place}")?;
        }
        if let Some(why) = &self.why {
            write!(f, "\n  why: {why}")?;
        }
        if let Some(repair) = &self.repair {
            write!(f, "\n  hint: {repair}")?;
        }
        Ok(())
    }
}

/// The nearest of the known names.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &known.to_lowercase()), *known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 1 + known.len() / 3)
        .map(|(_, known)| known)
}

/// The nearest of the known names, or all of them.
pub fn nearest_or_list(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "nothing is known here".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_learn_what_a_finding_means_where_it_does_not_say_so() {
        let bare = Finding::error(Cause::Surroundings, "http.listen", "cannot listen");
        assert_eq!(
            bare.document()["means"].as_str(),
            messages::of("http.listen").map(|message| message.means)
        );
        let says = bare.because("somebody else listens there");
        assert_eq!(says.document()["means"], Value::Null);
        let unknown = Finding::error(Cause::Surroundings, "no.code", "cannot");
        assert_eq!(unknown.document()["means"], Value::Null);
    }
}
