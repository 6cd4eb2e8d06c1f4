//! Files as they come from the disk.

use std::path::Path;
use std::sync::Arc;

use crate::config::file::Text;
use crate::config::file::report::Report;
use crate::finding::{Cause, Finding, Place};

/// The text of a file; none where it cannot be read, or is no text.
pub(in crate::config) fn read(path: &Path, report: &mut Report<'_>) -> Option<Text> {
    let name: Arc<str> = Arc::from(path.display().to_string());
    let error = |what| Finding::error(Cause::Config, "config.unreadable", what);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            report.push(error(format!("cannot read the config file {name}: {why}")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(Text { name, text }),
        Err(why) => {
            let (line, byte) = spot(why.as_bytes(), why.utf8_error().valid_up_to());
            let what =
                format!("cannot read the config file {name}: line {line} is not UTF-8 (byte {byte} of the line)");
            let at = why.utf8_error().valid_up_to();
            let place = Place {
                file: Arc::clone(&name),
                line,
                span: at..at + 1,
                path: String::new(),
            };
            report.push(error(what).at(place).repair(repair(why.as_bytes(), &name)));
            None
        }
    }
}

/// Line, and byte in it, both from 1.
fn spot(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(..at).unwrap_or(bytes);
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    (breaks + 1, before.len() - start + 1)
}

/// Editors of old write one byte a letter, a redirection in PowerShell writes two.
fn repair(bytes: &[u8], name: &str) -> String {
    let is_wide = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let from = if is_wide { "UTF-16" } else { "WINDOWS-1252" };
    format!("save it as UTF-8, for instance: iconv -f {from} -t UTF-8 {name} > {name}.utf8 && mv {name}.utf8 {name}")
}
