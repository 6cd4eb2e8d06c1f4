//! Tables as the stream has announced them, fitted to the mapping.

use std::collections::BTreeMap;

use crate::bridge::BridgeError;
use crate::bridge::names::Names;
use crate::finding::{Cause, Finding};
use crate::flow::change::{Change, Transaction};
use crate::flow::checkpoint::TableMark;
use crate::flow::table::Table;
use crate::mapping::fitted::{Fitted, Misfit};
use crate::mapping::plan::Mapping;
use crate::telemetry::{Operation, Status, Tally};

/// Tables by OID; none for those that no entity stands on.
pub(super) struct Tables<'a> {
    mapping: &'a Mapping,
    status: &'a Status,
    by_oid: BTreeMap<u32, Option<Followed>>,
    names: Names,
    /// What each kind of the mapping counts as.
    pub(super) kinds: Vec<usize>,
}

/// A table with entities on it.
pub(super) struct Followed {
    pub(super) fitted: Fitted,
    /// What its entities count as.
    entities: Vec<usize>,
}

impl Followed {
    /// Counts a change for every entity on the table.
    pub(super) fn count(&self, change: &Change<'_>, tally: &mut Tally) {
        let operation = match change {
            Change::Insert { .. } => Operation::Insert,
            Change::Update { .. } => Operation::Update,
            Change::Delete { .. } => Operation::Delete,
        };
        for entity in &self.entities {
            tally.change(*entity, operation);
        }
    }
}

impl<'a> Tables<'a> {
    /// `marks` are the tables that the stored position rests on.
    pub(super) fn new(mapping: &'a Mapping, status: &'a Status, marks: &BTreeMap<String, TableMark>) -> Self {
        let kinds = mapping
            .kinds
            .iter()
            .map(|kind| status.kind(&kind.entity, &kind.name))
            .collect();
        Self {
            mapping,
            status,
            by_oid: BTreeMap::new(),
            names: Names::new(mapping, marks),
            kinds,
        }
    }

    pub(super) fn get(&self, oid: u32) -> Option<&Followed> {
        self.by_oid.get(&oid).and_then(Option::as_ref)
    }

    /// Takes a table's shape, new or changed.
    pub(super) fn fit(&mut self, table: &Table) -> Result<(), BridgeError> {
        self.names.announce(table, self.mapping);
        let fitted = self.mapping.fit(table).map_err(|misfit| misfit_error(misfit, table))?;
        let followed = fitted.map(|fitted| Followed {
            entities: self
                .mapping
                .entities(&fitted)
                .filter_map(|name| self.status.entity(name))
                .collect(),
            fitted,
        });
        self.by_oid.insert(table.oid, followed);
        Ok(())
    }

    /// A change of a table that goes by another name than it should, in a transaction that is still to be told.
    pub(super) fn refuse_astray(&self, oid: u32, open: Option<Transaction>) -> Result<(), BridgeError> {
        self.names.refuse(oid, open)
    }

    /// A mapped table was emptied: its entities are gone without a word about each.
    pub(super) fn refuse_truncate(&self, oids: &[u32], open: Option<Transaction>) -> Result<(), BridgeError> {
        for oid in oids {
            self.refuse_astray(*oid, open)?;
        }
        let (Some(followed), Some(transaction)) = (oids.iter().find_map(|oid| self.get(*oid)), open) else {
            return Ok(());
        };
        let table = followed.fitted.table_name();
        Err(BridgeError::Halt(Box::new(
            Finding::error(
                Cause::Surroundings,
                "row.truncate",
                format!("{table} was truncated (transaction at {})", transaction.commit_lsn),
            )
            .because("its entities are gone without a word about each")
            .repair("tell consumers, then begin a new history: walbridge recover -c FILE"),
        )))
    }
}

pub(super) fn misfit_error(misfit: Misfit, table: &Table) -> BridgeError {
    match misfit {
        Misfit::Retyped {
            column,
            formerly,
            type_oid,
        } => BridgeError::Reshaped {
            table: table.name.clone(),
            column,
            formerly,
            type_oid,
        },
        Misfit::Twice { entity, place, column } => BridgeError::Halt(Box::new(
            Finding::error(
                Cause::Surroundings,
                "mapping.column_twice",
                format!("{} has a column for either name of {entity}'s column \"{column}\"", table.name),
            )
            .at(place)
            .because("`formerly` makes one column of two names, and it is not known which of the two is meant")
            .repair(format!(
                "the changes from before the renaming have passed: take {column:?} out of `formerly` in [entity.{entity}]"
            )),
        )),
        Misfit::Missing { entity, place, column } => BridgeError::Halt(Box::new(
            Finding::error(
                Cause::Surroundings,
                "mapping.column_gone",
                format!(
                    "{entity} needs column \"{column}\" of {}, which its changes here do not carry",
                    table.name
                ),
            )
            .at(place)
            .because(format!("they carry {}; nothing is guessed", carried(table)))
            .repair(format!(
                "in [entity.{entity}], renamed: formerly = {{ {column:?} = \"its name here\" }}; dropped: take it out of \
                 the mapping; added: run the mapping without it until these changes have passed"
            )),
        )),
    }
}

/// Its columns, so that one sees which was renamed; the first of many.
fn carried(table: &Table) -> String {
    const SHOWN: usize = 40;
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    match names.split_at_checked(SHOWN) {
        Some((shown, more)) if !more.is_empty() => format!("{} and {} more", shown.join(", "), more.len()),
        _ => names.join(", "),
    }
}
