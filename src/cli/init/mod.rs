//! `walbridge init`: a starter config from the catalogue, with guesses that are marked as such.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::init::survey::survey;
use crate::cli::init::write::{Frame, write};
use crate::cli::say::{complain, say};
use crate::cli::{Exit, LogFormat, findings};
use crate::config::Sources;
use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::sample::Sampler;
use crate::source::postgres::settings::{Tls, Trust};
use crate::source::postgres::sql::anew::{Entered, Named};

mod guess;
mod survey;
mod write;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The legacy database, such as postgresql://USER@HOST/DATABASE; a password may stand in PGPASSWORD, and never gets into the config
    #[arg(long, value_name = "URL")]
    source: String,
    /// Schemas to look at [default: all but the system's]
    #[arg(value_name = "SCHEMA")]
    schemas: Vec<String>,
    /// PEM file with the authorities that may vouch for the server
    #[arg(long, value_name = "FILE")]
    root_cert: Option<PathBuf>,
    /// The name of the bridge [default: the database's]
    #[arg(long)]
    name: Option<String>,
    /// Where to write it; never over a file that is there [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Looks, and writes.
pub(super) fn init(arguments: &Arguments, format: LogFormat) -> Exit {
    match begin(arguments) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let finding = match error {
                SourceError::Halt(finding) => *finding,
                SourceError::Transient(why) => {
                    let what = "cannot look at the legacy database";
                    let finding = Finding::error(Cause::Surroundings, "source.unreachable", what);
                    finding
                        .because(why)
                        .repair("correct the URL of --source, or make the server reachable from here")
                }
            };
            findings::halt(&finding, &Sources::default(), format);
            findings::exit(std::slice::from_ref(&finding))
        }
    }
}

fn begin(arguments: &Arguments) -> Result<(), SourceError> {
    let refused = |what: String, repair: &str| {
        let finding = Finding::error(Cause::Config, "init.out", what);
        SourceError::Halt(Box::new(finding.repair(repair)))
    };
    if let Some(out) = &arguments.out
        && out.exists()
    {
        return Err(refused(
            format!("{} is there already", out.display()),
            "name another file",
        ));
    }
    let trust = Trust {
        root_cert: arguments.root_cert.clone(),
        ..Trust::of(Tls::VerifyFull)
    };
    let named = Named::read("--source", &arguments.source, &trust)?;
    let (sql, Entered { url, database }) = named.enter()?;
    let mut sampler = Sampler::begin(sql)?;
    let found = survey(&mut sampler, &arguments.schemas)?;
    let name = arguments.name.clone().unwrap_or_else(|| bridge_name(&database));
    let root_cert = arguments.root_cert.as_deref().map(whole);
    let frame = Frame {
        name: &name,
        url: &url,
        root_cert: root_cert.as_deref(),
    };
    let written = write(&found, &frame);
    match &arguments.out {
        None => say!("{}", written.text),
        Some(out) => std::fs::write(out, &written.text)
            .map_err(|error| refused(format!("cannot write {}: {error}", out.display()), "name another file"))?,
    }
    let (tables, entities, guesses) = (found.tables.len(), written.entities, written.guesses);
    complain!("\n{tables} tables, {entities} entities, {guesses} guesses to look at: grep -nE 'guess|decide' FILE");
    complain!("next: walbridge check --offline -c FILE, then walbridge preview -c FILE");
    Ok(())
}

/// A path that means the same from the config's folder.
fn whole(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    whole.to_string_lossy().into_owned()
}

/// Longer names leave no room in those of slot and publication.
const NAME_BYTES_MAX: usize = 45;

/// The database's name, as a bridge may be called.
fn bridge_name(database: &str) -> String {
    let letters = database.to_lowercase();
    let name: String = letters
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .take(NAME_BYTES_MAX)
        .collect();
    if name.trim_matches('_').is_empty() {
        "legacy".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_is_called_as_its_database_where_it_may_be() {
        assert_eq!(bridge_name("Shop-1"), "shop_1");
        assert_eq!(bridge_name("\u{5e97}"), "legacy");
        assert_eq!(bridge_name(&"long".repeat(15)).len(), NAME_BYTES_MAX);
    }
}
