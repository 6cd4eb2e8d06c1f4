//! A legacy PostgreSQL database, read by logical replication.

pub mod allowed;
pub mod catalog;
pub mod proof;
pub mod publication;
pub mod quote;
pub mod settings;
pub mod setup;
pub mod slot;
pub mod sql;
