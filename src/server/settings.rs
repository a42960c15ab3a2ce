//! From the configuration to what the engines read.

use std::net::IpAddr;

use ringway_edge::settings::{Listener, Settings};

use crate::config::Config;

/// What the start has found out, and a reload does not change.
#[derive(Clone, Debug)]
pub(crate) struct Fixed {
    /// The listeners, with the addresses that they really have.
    pub(crate) listeners: Vec<Listener>,
    /// The node's name when none is configured.
    pub(crate) node: Box<str>,
    /// Whether the demo tenant is the default one.
    pub(crate) default_tenant: Option<Box<str>>,
}

/// The engines' settings.
pub(crate) fn settings(config: &Config, fixed: &Fixed, local_addresses: Vec<IpAddr>) -> Settings {
    Settings {
        node: config.node.id.clone().unwrap_or_else(|| fixed.node.clone()),
        shards: config.shards,
        listeners: fixed.listeners.clone(),
        local_addresses,
        default_tenant: fixed.default_tenant.clone().or_else(|| config.node.default_tenant.clone()),
        server: Settings::default().server.filter(|_| !config.node.hide_version),
        algorithms: config.auth.algorithms.clone(),
        nonce_lifetime: config.auth.nonce_lifetime,
        registrar: config.registrar,
        limits: config.limits.edge.clone(),
        ..Settings::default()
    }
}
