//! The catalogue, the set-up and the watch against a real PostgreSQL: `WALBRIDGE_TEST_PG` is a superuser's URL.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test says by a panic what went wrong, and by a line why it was skipped"
)]

mod chunks;
#[expect(dead_code, reason = "it is the stream tests' own, and these need less of it")]
#[path = "../stream/cluster.rs"]
mod cluster;
mod connecting;
mod facts;
#[path = "../stream/port.rs"]
mod port;
mod publishing;
mod watching;
mod world;
