//! What must hold of any bytes whatever, a function for each room that reads what others wrote. Each panics where it does not hold.
//!
//! `dev/fuzz` looks for such bytes; `tests/corpus` tries those that are kept in `corpus/` in every `dev/test`.

mod decode_message;
mod decode_value;
mod expression;
mod json_writer;
mod load_config;

pub use decode_message::decode_message;
pub use decode_value::decode_value;
pub use expression::expression;
pub use json_writer::json_writer;
pub use load_config::load_config;
