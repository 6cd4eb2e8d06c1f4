//! Arrays: PostgreSQL's `{…}` text to a JSON array
//! (<https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>).

use super::step::{Elements, written};
use super::{Padding, Piece, Place, RowProblem, Scratch, without_padding};
use crate::flow::event::Value;

/// Writes the array as JSON. Bounds (`[0:1]={…}`) are not part of the value.
pub(super) fn write(elements: &Elements, text: &[u8], scratch: &mut Scratch) -> Result<Place, RowProblem> {
    let body = match text.first() {
        Some(b'[') => text.splitn(2, |&b| b == b'=').nth(1).ok_or(RowProblem::Malformed)?,
        _ => text,
    };
    let mut plain = std::mem::take(&mut scratch.plain);
    let mut inner = Scratch {
        bytes: std::mem::take(&mut scratch.element),
        ..Scratch::default()
    };
    let mut reader = Reader { rest: body, depth: 0 };
    let mut outcome = Ok(());
    let place = written(scratch, |out| {
        outcome = reader.array(elements, (&mut plain, &mut inner), out);
    });
    scratch.plain = plain;
    scratch.element = inner.bytes;
    outcome.and(place)
}

struct Reader<'t> {
    rest: &'t [u8],
    depth: usize,
}

impl Reader<'_> {
    fn array(
        &mut self,
        elements: &Elements,
        (plain, inner): (&mut Vec<u8>, &mut Scratch),
        out: &mut Vec<u8>,
    ) -> Result<(), RowProblem> {
        loop {
            match self.take()? {
                b'{' => {
                    self.depth += 1;
                    out.push(b'[');
                    if self.rest.first() == Some(&b'{') || self.rest.first() == Some(&b'}') {
                        continue;
                    }
                    self.element(elements, (plain, inner), out)?;
                }
                b'}' => {
                    self.depth = self.depth.checked_sub(1).ok_or(RowProblem::Malformed)?;
                    out.push(b']');
                    if self.depth == 0 {
                        return if self.rest.is_empty() {
                            Ok(())
                        } else {
                            Err(RowProblem::Malformed)
                        };
                    }
                }
                byte if byte == elements.delimiter && self.depth > 0 => {
                    out.push(b',');
                    if self.rest.first() != Some(&b'{') {
                        self.element(elements, (plain, inner), out)?;
                    }
                }
                _ => return Err(RowProblem::Malformed),
            }
        }
    }

    fn take(&mut self) -> Result<u8, RowProblem> {
        let (&first, rest) = self.rest.split_first().ok_or(RowProblem::Malformed)?;
        self.rest = rest;
        Ok(first)
    }

    fn element(
        &mut self,
        elements: &Elements,
        (plain, inner): (&mut Vec<u8>, &mut Scratch),
        out: &mut Vec<u8>,
    ) -> Result<(), RowProblem> {
        plain.clear();
        if self.rest.first() == Some(&b'"') {
            self.quoted(plain)?;
        } else {
            let end = |&b: &u8| b == elements.delimiter || b == b'}' || b == b'{' || b == b'"' || b == b'\\';
            let len = self.rest.iter().position(end).ok_or(RowProblem::Malformed)?;
            let (bare, rest) = self.rest.split_at_checked(len).ok_or(RowProblem::Malformed)?;
            self.rest = rest;
            if bare.is_empty() {
                return Err(RowProblem::Malformed);
            }
            if bare.eq_ignore_ascii_case(b"null") {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            plain.extend_from_slice(bare);
        }
        let text = match elements.padding {
            Padding::Kept => plain.as_slice(),
            Padding::Dropped => without_padding(plain),
        };
        inner.bytes.clear();
        let value = match elements.step.write(text, inner)? {
            Piece::Null | Piece::Unknown => Value::Null,
            Piece::Bool(value) => Value::Bool(value),
            Piece::Number(place) => Value::Number(place.bytes(text, &inner.bytes)),
            Piece::Text(place) => Value::Text(place.bytes(text, &inner.bytes)),
            Piece::Json(place) => Value::Json(place.bytes(text, &inner.bytes)),
        };
        value.append_json(out);
        Ok(())
    }

    fn quoted(&mut self, plain: &mut Vec<u8>) -> Result<(), RowProblem> {
        self.take()?;
        loop {
            match self.take()? {
                b'"' => return Ok(()),
                b'\\' => plain.push(self.take()?),
                byte => plain.push(byte),
            }
        }
    }
}
