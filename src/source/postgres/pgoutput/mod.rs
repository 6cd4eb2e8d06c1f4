//! The messages of pgoutput, protocol version 1, as bytes and as values
//! (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
//!
//! Pure: no I/O. Nothing here panics or believes a length, whatever the bytes are.

pub mod encode;
mod message;
#[cfg(test)]
mod random;
mod reader;
#[cfg(test)]
pub(crate) mod session;
#[cfg(test)]
mod tests;

pub use crate::source::postgres::pgoutput::message::{Message, Oids, decode};
pub use crate::source::postgres::pgoutput::reader::DecodeError;
