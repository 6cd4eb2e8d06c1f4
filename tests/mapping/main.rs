//! What is told of rows, and what a person is told whose mapping does not fit.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says by a panic what went wrong"
)]

mod messages;
mod telling;
mod world;
