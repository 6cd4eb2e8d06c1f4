//! From a config and a catalogue to what a bridge runs with.

use crate::config::Config;
use crate::encoding;
use crate::finding::Finding;
use crate::flow::catalog::Catalog;
use crate::mapping::compile::compile;
use crate::mapping::plan::Mapping;
use crate::sink::kafka::settings::Settings;

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
