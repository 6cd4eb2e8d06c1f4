//! From domain events to records. Pure.

mod cloudevents;
#[cfg(test)]
mod tests;

pub use cloudevents::{Encoder, Settings};
