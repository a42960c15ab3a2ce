//! Networks in CIDR notation.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::fault::{Code, Fault};

/// Reads `192.0.2.0/24` or a single address. Bits beyond the prefix are refused, since they are more often a slip than
/// meant.
pub fn parse_network(field: &'static str, text: &str) -> Result<IpNet, Fault> {
    let text = text.trim();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        let message = "a network looks like 192.0.2.0/24, 2001:db8::/32 or a single address";
        Fault::new(field, Code::BadFormat, message)
    })?;
    if network.trunc() != network {
        let message = format!("{network} has bits set beyond its prefix; write {}", network.trunc());
        return Err(Fault::new(field, Code::BadFormat, message));
    }
    Ok(network)
}
