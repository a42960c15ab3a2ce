//! `[http]`, `[metrics]` and `--http`: where the server answers people and programs.

use std::net::SocketAddr;

use super::fault::Place;
use super::reader::Reader;

/// The management listener's address.
pub const ADDRESS: &str = "127.0.0.1:8080";

/// The HTTP listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// For management: health, readiness; metrics to loopback peers only.
    pub address: SocketAddr,
    /// For metrics alone, to whoever can reach it.
    pub metrics: Option<SocketAddr>,
}

pub(super) fn read(reader: &Reader<'_>, option: Option<&str>) -> Http {
    let fallback = SocketAddr::from(([127, 0, 0, 1], 8080));
    let configured = reader.section("http").text("address", ADDRESS, parse).unwrap_or(fallback);
    let address = match option.map(parse) {
        None => configured,
        Some(Ok(address)) => address,
        Some(Err(reason)) => {
            reader.fault(Place::Option("--http"), reason);
            configured
        }
    };
    let parse_metrics = |text: &str| if text.is_empty() { Ok(None) } else { parse(text).map(Some) };
    let metrics = reader.section("metrics").text("address", "", parse_metrics).flatten();
    Http { address, metrics }
}

fn parse(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no address; write an IP address and a port, for example {ADDRESS}"))
}
