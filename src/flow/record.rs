//! Encoded records on their way to Kafka, many in one buffer.

use std::ops::Range;

use crate::flow::event::{KindId, TopicId};
use crate::flow::position::Position;

/// One record: where its parts lie in the buffer's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    /// Kind of the event it tells.
    pub kind: KindId,
    /// Topic it goes to.
    pub topic: TopicId,
    /// Its place: id and sequence.
    pub position: Position,
    /// Key bytes.
    pub key: Range<usize>,
    /// Which partition of the topic.
    pub partition: Partition,
    /// Value bytes; none for a tombstone.
    pub value: Option<Range<usize>>,
    /// RFC 3339 commit time, for a tombstone's headers; empty otherwise.
    pub time: Range<usize>,
}

/// Which partition a record goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partition {
    /// That of these bytes: the key's unless `partition_by` says otherwise.
    Of(Range<usize>),
    /// The one with this number.
    Number(i32),
}

/// Records in the order in which they are told. Used again after [`Records::clear`].
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Where each record lies in them.
    pub spans: Vec<RecordSpan>,
}

impl Records {
    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Memory that they take, in bytes.
    pub fn cost(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<RecordSpan>()
    }

    /// Bytes of a part; empty where the range does not fit.
    pub fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Where record number `index` starts in the bytes; their end where there is none.
    pub fn start_of(&self, index: usize) -> usize {
        self.spans.get(index).map_or(self.bytes.len(), |span| span.key.start)
    }

    /// Moves all records from number `first` on into `to`, which is empty.
    pub fn split_into(&mut self, first: usize, to: &mut Self) {
        let start = self.start_of(first);
        to.bytes.extend_from_slice(self.bytes.get(start..).unwrap_or_default());
        let moved = |range: Range<usize>| range.start.saturating_sub(start)..range.end.saturating_sub(start);
        to.spans
            .extend(self.spans.drain(first.min(self.spans.len())..).map(|span| RecordSpan {
                key: moved(span.key),
                partition: match span.partition {
                    Partition::Of(bytes) => Partition::Of(moved(bytes)),
                    Partition::Number(number) => Partition::Number(number),
                },
                value: span.value.map(moved),
                time: moved(span.time),
                ..span
            }));
        self.bytes.truncate(start);
    }
}
