//! The source over a real PostgreSQL: `WALBRIDGE_TEST_PG` is a superuser's URL.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says by a panic what went wrong, and by a line why it was skipped"
)]

mod cluster;
mod connecting;
mod enduring;
mod following;
mod port;
mod reader;
mod trust;
#[expect(dead_code, reason = "its other half is for the tests of the catalogue")]
#[path = "../catalog/world.rs"]
mod world;
