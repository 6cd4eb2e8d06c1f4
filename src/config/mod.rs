//! The config: complete and valid, with all findings of a load at once.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::backfill::ledger::NeverTold;
use crate::backfill::pace;
use crate::bridge::Markers;
use crate::finding::{Finding, Place, Severity};
use crate::flow::generation::OnGone;
use crate::mapping::entity::Entity;
use crate::secret::Secret;
use crate::sink;
use crate::source;

mod declared;
mod file;
mod fingerprint;
mod render;
mod resolve;
#[cfg(test)]
mod tests;

pub use declared::declarations;
pub use fingerprint::fingerprint;
pub use render::{Colour, render};

use file::report::{Report, Secrets};

/// A config, complete and valid in form, not yet held against a database.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the bridge.
    pub name: String,
    /// The legacy database, and the tables followed.
    pub source: source::postgres::settings::Settings,
    /// Kafka; `written` and `kinds` are empty until a mapping is compiled.
    pub kafka: sink::kafka::settings::Settings,
    /// What every event carries of us.
    pub cloudevents: CloudEvents,
    /// Health, metrics, status.
    pub http: Http,
    /// Limits.
    pub limits: Limits,
    /// Old rows.
    pub backfill: Backfill,
    /// Entities, in the order of the files.
    pub entities: Vec<Entity>,
    /// Where records go.
    pub sink: SinkChoice,
}

/// `[cloudevents]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvents {
    /// `source` of every event.
    pub source: String,
    /// What stands before an event's name in `type`.
    pub type_prefix: String,
    /// What stands before `NAME:VERSION` in `dataschema`.
    pub dataschema_prefix: String,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Above this lag, in seconds, `/readyz` says no.
    pub ready_lag_seconds_max: u64,
    /// What a request that changes something must bring.
    pub token: Option<Secret>,
}

/// `[backfill]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// What a start tells of entities that were never told.
    pub on_start: NeverTold,
    /// `delete`: what a reload that an operator asks for does with keys whose rows are gone.
    pub on_gone: OnGone,
    /// Whether state topics tell where a telling of old rows begins and ends.
    pub markers: Markers,
    /// How much may be read.
    pub limits: pace::Limits,
    /// Chunks that are read side by side.
    pub readers: usize,
    /// How long one statement may hold its snapshot.
    pub snapshot_max: Duration,
}

impl Default for Backfill {
    fn default() -> Self {
        Self {
            on_start: NeverTold::Tell,
            on_gone: OnGone::Keep,
            markers: Markers::Left,
            limits: pace::Limits {
                rows_per_chunk: 10_000,
                rows_per_second: 0,
                bytes_per_second: 0,
            },
            readers: 1,
            snapshot_max: Duration::from_secs(30),
        }
    }
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Resident memory, in bytes.
    pub memory_bytes_max: usize,
    /// One row as the server sends it, in bytes.
    pub row_bytes_max: usize,
    /// One record, uncompressed, in bytes.
    pub record_bytes_max: usize,
}

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkChoice {
    /// Kafka.
    Kafka,
    /// Standard output, for trying things.
    Stdout,
}

/// The texts that findings point into; a literal secret in them is masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    files: Vec<file::Text>,
}

impl Sources {
    /// Paths of the files read, the config file first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| &*file.name == name)
            .map(|file| file.text.as_str())
    }

    fn mask(&mut self, place: &Place) {
        let span = &place.span;
        for file in self.files.iter_mut().filter(|file| file.name == place.file) {
            let hidden: Option<String> = file.text.get(span.clone()).map(|part| {
                part.bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { '*' })
                    .collect()
            });
            if let Some(hidden) = hidden {
                file.text.replace_range(span.clone(), &hidden);
            }
        }
    }
}

/// A config that may be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// Warnings and notes.
    pub warnings: Vec<Finding>,
    /// Texts of the files.
    pub sources: Sources,
}

/// A config that may not be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot use the config: {}", errors(.findings))]
pub struct Invalid {
    /// All that was found, in the order of the files.
    pub findings: Vec<Finding>,
    /// Texts of the files.
    pub sources: Sources,
}

fn errors(findings: &[Finding]) -> String {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    match findings.iter().filter(is_error).count() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    }
}

/// Whether `zone` of a field can name this time zone.
pub fn is_zone(name: &str) -> bool {
    resolve::is_zone(name)
}

/// Loads a config and what it includes, and sees that its secrets can be read.
///
/// # Errors
/// With every finding, where one of them is an error.
pub fn load(path: &Path) -> Result<Loaded, Invalid> {
    load_with(path, Secrets::Needed, &|name| std::env::var(name).ok())
}

/// Loads a config for work that needs no secret, or asks for the one it needs: none is read.
///
/// # Errors
/// With every finding, where one of them is an error.
pub fn load_without_secrets(path: &Path) -> Result<Loaded, Invalid> {
    load_with(path, Secrets::Unread, &|name| std::env::var(name).ok())
}

/// Loads a config for work on rows that needs no Kafka: as [`load_offline`], but that the secrets of public ids are read,
/// whatever keeps them.
///
/// # Errors
/// With every finding, where one of them is an error.
pub fn load_for_rows(path: &Path) -> Result<Loaded, Invalid> {
    load_with(path, Secrets::OfIds, &|name| std::env::var(name).ok())
}

/// Loads a config for work that connects to nothing: a secret or certificate that cannot be read is a warning, and no program
/// is run for one.
///
/// # Errors
/// With every finding, where one of them is an error.
pub fn load_offline(path: &Path) -> Result<Loaded, Invalid> {
    load_with(path, Secrets::Later, &|name| std::env::var(name).ok())
}

/// Reads a config that is in no file yet, as [`load_offline`] would read it from one of this path.
///
/// # Errors
/// With every finding, where one of them is an error.
pub fn read_offline(text: &str, path: &Path) -> Result<Loaded, Invalid> {
    let main = file::Text {
        name: path.display().to_string().into(),
        text: text.to_owned(),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let mut report = Report::new(&variable, Secrets::Later, folder(path));
    let resolved = resolve::resolve_text(main, path, &mut report);
    loaded(resolved, report)
}

fn load_with(path: &Path, secrets: Secrets, variable: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Invalid> {
    let mut report = Report::new(variable, secrets, folder(path));
    let resolved = resolve::resolve(path, &mut report);
    loaded(resolved, report)
}

fn folder(of: &Path) -> &Path {
    of.parent().unwrap_or(Path::new(""))
}

fn loaded((config, files): (Option<Config>, Vec<file::Text>), report: Report<'_>) -> Result<Loaded, Invalid> {
    let (mut findings, masks) = report.done();
    let mut sources = Sources { files };
    for place in &masks {
        sources.mask(place);
    }
    let order = |finding: &Finding| {
        finding.place.as_ref().map_or((usize::MAX, 0), |place| {
            let file = sources.names().position(|name| name == &*place.file);
            (file.unwrap_or(usize::MAX), place.span.start)
        })
    };
    findings.sort_by_key(order);
    match config {
        Some(config) if findings.iter().all(|finding| finding.severity != Severity::Error) => Ok(Loaded {
            config,
            warnings: findings,
            sources,
        }),
        Some(_) | None => Err(Invalid { findings, sources }),
    }
}
