//! `LIKE`, step by step as PostgreSQL matches it, so that a bad pattern is an error for the same texts.
//! Rules: <https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/adt/like_match.c>

use crate::mapping::expression::EvaluationError;

/// Signs `%` in one pattern that the stack is sure to hold.
const ANY_MAX: usize = 500;
const TOO_MANY: EvaluationError = EvaluationError("a LIKE pattern with too many %");
const BAD_END: EvaluationError = EvaluationError("LIKE pattern must not end with escape character");

/// What a match came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Yes,
    No,
    /// No, and no shorter rest of the text can match either.
    Abort,
}

/// Whether a text is like a pattern (`%`, `_`, `\` as escape).
pub(in crate::mapping::expression) fn matches(text: &[u8], pattern: &[u8]) -> Result<bool, EvaluationError> {
    Ok(matching(text, pattern, 0)? == Outcome::Yes)
}

/// One character onwards.
fn next_char(text: &[u8]) -> &[u8] {
    let mut rest = text.get(1..).unwrap_or_default();
    while let [0x80..=0xBF, more @ ..] = rest {
        rest = more;
    }
    rest
}

fn matching(mut text: &[u8], mut pattern: &[u8], depth: usize) -> Result<Outcome, EvaluationError> {
    if pattern == b"%" {
        return Ok(Outcome::Yes);
    }
    while let ([letter, text_rest @ ..], [sign, pattern_rest @ ..]) = (text, pattern) {
        match sign {
            b'\\' => {
                let [wanted, after @ ..] = pattern_rest else {
                    return Err(BAD_END);
                };
                if wanted != letter {
                    return Ok(Outcome::No);
                }
                (text, pattern) = (text_rest, after);
            }
            b'%' => return any(text, pattern_rest, depth + 1),
            b'_' => (text, pattern) = (next_char(text), pattern_rest),
            _ => {
                if sign != letter {
                    return Ok(Outcome::No);
                }
                (text, pattern) = (text_rest, pattern_rest);
            }
        }
    }
    if !text.is_empty() {
        return Ok(Outcome::No);
    }
    while let [b'%', rest @ ..] = pattern {
        pattern = rest;
    }
    Ok(if pattern.is_empty() {
        Outcome::Yes
    } else {
        Outcome::Abort
    })
}

/// What comes after a `%`.
fn any(mut text: &[u8], mut pattern: &[u8], depth: usize) -> Result<Outcome, EvaluationError> {
    if depth > ANY_MAX {
        return Err(TOO_MANY);
    }
    loop {
        match pattern {
            [b'%', rest @ ..] => pattern = rest,
            [b'_', rest @ ..] => {
                if text.is_empty() {
                    return Ok(Outcome::Abort);
                }
                (text, pattern) = (next_char(text), rest);
            }
            _ => break,
        }
    }
    let first = match pattern {
        [] => return Ok(Outcome::Yes),
        [b'\\'] => return Err(BAD_END),
        [b'\\', escaped, ..] => *escaped,
        [sign, ..] => *sign,
    };
    while let [letter, ..] = text {
        if *letter == first {
            let matched = matching(text, pattern, depth)?;
            if matched != Outcome::No {
                return Ok(matched);
            }
        }
        text = next_char(text);
    }
    Ok(Outcome::Abort)
}
