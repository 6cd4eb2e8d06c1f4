//! A tombstone's headers: what a consumer's guard needs, since there is no value to hold it.

use crate::contract::header;
use crate::flow::event::EventKind;
use crate::flow::position::POSITION_TEXT_BYTES;
use crate::flow::record::{RecordSpan, Records};

/// Names and what they say. `id` is the text of the record's place, which the caller keeps.
pub fn headers<'a>(
    id: &'a [u8; POSITION_TEXT_BYTES],
    (records, span): (&'a Records, &RecordSpan),
    kinds: &'a [EventKind],
) -> [(&'static str, &'a [u8]); 4] {
    let kind = kinds
        .get(usize::from(span.kind.0))
        .map_or("", |kind| kind.name.as_str());
    [
        (header::ID, id.as_slice()),
        (header::SEQUENCE, id.as_slice()),
        (header::TIME, records.part(&span.time)),
        (header::TYPE, kind.as_bytes()),
    ]
}
