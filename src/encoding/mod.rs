//! From domain events to records. Pure.

mod cloudevents;
mod control;
#[cfg(test)]
mod tests;

pub use cloudevents::{Encoder, Settings, Tombstone};
pub use control::{About, Control, Phase};
