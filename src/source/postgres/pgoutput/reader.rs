//! Reads a message from front to back; whatever does not fit is an error with its place.

use crate::flow::change::{CommitTime, Tuple};
use crate::flow::position::Lsn;

/// A message that is not one of pgoutput's, protocol 1. Never shows a row's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No byte at all.
    #[error("a pgoutput message is empty")]
    Empty,
    /// A kind of message that protocol 1 does not have.
    #[error("a pgoutput message is of unknown kind 0x{kind:02X}")]
    Kind {
        /// Its first byte.
        kind: u8,
    },
    /// It ends too early, or one of its lengths lies.
    #[error("a pgoutput message ends early: {wanted} bytes wanted at byte {at}, {left} left")]
    Short {
        /// Where, in bytes from the start of the message.
        at: usize,
        /// How many bytes were to follow.
        wanted: usize,
        /// How many do.
        left: usize,
    },
    /// A string without its closing zero.
    #[error("a pgoutput message has a string without an end at byte {at}")]
    Endless {
        /// Where the string starts.
        at: usize,
    },
    /// A string that is not UTF-8.
    #[error("a pgoutput message has a string that is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Where the string starts.
        at: usize,
    },
    /// A byte that says what follows, and says nothing known there.
    #[error("a pgoutput message has the unknown tag 0x{tag:02X} at byte {at}")]
    Tag {
        /// Where it is.
        at: usize,
        /// What it is.
        tag: u8,
    },
    /// Bytes after its end.
    #[error("a pgoutput message is complete at byte {at}, and {left} bytes follow")]
    Trailing {
        /// Where it should end.
        at: usize,
        /// How many bytes follow.
        left: usize,
    },
}

/// The part of a message that is not read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self {
            whole: message.len(),
            rest: message,
        }
    }

    /// Bytes read so far.
    pub(super) fn at(&self) -> usize {
        self.whole.saturating_sub(self.rest.len())
    }

    fn short(&self, wanted: usize) -> DecodeError {
        DecodeError::Short {
            at: self.at(),
            wanted,
            left: self.rest.len(),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.short(N))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn bytes(&mut self, wanted: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(wanted).ok_or_else(|| self.short(wanted))?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn lsn(&mut self) -> Result<Lsn, DecodeError> {
        self.array().map(|bytes| Lsn(u64::from_be_bytes(bytes)))
    }

    pub(super) fn time(&mut self) -> Result<CommitTime, DecodeError> {
        self.array().map(|bytes| CommitTime(i64::from_be_bytes(bytes)))
    }

    /// A length or count of 32 bits; a negative one is more than any message holds.
    pub(super) fn length(&mut self) -> Result<usize, DecodeError> {
        self.u32().map(|length| usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// A string up to its closing zero.
    pub(super) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let at = self.at();
        let end = self.rest.iter().position(|&byte| byte == 0);
        let text = self.bytes(end.ok_or(DecodeError::Endless { at })?)?;
        self.u8()?;
        std::str::from_utf8(text).map_err(|_| DecodeError::NotUtf8 { at })
    }

    /// A tuple, every length in it checked: [`Tuple::locate`] finds all its columns.
    #[inline]
    pub(super) fn tuple(&mut self) -> Result<Tuple<'a>, DecodeError> {
        let columns = self.u16()?;
        let start = *self;
        for _ in 0..columns {
            let at = self.at();
            match self.u8()? {
                b'n' | b'u' => {}
                b't' => {
                    let length = self.length()?;
                    self.bytes(length)?;
                }
                tag => return Err(DecodeError::Tag { at, tag }),
            }
        }
        let length = self.at().saturating_sub(start.at());
        let mut start = start;
        Ok(Tuple::new(columns, start.bytes(length)?))
    }

    /// Refuses what follows the end.
    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(DecodeError::Trailing {
            at: self.at(),
            left: self.rest.len(),
        })
    }
}
