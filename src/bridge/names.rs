//! Which table a mapped name means: changes of a mapped table under another name are not passed over, and those of
//! another table under a mapped name are not told.

use std::collections::{BTreeMap, HashMap};

use crate::bridge::BridgeError;
use crate::finding::{Cause, Finding};
use crate::flow::change::Transaction;
use crate::flow::checkpoint::TableMark;
use crate::flow::table::Table;
use crate::mapping::plan::Mapping;

/// Mapped names, and the tables that go by another one than they should.
pub(super) struct Names {
    /// OIDs by `schema.name`.
    oids: BTreeMap<String, u32>,
    astray: HashMap<u32, Astray>,
}

/// How a table went astray.
enum Astray {
    Renamed { from: String, to: String },
    Replaced { name: String },
}

impl Names {
    /// What the position rests on, as far as it is still mapped.
    pub(super) fn new(mapping: &Mapping, marks: &BTreeMap<String, TableMark>) -> Self {
        let mapped = mapping.tables().map(ToString::to_string);
        let oids = mapped.filter_map(|name| marks.get(&name).map(|mark| (name.clone(), mark.oid)));
        Self {
            oids: oids.collect(),
            astray: HashMap::new(),
        }
    }

    /// The stream announces a table.
    pub(super) fn announce(&mut self, table: &Table, mapping: &Mapping) {
        let name = table.name.to_string();
        self.astray.remove(&table.oid);
        let known = self.oids.get(&name).copied();
        let former = self
            .oids
            .iter()
            .find(|(_, oid)| **oid == table.oid)
            .map(|(name, _)| name);
        let astray = match (known, former) {
            (Some(oid), _) if oid != table.oid => Astray::Replaced { name },
            (None, Some(former)) => Astray::Renamed {
                from: former.clone(),
                to: name,
            },
            (None, None) if mapping.maps(&table.name) => {
                self.oids.insert(name, table.oid);
                return;
            }
            _ => return,
        };
        self.astray.insert(table.oid, astray);
    }

    /// A change of a table in a transaction that is still to be told.
    pub(super) fn refuse(&self, oid: u32, open: Option<Transaction>) -> Result<(), BridgeError> {
        let (Some(astray), Some(transaction)) = (self.astray.get(&oid), open) else {
            return Ok(());
        };
        let at = format!("(transaction at {})", transaction.commit_lsn);
        let error = |code, what| Finding::error(Cause::Surroundings, code, what);
        let finding = match astray {
            Astray::Renamed { from, to } => error(
                "source.table_renamed",
                format!("the table {from} was renamed to {to}, and changed under that name {at}"),
            )
            .because("no entity stands on that name: passing over the change would lose it")
            .repair(format!(
                "table = \"{to}\" in place of \"{from}\", while the table has that name; else: walbridge recover -c FILE"
            )),
            Astray::Replaced { name } => error(
                "source.table_recreated",
                format!("another table took the name {name}, and changed under it {at}"),
            )
            .because("what was told of the former table's rows stays, though they are gone")
            .repair("walbridge recover -c FILE"),
        };
        Err(BridgeError::Halt(Box::new(finding)))
    }
}
