//! Names of the headers that a tombstone has in place of a value.

/// What `id` is in a value.
pub const ID: &str = "ce_id";
/// What `sequence` is in a value.
pub const SEQUENCE: &str = "ce_sequence";
/// What `time` is in a value.
pub const TIME: &str = "ce_time";
/// The entity's name, without the prefix that `type` has in a value.
pub const TYPE: &str = "ce_type";
