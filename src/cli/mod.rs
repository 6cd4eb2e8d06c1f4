//! The command line: one file a command; the only room that prints.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

mod backfill;
mod check;
mod columns;
mod explain;
mod findings;
mod init;
mod logs;
mod prepare;
mod preview;
mod recover;
mod retyped;
mod run;
mod running;
mod say;
mod schema;
mod setup;
mod status;
mod stopping;

/// Carries committed changes of a legacy PostgreSQL database into Kafka, as the domain events that a config declares,
/// exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "walbridge",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done · 1 halted, an operator must act · 2 command line or config wrong · \
3 a transient fault lasted too long (start it again) · 4 another bridge of this name took over"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// How logs are written to stderr [default: text on a terminal, else json]
    #[arg(long, global = true, value_name = "text|json", hide_possible_values = true)]
    log: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry changes until SIGTERM or SIGINT
    Run(run::Arguments),
    /// Begin a config from the catalogue and a sample of rows, with guesses marked as such
    Init(init::Arguments),
    /// Read everything, write nothing, and say what must be put right
    Check(check::Arguments),
    /// Show rows, or changes as they come, as they would be told; needs no Kafka
    Preview(preview::Arguments),
    /// Lay open what will be published, and what it rests on
    Explain(explain::Arguments),
    /// Print the contracts of what is told, or the config's own
    Schema(schema::Arguments),
    /// Show the SQL and the topics that the bridge needs, or make them
    Setup(setup::Arguments),
    /// Ask a running bridge to tell old rows again, or how far it is
    Backfill(backfill::Arguments),
    /// One page from the running bridge; exit 0 only if it is ready
    Status(status::Arguments),
    /// After a lost history: say what was lost, and begin anew with a new slot
    Recover(recover::Arguments),
}

#[derive(Clone, Debug, Args)]
struct ConfigFile {
    /// The config
    #[arg(short, long = "config", value_name = "FILE")]
    config: PathBuf,
}

/// How long a server may look for rows of one table, in s, where nobody says otherwise, and at most.
const LOOK_SECONDS: u64 = 30;
const LOOK_SECONDS_MAX: u64 = 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// For machines: one object a line
    Json,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Halted = 1,
    Config = 2,
    GaveUp = 3,
    Fenced = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Halted => 1,
            Exit::Config => 2,
            Exit::GaveUp => 3,
            Exit::Fenced => 4,
        })
    }
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let versions = versions();
    let command = Arguments::command().long_version(versions.clone()).version(versions);
    // A wrong command line ends here, with exit code 2.
    let arguments = match Arguments::from_arg_matches(&command.get_matches()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    let terminal = std::io::stderr().is_terminal();
    let format = arguments
        .log
        .unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    // What librdkafka has to say meanwhile, the findings of these say better.
    let tells = matches!(arguments.command, Command::Check(_) | Command::Explain(_));
    let said = if tells { "error" } else { "info" };
    logs::start(format, said);
    let exit = match arguments.command {
        Command::Run(arguments) => run::run(&arguments, format),
        Command::Init(arguments) => init::init(&arguments, format),
        Command::Check(arguments) => check::check(&arguments),
        Command::Preview(arguments) => preview::preview(&arguments, format),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Schema(arguments) => schema::schema(&arguments),
        Command::Setup(arguments) => setup::setup(&arguments, format),
        Command::Backfill(arguments) => backfill::backfill(&arguments, format),
        Command::Status(arguments) => status::status(&arguments, format),
        Command::Recover(arguments) => recover::recover(&arguments, format),
    };
    let exit = if exit == Exit::Done && say::is_incomplete() {
        Exit::GaveUp
    } else {
        exit
    };
    exit.into()
}

/// Our version, and those of the libraries whose behaviour matters.
fn versions() -> String {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let openssl = openssl::version::version();
    format!(
        "{}\nlibrdkafka {librdkafka} ({openssl})\nrustls {RUSTLS}",
        env!("CARGO_PKG_VERSION")
    )
}

/// rustls does not tell its version; a test holds this against the lock file.
const RUSTLS: &str = "0.23.46";

/// A name of this process among those that ever wrote for its bridge.
fn nonce() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_of_rustls_is_that_of_the_lock_file() {
        let lock = include_str!("../../Cargo.lock");
        let entry = format!("name = \"rustls\"\nversion = \"{}\"\n", super::RUSTLS);
        assert!(lock.contains(&entry), "Cargo.lock has another rustls");
    }
}
