//! The starter config: what was found, as text that a person goes on with. What is guessed says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::cli::init::guess::Guess;
use crate::cli::init::guess::table::Key;
use crate::cli::init::guess::words::{field, parts, prefix};
use crate::cli::init::survey::{Survey, Surveyed, rows_of};
use crate::cli::init::write::form::{Outside, key_line, line};
use crate::cli::init::write::names::{Called, EVENTS, Names, free};
use crate::cli::init::write::several::several;
use crate::cli::init::write::toml::{quoted, table};
use crate::flow::catalog::{Surrogate, TableKind};
use crate::flow::table::{ReplicaIdentity, TableName};

mod form;
mod names;
mod several;
mod toml;

pub(super) use crate::cli::init::write::toml::remark;

/// What the config is to be called and where it reads.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// Name of the bridge.
    pub(super) name: &'a str,
    /// URL of the database, without a password.
    pub(super) url: &'a str,
    /// The authorities that vouch for the server, where they are named.
    pub(super) root_cert: Option<&'a str>,
}

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) entities: usize,
    pub(super) guesses: usize,
}

/// Writes everything.
pub(super) fn write(survey: &Survey, frame: &Frame<'_>) -> Written {
    let mut writer = Writer {
        survey,
        referred: referred(survey),
        names: Names::of(survey.tables.iter().map(|table| &table.facts.name), frame.name),
        out: Written::default(),
    };
    let sections: String = survey.tables.iter().map(|table| writer.entity(table)).collect();
    let Writer { names, mut out, .. } = writer;
    out.text = head(frame);
    for (table, id) in &names.ids {
        let start: String = id.chars().filter(char::is_ascii_alphanumeric).take(3).collect();
        _ = write!(
            out.text,
            "\n# What only the database knows of {} is told as these ids: stable, and not to be guessed.\n\
             [public_id.{id}]\nsecret = {{ env = \"WALBRIDGE_ID_KEY\" }}   # decide: where the key is kept; `openssl rand -base64 32` \
             makes one\nform = \"{start}_{{base32:20}}\"\n",
            remark(&table.to_string())
        );
    }
    out.text.push_str(&sections);
    out
}

fn head(frame: &Frame<'_>) -> String {
    let root_cert = frame.root_cert.map(|path| format!("root_cert = {}\n", quoted(path)));
    let root_cert = root_cert.unwrap_or_default();
    format!(
        "# Begun by `walbridge init` from the catalogue and a sample of rows. A line with \"guess\" may be wrong, one with \"decide\" waits\n\
         # for you. Take out what no other service needs: what is not named here never leaves the database.\n\
         #\n\
         # Next: walbridge check --offline · walbridge preview (your own rows as they would be told) · walbridge check · walbridge setup\n\n\
         [bridge]\nname = {}\n\n\
         [source]\n\
         url = {}   # decide: a role of its own; walbridge setup prints what it needs\n\
         # password = {{ file = \"/run/secrets/legacy_pg\" }}\n\
         {root_cert}\n\
         [kafka]\n\
         brokers = \"localhost:9092\"   # decide\n\n\
         [kafka.topics]\n\
         replication = 3   # decide: no more than there are brokers\n",
        quoted(frame.name),
        quoted(frame.url),
    )
}

/// Tables whose numbers stand in columns of others, or of their own rows: what stands there is an id of theirs.
fn referred(survey: &Survey) -> BTreeSet<&TableName> {
    let columns = survey.tables.iter().flat_map(|table| &table.facts.columns);
    columns
        .filter_map(|column| match &column.surrogate {
            Some(Surrogate::RefersTo { table, .. }) => Some(table),
            Some(Surrogate::Counted) | None => None,
        })
        .collect()
}

struct Writer<'a> {
    survey: &'a Survey,
    referred: BTreeSet<&'a TableName>,
    names: Names,
    out: Written,
}

impl Writer<'_> {
    fn entity(&mut self, of: &Surveyed) -> String {
        let facts = &of.facts;
        let mut text = format!("\n# {}: {} looked at.\n", remark(&facts.name.to_string()), rows_of(of));
        text.push_str(&unseen(of));
        let written = table(&facts.name).ok_or("a name with both a quote and a dot cannot stand in `table`".to_owned());
        let (key, written) = match (key_columns(of), written) {
            (Ok(key), Ok(written)) => (key, written),
            (Err(why), _) | (_, Err(why)) => {
                _ = writeln!(text, "# decide: {why}");
                return text;
            }
        };
        let Called {
            entity: name,
            state_topic,
            event_topic,
        } = self.names.called(&facts.name).cloned().unwrap_or_default();
        self.out.entities += 1;
        text.push_str(&several(of, &name, &written));
        text.push_str(&of_identity(of));
        _ = writeln!(text, "[entity.{name}]\ntable = {written}");
        let alive: Vec<&str> = of.guesses.iter().filter_map(Guess::alive).collect();
        if !alive.is_empty() {
            self.out.guesses += 1;
            let alive = quoted(&alive.join(" and "));
            _ = writeln!(text, "where = {alive}   # guess: others are deleted");
        }
        let (fields, key) = self.fields(of, key);
        _ = writeln!(
            text,
            "key = {key}\nstate_topic = {}\nevent_topic = {}\n",
            quoted(&state_topic),
            quoted(&event_topic)
        );
        _ = writeln!(text, "[entity.{name}.fields]\n{fields}");
        _ = writeln!(
            text,
            "[entity.{name}.events]   # decide: what has happened, in the words of those who work with it"
        );
        for (event, on) in EVENTS {
            _ = writeln!(text, "{name}{event} = {{ on = \"{on}\" }}");
        }
        text
    }

    /// The lines of the fields, and the key.
    fn fields(&mut self, of: &Surveyed, key_columns: &[String]) -> (String, String) {
        let columns: Vec<&str> = of.facts.columns.iter().map(|column| column.name.as_str()).collect();
        let prefix = prefix(&columns);
        let (mut lines, mut key, mut used) = (String::new(), BTreeMap::new(), Vec::new());
        for ((column, guess), seen) in of.facts.columns.iter().zip(&of.guesses).zip(&of.seen) {
            let is_key = key_columns.contains(&column.name);
            // The number of the row itself: whoever finds it in others looks for it here.
            let is_own = column.surrogate == Some(Surrogate::Counted) && !is_key;
            let name = match is_own {
                true => unused("id".to_owned(), &mut used),
                false => self.field_name((&column.name, guess), prefix.as_deref(), &mut used),
            };
            let told = match guess.number_of() {
                None if is_key && *guess == Guess::Secret => Some(&of.facts.name),
                other => other.filter(|table| !is_own || self.referred.contains(table)),
            };
            let id = told.map(|table| self.names.id(table));
            let outside = Outside {
                name: &name,
                id: id.as_deref(),
                zone: self.survey.zone.as_deref(),
            };
            let found = match is_key {
                true => key_line(column, guess, &outside),
                false => line(column, (guess, seen), &outside),
            };
            self.out.guesses += usize::from(found.is_guess());
            lines.push_str(&found.text());
            if is_key {
                key.insert(column.name.as_str(), name);
            }
        }
        let key: Vec<String> = key_columns
            .iter()
            .filter_map(|column| key.get(column.as_str()).map(|name| quoted(name)))
            .collect();
        let key = match key.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        (lines, key)
    }

    /// What a column is called outside, each name once.
    fn field_name(&self, (column, guess): (&str, &Guess), prefix: Option<&str>, used: &mut Vec<String>) -> String {
        let mut name = field(column, prefix);
        if let Some(of) = guess.number_of()
            && let Some(stem) = name.strip_suffix("Id")
            && !stem.is_empty()
        {
            name = match self.names.called(of) {
                Some(called) if stem == parts(column).first().map_or("", String::as_str) => field(&called.entity, None),
                _ => stem.to_owned(),
            };
        }
        unused(name, used)
    }
}

fn unused(wanted: String, used: &mut Vec<String>) -> String {
    let free = free(&wanted, "", |name| used.iter().any(|other| other == name));
    used.push(free.clone());
    free
}

/// The columns of the key, or why there is none.
fn key_columns(of: &Surveyed) -> Result<&[String], String> {
    match &of.key {
        Key::Business(columns) | Key::Other(columns) => Ok(columns),
        Key::Untold(column) => Err(format!(
            "all that is unique here holds {}, whose values cannot be told (generated, or a secret of a type\n\
             # that has no public ids), so its rows cannot be told as states. A unique constraint over other columns that are never\n\
             # null would do.",
            remark(column)
        )),
        Key::None => Err(
            "nothing proves what is unique here, so its rows cannot be told as states. A primary key, or a unique\n\
             # constraint over columns that are never null, would do."
                .to_owned(),
        ),
    }
}

/// Why no row was looked at, where that has a reason.
fn unseen(of: &Surveyed) -> String {
    of.unseen.as_ref().map_or_else(String::new, |why| {
        format!(
            "# decide: all below is guessed by names and types alone: {}.\n",
            remark(why)
        )
    })
}

/// Statements that are shown; a table may have thousands of partitions.
const STATEMENTS_MAX: usize = 3;

/// What the events need of the old row, where the identity does not give it: of a partitioned table that of its partitions.
fn of_identity(of: &Surveyed) -> String {
    let facts = &of.facts;
    let parts = facts.leaves.iter().map(|leaf| (&leaf.name, &leaf.identity));
    let own = std::iter::once((&facts.name, &facts.identity)).filter(|_| facts.kind != TableKind::Partitioned);
    let weak: Vec<&TableName> = parts
        .chain(own)
        .filter(|(_, identity)| identity.kind != ReplicaIdentity::Full)
        .map(|(name, _)| name)
        .collect();
    if weak.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = weak
        .iter()
        .take(STATEMENTS_MAX)
        .map(|name| remark(&name.full_identity_sql()))
        .collect();
    let rest = match weak.len().saturating_sub(STATEMENTS_MAX) {
        0 => String::new(),
        rest => format!("\n# and so for its {rest} other partitions,"),
    };
    format!(
        "# decide: events of changes and removals need the old row: {}{rest}\n\
         # or take these events out; `walbridge check` says what the rest needs.\n",
        shown.join("\n# ")
    )
}
