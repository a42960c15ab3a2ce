//! Commands to a running node: one socket in the data directory, one command a connection.
//!
//! Whoever can open the socket owns the data directory, and so may do everything; nobody else can (mode 0600, and the
//! peer's user is checked). The command line runs the same [`Request`]s itself when no node runs.

pub(crate) mod client;
pub(crate) mod line;
pub(crate) mod protocol;
pub(crate) mod socket;
#[cfg(test)]
mod tests;

pub(crate) use protocol::{Event, Request};
