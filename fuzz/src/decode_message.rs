use walbridge::flow::cell::{Cell, CellSpan};
use walbridge::flow::change::{Change, OldTuple, Tuple};
use walbridge::source::postgres::pgoutput::{Message, decode};

/// A message of pgoutput is an error, or all that it announces is there.
pub fn decode_message(bytes: &[u8]) {
    let Ok(message) = decode(bytes) else { return };
    match message {
        Message::Change { change, .. } => match change {
            Change::Insert { new } => whole(new),
            Change::Update { old, new } => {
                whole(new);
                whole_old(old);
            }
            Change::Delete { old } => whole_old(old),
        },
        // The kind, a count of 4 bytes, a byte of options.
        Message::Truncate { table_oids, .. } => assert_eq!(table_oids.iter().count() * 4 + 6, bytes.len()),
        Message::Begin(_)
        | Message::Commit { .. }
        | Message::Origin { .. }
        | Message::Relation(_)
        | Message::Type { .. }
        | Message::Logical { .. } => {}
    }
}

fn whole_old(old: OldTuple<'_>) {
    match old {
        OldTuple::Absent => {}
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => whole(tuple),
    }
}

/// A tuple that was let through has all its columns, and all their bytes.
fn whole(tuple: Tuple<'_>) {
    let mut cells = Vec::new();
    tuple.locate(&mut cells);
    assert_eq!(cells.len(), usize::from(tuple.columns()));
    let row = tuple.row(&cells);
    for (column, span) in cells.iter().enumerate() {
        match (span, row.cell(column)) {
            (CellSpan::Null, Cell::Null) | (CellSpan::Unknown, Cell::Unknown) => {}
            (CellSpan::Text { len, .. }, Cell::Text(text)) => assert_eq!(usize::try_from(*len), Ok(text.len())),
            (span, cell) => panic!("{span:?} reads as {cell:?}"),
        }
    }
}
