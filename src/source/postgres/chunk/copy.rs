//! COPY's text format, read: rows by newline, fields by tab, `\N` for null
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, "File Formats", "Text Format").
//!
//! Pure: no I/O. Nothing here panics, whatever the bytes are.

use std::ops::Range;

use memchr::memchr;

/// Bytes that are not COPY's text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// A row ends in the middle of an escape.
    #[error("a row ends with a lone backslash")]
    Escape,
    /// The data ends in the middle of a row.
    #[error("the data ends in the middle of a row")]
    Unended,
}

/// Rows out of messages: a message of the server need not hold exactly one row
/// (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>).
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Gives every row that `message` completes, without its newline, to `each`, until that gives an error.
    ///
    /// # Errors
    /// The first one of `each`.
    pub fn feed<E>(&mut self, message: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        // COPY TO writes a newline of a value as `\n`: a literal one always ends a row.
        let mut rest = message;
        while let Some((line, after)) = memchr(b'\n', rest).and_then(|end| rest.split_at_checked(end)) {
            rest = after.get(1..).unwrap_or_default();
            if self.pending.is_empty() {
                each(line)?;
                continue;
            }
            self.pending.extend_from_slice(line);
            let told = each(&self.pending);
            self.pending.clear();
            told?;
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// The data ended.
    ///
    /// # Errors
    /// [`CopyError::Unended`] where a row did not.
    pub fn end(&self) -> Result<(), CopyError> {
        if self.pending.is_empty() {
            Ok(())
        } else {
            Err(CopyError::Unended)
        }
    }
}

/// One row's fields, in buffers that are used again and again.
#[derive(Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    /// Where each field lies in `bytes`; none for null.
    spans: Vec<Option<Range<usize>>>,
}

impl Fields {
    /// Reads a row, without its newline, in the place of the one before.
    ///
    /// # Errors
    /// [`CopyError::Escape`]
    pub fn read(&mut self, line: &[u8]) -> Result<(), CopyError> {
        self.bytes.clear();
        self.spans.clear();
        let mut rest = Some(line);
        while let Some(from) = rest {
            let (field, after) = match memchr(b'\t', from).and_then(|tab| from.split_at_checked(tab)) {
                Some((field, after)) => (field, after.get(1..)),
                None => (from, None),
            };
            rest = after;
            // Before the escapes are taken off: a text of backslash and N comes as `\\N`.
            if field == b"\\N" {
                self.spans.push(None);
                continue;
            }
            let start = self.bytes.len();
            unescape(field, &mut self.bytes)?;
            self.spans.push(Some(start..self.bytes.len()));
        }
        Ok(())
    }

    /// How many fields there are.
    pub fn count(&self) -> usize {
        self.spans.len()
    }

    /// A field; none for null.
    pub fn get(&self, at: usize) -> Option<&[u8]> {
        self.bytes.get(self.spans.get(at)?.clone()?)
    }

    /// The fields in order; none for null.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.spans.len()).map(|at| self.get(at))
    }
}

fn unescape(mut field: &[u8], out: &mut Vec<u8>) -> Result<(), CopyError> {
    loop {
        let plain = memchr(b'\\', field).unwrap_or(field.len());
        let (before, rest) = field.split_at_checked(plain).unwrap_or((field, &[]));
        out.extend_from_slice(before);
        let Some((_, rest)) = rest.split_first() else {
            return Ok(());
        };
        let (&code, rest) = rest.split_first().ok_or(CopyError::Escape)?;
        let (byte, rest) = match code {
            b'b' => (8, rest),
            b'f' => (12, rest),
            b'n' => (b'\n', rest),
            b'r' => (b'\r', rest),
            b't' => (b'\t', rest),
            b'v' => (11, rest),
            b'0'..=b'7' => number(code - b'0', rest, 8, 2),
            b'x' => match rest.split_first() {
                Some((first, rest)) if first.is_ascii_hexdigit() => number(digit(*first), rest, 16, 1),
                Some(_) | None => (code, rest),
            },
            other => (other, rest),
        };
        out.push(byte);
        field = rest;
    }
}

/// Goes on with a number that began with `value`, for at most `more` digits; what does not fit a byte is cut off as
/// the server does when it reads.
fn number(mut value: u8, mut rest: &[u8], base: u8, more: usize) -> (u8, &[u8]) {
    for _ in 0..more {
        match rest.split_first() {
            Some((next, after)) if digit(*next) < base => {
                value = value.wrapping_mul(base).wrapping_add(digit(*next));
                rest = after;
            }
            Some(_) | None => break,
        }
    }
    (value, rest)
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = Vec<Option<Vec<u8>>>;

    /// As `CopyAttributeOutText` of the server writes it.
    fn written(row: &Row) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, field) in row.iter().enumerate() {
            if at > 0 {
                out.push(b'\t');
            }
            let Some(field) = field else {
                out.extend_from_slice(b"\\N");
                continue;
            };
            for byte in field {
                match byte {
                    8 => out.extend_from_slice(b"\\b"),
                    9 => out.extend_from_slice(b"\\t"),
                    10 => out.extend_from_slice(b"\\n"),
                    11 => out.extend_from_slice(b"\\v"),
                    12 => out.extend_from_slice(b"\\f"),
                    13 => out.extend_from_slice(b"\\r"),
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    other => out.push(*other),
                }
            }
        }
        out.push(b'\n');
        out
    }

    fn read(bytes: &[u8], message: usize) -> Result<Vec<Row>, CopyError> {
        let (mut lines, mut fields, mut rows) = (Lines::default(), Fields::default(), Vec::new());
        for part in bytes.chunks(message) {
            lines.feed(part, |line| {
                fields.read(line)?;
                rows.push(fields.iter().map(|field| field.map(<[u8]>::to_vec)).collect());
                Ok::<(), CopyError>(())
            })?;
        }
        lines.end()?;
        Ok(rows)
    }

    fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
        let byte = prop_oneof![
            4 => prop::sample::select(b"\\\t\n\r\x08\x0b\x0cNnx7.".to_vec()),
            1 => 1..=255u8,
        ];
        prop::option::weighted(0.8, prop::collection::vec(byte, 0..8))
    }

    proptest! {
        #[test]
        fn what_the_server_writes_is_read_back(
            rows in prop::collection::vec(prop::collection::vec(field(), 1..5), 0..5),
            message in 1..9usize,
        ) {
            let bytes: Vec<u8> = rows.iter().flat_map(written).collect();
            prop_assert_eq!(read(&bytes, message), Ok(rows));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\\')], 0..40)) {
            drop(read(&bytes, 7));
        }
    }

    #[test]
    fn every_escape_of_the_format_is_known() {
        for (text, field) in [
            ("\\N", None),
            ("\\\\N", Some("\\N")),
            ("a\\N", Some("aN")),
            ("", Some("")),
            ("\\101\\60\\7", Some("A0\u{7}")),
            ("\\1011", Some("A1")),
            ("\\x41\\x4g\\xg", Some("A\u{4}gxg")),
            ("\\x411", Some("A1")),
            ("\\b\\f\\n\\r\\t\\v\\\\\\q", Some("\u{8}\u{c}\n\r\t\u{b}\\q")),
        ] {
            let expected = vec![vec![field.map(|field| field.as_bytes().to_vec())]];
            assert_eq!(read(format!("{text}\n").as_bytes(), 99), Ok(expected), "{text}");
        }
        assert_eq!(read(b"a\\\n", 99), Err(CopyError::Escape));
        assert_eq!(read(b"a\nb", 99), Err(CopyError::Unended));
    }
}
