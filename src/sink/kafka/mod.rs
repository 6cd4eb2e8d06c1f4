//! Kafka: records and checkpoint in one transaction.

pub mod settings;
