//! From a config and a catalogue to what a bridge runs with.

use std::collections::BTreeSet;

use crate::backfill::ledger::NeverTold;
use crate::backfill::target::Target;
use crate::config::{Config, SinkChoice};
use crate::encoding;
use crate::finding::{Cause, Finding, Place, Severity};
use crate::flow::catalog::{Catalog, TableFacts};
use crate::flow::table::TableName;
use crate::mapping::compile::{compile, compile_what_fits};
use crate::mapping::entity::{Entity, Located};
use crate::mapping::plan::Mapping;
use crate::sink::kafka::settings::Settings;
use crate::source::SourceError;
use crate::source::postgres::publication::{self, Publications};
use crate::source::postgres::{chunk, preflight};

/// A mapping that fits the database, and the sink's settings that follow from it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) mapping: Mapping,
    pub(super) kafka: Settings,
    pub(super) findings: Vec<Finding>,
}

/// Holds the entities against the catalogue.
///
/// # Errors
/// All findings, where one of them is an error.
pub(super) fn prepare(config: &Config, catalog: &Catalog) -> Result<Prepared, Vec<Finding>> {
    let compiled = compile(&config.entities, catalog)?;
    let kafka = Settings {
        written: compiled.mapping.topics.clone(),
        kinds: compiled.mapping.kinds.clone(),
        ..config.kafka.clone()
    };
    Ok(Prepared {
        mapping: compiled.mapping,
        kafka,
        findings: compiled.findings,
    })
}

/// What a look at the database says of a mapping, also of one that cannot run yet.
#[derive(Debug)]
pub(super) struct LookedAt {
    pub(super) mapping: Mapping,
    pub(super) catalog: Catalog,
    pub(super) publications: Publications,
    /// Of the mapping alone.
    pub(super) findings: Vec<Finding>,
}

/// Looks at the catalogue and nothing else, and compiles the entities that fit it.
///
/// # Errors
/// The database cannot be looked at.
pub(super) fn looked_at(config: &Config) -> Result<LookedAt, Box<Finding>> {
    let seen = preflight::preflight(&config.source).map_err(|error| Box::new(of_source(config, error)))?;
    let compiled = compile_what_fits(&config.entities, &seen.catalog);
    Ok(LookedAt {
        mapping: compiled.mapping,
        catalog: seen.catalog,
        publications: seen.publications,
        findings: compiled.findings,
    })
}

/// Why the database could not be looked at.
pub(super) fn of_source(config: &Config, error: SourceError) -> Finding {
    match error {
        SourceError::Halt(finding) => *finding,
        SourceError::Transient(why) => {
            let what = format!("cannot look at the database {}", config.source.login.database);
            Finding::error(Cause::Surroundings, "source.unreachable", what)
                .because(why)
                .repair("correct `url` in [source], or make the server reachable from here")
        }
    }
}

/// Entities whose old rows can be told, and how they are read; and why others cannot.
pub(super) fn targets(config: &Config, mapping: &Mapping, catalog: &Catalog) -> (Vec<Target>, Vec<Finding>) {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    // Standard output keeps no position: every start would tell all of them.
    if config.sink == SinkChoice::Stdout {
        return (found, refused);
    }
    for stated in mapping.states(catalog) {
        let declared = config.entities.iter().find(|declared| declared.name == stated.entity);
        let filter = declared.and_then(|declared| server_filter(declared, stated.table));
        match chunk::target(
            (stated.entity, stated.state, stated.topic),
            stated.table,
            (&stated.columns, &stated.key, filter),
        ) {
            Ok(target) => found.push(target),
            // Nobody asked for them yet.
            Err(_) if config.backfill.on_start == NeverTold::Leave => {}
            Err(finding) => refused.push(not_told(*finding)),
        }
    }
    (found, refused)
}

/// What keeps the role from reading rows that are to be told. A bridge runs on without: the stream needs none of it, and the
/// rows may have been told before.
pub(super) fn unreadable(config: &Config, targets: &[Target], catalog: &Catalog) -> Vec<Finding> {
    if config.backfill.on_start == NeverTold::Leave {
        return Vec::new();
    }
    let tables: BTreeSet<&TableName> = targets.iter().map(|target| &target.shape.name).collect();
    let facts = tables.into_iter().filter_map(|name| catalog.tables.get(name));
    let notes = facts.filter_map(|table| preflight::unreadable(&config.source, table));
    let error = |note| Finding {
        severity: Severity::Error,
        ..note
    };
    notes.map(error).map(not_told).collect()
}

/// What the server can say by itself of which rows are the entity: not by a name that a column does not have (yet).
pub(super) fn server_filter<'e>(entity: &'e Entity, table: &TableFacts) -> Option<&'e str> {
    let is_there = |(name, _): &(Located, String)| table.column(&name.text).is_some();
    let filter = entity.filter.as_ref()?;
    entity.formerly.iter().all(is_there).then_some(filter.text.as_str())
}

/// Whether an expression says something about an entity's rows.
///
/// # Errors
/// Why not.
pub(super) fn may_select(config: &Config, catalog: &Catalog, (entity, only): (&str, &str)) -> Result<(), Box<Finding>> {
    let Some(declared) = config.entities.iter().find(|declared| declared.name == entity) else {
        return Ok(());
    };
    let place = Place {
        path: "--where".to_owned(),
        ..Place::default()
    };
    let narrowed = Entity {
        filter: Some(Located {
            text: only.to_owned(),
            place: place.clone(),
        }),
        events: Vec::new(),
        // The server is asked, which knows a column by its present name.
        formerly: Vec::new(),
        ..declared.clone()
    };
    let refused = compile(&[narrowed], catalog).err().unwrap_or_default();
    match refused
        .into_iter()
        .find(|finding| finding.place.as_ref() == Some(&place))
    {
        Some(finding) => {
            let as_in = format!(
                "use an expression over columns of {}, as in `where` of [entity.{entity}]",
                declared.table
            );
            let repair = finding
                .repair
                .map_or(as_in.clone(), |repair| format!("{repair}; {as_in}"));
            Err(Box::new(Finding {
                place: None,
                what: format!("cannot select rows of {entity} by `--where`: {}", finding.what),
                repair: Some(repair),
                ..finding
            }))
        }
        None => Ok(()),
    }
}

/// Mapped columns that the publications do not send, one of each table.
pub(super) fn hidden(mapping: &Mapping, publications: &Publications) -> Vec<Finding> {
    let tables = mapping.tables();
    tables
        .filter_map(|table| publication::hidden(publications, table, mapping.columns(table)))
        .collect()
}

fn not_told(finding: Finding) -> Finding {
    let repair = finding.repair.clone().unwrap_or_default();
    finding.repair(format!("{repair} Or tell no old rows: on_start = false in [backfill]"))
}

/// Whether what is missing may have been there: then a position may rest on it, and making it again repairs nothing.
pub(super) fn may_be_lost(finding: &Finding) -> bool {
    [
        "source.slot_missing",
        "source.publication_missing",
        "source.publication_lacks_table",
        "source.publication_operations",
    ]
    .contains(&finding.code)
}

/// How events are written.
pub(super) fn encoding(config: &Config) -> encoding::Settings {
    let written = &config.cloudevents;
    encoding::Settings {
        source: written.source.clone(),
        type_prefix: written.type_prefix.clone(),
        dataschema_prefix: written.dataschema_prefix.clone(),
    }
}
