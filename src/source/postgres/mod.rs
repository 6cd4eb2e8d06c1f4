//! A legacy PostgreSQL database, read by logical replication.

pub mod settings;
