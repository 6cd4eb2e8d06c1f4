//! `walbridge schema`: the contracts of what is told, and the config's own.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::bridge::Markers;
use crate::cli::say::{complain, say};
use crate::cli::{Exit, findings, prepare};
use crate::config::{self, Config};
use crate::contract::{Contract, Naming, asyncapi};
use crate::finding::{Cause, Finding, nearest_or_list};

/// The config's JSON Schema, for editors.
const CONFIG: &str = include_str!("../../../config/walbridge.schema.json");
/// Digits of the mapping's fingerprint that the document shows.
const VERSION_DIGITS: usize = 12;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The config
    #[arg(short = 'c', value_name = "FILE", required_unless_present = "own")]
    file: Option<PathBuf>,
    /// An event, or an entity whose states are meant: its JSON Schema alone [default: all, as one AsyncAPI document]
    #[arg(value_name = "TYPE")]
    kind: Option<String>,
    /// Write all of it into this folder: asyncapi.json, and a JSON Schema for each type and version
    #[arg(long, value_name = "DIR", conflicts_with = "kind")]
    out: Option<PathBuf>,
    /// The config's own JSON Schema, for editors; needs no config
    #[arg(long = "config", id = "own", conflicts_with_all = ["file", "kind", "out"])]
    own: bool,
}

/// Prints it, or writes it into files.
pub(super) fn schema(arguments: &Arguments) -> Exit {
    let Some(file) = &arguments.file else {
        say!("{}", CONFIG.trim_end());
        return Exit::Done;
    };
    let loaded = match config::load_for_rows(file) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    let config = &loaded.config;
    let seen = match prepare::looked_at(config) {
        Ok(seen) => seen,
        Err(finding) => return failed(*finding),
    };
    findings::print(&seen.findings, &loaded.sources);
    let exit = findings::exit(&seen.findings);
    if exit != Exit::Done {
        return exit;
    }
    let contracts = seen.mapping.contracts();
    let told = match (&arguments.kind, &arguments.out) {
        (Some(kind), _) => one(config, &contracts, kind).map(|document| say!("{document:#}")),
        (None, Some(folder)) => write(config, &contracts, folder),
        (None, None) => {
            say!("{:#}", whole(config, &contracts));
            Ok(())
        }
    };
    told.map_or_else(|finding| failed(*finding), |()| Exit::Done)
}

fn failed(finding: Finding) -> Exit {
    complain!("{finding}");
    findings::exit(&[finding])
}

fn naming(config: &Config) -> Naming<'_> {
    let names = &config.cloudevents;
    Naming {
        source: &names.source,
        type_prefix: &names.type_prefix,
        dataschema_prefix: &names.dataschema_prefix,
    }
}

fn whole(config: &Config, contracts: &[Contract]) -> Value {
    let fingerprint = config::fingerprint(config);
    let about = asyncapi::About {
        bridge: &config.name,
        version: fingerprint.get(..VERSION_DIGITS).unwrap_or(&fingerprint),
        markers: match config.backfill.markers {
            Markers::Told => asyncapi::Markers::Told,
            Markers::Left => asyncapi::Markers::Left,
        },
    };
    asyncapi::document(contracts, &naming(config), &about)
}

fn one(config: &Config, contracts: &[Contract], kind: &str) -> Result<Value, Box<Finding>> {
    let found = contracts.iter().find(|contract| contract.name == kind);
    found.map(|contract| contract.document(&naming(config))).ok_or_else(|| {
        let known: Vec<&str> = contracts.iter().map(|contract| contract.name.as_str()).collect();
        let what = format!("no event and no entity with a state topic is called {kind}");
        let finding = Finding::error(Cause::Config, "config.unknown_type", what);
        Box::new(finding.repair(nearest_or_list(kind, &known)))
    })
}

fn write(config: &Config, contracts: &[Contract], folder: &Path) -> Result<(), Box<Finding>> {
    let unwritable = |path: &Path, error: &std::io::Error| {
        let what = format!("cannot write {}: {error}", path.display());
        let finding = Finding::error(Cause::Surroundings, "schema.unwritable", what);
        Box::new(finding.repair("name a folder that may be written to: --out DIR"))
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let schemas = contracts.iter().map(|contract| {
        let name = format!("{}.{}.json", contract.name, contract.version);
        (name, contract.document(&naming(config)))
    });
    let all = std::iter::once(("asyncapi.json".to_owned(), whole(config, contracts))).chain(schemas);
    for (name, document) in all {
        let path = folder.join(name);
        std::fs::write(&path, format!("{document:#}\n")).map_err(|error| unwritable(&path, &error))?;
        say!("{}", path.display());
    }
    Ok(())
}
