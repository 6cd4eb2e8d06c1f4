//! `walbridge init`: a starter config from the catalogue, with guesses that are marked as such.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::cli::init::survey::survey;
use crate::cli::init::write::{Frame, write};
use crate::cli::say::{complain, say};
use crate::cli::{Exit, LOOK_SECONDS, LOOK_SECONDS_MAX, LogFormat, findings};
use crate::config::Sources;
use crate::finding::{Cause, Finding};
use crate::source::SourceError;
use crate::source::postgres::sample::Sampler;
use crate::source::postgres::settings::{Tls, Trust};
use crate::source::postgres::sql::anew::{Entered, Named};

mod checked;
mod guess;
mod options;
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
    /// How long the server may look for rows of a table
    #[arg(long, value_name = "N", default_value_t = LOOK_SECONDS, value_parser = clap::value_parser!(u64).range(1..=LOOK_SECONDS_MAX))]
    look_seconds: u64,
    /// The name of the bridge [default: the database's]
    #[arg(long)]
    name: Option<String>,
    /// Where to write it; never over a file that is there [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Looks, and writes.
pub(super) fn init(arguments: &Arguments, format: LogFormat) -> Exit {
    let stopped = match begin(arguments) {
        Ok(None) => return Exit::Done,
        Ok(Some(stopped)) => stopped,
        Err(SourceError::Halt(finding)) => options::without_config(*finding),
        Err(SourceError::Transient(why)) => {
            let what = "cannot look at the legacy database";
            let finding = Finding::error(Cause::Surroundings, "source.unreachable", what);
            finding
                .because(why)
                .repair("correct the URL of --source, or make the server reachable from here")
        }
    };
    findings::halt(&stopped, &Sources::default(), format);
    findings::exit(std::slice::from_ref(&stopped))
}

/// What is wrong with what was written, where something is.
fn begin(arguments: &Arguments) -> Result<Option<Finding>, SourceError> {
    refuse_arguments(arguments)?;
    let trust = Trust {
        root_cert: arguments.root_cert.clone(),
        ..Trust::of(Tls::VerifyFull)
    };
    let named = Named::read("--source", &arguments.source, &trust)?;
    let (sql, entered) = named.enter()?;
    let Entered {
        url,
        database,
        root_cert,
    } = entered;
    let mut sampler = Sampler::begin(sql, Duration::from_secs(arguments.look_seconds))?;
    let found = survey(&mut sampler, &arguments.schemas)?;
    if found.tables.is_empty() {
        return Ok(Some(no_tables(&database, &arguments.schemas)));
    }
    let name = arguments.name.clone().unwrap_or_else(|| bridge_name(&database));
    let root_cert = root_cert.as_deref().map(whole);
    let frame = Frame {
        name: &name,
        url: &url,
        root_cert: root_cert.as_deref(),
    };
    let written = write(&found, &frame);
    match &arguments.out {
        None => say!("{}", written.text),
        Some(out) => store(out, &written.text).map_err(|error| {
            // It took long to find out; who reads this can keep it.
            say!("{}", written.text);
            let what = format!("cannot write {}: {error}; so it is on stdout", out.display());
            refused(what, "name another file, or keep what was printed")
        })?,
    }
    let (tables, entities, guesses) = (found.tables.len(), written.entities, written.guesses);
    complain!("\n{tables} tables, {entities} entities, {guesses} guesses to look at: grep -nE 'guess|decide' FILE");
    if entities == 0 {
        return Ok(Some(nothing_told()));
    }
    let name = arguments.out.as_deref().unwrap_or(Path::new("what was written"));
    let faults = checked::faults(&written.text, name, &found.catalog);
    if !faults.findings.is_empty() {
        findings::print(&faults.findings, &faults.sources);
        return Ok(Some(checked::own_fault(faults.findings.len())));
    }
    complain!("next: walbridge check --offline -c FILE, then walbridge preview -c FILE");
    Ok(None)
}

/// Writes a file that is not there.
fn store(out: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(out)?;
    file.write_all(text.as_bytes())
}

fn refused(what: String, repair: &str) -> SourceError {
    let finding = Finding::error(Cause::Config, "init.out", what);
    SourceError::Halt(Box::new(finding.repair(repair)))
}

/// What can be said before anything is looked at.
fn refuse_arguments(arguments: &Arguments) -> Result<(), SourceError> {
    if let Some(out) = &arguments.out
        && out.exists()
    {
        let what = format!("{} is there already", out.display());
        return Err(refused(what, "name another file"));
    }
    let is_plain = |name: &String| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain)
    };
    if let Some(name) = &arguments.name
        && !is_plain(name)
    {
        let what = format!("--name must be of a-z, 0-9 and _, at most {NAME_BYTES_MAX} of them");
        let finding = Finding::error(Cause::Config, "init.name", what);
        return Err(SourceError::Halt(Box::new(
            finding.repair(format!("--name {}", bridge_name(name))),
        )));
    }
    Ok(())
}

/// Nothing was found to write of.
fn no_tables(database: &str, schemas: &[String]) -> Finding {
    let (what, repair) = if schemas.is_empty() {
        (
            format!("the database {database} has no table of its own"),
            "name the legacy database in the URL of --source",
        )
    } else {
        (
            format!("no table is in {} of the database {database}", schemas.join(", ")),
            "name schemas as \\dn of psql shows them, letter by letter, or none for all",
        )
    };
    Finding::error(Cause::Config, "init.nothing", what).repair(repair)
}

/// Tables were found, and none with a key.
fn nothing_told() -> Finding {
    let what = "no table that was found has a key, so there is no entity yet";
    Finding::error(Cause::Surroundings, "init.nothing", what)
        .because("check refuses a config without an entity; what was written says of each table what it lacks")
        .repair("give a table a primary key, or a unique constraint over columns that are never null, and begin again")
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
