//! Places in the log: an LSN, and the place of one record in the order of all that is told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A byte position in the write-ahead log, in PostgreSQL's own spelling `X/X`
/// (<https://www.postgresql.org/docs/current/datatype-pg-lsn.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The LSN that PostgreSQL writes for "none".
    pub const INVALID: Self = Self(0);

    /// Bytes of log from `earlier` to here; 0 when `earlier` lies ahead.
    pub fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// A text that is not an LSN.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read an LSN: expected two hexadecimal numbers such as 0/16B3748")]
pub struct LsnError;

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (high, low) = text.split_once('/').ok_or(LsnError)?;
        let part = |digits: &str| {
            if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(LsnError);
            }
            u32::from_str_radix(digits, 16).map_err(|_| LsnError)
        };
        Ok(Self(u64::from(part(high)?) << 32 | u64::from(part(low)?)))
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The place of one record: it is the record's `id` and `sequence`.
///
/// Sorts as its text does; unique; strictly rising within a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Grows only when an operator accepts a new history of the source.
    pub epoch: u16,
    /// Where the transaction's commit record starts (pgoutput's BEGIN carries it).
    pub commit_lsn: Lsn,
    /// Which row change of the transaction, from 0, as the server sent them.
    pub rank: u32,
    /// Which record of that change, from 0.
    pub part: u8,
}

/// Length of [`Position::text`] in bytes: 4, 16, 8 and 2 digits and three hyphens.
pub const POSITION_TEXT_BYTES: usize = 33;

impl Position {
    /// The upper-case hexadecimal text of fixed width, `0001-000000016B374800-00000003-01`.
    pub fn text(&self) -> [u8; POSITION_TEXT_BYTES] {
        let mut out = [b'-'; POSITION_TEXT_BYTES];
        let [high, low] = halves(self.commit_lsn.0).map(hex);
        out[0..4].copy_from_slice(&hex(u32::from(self.epoch))[4..]);
        out[5..13].copy_from_slice(&high);
        out[13..21].copy_from_slice(&low);
        out[22..30].copy_from_slice(&hex(self.rank));
        out[31..33].copy_from_slice(&hex(u32::from(self.part))[6..]);
        out
    }
}

fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

/// Eight digits at once: each half byte is moved into a byte of its own, and those above nine are known by the carry that
/// six more gives them.
fn hex(value: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let wide = u64::from(value);
    let wide = (wide | (wide << 16)) & 0x0000_FFFF_0000_FFFF;
    let wide = (wide | (wide << 8)) & 0x00FF_00FF_00FF_00FF;
    let wide = (wide | (wide << 4)) & (EACH * 0xF);
    let letters = ((wide + EACH * 6) >> 4) & EACH;
    (wide + EACH * u64::from(b'0') + letters * u64::from(b'A' - b'0' - 10)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsn_is_spelt_as_postgresql_spells_it() {
        for text in ["0/0", "0/16B3748", "16B/374800", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
        for text in ["", "/", "0/", "16B3748", "0/123456789", "g/0", "0/+1", " 0/1"] {
            assert_eq!(text.parse::<Lsn>(), Err(LsnError), "{text:?}");
        }
    }

    #[test]
    fn ids_have_fixed_width_and_sort_as_their_positions() {
        let id = Position {
            epoch: 1,
            commit_lsn: Lsn(0x1_6B37_4800),
            rank: 3,
            part: 1,
        };
        assert_eq!(&id.text(), b"0001-000000016B374800-00000003-01");
        let every_digit = Position {
            epoch: 0xFFFF,
            commit_lsn: Lsn(0x0123_4567_89AB_CDEF),
            rank: 0xFEDC_BA98,
            part: 0xA5,
        };
        assert_eq!(&every_digit.text(), b"FFFF-0123456789ABCDEF-FEDCBA98-A5");
        let later = Position {
            rank: 0x8000_0000,
            ..id
        };
        assert!(later.text() > id.text() && later > id);
    }
}
