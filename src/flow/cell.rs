//! A row as offsets into the bytes the server sent.

/// One column's value, as far as the stream tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// Not known: an unchanged TOAST value, or a column that an old key does not carry.
    Unknown,
    /// The value in PostgreSQL's text format.
    Text(&'a [u8]),
}

/// Where a value lies, in the tuple's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellSpan {
    /// SQL NULL.
    Null,
    /// Not sent.
    Unknown,
    /// Bytes `start .. start + len`.
    Text {
        /// First byte.
        start: u32,
        /// Length in bytes.
        len: u32,
    },
}

/// A row: the bytes of its tuple and where each column lies in them.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    bytes: &'a [u8],
    cells: &'a [CellSpan],
}

impl<'a> Row<'a> {
    /// A row over `bytes`, columns in the order of the table's shape.
    pub fn new(bytes: &'a [u8], cells: &'a [CellSpan]) -> Self {
        Self { bytes, cells }
    }

    /// The value of a column; what lies outside the row is not known.
    #[inline]
    pub fn cell(&self, column: usize) -> Cell<'a> {
        match self.cells.get(column) {
            Some(CellSpan::Null) => Cell::Null,
            Some(&CellSpan::Text { start, len }) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                self.bytes
                    .get(start..start.saturating_add(len))
                    .map_or(Cell::Unknown, Cell::Text)
            }
            Some(CellSpan::Unknown) | None => Cell::Unknown,
        }
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether the row has no column at all.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}
