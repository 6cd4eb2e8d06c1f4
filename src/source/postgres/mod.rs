//! A legacy PostgreSQL database, read by logical replication.

pub mod assemble;
pub mod catalog;
pub mod chunk;
pub mod clock;
mod connect;
mod facts;
mod follow;
pub mod guard;
pub mod pgoutput;
pub mod preflight;
pub mod proof;
pub mod publication;
pub mod sample;
pub mod settings;
pub mod setup;
pub mod slot;
pub mod sql;
mod stream;
pub mod trust;
pub mod watch;

pub use crate::source::postgres::follow::{Beginning, Postgres, compare};
pub use crate::source::postgres::guard::Guarded;
pub use crate::source::postgres::stream::Timing;
