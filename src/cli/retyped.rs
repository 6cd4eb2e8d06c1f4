//! Columns whose type in the log is not (or not yet) that of the catalogue: the mapping is compiled for the log's.

use crate::finding::{Cause, Finding};
use crate::flow::catalog::Catalog;
use crate::flow::position::Lsn;
use crate::flow::table::TableName;
use crate::source::SourceError;
use crate::source::postgres::catalog::{Retyped, retype};
use crate::source::postgres::settings::Settings;
use crate::source::postgres::sql::Sql;

/// How often a mapping is compiled anew for other types without getting any further.
const TURNS_MAX: u32 = 20;

/// What the log told of types, from one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct LogTypes {
    columns: Vec<Retyped>,
    /// The end of the log when the catalogue was seen to have other types: behind it the log has those too.
    until: Option<Lsn>,
    /// A position, and how often a type was learned there.
    turns: (Lsn, u32),
}

impl LogTypes {
    /// A column has another type in the log than the mapping was compiled for, behind the position `durable`.
    ///
    /// # Errors
    /// `mapping.two_types` where no mapping gets any further.
    pub(super) fn learn(&mut self, column: Retyped, durable: Lsn) -> Result<(), Box<Finding>> {
        let (at, turns) = self.turns;
        self.turns = (durable, if at == durable { turns + 1 } else { 1 });
        if self.turns.1 > TURNS_MAX {
            return Err(Box::new(two_types(&column)));
        }
        self.columns
            .retain(|known| known.table != column.table || known.column != column.column);
        self.columns.push(column);
        Ok(())
    }

    /// Puts the log's types in the place of the catalogue's, which was read when the log ended at `server`, if the position
    /// `durable` is not yet behind them. Gives the tables of which the two know different types.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub(super) fn apply(
        &mut self,
        settings: &Settings,
        catalog: &mut Catalog,
        (durable, server): (Lsn, Lsn),
    ) -> Result<Vec<TableName>, SourceError> {
        if self.until.take().is_some_and(|until| durable >= until) {
            self.columns.clear();
        }
        if self.columns.is_empty() {
            return Ok(Vec::new());
        }
        let altered = retype(&mut Sql::connect(settings)?, catalog, &self.columns)?;
        self.until = (!altered.is_empty() && server != Lsn::INVALID).then_some(server);
        Ok(altered)
    }

    /// Says of a mapping that does not suit the log's types that it is about those.
    pub(super) fn explain(&self, finding: Finding) -> Finding {
        let named: Vec<String> = self
            .columns
            .iter()
            .map(|one| format!("\"{}\" of {}", one.column, one.table))
            .collect();
        finding.because(format!(
            "changes that are still to be told were logged while {} had another type than now: the mapping must suit that one \
             until they are passed, and may then be changed back",
            named.join(", ")
        ))
    }

    /// From which position on the catalogue's types are the log's too; none: already.
    pub(super) fn until(&self) -> Option<Lsn> {
        self.until
    }
}

fn two_types(Retyped { table, column, .. }: &Retyped) -> Finding {
    let what = format!("column \"{column}\" of {table} has two types within one transaction");
    Finding::error(Cause::Surroundings, "mapping.two_types", what)
        .because("the rows before and after its ALTER TABLE are told by one mapping")
        .repair("take the column out of the mapping until this transaction is passed")
}
