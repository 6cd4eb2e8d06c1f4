//! The starter config: what was found, as text that a person goes on with. What is guessed says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::cli::init::guess::Guess;
use crate::cli::init::guess::table::Key;
use crate::cli::init::guess::words::{entity, field, identifier, parts, prefix, topic};
use crate::cli::init::survey::{Survey, Surveyed, rows_of};
use crate::flow::table::TableName;

mod form;

use crate::cli::init::write::form::{Line, line};

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

/// A string of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Names of entities, each once: a table of another schema has it in front.
fn names(survey: &Survey) -> BTreeMap<TableName, String> {
    let mut found: BTreeMap<TableName, String> = BTreeMap::new();
    for table in &survey.tables {
        let name = &table.facts.name;
        let short = entity(&name.name);
        let taken = |wanted: &String| found.values().any(|other| other == wanted);
        let long = if taken(&short) {
            entity(&format!("{}_{}", name.schema, name.name))
        } else {
            short
        };
        let mut free = long.clone();
        let mut number = 2;
        while taken(&free) {
            free = format!("{long}{number}");
            number += 1;
        }
        found.insert(name.clone(), free);
    }
    found
}

/// Writes everything.
pub(super) fn write(survey: &Survey, frame: &Frame<'_>) -> Written {
    let names = names(survey);
    let (mut out, mut sections) = (Written::default(), String::new());
    let mut ids: BTreeMap<TableName, String> = BTreeMap::new();
    for table in &survey.tables {
        let name = names.get(&table.facts.name).cloned().unwrap_or_default();
        let mut writer = Writer {
            survey,
            frame,
            names: &names,
            ids: &mut ids,
            out: &mut out,
        };
        sections.push_str(&writer.entity(table, &name));
    }
    let mut text = head(frame);
    for (table, id) in &ids {
        let start: String = id.chars().filter(char::is_ascii_alphanumeric).take(3).collect();
        _ = write!(
            text,
            "\n# Numbers of {table} that only the database gives out are told as these ids: stable, and not to be guessed.\n\
             [public_id.{id}]\nsecret = {{ env = \"WALBRIDGE_ID_KEY\" }}   # decide: where the key is kept; `openssl rand -base64 32` \
             makes one\nform = \"{start}_{{base32:20}}\"\n"
        );
    }
    text.push_str(&sections);
    out.text = text;
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

struct Writer<'a> {
    survey: &'a Survey,
    frame: &'a Frame<'a>,
    names: &'a BTreeMap<TableName, String>,
    /// Public ids that are used, by the table whose numbers they stand for.
    ids: &'a mut BTreeMap<TableName, String>,
    out: &'a mut Written,
}

impl Writer<'_> {
    /// The name of the public id of a table's numbers.
    fn id(&mut self, table: &TableName) -> String {
        let name = self.names.get(table).cloned().unwrap_or_else(|| entity(&table.name));
        self.ids
            .entry(table.clone())
            .or_insert_with(|| parts(&name).join("_"))
            .clone()
    }

    fn entity(&mut self, table: &Surveyed, name: &str) -> String {
        let facts = &table.facts;
        let mut text = format!("\n# {}: {} looked at.\n", facts.name, rows_of(table));
        let (fields, key) = self.fields(table);
        let Some(key) = key.filter(|_| !fields.is_empty()) else {
            _ = writeln!(
                text,
                "# decide: nothing proves what is unique here, so its rows cannot be told as states. A primary key, or a unique\n\
                 # constraint over columns that are never null, would do."
            );
            return text;
        };
        self.out.entities += 1;
        text.push_str(&several(table, name));
        text.push_str(&of_identity(table));
        _ = writeln!(text, "[entity.{name}]\ntable = {}", quoted(&facts.name.to_string()));
        if let Some(alive) = table.guesses.iter().find_map(Guess::alive) {
            self.out.guesses += 1;
            _ = writeln!(text, "where = {}   # guess: others are deleted", quoted(alive));
        }
        let state = format!("{}.{}", self.frame.name, topic(name));
        let events = format!("{}.{}-events", self.frame.name, parts(name).join("-"));
        _ = writeln!(
            text,
            "key = {key}\nstate_topic = {}\nevent_topic = {}\n",
            quoted(&state),
            quoted(&events)
        );
        _ = writeln!(text, "[entity.{name}.fields]");
        fields.iter().for_each(|line| text.push_str(line));
        _ = writeln!(
            text,
            "\n[entity.{name}.events]   # decide: what has happened, in the words of those who work with it\n\
             {name}Created = {{ on = \"enters\" }}\n{name}Changed = {{ on = \"changes\" }}\n{name}Removed = {{ on = \"leaves\" }}"
        );
        text
    }

    /// The lines of the fields, and the key.
    fn fields(&mut self, table: &Surveyed) -> (Vec<String>, Option<String>) {
        let columns: Vec<&str> = table.facts.columns.iter().map(|column| column.name.as_str()).collect();
        let prefix = prefix(&columns);
        let key_columns: &[String] = match &table.key {
            Key::Business(columns) | Key::Surrogate(columns) => columns,
            Key::None => &[],
        };
        let (mut lines, mut key, mut used) = (Vec::new(), BTreeMap::new(), Vec::new());
        for ((column, guess), seen) in table.facts.columns.iter().zip(&table.guesses).zip(&table.seen) {
            let is_key = key_columns.contains(&column.name);
            let name = self.field_name((&column.name, guess), prefix.as_deref(), &mut used);
            let told = guess.number_of().filter(|of| is_key || **of != table.facts.name);
            let id = told.map(|of| self.id(of));
            let found = line(column, (guess, seen), (&name, id.as_deref(), &self.survey.zone));
            self.out.guesses += usize::from(found.is_guess());
            if let Line::Told { .. } = found
                && is_key
            {
                key.insert(column.name.clone(), name);
            }
            lines.push(found.text());
        }
        let key: Option<Vec<String>> = key_columns
            .iter()
            .map(|column| key.get(column).map(|name| quoted(name)))
            .collect();
        let key = key.filter(|key| !key.is_empty()).map(|key| match key.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        });
        (lines, key)
    }

    /// What a column is called outside, each name once.
    fn field_name(&self, (column, guess): (&str, &Guess), prefix: Option<&str>, used: &mut Vec<String>) -> String {
        let mut name = field(column, prefix);
        if let Some(of) = guess.number_of()
            && let Some(stem) = name.strip_suffix("Id")
            && !stem.is_empty()
        {
            name = match self.names.get(of) {
                Some(entity) if stem == parts(column).first().map_or("", String::as_str) => field(entity, None),
                _ => stem.to_owned(),
            };
        }
        let mut free = name.clone();
        let mut number = 2;
        while used.contains(&free) {
            free = format!("{name}{number}");
            number += 1;
        }
        used.push(free.clone());
        free
    }
}

/// Several things in one table: what an entity of each would be.
fn several(table: &Surveyed, name: &str) -> String {
    let Some(kinds) = &table.kinds else {
        return String::new();
    };
    let mut text = format!(
        "# guess: several things in one table, told apart by {}: only some of them have {}.\n# decide: an entity for each, such as",
        kinds.column,
        kinds.told_by.join(", ")
    );
    for value in &kinds.values {
        _ = write!(
            text,
            "\n#   [entity.{name}{value}] where = {}",
            quoted(&format!("{} = '{value}'", identifier(&kinds.column)))
        );
    }
    text.push('\n');
    text
}

/// What the events need of the old row, where the identity does not give it.
fn of_identity(table: &Surveyed) -> String {
    use crate::flow::table::ReplicaIdentity;
    if table.facts.identity.kind == ReplicaIdentity::Full {
        return String::new();
    }
    format!(
        "# decide: events of changes and removals need the old row: {}\n# or take these events out; `walbridge check` says what the rest needs.\n",
        table.facts.name.full_identity_sql()
    )
}
