//! `walbridge check`: reads everything, writes nothing.

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::backfill::ledger::NeverTold;
use crate::bridge::{Accept, undecided};
use crate::cli::say::say;
use crate::cli::{ConfigFile, Exit, findings, prepare};
use crate::config::{self, Config, SinkChoice, Sources};
use crate::finding::{Cause, Finding, Severity};
use crate::flow::checkpoint::Checkpoint;
use crate::mapping::compile::syntax;
use crate::mapping::difference::{Difference, Means, differences};
use crate::sink::{SinkError, kafka};
use crate::source::postgres;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Connect to nothing: look at the config alone
    #[arg(long)]
    offline: bool,
    /// How findings are printed
    #[arg(
        long,
        value_enum,
        value_name = "text|json",
        hide_possible_values = true,
        default_value = "text"
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For machines: one document
    Json,
}

/// Looks, and prints what there is to say.
pub(super) fn check(arguments: &Arguments) -> Exit {
    let path = &arguments.file.config;
    let loaded = if arguments.offline {
        config::load_offline(path)
    } else {
        config::load(path)
    };
    let (found, sources, config) = match loaded {
        Ok(loaded) => (loaded.warnings, loaded.sources, Some(loaded.config)),
        Err(invalid) => (invalid.findings, invalid.sources, None),
    };
    let mut found = found;
    if let Some(config) = &config {
        found.extend(if arguments.offline {
            syntax(&config.entities)
        } else {
            surroundings(config)
        });
    }
    let mut told: Vec<Finding> = Vec::new();
    for finding in found {
        // The same thing may be seen from two sides.
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    match arguments.format {
        Format::Text => print_text(&told, &sources, config.as_ref()),
        Format::Json => print_json(&told),
    }
    findings::exit(&told)
}

fn print_text(found: &[Finding], sources: &Sources, config: Option<&Config>) {
    findings::print_to_stdout(found, sources);
    let of = |severity, one: &str| match findings::count(found, severity) {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let counts = format!(
        "{}, {}, {}",
        of(Severity::Error, "error"),
        of(Severity::Warning, "warning"),
        of(Severity::Note, "note")
    );
    match config {
        Some(config) => say!(
            "{}: entities {}, tables {}: {counts}",
            config.name,
            config.entities.len(),
            config.source.tables.len()
        ),
        None => say!("{counts}"),
    }
}

fn print_json(found: &[Finding]) {
    let document = json!({
        "errors": findings::count(found, Severity::Error),
        "warnings": findings::count(found, Severity::Warning),
        "notes": findings::count(found, Severity::Note),
        "findings": found.iter().map(Finding::document).collect::<Vec<_>>(),
    });
    say!("{document:#}");
}

/// Findings about the database, the mapping on it, Kafka, and the position that stands between them.
fn surroundings(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let catalog = match postgres::preflight::preflight(&config.source) {
        Ok(of_source) => {
            found.extend(of_source.findings);
            Some((of_source.catalog, of_source.publications))
        }
        Err(error) => {
            found.push(prepare::of_source(config, error));
            None
        }
    };
    let mut settings = config.kafka.clone();
    if let Some((catalog, publications)) = &catalog {
        match prepare::prepare(config, catalog) {
            Ok(prepared) => {
                found.extend(prepared.findings);
                found.extend(prepare::hidden(&prepared.mapping, publications));
                let (targets, refused) = prepare::targets(config, &prepared.mapping, catalog);
                found.extend(refused);
                let unreadable = prepare::unreadable(config, &targets, catalog);
                found.retain(|note| unreadable.iter().all(|error| error.what != note.what));
                found.extend(unreadable);
                settings = prepared.kafka;
            }
            Err(refused) => found.extend(refused),
        }
    }
    let starts = found.iter().all(|finding| finding.severity != Severity::Error);
    if config.sink == SinkChoice::Kafka {
        let of_kafka = kafka::preflight(&settings);
        // One that is missing may have been there: the position says so.
        let stops = |finding: &Finding| finding.severity == Severity::Error && finding.code != "kafka.topic_missing";
        let reachable = !of_kafka.iter().any(stops);
        found.extend(of_kafka);
        if catalog.is_some() && reachable {
            let mut of_position = position(config, &settings);
            // What the next start would do, where it would be one.
            of_position.retain(|finding| starts || finding.code != "mapping.changed");
            // What is missing may have been there: the position says so, and that making it again is no repair.
            let gone = [
                "source.position_without_slot",
                "source.publication_gone",
                "source.table_left",
                "kafka.position_gone",
            ];
            if of_position.iter().any(|f| gone.contains(&f.code)) {
                found.retain(|finding| !prepare::may_be_lost(finding));
            }
            if of_position.iter().any(|finding| finding.code == "kafka.topic_lost") {
                found.retain(|finding| finding.code != "kafka.topic_missing");
            }
            found.extend(of_position);
        }
    }
    found
}

/// Whether the stored position, the slot and the topics belong together (promise I5).
fn position(config: &Config, settings: &kafka::settings::Settings) -> Vec<Finding> {
    let stored = match kafka::read_position(settings) {
        Ok(stored) => stored,
        Err(error) => return vec![of_sink(error)],
    };
    if stored.is_none() {
        match kafka::position_gone(settings, &kafka::Stop::default()) {
            Ok(None) => {}
            Ok(Some(finding)) => return vec![finding],
            Err(error) => return vec![of_sink(error)],
        }
    }
    let mut found = stored
        .as_ref()
        .map(|stored| changed(config, stored))
        .unwrap_or_default();
    let topics = stored
        .as_ref()
        .map_or(Ok(Vec::new()), |stored| kafka::moved(settings, stored));
    let slot = postgres::compare(&config.source, stored);
    found.extend(slot.err().map(|error| prepare::of_source(config, error)));
    match topics {
        Ok(moved) => found.extend(moved.iter().map(kafka::Moved::finding)),
        Err(error) => found.push(of_sink(error)),
    }
    found
}

/// What consumers will see of what is declared otherwise than when it was last told.
fn changed(config: &Config, stored: &Checkpoint) -> Vec<Finding> {
    let Some(declared) = &stored.declared else {
        return Vec::new();
    };
    let now = config::declarations(config);
    let differences = differences(declared, &now);
    let tells = |entity: &String| {
        let has_state = now.get(entity).is_some_and(|one| one.state_topic.is_some());
        has_state && config.backfill.on_start == NeverTold::Tell
    };
    let note = |one: &Difference| {
        let what = format!("{} {}", one.entity, one.says);
        let finding = Finding::note(Cause::Surroundings, "mapping.changed", what);
        let old_rows = stored.backfill.as_ref().and_then(|told| told.entities.get(&one.entity));
        finding.because(match one.means {
            Means::Nothing => "what is in its topics stays as it is",
            Means::Begin if tells(&one.entity) => "the next start tells its old rows, and then what changes",
            Means::Begin => "its topics begin with what changes from the next start on",
            Means::TellAgain if old_rows.is_none() && config.backfill.on_start == NeverTold::Leave => {
                "its old rows were never told: what the stream told before stays as it is, until somebody asks for a \
                 backfill"
            }
            Means::TellAgain => {
                "the next start tells all its rows again, and gives a tombstone to each key in its topic that is no \
                 longer the entity"
            }
            Means::Decide => "the next start waits for an operator",
            Means::NewTopic => "the next start waits for new topics",
        })
    };
    let undecided = undecided(&differences, Accept::No);
    differences.iter().map(note).chain(undecided).collect()
}

fn of_sink(error: SinkError) -> Finding {
    match error {
        SinkError::Halt(finding) => *finding,
        SinkError::Transient(_) | SinkError::Overrun(_) | SinkError::Fenced { .. } => {
            Finding::warning(Cause::Surroundings, "kafka.position_unread", error.to_string())
        }
    }
}
