//! Where a request comes from. Behind a proxy of ours that is who asks the proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::listener::Peer;
use crate::router::App;

/// The header in which each proxy appends whom it was asked by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Proxies behind each other that are believed.
const MOST: usize = 16;

/// The address that a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(pub(crate) IpAddr);

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Source {
    pub(crate) fn of(parts: &Parts, app: &App) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        let peer = peer.map_or(IpAddr::from([0; 4]), |ConnectInfo(Peer(address))| address.ip());
        Self(origin(peer, &parts.headers, |address| app.control.trusts(address)))
    }
}

impl FromRequestParts<Arc<App>> for Source {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(parts, app))
    }
}

/// Goes back from proxy to proxy, as long as each is ours: what a stranger says of others is nothing.
fn origin(peer: IpAddr, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut origin = peer.to_canonical();
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    let named = values.iter().rev().filter_map(|value| value.to_str().ok()).flat_map(|value| value.rsplit(','));
    for text in named.take(MOST) {
        if !(origin.is_loopback() || trusts(origin)) {
            break;
        }
        let Some(address) = address(text.trim()) else { break };
        origin = address.to_canonical();
    }
    origin
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_ours_says_for_whom_it_asks_and_a_stranger_says_nothing() {
        let ours: IpAddr = "192.0.2.9".parse().unwrap();
        let of = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            origin(peer.parse().unwrap(), &headers, |address| address == ours).to_string()
        };
        assert_eq!(of("198.51.100.1", &["203.0.113.1"]), "198.51.100.1");
        assert_eq!(of("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(of("127.0.0.1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(of("::ffff:127.0.0.1", &["203.0.113.1:4711"]), "203.0.113.1");
        // Who asks the proxy may have written whatever stands before.
        assert_eq!(of("192.0.2.9", &["127.0.0.1, 203.0.113.1"]), "203.0.113.1");
        assert_eq!(of("127.0.0.1", &["203.0.113.1", "192.0.2.9"]), "203.0.113.1");
        assert_eq!(of("127.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(of("127.0.0.1", &["203.0.113.1, unknown"]), "127.0.0.1");
        let long = vec!["192.0.2.9"; 100].join(",");
        assert_eq!(of("127.0.0.1", &[&format!("203.0.113.1,{long}")]), "192.0.2.9");
    }
}
