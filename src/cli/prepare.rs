//! From a config and a catalogue to what a bridge runs with.

use crate::backfill::target::Target;
use crate::config::{Config, OnStart, SinkChoice};
use crate::encoding;
use crate::finding::Finding;
use crate::flow::catalog::Catalog;
use crate::mapping::compile::compile;
use crate::mapping::plan::Mapping;
use crate::sink::kafka::settings::Settings;
use crate::source::postgres::chunk;
use crate::source::postgres::publication::{self, Publications};

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

/// The entities whose old rows a start tells, and how they are read.
///
/// # Errors
/// All tables whose rows cannot be matched with what the stream tells of them.
pub(super) fn targets(config: &Config, mapping: &Mapping, catalog: &Catalog) -> Result<Vec<Target>, Vec<Finding>> {
    let mut found = Vec::new();
    let mut refused = Vec::new();
    // Standard output keeps no position: every start would tell all of them.
    if config.backfill.on_start == OnStart::Nothing || config.sink == SinkChoice::Stdout {
        return Ok(found);
    }
    for stated in mapping.states(catalog) {
        match chunk::target(
            (stated.entity, stated.state, stated.topic),
            stated.table,
            (&stated.columns, &stated.key),
        ) {
            Ok(target) => found.push(target),
            Err(finding) => refused.push(not_told(*finding)),
        }
    }
    if refused.is_empty() { Ok(found) } else { Err(refused) }
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
