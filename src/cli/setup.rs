//! `walbridge setup`: shows what the bridge needs, or makes it.

use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::say::say;
use crate::cli::{ConfigFile, Exit, LogFormat, findings, prepare};
use crate::config::{self, Config, Invalid, Loaded, SinkChoice, Sources};
use crate::finding::{Cause, Finding, Severity};
use crate::flow::catalog::{Access, Catalog, Identity, TableFacts, TableKind};
use crate::flow::checkpoint::Checkpoint;
use crate::flow::position::Lsn;
use crate::flow::table::ReplicaIdentity;
use crate::mapping::entity::Entity;
use crate::sink::SinkError;
use crate::sink::kafka::{self, settings::Holds};
use crate::source::SourceError;
use crate::source::postgres::proof::Ground;
use crate::source::postgres::sql::Sql;
use crate::source::postgres::{self, catalog, publication, setup};

/// How long a new topic may be without a leader.
const LEADER_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Make what is missing; a second time does nothing
    #[arg(long)]
    apply: bool,
    /// Connect as this administrator, postgresql://USER@HOST:PORT/DATABASE, in place of the bridge's own role
    #[arg(long = "as", value_name = "URL")]
    administrator: Option<String>,
    /// Take a slot that somebody made by hand, at its present position
    #[arg(long)]
    adopt: bool,
}

/// Why a set-up ended.
pub(super) enum Refused {
    Findings(Vec<Finding>),
    Transient(String),
}

impl From<Finding> for Refused {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

impl From<SourceError> for Refused {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Halt(finding) => Self::Findings(vec![*finding]),
            SourceError::Transient(why) => Self::Transient(why),
        }
    }
}

impl From<SinkError> for Refused {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Halt(finding) => Self::Findings(vec![*finding]),
            SinkError::Transient(_) | SinkError::Overrun(_) | SinkError::Fenced { .. } => {
                Self::Transient(error.to_string())
            }
        }
    }
}

/// Shows, or does.
pub(super) fn setup(arguments: &Arguments, format: LogFormat) -> Exit {
    let Loaded {
        config,
        warnings,
        sources,
    } = match loaded(arguments) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    findings::print(&warnings, &sources);
    let done = if arguments.apply || arguments.adopt {
        apply(arguments, &config, &sources)
    } else {
        show(arguments, &config)
    };
    let unfinished = ("setup.unfinished", "what was done stays done, and nothing is half done");
    ended(done, unfinished, &sources, format)
}

/// Says how it ended; `unfinished`: the code where a server did not answer, and what that means.
pub(super) fn ended(
    done: Result<(), Refused>,
    unfinished: (&'static str, &str),
    sources: &Sources,
    format: LogFormat,
) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        Err(Refused::Findings(refused)) => {
            let Some((last, before)) = refused.split_last() else {
                return Exit::Halted;
            };
            findings::print(before, sources);
            findings::halt(last, sources, format);
            findings::exit(&refused)
        }
        Err(Refused::Transient(why)) => {
            let (code, means) = unfinished;
            let what = Finding::error(Cause::Surroundings, code, why);
            findings::halt(&what.because(means).repair("run it again"), sources, format);
            Exit::GaveUp
        }
    }
}

/// To show what is needed, no secret is.
fn loaded(arguments: &Arguments) -> Result<Loaded, Invalid> {
    let path = &arguments.file.config;
    if arguments.apply || arguments.adopt {
        config::load(path)
    } else {
        config::load_offline(path)
    }
}

/// As this administrator, or as the bridge's own role.
pub(super) fn connect(administrator: Option<&str>, config: &Config) -> Result<Sql, SourceError> {
    match administrator {
        Some(url) => Sql::connect_as(url, &config.source.login.trust),
        None => Sql::connect(&config.source),
    }
}

fn read_catalog(sql: &mut Sql, config: &Config) -> Result<Catalog, SourceError> {
    catalog::read(sql, &config.source.table_names())
}

/// Makes what is missing, in the order that loses nothing: rights, topics, publications, slot, first position.
fn apply(arguments: &Arguments, config: &Config, sources: &Sources) -> Result<(), Refused> {
    let mut sql = connect(arguments.administrator.as_deref(), config)?;
    let catalog = read_catalog(&mut sql, config)?;
    let prepared = prepare::prepare(config, &catalog).map_err(Refused::Findings)?;
    findings::print(&prepared.findings, sources);
    let tells_kafka = config.sink == SinkChoice::Kafka;
    let stored = if tells_kafka {
        kafka::read_position(&prepared.kafka)?
    } else {
        None
    };
    let present = setup::present(&mut sql, &config.source)?;
    if let Some(stored) = &stored
        && present.slot.is_none()
    {
        return Err(lost(config, stored.commit_end_lsn).into());
    }
    if tells_kafka && stored.is_none() {
        begins(arguments, &prepared.kafka, sources)?;
        if present.slot.is_some() {
            not_of_another(config, (&mut sql, &prepared.kafka))?;
        }
    }
    // Refused before anything is made.
    let hidden = prepare::hidden(&prepared.mapping, &present.publications);
    if !hidden.is_empty() {
        return Err(Refused::Findings(hidden));
    }
    let plan = setup::plan_from(&config.source, &catalog, &present).map_err(Refused::Findings)?;
    let lacking = setup::entitled(&mut sql, &plan)?;
    if !lacking.is_empty() {
        return Err(Refused::Findings(lacking));
    }
    if setup::grant(&mut sql, &config.source)? == setup::Granted::Now {
        say!("role {}: rights granted", config.source.login.user);
    }
    if tells_kafka {
        for topic in kafka::create_topics(&prepared.kafka)? {
            say!("topic {topic}: made");
        }
    }
    let applied = setup::apply(&mut sql, &config.source, &catalog)?;
    for statement in &applied.statements_run {
        say!("{statement}");
    }
    if !tells_kafka {
        if applied.statements_run.is_empty() {
            say!("all of it is there already");
        }
        return Ok(());
    }
    let lsn = match (applied.created_slot, stored) {
        (_, Some(_)) if !applied.statements_run.is_empty() => return Ok(()),
        (_, Some(stored)) => {
            belongs_together(config, &prepared.kafka, stored)?;
            say!("all of it is there already");
            return Ok(());
        }
        (Some(lsn), None) => lsn,
        (None, None) if arguments.adopt => setup::adopt(&mut sql, &config.source)?,
        (None, None) => return Err(unowned(config).into()),
    };
    let publications = publication::read(&mut sql, &config.source)?;
    let ground = Ground::new(&config.source, &catalog, &publications);
    let server = setup::server(&mut sql)?;
    await_leader(&prepared.kafka)?;
    kafka::store_first(&prepared.kafka, &ground.first(&config.source, &server, lsn))?;
    say!("first position: {lsn}");
    Ok(())
}

/// A slot that is there, and of which this bridge has stored nothing, may be another's.
fn not_of_another(config: &Config, (sql, kafka): (&mut Sql, &kafka::settings::Settings)) -> Result<(), Refused> {
    let server = setup::server(sql)?;
    let slot = (server.system_identifier.as_str(), config.source.slot.as_str());
    match kafka::slot_of_another(kafka, slot)? {
        Some(finding) => Err(finding.into()),
        None => Ok(()),
    }
}

/// Whether a bridge that is started now goes on from the position that is stored.
fn belongs_together(config: &Config, kafka: &kafka::settings::Settings, stored: Checkpoint) -> Result<(), Refused> {
    match kafka::moved(kafka, &stored)?.first() {
        Some(moved) => Err(moved.finding().into()),
        None => Ok(postgres::compare(&config.source, Some(stored))?),
    }
}

/// Whether a first position may be stored: not where there was one, unless somebody takes it upon himself.
fn begins(arguments: &Arguments, kafka: &kafka::settings::Settings, sources: &Sources) -> Result<(), Refused> {
    match kafka::position_gone(kafka, &kafka::Stop::default())? {
        Some(mut finding) if arguments.adopt => {
            finding.severity = Severity::Warning;
            findings::print(&[finding], sources);
            Ok(())
        }
        Some(finding) => Err(finding.into()),
        None => Ok(()),
    }
}

/// Waits, a little, until the position topic can be read: one that was made just now has no leader for a moment.
pub(super) fn await_leader(kafka: &kafka::settings::Settings) -> Result<(), SinkError> {
    let begun = Instant::now();
    loop {
        match kafka::read_position(kafka) {
            Err(SinkError::Transient(_)) if begun.elapsed() < LEADER_MAX => std::thread::sleep(LEADER_MAX / 50),
            read => return read.map(drop),
        }
    }
}

fn lost(config: &Config, position: Lsn) -> Finding {
    let what = format!(
        "the slot {} does not exist, and the position {position} refers to it",
        config.source.slot
    );
    Finding::error(Cause::Surroundings, "source.position_without_slot", what)
        .because("a new slot would begin later: changes in between would be missing")
        .repair("walbridge recover -c FILE")
}

/// For a slot without a position.
const ADOPT: &str = "walbridge setup --adopt -c FILE (it begins at the slot's present position); where a bridge of this name has \
                     published before: walbridge recover -c FILE";

fn unowned(config: &Config) -> Finding {
    let what = format!("the slot {} exists, and no position is stored", config.source.slot);
    Finding::error(Cause::Surroundings, "source.slot_without_position", what)
        .because("it is not known whether what it passed was published")
        .repair(ADOPT)
}

/// Prints the SQL and the topics.
fn show(arguments: &Arguments, config: &Config) -> Result<(), Refused> {
    let looked = connect(arguments.administrator.as_deref(), config).and_then(|mut sql| {
        let catalog = read_catalog(&mut sql, config)?;
        Ok((catalog, setup::present(&mut sql, &config.source)?))
    });
    let (catalog, present) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            say!("-- The database could not be looked at ({error}):");
            say!("-- every table is taken for an ordinary one with a primary key.\n");
            (assumed(config), setup::Present::default())
        }
    };
    let plan = setup::plan_from(&config.source, &catalog, &present).map_err(Refused::Findings)?;
    say!(
        "-- 1. The bridge's role and its rights, for an administrator\n{}",
        setup::grants_sql(&config.source)
    );
    say!("-- 2. Publications and slot");
    for statement in plan.statements() {
        say!("{statement}");
    }
    if plan.statements().next().is_none() {
        say!("-- all of it is there already");
    }
    if config.sink == SinkChoice::Kafka {
        show_topics(config);
    }
    say!("\n-- The way back of all this SQL");
    for line in setup::removal_sql(&config.source).lines() {
        // A comment, prose and all: whoever runs the rest must not run this.
        say!("-- {line}");
    }
    say!("\n-- `walbridge setup --apply --as URL -c FILE` does it, and stores the first position.");
    Ok(())
}

fn show_topics(config: &Config) {
    say!("\n-- 3. Topics");
    for (name, holds) in topics(config) {
        let kept = if holds == Holds::States {
            "compacted"
        } else {
            "kept for ever unless kafka.topics.events says otherwise"
        };
        say!(
            "--   {name}: partitions {}, replication {}, {kept}",
            config.kafka.topics.partitions,
            config.kafka.topics.replication
        );
    }
    say!("--   walbridge.{}.position: partitions 1, compacted", config.name);
}

fn topics(config: &Config) -> Vec<(&str, Holds)> {
    let mut out = Vec::new();
    for (_, topic, holds) in config.entities.iter().flat_map(Entity::told) {
        let topic = (topic.text.as_str(), holds);
        if !out.contains(&topic) {
            out.push(topic);
        }
    }
    out
}

fn assumed(config: &Config) -> Catalog {
    let mut catalog = Catalog::default();
    for followed in &config.source.tables {
        let identity = Identity {
            kind: ReplicaIdentity::Default,
            columns: vec!["id".to_owned()],
            attnums: vec![1],
        };
        let facts = TableFacts {
            oid: 0,
            name: followed.name.clone(),
            kind: TableKind::Ordinary,
            identity,
            columns: Vec::new(),
            uniques: Vec::new(),
            leaves: Vec::new(),
            rows_estimate: 0,
            ancestors: Vec::new(),
            access: Access::Granted,
        };
        catalog.tables.insert(followed.name.clone(), facts);
    }
    catalog
}
