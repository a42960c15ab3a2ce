//! Binding the SIP and HTTP listeners, and telling where they are.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ringway_edge::settings::Listener;
use ringway_net::{Bound, LocalAddresses};
use ringway_sip::{ListenerId, Transport};
use tokio::net::TcpListener;

use crate::config::{Config, Listen};
use crate::failure::Failure;

/// A documentation address (RFC 5737): where a packet to somewhere else would leave from.
const SOMEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// Binds every SIP listener for every shard, and tells where each really is.
pub(super) fn bind_sip(config: &Config) -> Result<(Vec<Bound>, Vec<Listener>), Failure> {
    let wanted: Vec<_> = config
        .listen
        .iter()
        .zip(0..)
        .map(|(listen, id)| ringway_net::Listener {
            id: ListenerId(id),
            transport: listen.transport,
            address: listen.address,
        })
        .collect();
    let buffer = config.limits.udp_receive_buffer;
    let bound = ringway_net::bind(&wanted, usize::from(config.shards), buffer).map_err(Failure::of)?;
    let mut listeners = Vec::new();
    if let Some(first) = bound.first() {
        let mut actual = first.listeners().map_err(Failure::of)?;
        actual.sort_by_key(|(listener, _)| listener.id);
        for ((listener, granted), listen) in actual.into_iter().zip(&config.listen) {
            if let Some(granted) = granted.filter(|granted| *granted < buffer) {
                tracing::info!(
                    asked = buffer,
                    granted,
                    "the kernel grants a smaller receive buffer; raise net.core.rmem_max for bursts"
                );
            }
            listeners.push(edge_listener(listen, listener.address));
        }
    }
    Ok((bound, listeners))
}

fn edge_listener(listen: &Listen, bound: SocketAddr) -> Listener {
    let advertise = listen.advertise.as_ref().map(|told| (told.host.clone(), told.port.unwrap_or(bound.port())));
    Listener { transport: listen.transport, bound, advertise }
}

/// Binds an HTTP listener. `key` is its setting, and `option` says how to choose another address.
pub(super) async fn bind_http(address: SocketAddr, key: &str, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Failed(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{key} {address} is in use by another program; stop it or choose another address with {option}")
            }
            _ => format!("{key} {address} can't be bound: {error}"),
        })
    })
}

/// An address that a client on this machine, or near it, reaches a listener at: UDP if there is one.
pub(super) fn reachable(listeners: &[Listener]) -> Option<SocketAddr> {
    let udp = listeners.iter().find(|listener| listener.transport == Transport::Udp);
    let bound = udp.or(listeners.first())?.bound;
    if !bound.ip().is_unspecified() {
        return Some(bound);
    }
    let loopback = if bound.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) };
    let chosen = LocalAddresses::default().towards(SOMEWHERE).filter(|_| bound.is_ipv4());
    Some(SocketAddr::new(chosen.unwrap_or(loopback), bound.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Advertise;

    fn listener(transport: Transport, bound: &str) -> Listener {
        Listener { transport, bound: bound.parse().unwrap(), advertise: None }
    }

    #[test]
    fn a_client_is_sent_to_a_udp_listener_and_never_to_a_wildcard() {
        let tcp = listener(Transport::Tcp, "127.0.0.1:5062");
        let udp = listener(Transport::Udp, "127.0.0.1:5060");
        assert_eq!(reachable(&[tcp.clone(), udp]), Some("127.0.0.1:5060".parse().unwrap()));
        assert_eq!(reachable(&[tcp]), Some("127.0.0.1:5062".parse().unwrap()));
        let anywhere = reachable(&[listener(Transport::Udp, "0.0.0.0:5060")]).unwrap();
        assert!(!anywhere.ip().is_unspecified() && anywhere.port() == 5060, "{anywhere}");
        assert_eq!(reachable(&[listener(Transport::Udp, "[::]:5060")]), Some("[::1]:5060".parse().unwrap()));
        assert_eq!(reachable(&[]), None);
    }

    #[test]
    fn what_is_advertised_without_a_port_has_the_port_that_was_really_bound() {
        let mut listen = Listen {
            transport: Transport::Udp,
            address: "0.0.0.0:0".parse().unwrap(),
            advertise: None,
            tls: None,
            path: "/".into(),
        };
        let bound = "0.0.0.0:40000".parse().unwrap();
        assert_eq!(edge_listener(&listen, bound).advertise, None);
        listen.advertise = Some(Advertise { host: "sip.example.com".into(), port: None });
        assert_eq!(edge_listener(&listen, bound).advertise, Some(("sip.example.com".into(), 40000)));
        listen.advertise = Some(Advertise { host: "sip.example.com".into(), port: Some(7) });
        assert_eq!(edge_listener(&listen, bound).advertise, Some(("sip.example.com".into(), 7)));
    }
}
