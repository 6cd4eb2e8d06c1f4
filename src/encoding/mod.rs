//! From domain events to records. Pure.

mod cloudevents;
mod control;
mod headers;
#[cfg(test)]
mod tests;

pub use cloudevents::{Encoder, Settings, Tombstone};
pub use control::{About, Control, Phase};
pub use headers::headers;
