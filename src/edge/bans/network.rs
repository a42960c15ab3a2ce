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

/// A number for each source: the upper half of an IPv6 address; for one of IPv4 an upper half that is multicast in IPv6, from which
/// nothing comes.
pub(crate) fn number_of(source: IpAddr) -> u64 {
    match source.to_canonical() {
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        IpAddr::V4(address) => 0xffff_ffff_0000_0000 | u64::from(address.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_same_number_when_they_are_one_source() {
        let texts =
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::1"];
        let sources = texts.map(|text| text.parse::<IpAddr>().unwrap());
        for one in sources {
            for other in sources {
                let is_one_source = network_of(one) == network_of(other);
                assert_eq!(number_of(one) == number_of(other), is_one_source, "{one} {other}");
            }
        }
    }
}
