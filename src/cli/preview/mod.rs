//! `walbridge preview`: what would be told, without Kafka and without a trace in the database.

use std::time::Duration;

use clap::Args;

use crate::bridge::BridgeError;
use crate::cli::preview::document::{Named, document};
use crate::cli::say::{complain, say};
use crate::cli::{ConfigFile, Exit, LOOK_SECONDS, LOOK_SECONDS_MAX, LogFormat, findings, prepare};
use crate::config::{self, Config, Loaded, Sources};
use crate::encoding::Encoder;
use crate::finding::{Cause, Finding, Severity};
use crate::flow::catalog::{ColumnFacts, TableFacts};
use crate::flow::change::{Change, Transaction, Tuple};
use crate::flow::event::{DomainEvent, Origin};
use crate::flow::record::Records;
use crate::mapping::compile::compile_what_fits;
use crate::mapping::entity::Entity;
use crate::mapping::fitted::Fitted;
use crate::mapping::plan::Mapping;
use crate::mapping::tell::{At, Desk, Listener};
use crate::source::SourceError;
use crate::source::postgres::sample::{Sample, Sampler, Unseen};
use crate::source::postgres::sql::Sql;

mod document;
mod live;

/// Rows of an entity where nobody says otherwise.
const ROWS: u64 = 5;

/// The rank of the first old row (see the records' `id`).
const OLD_RANK: u32 = 0x8000_0000;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Show rows as they stand, as they would be told at the first start (this is the default)
    #[arg(long, conflicts_with = "live")]
    from_tables: bool,
    /// Follow changes as they are committed, through a slot that ends with the command
    #[arg(long)]
    live: bool,
    /// How many: rows of each entity [default: 5], or with --live records in all [default: until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// How long the server may look for rows of an entity
    #[arg(long, value_name = "N", conflicts_with = "live", default_value_t = LOOK_SECONDS, value_parser = clap::value_parser!(u64).range(1..=LOOK_SECONDS_MAX))]
    look_seconds: u64,
    /// Who may make a publication for --live where the config's is not there; dropped again at the end
    #[arg(long = "as", value_name = "URL", requires = "live")]
    administrator: Option<String>,
}

/// Shows, and says how it ended.
pub(super) fn preview(arguments: &Arguments, format: LogFormat) -> Exit {
    // Secrets of Kafka are not needed; PostgreSQL's is read when it is asked for.
    let Loaded { config, sources, .. } = match config::load_for_rows(&arguments.file.config) {
        Ok(loaded) => loaded,
        Err(invalid) => return findings::refuse(&invalid),
    };
    let ended = if arguments.live {
        live::follow(config, arguments.administrator.as_deref(), arguments.limit).map(|()| Exit::Done)
    } else {
        from_tables(&config, arguments, &sources)
    };
    match ended {
        Ok(exit) => exit,
        Err(BridgeError::Halt(finding) | BridgeError::Source(SourceError::Halt(finding))) => {
            findings::halt(&finding, &sources, format);
            findings::exit(std::slice::from_ref(&finding))
        }
        Err(error) => {
            let finding = Finding::error(Cause::Surroundings, "preview.ended", error.to_string());
            let repair = "run it again; where it is never reached, correct url in [source], or make the server reachable from here";
            findings::halt(&finding.repair(repair), &sources, format);
            Exit::GaveUp
        }
    }
}

/// Some rows of each entity; one that cannot be told is said, and the others go on.
fn from_tables(config: &Config, arguments: &Arguments, sources: &Sources) -> Result<Exit, BridgeError> {
    let mut sampler = Sampler::begin(
        Sql::connect(&config.source)?,
        Duration::from_secs(arguments.look_seconds),
    )?;
    let catalog = sampler.catalog(&config.source.table_names())?;
    let compiled = compile_what_fits(&config.entities, &catalog);
    // Rows as they stand can be shown where a change could not be told yet.
    let errors = compiled
        .findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error);
    let (of_changes, refused): (Vec<_>, Vec<_>) = errors.partition(|finding| finding.code == "mapping.identity");
    if !refused.is_empty() {
        findings::print(&refused, sources);
        return Ok(findings::exit(&refused));
    }
    let mapping = compiled.mapping;
    let mut reader = Reader {
        mapping: &mapping,
        encoder: Encoder::new(&mapping.kinds, &prepare::encoding(config)),
        desk: Desk::default(),
        transaction: Transaction {
            commit_lsn: sampler.seen_lsn,
            commit_time: sampler.seen_at,
            xid: 0,
        },
        rank: OLD_RANK,
    };
    let rows_max = u32::try_from(arguments.limit.unwrap_or(ROWS)).unwrap_or(u32::MAX);
    let mut refused = Vec::new();
    for entity in &config.entities {
        let Some(facts) = catalog.tables.get(&entity.table) else {
            continue;
        };
        let filter = prepare::server_filter(entity, facts);
        let columns: Vec<_> = mapping
            .columns(&entity.table)
            .filter_map(|names| column(facts, names))
            .collect();
        let sample = match sampler.sample(facts, (&columns, filter), rows_max)? {
            Ok(sample) => sample,
            Err(why) => {
                refused.push(not_seen(entity, &why, (filter, arguments.look_seconds)));
                continue;
            }
        };
        let before = refused.len();
        let told = reader.tell(&entity.name, &sample, &mut refused);
        let not = refused.len() - before;
        let rest = if not > 0 {
            format!(", {not} cannot be told")
        } else {
            String::new()
        };
        complain!(
            "{}: {} rows of {}, {told} records{rest}",
            entity.name,
            sample.rows.len(),
            entity.table
        );
    }
    findings::print(&refused, sources);
    if !of_changes.is_empty() {
        complain!(
            "changes cannot be told yet, for lack of the old row ({}): walbridge check -c FILE says what to do",
            of_changes.len()
        );
    }
    Ok(if refused.is_empty() { Exit::Done } else { Exit::Halted })
}

/// Rows that were not shown, and what shows them: the same command again would not.
fn not_seen(entity: &Entity, why: &Unseen, (filter, seconds): (Option<&str>, u64)) -> Finding {
    let (name, table) = (&entity.name, &entity.table);
    let found = |what: String| Finding::error(Cause::Surroundings, "preview.unseen", what).at(entity.place.clone());
    let longer = seconds.saturating_mul(10).min(LOOK_SECONDS_MAX);
    match (why, filter) {
        (Unseen::Refused { why, repair }, _) => {
            let repair = repair.clone().unwrap_or_else(|| format!("put right what keeps {table} from being read"));
            found(format!("the server does not show rows of {name}: {why}")).repair(repair)
        }
        (Unseen::Late, Some(_)) => found(format!("too few rows of {name} were found in {seconds} s"))
            .because(format!("few rows of {table} satisfy `where` and no index leads to them, or another session has locked it"))
            .repair(format!(
                "let it look for fewer and longer: --limit 1 --look-seconds {longer}; or make an index of the columns in `where`; \
                 or follow changes: --live"
            )),
        (Unseen::Late, None) => found(format!("no rows of {name} were shown in {seconds} s"))
            .because(format!("another session has locked {table}, as ALTER TABLE does, or the server is that slow"))
            .repair(format!(
                "wait until that ends (SELECT pid, query FROM pg_stat_activity WHERE state <> 'idle' shows it), or let it look \
                 longer: --look-seconds {longer}"
            )),
    }
}

/// A column by the mapping's name for it, or by its other name.
fn column<'f>(facts: &'f TableFacts, (name, formerly): (&str, Option<&str>)) -> Option<&'f ColumnFacts> {
    facts.column(name).or_else(|| facts.column(formerly?))
}

/// Tells rows as a bridge would.
struct Reader<'m> {
    mapping: &'m Mapping,
    encoder: Encoder,
    desk: Desk,
    transaction: Transaction,
    rank: u32,
}

impl Reader<'_> {
    /// Prints what rows tell; gives how many records that was.
    fn tell(&mut self, entity: &str, sample: &Sample, refused: &mut Vec<Finding>) -> usize {
        let Ok(Some(fitted)) = self.mapping.fit_entity(entity, &sample.shape) else {
            return 0;
        };
        let columns = u16::try_from(sample.shape.columns.len()).unwrap_or(u16::MAX);
        let mut records = Records::default();
        for row in &sample.rows {
            let before = records.spans.len();
            if let Err(finding) = self.tell_row(&fitted, &Tuple::new(columns, row), (entity, &mut records)) {
                records.spans.truncate(before);
                refused.push(*finding);
            }
        }
        let named = Named {
            topics: &self.mapping.topics,
            kinds: &self.mapping.kinds,
        };
        for span in &records.spans {
            say!("{}", document(&records, span, named));
        }
        records.spans.len()
    }

    /// The state of the entity; where it has no state topic, what its insert would tell.
    fn tell_row(
        &mut self,
        fitted: &Fitted,
        row: &Tuple<'_>,
        (entity, records): (&str, &mut Records),
    ) -> Result<(), Box<Finding>> {
        let mut at = At {
            epoch: 1,
            transaction: &self.transaction,
            rank: self.rank,
            origin: Origin::Backfill(1),
        };
        self.rank = self.rank.saturating_add(1);
        let mut pen = Pen {
            encoder: &mut self.encoder,
            records,
        };
        let told = if self.mapping.has_state(entity) {
            self.mapping.tell_old(fitted, row, &at, (&mut self.desk, &mut pen))
        } else {
            at.origin = Origin::Change;
            let change = Change::Insert { new: *row };
            self.mapping.tell(fitted, &change, &at, (&mut self.desk, &mut pen))
        };
        told.map_err(|untellable| Box::new(untellable.finding_of_old()))
    }
}

/// Writes what the mapping tells.
struct Pen<'a> {
    encoder: &'a mut Encoder,
    records: &'a mut Records,
}

impl Listener for Pen<'_> {
    fn hear(&mut self, event: &DomainEvent<'_>) {
        self.encoder.encode(event, self.records);
    }

    fn suppressed(&mut self, _entity: &str) {}
}
