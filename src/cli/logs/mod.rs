//! Logs on stderr: text for people, JSON for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;

pub(super) mod bar;
pub(super) mod progress;

/// Begins to log, from a level on unless `WALBRIDGE_LOG` says otherwise; librdkafka's own lines come with their level.
pub(super) fn start(format: LogFormat, from: &str) {
    let filter = EnvFilter::try_from_env("WALBRIDGE_LOG").unwrap_or_else(|_| EnvFilter::new(from));
    let to_stderr = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| bar::Above)
        .with_target(false);
    match format {
        LogFormat::Text => to_stderr.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => to_stderr.json().flatten_event(true).init(),
    }
}
