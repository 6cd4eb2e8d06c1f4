//! The program as an operator meets it: exit codes, messages with their repair, and nothing lost when it stops.
//!
//! `dev/lib/servers.py cargo test --test commands` starts a PostgreSQL and a Kafka; without them tests are skipped with
//! a line that says so.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says by a panic what went wrong, and by a line why it was skipped"
)]

mod asking;
mod backfill;
#[path = "../stream/cluster.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is the stream tests' own, and these need less of it"
)]
mod cluster;
mod orders;
mod output;
#[path = "../stream/port.rs"]
mod port;
mod public_ids;
mod publications;
mod recover;
mod rights;
mod rows;
mod shapes;
mod slots;
mod surroundings;
mod told;
mod topics;
mod world;
