//! `walbridge recover`: after a lost history says what was lost, and begins a new epoch with a new slot.

mod situation;
mod telling;
mod way;

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Args;

use crate::backfill::ledger::Ledger;
use crate::cli::recover::situation::{Situation, moved_on};
use crate::cli::recover::way::Way;
use crate::cli::say::{complain, say};
use crate::cli::setup::{self, Refused};
use crate::cli::{ConfigFile, Exit, LogFormat, findings, nonce, prepare};
use crate::config::{self, Config, Loaded, SinkChoice, Sources};
use crate::encoding::{About, Control, Encoder};
use crate::finding::{Cause, Finding};
use crate::flow::change::CommitTime;
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::record::Records;
use crate::sink::{SinkError, kafka};
use crate::source::postgres::clock;
use crate::source::postgres::proof::Ground;
use crate::source::postgres::publication;
use crate::source::postgres::setup::{Granted, grant, renew, server};
use crate::source::postgres::sql::Sql;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Connect as this administrator, postgresql://USER@HOST:PORT/DATABASE, in place of the bridge's own role
    #[arg(long = "as", value_name = "URL")]
    administrator: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Says what was lost, asks, and begins anew.
pub(super) fn recover(arguments: &Arguments, format: LogFormat) -> Exit {
    let Loaded {
        config,
        warnings,
        sources,
    } = match config::load(&arguments.file.config) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    findings::print(&warnings, &sources);
    let means = "either nothing was changed, or a bridge that is started now halts and names this command";
    let done = begin(arguments, &config, &sources);
    setup::ended(done, ("recover.unfinished", means), &sources, format)
}

fn begin(arguments: &Arguments, config: &Config, sources: &Sources) -> Result<(), Refused> {
    if config.sink == SinkChoice::Stdout {
        let what = "standard output keeps no position";
        let finding = Finding::error(Cause::Config, "recover.no_position", what);
        return Err(finding.repair("take `sink` out of [bridge]").into());
    }
    let situation = Situation::look(config)?;
    findings::print(&situation.prepared.findings, sources);
    if situation.is_done() {
        say!(
            "Bridge {} is recovered already. Start it: nothing was changed.",
            config.name
        );
        return Ok(());
    }
    let epoch = situation.next_epoch()?;
    telling::tell(config, &situation, epoch);
    let does = match situation.way {
        Way::GoOn => format!("go on in epoch {epoch}"),
        Way::Anew => format!("begin epoch {epoch}"),
    };
    if !(arguments.yes || is_agreed(&does)) {
        let what = format!("nobody agreed to {does}, and nothing was changed");
        let finding = Finding::error(Cause::Surroundings, "recover.unconfirmed", what);
        return Err(finding.repair("walbridge recover -c FILE --yes").into());
    }
    situation.is_still(config)?;
    let to = match (situation.way, &situation.stored) {
        (Way::GoOn, Some(stored)) => go_on(config, &situation, stored)?,
        _ => anew(arguments, config, &situation, epoch)?,
    };
    let verb = match situation.way {
        Way::GoOn => "goes on",
        Way::Anew => "begins",
    };
    say!("\nEpoch {epoch} {verb} at {to}. What comes next:");
    say!("  - Start the bridge: it tells the changes from {to} on, and again the states that are named above.");
    if situation.way == Way::Anew {
        say!(
            "  - Consumers: `sequence` begins with {epoch:04X} from now on, so that guards take what follows for newer."
        );
    }
    if !situation.gaps().is_empty() {
        say!("  - Readers of event topics find a record `<Entity>.gap` where events are missing.");
    }
    Ok(())
}

/// Marks a position that no bridge has stored yet.
const BY: &str = "recover.";

fn by_us() -> String {
    format!("{BY}{}", nonce())
}

/// Asks whoever sits before it.
fn is_agreed(does: &str) -> bool {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return false;
    }
    complain!("\n{does}? [y/N]");
    drop(std::io::stderr().flush());
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Stores the position anew, with topics as they are now. The bridge tells again what they lack.
fn go_on(config: &Config, situation: &Situation, stored: &Checkpoint) -> Result<Lsn, Refused> {
    let kafka = &situation.prepared.kafka;
    make_topics(kafka)?;
    let at = clock::now(&mut Sql::connect(&config.source)?)?;
    let to = stored.commit_end_lsn;
    let mut ledger = Ledger::again(&situation.targets, stored, |entity| situation.has_moved(entity));
    let records = gaps(config, situation, (to, at), &mut ledger);
    let mut checkpoint = Checkpoint {
        nonce: by_us(),
        backfill: Some(ledger.progress().clone()),
        ..stored.clone()
    };
    // The others must still be as they were.
    for moved in &situation.moved {
        checkpoint.partitions.remove(&moved.topic);
        checkpoint.topic_ids.remove(&moved.topic);
    }
    match kafka::store_after(kafka, stored, (&checkpoint, records))? {
        Some(_) => Ok(to),
        None => Err(moved_on(config).into()),
    }
}

/// Does it, in an order in which a bridge that is started in between halts and names this command.
fn anew(arguments: &Arguments, config: &Config, situation: &Situation, epoch: u16) -> Result<Lsn, Refused> {
    let (source, kafka) = (&config.source, &situation.prepared.kafka);
    let mut sql = setup::connect(arguments.administrator.as_deref(), config)?;
    if grant(&mut sql, source)? == Granted::Now {
        say!("\nrole {}: rights granted", source.login.user);
    }
    make_topics(kafka)?;
    let nonce = by_us();
    let publications = publication::read(&mut sql, source)?;
    let ground = Ground::new(source, &situation.catalog, &publications);
    if situation.may_mislead() {
        // Any slot is ahead of this position, and no slot is a halt, too.
        let halting = ground.first(source, &server(&mut sql)?, Lsn::INVALID);
        kafka::store_over(kafka, &situation.carry_over(halting, (situation.epoch, &nonce)))?;
    }
    let renewed = renew(&mut sql, source, &situation.catalog)?;
    for statement in &renewed.statements_run {
        say!("{statement}");
    }
    let publications = publication::read(&mut sql, source)?;
    let ground = Ground::new(source, &situation.catalog, &publications);
    let to = renewed.consistent_lsn;
    let first = ground.first(source, &server(&mut sql)?, to);
    let mut checkpoint = situation.carry_over(first, (epoch, &nonce));
    let mut ledger = Ledger::anew(&situation.targets, &checkpoint);
    let records = gaps(config, situation, (to, renewed.at), &mut ledger);
    checkpoint.backfill = Some(ledger.progress().clone());
    kafka::store_with(kafka, &checkpoint, records)?;
    Ok(to)
}

fn make_topics(kafka: &kafka::settings::Settings) -> Result<(), SinkError> {
    for topic in kafka::create_topics(kafka)? {
        say!("topic {topic}: made");
    }
    match setup::await_leader(kafka) {
        // What is there may be what cannot be read.
        Ok(()) | Err(SinkError::Halt(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// One record for each entity in each of its event topics.
fn gaps(config: &Config, situation: &Situation, (to, time): (Lsn, CommitTime), ledger: &mut Ledger<'_>) -> Records {
    let mut encoder = Encoder::new(&situation.prepared.mapping.kinds, &prepare::encoding(config));
    let mut records = Records::default();
    let reason = situation.found.first().map_or("operator", |finding| finding.code);
    for (kind, of) in situation.gaps() {
        let control = Control {
            kind,
            entity: &of.entity,
            about: About::Gap {
                from: situation.from().filter(|_| situation.way == Way::Anew),
                to,
                reason,
            },
            position: ledger.take(),
            time,
            partition: None,
        };
        encoder.control(&control, &mut records);
    }
    records
}
