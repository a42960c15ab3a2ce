//! What counts as one source.

use std::net::{IpAddr, Ipv6Addr};

/// Of IPv6 a whole /64: that is what one customer gets. An IPv4 address that came on an IPv6 socket is IPv4.
pub(crate) fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        source => source,
    }
}
