//! What is said of what will be told, and that it is so.

mod begun;
mod explain;
mod init;
mod preview;
mod schema;
mod tutorial;
