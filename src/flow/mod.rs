//! The values that move through the bridge, one file each, in the order in which a change becomes them.
//!
//! Pure: no I/O, no clock. Every other room may use these; they use nothing but each other.

pub mod catalog;
pub mod cell;
pub mod change;
pub mod checkpoint;
pub mod event;
pub mod position;
pub mod record;
pub mod table;

pub use checkpoint::{declaration, generation};
