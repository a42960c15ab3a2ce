//! From the configuration to what the engines read.

use std::net::IpAddr;

use ringway_directory::Snapshot;
use ringway_edge::settings::{Listener, MediaSettings, Settings};

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
        node_address: config.node.address,
        shards: config.shards,
        listeners: fixed.listeners.clone(),
        local_addresses,
        default_tenant: fixed.default_tenant.clone().or_else(|| config.node.default_tenant.clone()),
        server: Settings::default().server.filter(|_| !config.node.hide_version),
        algorithms: config.auth.algorithms.clone(),
        nonce_lifetime: config.auth.nonce_lifetime,
        registrar: config.registrar,
        limits: config.limits.edge.clone(),
        max_call: config.calls.max_length,
        min_session_expires: config.calls.min_session_expires,
        media: MediaSettings {
            is_on: config.media.ports.is_some(),
            advertise: config.media.advertise.clone(),
            tenant_streams: config.media.tenant_streams(),
        },
        ..Settings::default()
    }
}

/// What to say of a default tenant that is none; it may become one later, so it stops nothing.
pub(crate) fn missing_tenant(domain: &str) -> String {
    format!(
        "node.default_tenant: there is no tenant {domain} yet, so requests that name our address alone are refused; \
         create it with: ringway tenant add {domain}"
    )
}

/// Warns in the log when the default tenant is none.
pub(crate) fn look_at_default_tenant(settings: &Settings, directory: &Snapshot) {
    if let Some(domain) = &settings.default_tenant
        && directory.tenant_by_host(domain.as_bytes()).is_none()
    {
        tracing::warn!("{}", missing_tenant(domain));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringway_edge::settings::SourceBudgets;

    use super::*;
    use crate::config::Overrides;

    fn config(text: &str) -> Config {
        Config::parse(Path::new("r.toml"), text, &Overrides::default(), std::iter::empty()).unwrap()
    }

    fn fixed() -> Fixed {
        Fixed { listeners: Vec::new(), node: "rw-1".into(), default_tenant: None }
    }

    #[test]
    fn what_is_configured_reaches_the_engines() {
        let text = "[node]\nid = \"edge-1\"\ndefault_tenant = \"Acme.Example\"\nhide_version = true\n[registrar]\n\
                    max_expires = 900\n[media]\nadvertise = [\"192.0.2.80\"]\n[limits]\nsource_rps = 7\nsource_registers_ps = 6\nsource_calls_ps = 5\ntrusted = [\"192.0.2.0/24\"]\n[calls]\nmax_seconds = 600\nmin_session_expires = 120\n";
        let address = IpAddr::from([192, 0, 2, 5]);
        let settings = settings(&config(text), &fixed(), vec![address]);
        assert_eq!(&*settings.node, "edge-1");
        assert_eq!(settings.default_tenant.as_deref(), Some("acme.example"));
        assert_eq!(settings.server, None);
        assert_eq!(settings.registrar.max_expires, 900);
        assert_eq!(settings.limits.source, SourceBudgets { requests: 7, registers: 6, calls: 5 });
        assert!(settings.is_trusted_source(address));
        assert_eq!((settings.max_call.as_secs(), settings.min_session_expires), (600, 120));
        assert_eq!(settings.local_addresses, [address]);
        assert_eq!(settings.media.advertise, [IpAddr::from([192, 0, 2, 80])]);
        assert!(settings.media.is_on && !settings.draining);
        assert_eq!(settings.media.tenant_streams, Some(2048), "half of 16,384 ports, four a stream");
    }

    #[test]
    fn a_node_without_a_configured_name_has_the_drawn_one_and_the_demo_s_tenant_comes_first() {
        let mut fixed = fixed();
        fixed.default_tenant = Some("demo.ringway.test".into());
        let settings = settings(&config("[node]\ndefault_tenant = \"acme.example\"\n"), &fixed, Vec::new());
        assert_eq!(&*settings.node, "rw-1");
        assert_eq!(settings.default_tenant.as_deref(), Some("demo.ringway.test"));
        assert!(settings.server.is_some_and(|server| server.starts_with("ringway/")));
    }
}
