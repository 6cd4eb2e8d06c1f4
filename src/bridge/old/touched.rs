//! Which rows the stream tells: a chunk that was read before leaves them out.

use crate::backfill::target::{Target, row_name};
use crate::bridge::old::{Remembers, Turns};
use crate::flow::cell::{Cell, CellSpan};
use crate::flow::change::{Change, OldTuple, Tuple};
use crate::flow::record::{RecordSpan, Records};
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
        let (old, new) = change.sides();
        let old = match &old {
            OldTuple::Key(tuple) | OldTuple::Full(tuple) => Some(tuple),
            OldTuple::Absent => None,
        };
        if let (Change::Insert { .. }, Some(new)) = (change, &new) {
            self.grow(new, told);
        }
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

impl Turns<'_> {
    /// A row came: one more to be read, unless it lies behind the last that is.
    fn grow(&mut self, new: &Tuple<'_>, told: &[RecordSpan]) {
        let Some((target, generation)) = self.ledger.turn() else {
            return;
        };
        if !told.iter().any(|span| span.kind == target.state) {
            return;
        }
        let place = self.keys.get(&target.state).and_then(|key| key.as_ref()?.first());
        let column = target
            .key
            .first()
            .zip(generation.last.as_ref().and_then(|last| last.first()));
        if let (Some(place), Some((column, last))) = (place, column)
            && WHOLE_NUMBERS.contains(&column.type_text.as_str())
        {
            new.locate(&mut self.cells);
            let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
            let key = match new.row(&self.cells).cell(*place) {
                Cell::Text(text) => number(text),
                Cell::Null | Cell::Unknown => None,
            };
            if key > number(last.as_bytes()) {
                return;
            }
        }
        self.pace.grew();
    }
}

/// Types whose order is known here as the server knows it; of others a row that comes may be one to be read.
const WHOLE_NUMBERS: [&str; 3] = ["smallint", "integer", "bigint"];

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
