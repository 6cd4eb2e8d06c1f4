//! One contiguous buffer of received bytes, and the messages in it.
//!
//! Pure: no I/O. A message is never copied out: whoever reads it borrows it from here.

use std::ops::Range;

/// A tag and a length.
const HEAD_BYTES: usize = 5;

/// Bytes that are no message of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not PostgreSQL's protocol: a message of kind 0x{tag:02X} with length {length}")]
pub(crate) struct NoMessage {
    /// Where its kind should be.
    pub(crate) tag: u8,
    /// Where its length should be.
    pub(crate) length: u32,
}

/// The next message, as far as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peek {
    /// All of it: its kind, and where its body is.
    Whole {
        /// Its kind.
        tag: u8,
        /// Where its body is.
        body: Range<usize>,
    },
    /// Its beginning.
    Part {
        /// Its kind.
        tag: u8,
        /// Length of its body.
        body_bytes: usize,
        /// Where what is there of its body is.
        there: Range<usize>,
    },
    /// Not even its length.
    Nothing,
}

/// The buffer.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    usual: usize,
    max: usize,
}

impl Inbox {
    /// An empty one that takes `usual` bytes of memory, and up to `max` for a large message. Whoever meets a larger one
    /// in [`Peek::Part`] must refuse it.
    pub(crate) fn new(usual: usize, max: usize) -> Self {
        let usual = usual.max(HEAD_BYTES);
        Self {
            bytes: vec![0; usual],
            start: 0,
            end: 0,
            usual,
            max: max.max(usual),
        }
    }

    /// Looks at the next message.
    ///
    /// # Errors
    /// [`NoMessage`] where the bytes cannot be one.
    #[inline]
    pub(crate) fn peek(&self) -> Result<Peek, NoMessage> {
        let there = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some((head, _)) = there.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(Peek::Nothing);
        };
        let [tag, a, b, c, d] = *head;
        let length = u32::from_be_bytes([a, b, c, d]);
        if !tag.is_ascii_alphabetic() && !tag.is_ascii_digit() || !(4..=i32::MAX.unsigned_abs()).contains(&length) {
            return Err(NoMessage { tag, length });
        }
        let body_bytes = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(4);
        let from = self.start.saturating_add(HEAD_BYTES);
        let to = from.saturating_add(body_bytes);
        Ok(if to <= self.end {
            Peek::Whole { tag, body: from..to }
        } else {
            Peek::Part {
                tag,
                body_bytes,
                there: from..self.end,
            }
        })
    }

    /// Passes over a message that [`Inbox::peek`] showed whole; its bytes stay until the next [`Inbox::room`].
    #[inline]
    pub(crate) fn pass(&mut self, body: &Range<usize>) {
        self.start = body.end.min(self.end);
    }

    /// Bytes that were shown.
    #[inline]
    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Where to read the next bytes to: never empty. What was passed over is gone; the memory grows for a message
    /// that is larger than usual, and shrinks when it is told.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let left = self.end.saturating_sub(self.start);
        let wanted = match self.peek() {
            Ok(Peek::Part { body_bytes, .. }) => body_bytes.saturating_add(HEAD_BYTES),
            _ => 0,
        };
        let size = wanted.clamp(self.usual, self.max).max(left.saturating_add(1));
        let full = self.end == self.bytes.len();
        if left == 0 {
            (self.start, self.end) = (0, 0);
        } else if full || self.start.saturating_add(size) > self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, left);
        }
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        } else if self.bytes.len() > self.usual && size == self.usual {
            self.bytes.truncate(self.usual);
            self.bytes.shrink_to_fit();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read into the room.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// Memory it takes, in bytes.
    #[cfg(test)]
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
