//! The messages of PostgreSQL's protocol 3, as bytes
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
//!
//! Pure: no I/O. Nothing here panics or believes a length, whatever the bytes are.

use crate::flow::position::Lsn;

/// Version 3.0.
const PROTOCOL: u32 = 196_608;
/// The code that asks for TLS.
const SSL_REQUEST: u32 = 80_877_103;

/// Whether a status update asks the server for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A keepalive is to come at once.
    Wanted,
    /// None is.
    Unwanted,
}

/// A message with its length, which counts itself and the body.
fn message(tag: Option<u8>, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().saturating_add(5));
    out.extend(tag);
    out.extend(
        u32::try_from(body.len().saturating_add(4))
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    out.extend(body);
    out
}

/// Asks for TLS.
pub(super) fn ssl_request() -> Vec<u8> {
    message(None, &SSL_REQUEST.to_be_bytes())
}

/// Begins a session.
pub(super) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = PROTOCOL.to_be_bytes().to_vec();
    for (name, value) in parameters {
        string(&mut body, name);
        string(&mut body, value);
    }
    body.push(0);
    message(None, &body)
}

/// A string ends at its first zero: one that holds a zero must not begin another.
fn string(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().take_while(|byte| *byte != 0));
    out.push(0);
}

/// A password or its digest.
pub(super) fn password(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, text);
    message(Some(b'p'), &body)
}

/// The first message of SASL.
pub(super) fn sasl_begin(mechanism: &str, first: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, mechanism);
    body.extend(u32::try_from(first.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend(first);
    message(Some(b'p'), &body)
}

/// A later one.
pub(super) fn sasl_answer(answer: &[u8]) -> Vec<u8> {
    message(Some(b'p'), answer)
}

/// A command.
pub(super) fn query(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, text);
    message(Some(b'Q'), &body)
}

/// A standby status update: written, flushed and applied are one and the same.
pub(crate) fn status(lsn: Lsn, clock_us: i64, reply: Reply) -> Vec<u8> {
    let mut body = vec![b'r'];
    for _ in 0..3 {
        body.extend(lsn.0.to_be_bytes());
    }
    body.extend(clock_us.to_be_bytes());
    body.push(u8::from(reply == Reply::Wanted));
    message(Some(b'd'), &body)
}

/// Ends the stream and the session.
pub(crate) fn farewell() -> Vec<u8> {
    let mut out = message(Some(b'c'), &[]);
    out.extend(message(Some(b'X'), &[]));
    out
}

/// Takes a string up to its zero off the front.
fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (text, tail) = rest.split_at_checked(end)?;
    *rest = tail.get(1..)?;
    Some(text)
}

/// Takes a number of 32 bits off the front.
pub(super) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_be_bytes(*head))
}

/// The mechanisms of SASL that the server speaks.
pub(super) fn mechanisms(mut body: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while let Some(name) = take_string(&mut body).filter(|name| !name.is_empty()) {
        out.push(name);
    }
    out
}

/// What the server refused. Never DETAIL or CONTEXT, which may quote a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// SQLSTATE.
    pub(crate) state: String,
    /// The primary message.
    pub(crate) message: String,
}

/// Reads an ErrorResponse; what is not there stays empty.
pub(crate) fn refused(mut body: &[u8]) -> Refused {
    let mut out = Refused::default();
    while let Some((kind, rest)) = body.split_first() {
        body = rest;
        let Some(text) = take_string(&mut body) else { break };
        let text = String::from_utf8_lossy(text);
        match kind {
            b'C' => out.state = text.into_owned(),
            b'M' => out.message = text.into_owned(),
            _ => {}
        }
    }
    out
}

/// Reads a DataRow as text; a cut one ends early.
pub(super) fn data_row(mut body: &[u8]) -> Vec<Option<String>> {
    let mut out = Vec::new();
    let Some((count, rest)) = body.split_first_chunk::<2>() else {
        return out;
    };
    body = rest;
    for _ in 0..u16::from_be_bytes(*count) {
        let Some(length) = take_u32(&mut body) else { break };
        if length == u32::MAX {
            out.push(None);
            continue;
        }
        let Some((value, rest)) = usize::try_from(length).ok().and_then(|at| body.split_at_checked(at)) else {
            break;
        };
        body = rest;
        out.push(Some(String::from_utf8_lossy(value).into_owned()));
    }
    out
}
