//! Whether two sides of a call can reach each other with media, as far as it can be known.

use std::net::IpAddr;

use ringway_sip::{Flow, Sdp};

/// Where one side is, as its signalling shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standpoint {
    pub(crate) flow: Flow,
    /// Whether its Contact or Via names another address than its requests come from.
    pub(crate) is_natted: bool,
}

impl Standpoint {
    pub(crate) fn new(flow: &Flow, is_natted: bool) -> Self {
        Self { flow: *flow, is_natted }
    }

    /// Whether one of the two is behind a NAT that the other is not behind, or they have no network in common: one speaks IPv6
    /// and the other IPv4, or one has an address of the internet and the other one of a private network.
    pub(crate) fn can_not_reach(&self, other: &Self) -> bool {
        let (one, two) = (self.flow.source(), other.flow.source());
        if one == two {
            return false;
        }
        self.is_natted || other.is_natted || one.is_ipv6() != two.is_ipv6() || is_private(one) != is_private(two)
    }

    /// Whether a side's description wants media at another address than its signalling comes from, as a phone's behind a NAT
    /// does which hides that in its signalling.
    pub(crate) fn states_elsewhere(&self, sdp: &Sdp<'_>, other: &Self) -> bool {
        let source = self.flow.source();
        let is_elsewhere = |address: IpAddr| address != source && !address.is_unspecified();
        source != other.flow.source()
            && sdp
                .sections()
                .iter()
                .any(|section| sdp.can_be_relayed(section) && sdp.address(section).is_some_and(is_elsewhere))
    }
}

/// Whether an address means something in a network of its owner only: RFC 1918, RFC 6598, RFC 4193, link-local, loopback.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            address.is_private() || address.is_link_local() || address.is_loopback() || is_shared
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use ringway_sip::ListenerId;

    use super::*;

    fn at(address: &str, is_natted: bool) -> Standpoint {
        let local = "192.0.2.1:5060".parse().unwrap();
        let remote = std::net::SocketAddr::new(address.parse().unwrap(), 5060);
        Standpoint::new(&Flow::udp(ListenerId(0), local, remote), is_natted)
    }

    #[test]
    fn a_nat_between_them_keeps_two_sides_apart() {
        for (one, two, is_apart) in [
            (at("198.51.100.1", false), at("198.51.100.2", false), false),
            (at("198.51.100.1", true), at("198.51.100.2", false), true),
            (at("198.51.100.1", true), at("198.51.100.2", true), true),
            (at("198.51.100.1", true), at("198.51.100.1", true), false),
            (at("10.0.0.1", false), at("192.168.1.1", false), false),
            (at("10.0.0.1", false), at("198.51.100.2", false), true),
            (at("100.64.0.1", false), at("100.128.0.1", false), true),
            (at("127.0.0.1", false), at("127.0.0.2", false), false),
            (at("198.51.100.1", false), at("2001:db8::1", false), true),
            (at("fd00::1", false), at("2001:db8::1", false), true),
            (at("2001:db8::2", false), at("2001:db8::1", false), false),
        ] {
            assert_eq!(one.can_not_reach(&two), is_apart, "{one:?} {two:?}");
            assert_eq!(two.can_not_reach(&one), is_apart, "{two:?} {one:?}");
        }
    }
}
