//! What is done to one text: the transcoders themselves.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::array;
use super::instant::{self, Instants, Local};
use super::pattern::Pattern;
use super::{Piece, Place, RowProblem, Scratch};
use crate::mapping::public_id::PublicId;

/// The largest integer that every JSON reader takes exactly, 2^53 − 1.
const EXACT_INTEGER_MAX: &[u8] = b"9007199254740991";

/// A transcoder.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A number as it stands.
    Number,
    /// An integer: a number while every JSON reader takes it exactly, else text.
    Integer,
    /// A number, unless it is NaN or infinite, which are texts.
    NumberOrSpecial,
    /// Text that is ASCII by its type.
    Ascii,
    /// Text.
    Text,
    /// A JSON document.
    Json,
    /// `t` or `f`
    Bool,
    /// The same as `true` or `false` in text.
    BoolText,
    /// A timestamp of either kind.
    Instant(Instants),
    /// A text by a pattern.
    Parse(Pattern, Instants),
    /// An integer that counts `10^-n`.
    Decimals(usize, Numbers),
    /// A code table.
    Codes(Codes),
    /// Hexadecimal to base64.
    Bytea,
    /// An array.
    Array(Elements),
    /// A public id of the text.
    PublicId(Arc<PublicId>, Zeros),
}

/// Noughts that end a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zeros {
    /// They are part of the text.
    Kept,
    /// They say nothing: `1.0` and `1` are one number.
    Dropped,
}

/// How exact decimals are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// As text.
    Text,
    /// As a JSON number.
    Number,
}

/// A code table, sorted by column text.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) table: Vec<(Vec<u8>, Code)>,
    pub(super) unknown: Unlisted,
}

/// A code's published value.
#[derive(Clone, Debug)]
pub(super) enum Code {
    Text(Vec<u8>),
    Number(Vec<u8>),
    Bool(bool),
}

/// What becomes of a code that is not listed.
#[derive(Clone, Debug)]
pub(super) enum Unlisted {
    Halt,
    Null,
    Raw(Box<Step>),
}

/// How an array's elements are told.
#[derive(Clone, Debug)]
pub(super) struct Elements {
    pub(super) step: Box<Step>,
    pub(super) padding: super::Padding,
    /// `pg_type.typdelim`: a comma for every type but `box`.
    pub(super) delimiter: u8,
}

impl Step {
    #[inline]
    pub(super) fn write(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let cell = Place::Cell { len: text.len() };
        match self {
            Self::Number => Ok(Piece::Number(cell)),
            Self::Integer if is_exact(text) => Ok(Piece::Number(cell)),
            Self::NumberOrSpecial if text.last().is_some_and(u8::is_ascii_digit) => Ok(Piece::Number(cell)),
            Self::Integer | Self::NumberOrSpecial | Self::Ascii => Ok(Piece::Text(cell)),
            Self::Text => utf8(text).map(|()| Piece::Text(cell)),
            Self::Json => utf8(text).map(|()| Piece::Json(cell)),
            Self::Bool => boolean(text).map(Piece::Bool),
            Self::BoolText => {
                let word: &[u8] = if boolean(text)? { b"true" } else { b"false" };
                written(scratch, |out| out.extend_from_slice(word)).map(Piece::Text)
            }
            Self::Instant(instants) => instants.write(text, scratch),
            Self::Parse(pattern, instants) => parse(pattern, instants, text, scratch),
            Self::Decimals(digits, numbers) => {
                let place = decimals(text, *digits, scratch)?;
                Ok(match numbers {
                    Numbers::Text => Piece::Text(place),
                    Numbers::Number => Piece::Number(place),
                })
            }
            Self::Codes(codes) => codes.write(text, scratch),
            Self::Bytea => bytea(text, scratch).map(Piece::Text),
            Self::Array(elements) => array::write(elements, text, scratch).map(Piece::Json),
            Self::PublicId(id, zeros) => written(scratch, |out| id.mint(zeros.of(text), out)).map(Piece::Text),
        }
    }

    /// The published value in PostgreSQL's own format.
    pub(super) fn write_operand(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let cell = Piece::Text(Place::Cell { len: text.len() });
        match self {
            Self::Number
            | Self::Integer
            | Self::NumberOrSpecial
            | Self::Ascii
            | Self::Bool
            | Self::BoolText
            | Self::Bytea
            | Self::Array(_) => Ok(cell),
            Self::Text | Self::Json => utf8(text).map(|()| cell),
            Self::Instant(instants) => instants.write_operand(text, scratch),
            Self::Parse(pattern, instants) => {
                let local = pattern.read(text)?;
                if pattern.is_date() {
                    return written(scratch, |out| instant::append_date(&local, out)).map(Piece::Text);
                }
                instants.write_local_operand(&local, scratch)
            }
            Self::Decimals(digits, _) => decimals(text, *digits, scratch).map(Piece::Text),
            Self::Codes(codes) => codes.write_operand(text, scratch),
            Self::PublicId(..) => self.write(text, scratch),
        }
    }
}

impl Zeros {
    /// As `trim_scale` has it, so that columns of other scales agree
    /// (<https://www.postgresql.org/docs/current/functions-math.html>).
    fn of(self, text: &[u8]) -> &[u8] {
        if self == Self::Kept || !text.contains(&b'.') {
            return text;
        }
        let end = text.iter().rposition(|&b| b != b'0').map_or(0, |last| last + 1);
        let text = text.get(..end).unwrap_or_default();
        text.strip_suffix(b".").unwrap_or(text)
    }
}

impl Codes {
    fn find(&self, text: &[u8]) -> Option<&Code> {
        let at = self.table.binary_search_by(|(key, _)| key.as_slice().cmp(text)).ok()?;
        self.table.get(at).map(|(_, code)| code)
    }

    fn write(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        match (self.find(text), &self.unknown) {
            (Some(Code::Bool(value)), _) => Ok(Piece::Bool(*value)),
            (Some(Code::Text(value)), _) => written(scratch, |out| out.extend_from_slice(value)).map(Piece::Text),
            (Some(Code::Number(value)), _) => written(scratch, |out| out.extend_from_slice(value)).map(Piece::Number),
            (None, Unlisted::Halt) => Err(RowProblem::UnknownCode),
            (None, Unlisted::Null) => Ok(Piece::Null),
            (None, Unlisted::Raw(step)) => step.write(text, scratch),
        }
    }

    fn write_operand(&self, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
        let value: &[u8] = match (self.find(text), &self.unknown) {
            (Some(Code::Bool(true)), _) => b"true",
            (Some(Code::Bool(false)), _) => b"false",
            (Some(Code::Text(value) | Code::Number(value)), _) => value,
            (None, Unlisted::Halt) => return Err(RowProblem::UnknownCode),
            (None, Unlisted::Null) => return Ok(Piece::Null),
            (None, Unlisted::Raw(step)) => return step.write_operand(text, scratch),
        };
        written(scratch, |out| out.extend_from_slice(value)).map(Piece::Text)
    }
}

/// Runs `append` on the scratch and says where it wrote.
pub(super) fn written(scratch: &mut Scratch, append: impl FnOnce(&mut Vec<u8>)) -> Result<Place, RowProblem> {
    let start = scratch.bytes.len();
    append(&mut scratch.bytes);
    let len = scratch.bytes.len() - start;
    Ok(Place::Scratch { start, len })
}

/// Compares with 2^53 − 1 by length first: nothing is parsed.
#[inline]
fn is_exact(text: &[u8]) -> bool {
    if text.len() < EXACT_INTEGER_MAX.len() {
        return true;
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.len() < EXACT_INTEGER_MAX.len() || (digits.len() == EXACT_INTEGER_MAX.len() && digits <= EXACT_INTEGER_MAX)
}

fn utf8(text: &[u8]) -> Result<(), RowProblem> {
    std::str::from_utf8(text).map(|_| ()).map_err(|_| RowProblem::NotUtf8)
}

fn boolean(text: &[u8]) -> Result<bool, RowProblem> {
    match text {
        b"t" | b"true" => Ok(true),
        b"f" | b"false" => Ok(false),
        _ => Err(RowProblem::Malformed),
    }
}

fn parse(pattern: &Pattern, instants: &Instants, text: &[u8], scratch: &mut Scratch) -> Result<Piece, RowProblem> {
    let local: Local<'_> = pattern.read(text)?;
    if pattern.is_date() {
        return written(scratch, |out| instant::append_date(&local, out)).map(Piece::Text);
    }
    instants.write_local(&local, scratch)
}

/// Moves the point `digits` places to the left, on the text.
fn decimals(text: &[u8], digits: usize, scratch: &mut Scratch) -> Result<Place, RowProblem> {
    let (sign, whole): (&[u8], _) = match text.strip_prefix(b"-") {
        Some(rest) => (b"-", rest),
        None => (b"", text),
    };
    if whole.is_empty() || !whole.iter().all(u8::is_ascii_digit) {
        return Err(RowProblem::Malformed);
    }
    written(scratch, |out| {
        out.extend_from_slice(sign);
        if digits == 0 {
            out.extend_from_slice(whole);
            return;
        }
        let (units, rest) = whole
            .split_at_checked(whole.len().saturating_sub(digits))
            .unwrap_or_default();
        out.extend_from_slice(if units.is_empty() { b"0" } else { units });
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', digits - rest.len()));
        out.extend_from_slice(rest);
    })
}

/// `\x…` to base64, 48 bytes at a time so that only the last group is padded.
fn bytea(text: &[u8], scratch: &mut Scratch) -> Result<Place, RowProblem> {
    let hex = text.strip_prefix(b"\\x").ok_or(RowProblem::Malformed)?;
    let (pairs, odd) = hex.as_chunks::<2>();
    if !odd.is_empty() || !hex.iter().all(u8::is_ascii_hexdigit) {
        return Err(RowProblem::Malformed);
    }
    written(scratch, |out| {
        for group in pairs.chunks(48) {
            let mut bytes = [0u8; 48];
            for (byte, [high, low]) in bytes.iter_mut().zip(group) {
                *byte = nibble(*high) << 4 | nibble(*low);
            }
            let mut encoded = [0u8; 64];
            let len = STANDARD
                .encode_slice(bytes.get(..group.len()).unwrap_or_default(), &mut encoded)
                .unwrap_or(0);
            out.extend_from_slice(encoded.get(..len).unwrap_or_default());
        }
    })
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}
