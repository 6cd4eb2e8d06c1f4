//! `walbridge init`: a starter config from the catalogue, with guesses that are marked as such.

use std::path::PathBuf;

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
use crate::source::postgres::sql::Sql;

mod guess;
mod survey;
mod write;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The legacy database, such as postgresql://USER@HOST/DATABASE; a password may stand in PGPASSWORD
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
    let mut sampler = Sampler::begin(Sql::connect_as(&arguments.source, &trust)?)?;
    let found = survey(&mut sampler, &arguments.schemas)?;
    let url = without_password(&arguments.source);
    let name = arguments.name.clone().unwrap_or_else(|| bridge_name(&url));
    let written = write(&found, &Frame { name: &name, url: &url });
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

/// Secrets never stand in a config.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let authority = match authority.rsplit_once('@') {
        Some((login, server)) => format!("{}@{server}", login.split_once(':').map_or(login, |(user, _)| user)),
        None => authority.to_owned(),
    };
    let path = path.map(|path| match path.split_once('?') {
        None => path.to_owned(),
        Some((database, query)) => {
            let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("password=")).collect();
            if kept.is_empty() {
                database.to_owned()
            } else {
                format!("{database}?{}", kept.join("&"))
            }
        }
    });
    path.map_or_else(
        || format!("{scheme}://{authority}"),
        |path| format!("{scheme}://{authority}/{path}"),
    )
}

/// The database's name, as a bridge may be called.
fn bridge_name(url: &str) -> String {
    let path = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or("", |(_, path)| path);
    let database = path.split('?').next().unwrap_or_default().to_lowercase();
    let name: String = database
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
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
    fn a_password_does_not_get_into_the_config() {
        for (url, expected) in [
            (
                "postgresql://a:b@h:1/d?sslmode=require",
                "postgresql://a@h:1/d?sslmode=require",
            ),
            ("postgresql://a@h/d?password=b", "postgresql://a@h/d"),
            (
                "postgresql://a@h/d?password=b&sslmode=require",
                "postgresql://a@h/d?sslmode=require",
            ),
            ("postgresql://h", "postgresql://h"),
        ] {
            assert_eq!(without_password(url), expected);
        }
        assert_eq!(bridge_name("postgresql://a@h/Shop-1?x=y"), "shop_1");
        assert_eq!(bridge_name("postgresql://a@h"), "legacy");
    }
}
