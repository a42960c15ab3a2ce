//! What the HTTP side asks of the running server.

use std::pin::Pin;

use ringway_telemetry::{Metrics, Scrape};

/// A pending answer of the server.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whether the server takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Sockets are bound, directory and journal are loaded.
    Ready,
    /// It is not, and why: one sentence a person can act on.
    NotReady(String),
}

/// The running server, as the HTTP side sees it.
pub trait Control: Send + Sync + 'static {
    /// Whether it takes calls.
    fn readiness(&self) -> Readiness;

    /// The numbers of this moment, of every shard.
    fn scrape(&self) -> Answer<'_, Scrape>;

    /// Where scrapes become text.
    fn metrics(&self) -> &Metrics;
}
