//! What the HTTP side asks of the running server.

use std::net::IpAddr;
use std::pin::Pin;

use ringway_store::directory::Directory;
use ringway_telemetry::{Metrics, Scrape};
use serde::Serialize;
use utoipa::ToSchema;

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

/// A device that is registered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Registration {
    /// What it is known by in paths: 16 hexadecimal digits.
    #[schema(example = "5f4dcc3b5aa765d6")]
    pub id: String,
    /// The node that it is registered with; missing for this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `app` for what a push notification wakes, else `phone`: each has a limit of its own.
    #[schema(example = "phone")]
    pub kind: String,
    /// Whether it said how to wake it.
    pub has_push_token: bool,
    /// Whether its signalling is encrypted.
    pub is_secure: bool,
    /// Pings that it has not answered.
    pub unanswered_pings: u8,
    /// Its Contact's URI.
    #[schema(example = "sip:101@198.51.100.7:5060")]
    pub contact: String,
    /// What it calls itself.
    pub user_agent: String,
    /// The address that its REGISTER came from.
    #[schema(example = "198.51.100.7:5060")]
    pub source: String,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    pub transport: String,
    /// How calls reach it: `contact`, `flow`, `node` or `nobody`.
    pub reached_by: String,
    /// When it registered last.
    pub registered_at: String,
    /// Until when it is registered.
    pub expires_at: String,
    /// Whether a NAT is between.
    pub is_natted: bool,
    /// The last ping that was sent to it.
    pub last_ping: Option<String>,
    /// How long its answer took, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

/// What an extension is doing this moment, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Live {
    /// `ONLINE`, `ON_CALL` or `OFFLINE`.
    #[schema(example = "ONLINE")]
    pub state: &'static str,
    /// Phones that are registered.
    pub phones: u32,
    /// Apps that are registered.
    pub apps: u32,
    /// Whether one of them said how to wake it.
    pub has_push_token: bool,
    /// Calls that it talks in.
    pub calls: u32,
}

/// The running server, as the HTTP side sees it.
pub trait Control: Send + Sync + 'static {
    /// Whether it takes calls.
    fn readiness(&self) -> Readiness;

    /// The numbers of this moment, of every shard.
    fn scrape(&self) -> Answer<'_, Scrape>;

    /// Where scrapes become text.
    fn metrics(&self) -> &Metrics;

    /// The directory, as soon as it is loaded.
    fn directory(&self) -> Option<Directory>;

    /// Brings what has changed in the directory into force: when this is done every shard judges by it.
    ///
    /// # Errors
    /// Why it is stored and not in force yet.
    fn publish(&self) -> Answer<'_, Result<(), String>>;

    /// Unregisters devices of an extension: the one with this id, or all. False when no shard has room for that now.
    fn unregister(&self, domain: &str, number: &str, device: Option<u64>) -> bool;

    /// Unregisters every device of a tenant that is being removed, as long as it is in force still.
    fn unregister_all(&self, domain: &str);

    /// Whether what comes from this address is ours, such as a proxy: it may say for whom it asks.
    fn trusts(&self, source: IpAddr) -> bool;

    /// The devices of an extension that are registered now.
    fn registrations(&self, domain: &str, number: &str) -> Vec<Registration>;

    /// What an extension is doing now.
    fn live(&self, domain: &str, number: &str) -> Live;
}
