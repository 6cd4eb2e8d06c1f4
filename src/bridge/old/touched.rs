//! Which rows the stream tells: a chunk that was read before leaves them out.

use crate::backfill::target::{Target, row_name};
use crate::bridge::old::{Remembers, Turn, Turns};
use crate::flow::cell::{Cell, CellSpan};
use crate::flow::change::{Change, OldTuple, Tuple};
use crate::flow::record::Records;
use crate::flow::table::Table;

impl Turns<'_> {
    /// A table's shape.
    pub(in crate::bridge) fn shape(&mut self, table: &Table) {
        for target in self.old.targets.iter().filter(|target| target.shape.oid == table.oid) {
            let position = |name: &String| table.columns.iter().position(|column| column.name == *name);
            let key = target.key.iter().map(|column| position(&column.name)).collect();
            self.keys.insert(target.state, key);
        }
    }

    /// A row changed, and this was told of it, `records` from number `first` on: under its old name and its new one it is
    /// the stream's to tell. A change that told nothing left the entity as a snapshot without it sees it.
    pub(in crate::bridge) fn touch(&mut self, change: &Change<'_>, (records, first): (&Records, usize)) {
        let told = records.spans.get(first..).unwrap_or_default();
        self.look_away(told, records);
        if self.remembers == Remembers::No {
            return;
        }
        let comes = |turn: Turn| told.iter().any(|span| span.kind == turn.state);
        if matches!(change, Change::Insert { .. }) && self.turn.is_some_and(comes) {
            self.pace.grew();
        }
        let (old, new) = change.sides();
        let old = match &old {
            OldTuple::Key(tuple) | OldTuple::Full(tuple) => Some(tuple),
            OldTuple::Absent => None,
        };
        let is_told = |target: &&Target| told.iter().any(|span| span.kind == target.state);
        for target in self.old.targets.iter().filter(is_told) {
            let key = self.keys.get(&target.state).and_then(Option::as_ref);
            for tuple in [old, new].into_iter().flatten() {
                match key.and_then(|key| name_of(tuple, key, &mut self.cells)) {
                    Some(name) => self.recent.touch((target.state, name)),
                    None => self.recent.touch_any(),
                }
            }
        }
    }
}

/// The name of a row; none where the tuple does not carry the whole key.
fn name_of(tuple: &Tuple<'_>, key: &[usize], cells: &mut Vec<CellSpan>) -> Option<Box<[u8]>> {
    tuple.locate(cells);
    let row = tuple.row(cells);
    let values: Option<Vec<&[u8]>> = key
        .iter()
        .map(|place| match row.cell(*place) {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Unknown => None,
        })
        .collect();
    values.map(|values| row_name(values.into_iter()))
}
