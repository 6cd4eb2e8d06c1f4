//! A line that stays at the bottom of a terminal while log lines go by above it.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Back to the left, and nothing from there on.
const CLEAR: &str = "\r\x1b[K";

/// What stands at the bottom of stderr now. All that writes there while it may stand writes through [`Above`].
static BOTTOM: Mutex<Bottom> = Mutex::new(Bottom(String::new()));

/// A line; empty: there is none.
#[derive(Debug)]
struct Bottom(String);

impl Bottom {
    /// Writes whole lines above it.
    fn above(&self, out: &mut impl Write, lines: &[u8]) -> io::Result<()> {
        if self.0.is_empty() {
            return out.write_all(lines);
        }
        // One write, so that nobody else's comes in between.
        let mut all = Vec::with_capacity(lines.len() + 2 * self.0.len());
        all.extend_from_slice(CLEAR.as_bytes());
        all.extend_from_slice(lines);
        if !lines.ends_with(b"\n") {
            all.push(b'\n');
        }
        all.extend_from_slice(self.0.as_bytes());
        out.write_all(&all)?;
        out.flush()
    }

    /// Puts another one in its place; an empty one takes it away.
    fn replace(&mut self, out: &mut impl Write, line: &str) -> io::Result<()> {
        if self.0 == line {
            return Ok(());
        }
        line.clone_into(&mut self.0);
        out.write_all(format!("{CLEAR}{line}").as_bytes())?;
        out.flush()
    }
}

fn bottom() -> MutexGuard<'static, Bottom> {
    BOTTOM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows this line at the bottom of the terminal, in place of the one before.
pub(in crate::cli) fn show(line: &str) {
    // Where this fails, nobody looks.
    drop(bottom().replace(&mut io::stderr(), line));
}

/// Takes the line away: what is printed from here on stands by itself.
pub(in crate::cli) fn hide() {
    show("");
}

/// Stderr, above the line at its bottom.
#[derive(Debug)]
pub(super) struct Above;

impl Write for Above {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        bottom().above(&mut io::stderr(), lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal of one colour shows after these bytes.
    fn screen(bytes: &[u8]) -> Vec<String> {
        let mut lines = vec![String::new()];
        let mut left = std::str::from_utf8(bytes).unwrap();
        while let Some(letter) = left.chars().next() {
            if let Some(after) = left.strip_prefix(CLEAR) {
                lines.last_mut().unwrap().clear();
                left = after;
                continue;
            }
            match letter {
                '\n' => lines.push(String::new()),
                letter => lines.last_mut().unwrap().push(letter),
            }
            left = &left[letter.len_utf8()..];
        }
        lines
    }

    #[test]
    fn log_lines_go_by_above_it_and_it_leaves_nothing_behind() {
        let (mut bottom, mut out) = (Bottom(String::new()), Vec::new());
        bottom.above(&mut out, b"starts\n").unwrap();
        bottom.replace(&mut out, "a long line: 10 %").unwrap();
        bottom.above(&mut out, b"one\n").unwrap();
        bottom.replace(&mut out, "short: 20 %").unwrap();
        bottom.above(&mut out, b"two\nthree\n").unwrap();
        assert_eq!(screen(&out), ["starts", "one", "two", "three", "short: 20 %"]);
        bottom.replace(&mut out, "").unwrap();
        bottom.above(&mut out, b"ends\n").unwrap();
        assert_eq!(screen(&out), ["starts", "one", "two", "three", "ends", ""]);
        let before = out.len();
        bottom.replace(&mut out, "").unwrap();
        assert_eq!(out.len(), before, "what is as it was is not drawn");
    }
}
