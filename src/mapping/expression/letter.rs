//! `lower` and `upper` by Unicode's simple mapping, as a server's C library knows it.

use crate::mapping::expression::EvaluationError;

const NEW_LETTER: EvaluationError = EvaluationError("a letter whose case depends on the server's version of Unicode");

/// Letters that have a case, or another one, only since Unicode 12 (C libraries of 2019).
fn is_new(c: char) -> bool {
    matches!(u32::from(c),
        0x19B | 0x264 | 0x282 | 0x1C89..=0x1C8A | 0x1D8E | 0x2C2F | 0x2C5F | 0xA794 | 0xA7BA..=0xA7F6
        | 0x10570..=0x105BC | 0x10D50..=0x10D85 | 0x16EA0..=0x16ED3)
}

/// Maps every letter of a text.
fn mapped(text: &str, mapping: impl Fn(char) -> char) -> Result<String, EvaluationError> {
    let map = |c: char| match mapping(c) {
        other if other != c && (is_new(c) || is_new(other)) => Err(NEW_LETTER),
        other => Ok(other),
    };
    text.chars().map(map).collect()
}

pub(super) fn to_lower(text: &str) -> Result<String, EvaluationError> {
    mapped(text, lower)
}

pub(super) fn to_upper(text: &str) -> Result<String, EvaluationError> {
    mapped(text, upper)
}

/// Unicode's simple mapping to lower case, one character to one.
fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        // U+0130 alone has a longer full mapping.
        _ => {
            if c == '\u{130}' {
                'i'
            } else {
                c
            }
        }
    }
}

/// Unicode's simple mapping to upper case.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => {
            let titled = match u32::from(c) {
                n @ (0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7) => n + 8,
                n @ (0x1FB3 | 0x1FC3 | 0x1FF3) => n + 9,
                n => n,
            };
            char::from_u32(titled).unwrap_or(c)
        }
    }
}
