//! `walbridge status`: one page from the running bridge, and whether it is ready. What a container without a shell is asked by.

use clap::Args;
use serde_json::Value;

use crate::cli::check::Format;
use crate::cli::running::{UNREACHABLE, bridge, unread};
use crate::cli::say::say;
use crate::cli::{ConfigFile, Exit, LogFormat, findings};
use crate::config;
use crate::finding::Finding;

mod page;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ready · 1 it runs and is not ready, or another one answers · 2 command line or \
config wrong · 3 nobody answers"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// How it is printed
    #[arg(
        long,
        value_enum,
        value_name = "text|json",
        hide_possible_values = true,
        default_value = "text"
    )]
    format: Format,
}

/// Asks, and prints what the bridge says of itself.
pub(super) fn status(arguments: &Arguments, format: LogFormat) -> Exit {
    // Where the bridge listens is all that is needed: no secret is read.
    let config = match config::load_without_secrets(&arguments.file.config) {
        Ok(loaded) => loaded.config,
        Err(invalid) => return findings::refuse(&invalid),
    };
    match bridge(&config).and_then(|(_, seen)| show(seen, arguments.format)) {
        Ok(exit) => exit,
        Err(finding) if finding.code == UNREACHABLE => {
            findings::fail(&finding, format);
            Exit::GaveUp
        }
        Err(finding) => findings::fail(&finding, format),
    }
}

fn show(seen: Value, format: Format) -> Result<Exit, Box<Finding>> {
    let Some(ready) = seen.get("ready").and_then(Value::as_bool) else {
        return Err(unread("it does not say whether it is ready"));
    };
    match format {
        Format::Json => say!("{seen:#}"),
        Format::Text => {
            let seen: page::Seen = serde_json::from_value(seen).map_err(|error| unread(&error.to_string()))?;
            say!("{}", page::draw(&seen));
        }
    }
    Ok(if ready { Exit::Done } else { Exit::Halted })
}
