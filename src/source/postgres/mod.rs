//! A legacy PostgreSQL database, read by logical replication.

pub mod assemble;
pub mod catalog;
pub mod pgoutput;
pub mod preflight;
pub mod proof;
pub mod publication;
pub mod settings;
pub mod setup;
pub mod slot;
pub mod sql;
pub mod watch;
