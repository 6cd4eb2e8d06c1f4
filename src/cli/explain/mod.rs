//! `walbridge explain`: what will be published, and what every part of it rests on.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};

use crate::cli::say::{complain, say};
use crate::cli::{ConfigFile, Exit, columns, findings, prepare};
use crate::config::{self, Colour, Config};
use crate::finding::{Cause, Finding, nearest_or_list};
use crate::flow::table::TableName;
use crate::mapping::explained::Explained;
use crate::source::postgres::publication::{Membership, Publications};

mod document;
mod mermaid;
#[cfg(test)]
mod tests;
mod text;
mod words;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Only this one [default: all, in the config's order]
    #[arg(value_name = "ENTITY")]
    entity: Option<String>,
    /// How it is printed
    #[arg(
        long,
        value_enum,
        value_name = "text|json|mermaid",
        hide_possible_values = true,
        default_value = "text"
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For machines: one document
    Json,
    /// A picture of tables, entities and topics
    Mermaid,
}

/// What is explained.
struct Ground<'a> {
    config: &'a Config,
    publications: &'a Publications,
}

/// Looks at the catalogue, and prints what the config means on it.
pub(super) fn explain(arguments: &Arguments) -> Exit {
    let loaded = match config::load_for_rows(&arguments.file.config) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    let config = &loaded.config;
    if let Some(name) = &arguments.entity
        && let Some(unknown) = unknown(config, name)
    {
        complain!("{unknown}");
        return findings::exit(&[unknown]);
    }
    let seen = match prepare::looked_at(config) {
        Ok(seen) => seen,
        Err(finding) => {
            complain!("{finding}");
            return findings::exit(&[*finding]);
        }
    };
    let is_of = |finding: &&Finding| arguments.entity.as_ref().is_none_or(|name| concerns(finding, name));
    let found: Vec<Finding> = seen.findings.iter().filter(is_of).cloned().collect();
    findings::print(&found, &loaded.sources);
    let is_asked = |one: &Explained<'_>| arguments.entity.as_ref().is_none_or(|name| *name == one.entity.name);
    let mut explained = seen.mapping.explained(&config.entities, &seen.catalog);
    explained.retain(is_asked);
    let ground = Ground {
        config,
        publications: &seen.publications,
    };
    match arguments.format {
        Format::Text => {
            let colour = if std::io::stdout().is_terminal() {
                Colour::Yes
            } else {
                Colour::No
            };
            let lines = text::lines(&ground, &explained, (columns::width(), colour));
            lines.iter().for_each(|line| say!("{line}"));
        }
        Format::Json => say!("{:#}", document::document(&ground, &explained)),
        Format::Mermaid => say!("{}", mermaid::picture(&explained)),
    }
    findings::exit(&found)
}

/// Whether a finding is about an entity, or about none.
fn concerns(finding: &Finding, entity: &str) -> bool {
    let path = finding.place.as_ref().map_or("", |place| place.path.as_str());
    match path.strip_prefix("entity.") {
        Some(rest) => rest.split('.').next() == Some(entity),
        None => true,
    }
}

fn unknown(config: &Config, name: &str) -> Option<Finding> {
    let known: Vec<&str> = config.entities.iter().map(|entity| entity.name.as_str()).collect();
    (!known.contains(&name)).then(|| {
        Finding::error(
            Cause::Config,
            "config.unknown_entity",
            format!("no entity is called {name}"),
        )
        .repair(nearest_or_list(name, &known))
    })
}

impl Ground<'_> {
    /// Publications that tell of a table, by name.
    fn telling(&self, table: &TableName) -> Vec<(&str, &Membership)> {
        let all = self.publications.iter();
        all.filter_map(|(name, facts)| Some((name.as_str(), facts.members.get(table)?)))
            .collect()
    }
}
