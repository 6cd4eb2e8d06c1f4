//! walbridge carries committed row changes of a legacy PostgreSQL database into Kafka, as the domain events that a
//! config declares, exactly once.
//!
//! This page is the map; rooms stand in the order of their levels, and a room uses only rooms of lower levels.

/// `[2]` Old rows on the road of the stream.
pub mod backfill;
/// `[4]` The whole way of a change, and who begins it again.
pub mod bridge;
/// `[7]` The command line.
pub mod cli;
/// `[5]` The config: complete and valid.
pub mod config;
/// `[1]` What is promised of an event type.
pub mod contract;
/// `[2]` Domain events to records.
pub mod encoding;
/// `[0]` Something an operator must fix.
pub mod finding;
/// `[0]` The values that move, in the order in which a change becomes them.
pub mod flow;
/// `[6]` Health, status and metrics for operators.
pub mod http;
/// `[2]` Row changes to domain events.
pub mod mapping;
/// `[0]` Secrets, named by where they are kept.
pub mod secret;
/// `[3]` Where records go.
pub mod sink;
/// `[3]` Where changes come from.
pub mod source;
/// `[0]` What operators see: status and metrics.
pub mod telemetry;
