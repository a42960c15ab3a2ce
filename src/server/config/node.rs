//! `[node]` and `[secrets]`: who this node is and where it keeps what it must not lose.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ringway_directory::validation::Domain;

use super::reader::Reader;

/// Where everything is kept that must outlive the process.
pub const DATA_DIR: &str = "./data";

/// The key that seals secrets. `DATA/` at the start means the data directory.
pub const KEY_FILE: &str = "DATA/master.key";

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in Warning headers; `None`: a random one that is kept in the data directory.
    pub id: Option<Box<str>>,
    /// Where other nodes hand it calls; `None`: at its first UDP listener.
    pub address: Option<SocketAddr>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The domain of the tenant that is meant when only our address is named.
    pub default_tenant: Option<Box<str>>,
    /// Whether the Server header is left out.
    pub hide_version: bool,
    /// The file of the master key.
    pub key_file: PathBuf,
}

pub(super) fn read(reader: &Reader<'_>, data: Option<&Path>) -> Node {
    let section = reader.section("node");
    let id = section.text("id", "", parse_id).flatten();
    let address = section.text("address", "", parse_address).flatten();
    let configured = section.text("data_dir", DATA_DIR, not_empty).unwrap_or_else(|| DATA_DIR.into());
    let data_dir = data.map_or_else(|| PathBuf::from(configured), Path::to_owned);
    let default_tenant = section.text("default_tenant", "", parse_domain).flatten();
    let hide_version = section.flag("hide_version", false);
    let key_file = reader.section("secrets").text("key_file", KEY_FILE, not_empty).unwrap_or_else(|| KEY_FILE.into());
    let key_file = key_file.strip_prefix("DATA/").map_or_else(|| PathBuf::from(&key_file), |name| data_dir.join(name));
    Node { id, address, data_dir, default_tenant, hide_version, key_file }
}

fn parse_address(text: &str) -> Result<Option<SocketAddr>, String> {
    let parse = |text: &str| {
        let address: Option<SocketAddr> = text.parse().ok();
        let address = address.filter(|address| !address.ip().is_unspecified() && address.port() != 0);
        address.ok_or_else(|| format!("`{text}` is no address and port of this machine, as 10.0.0.1:5060"))
    };
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

/// A node's name stands in front of a quoted text in a Warning header (RFC 3261 section 20.43), like a host name.
fn parse_id(text: &str) -> Result<Option<Box<str>>, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if text.len() <= 64 && text.bytes().all(is_plain) {
        Ok((!text.is_empty()).then(|| text.into()))
    } else {
        Err("a node is named by up to 64 letters, digits, hyphens and dots".to_owned())
    }
}

fn parse_domain(text: &str) -> Result<Option<Box<str>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    Domain::parse("default_tenant", text)
        .map(|domain| Some(domain.as_str().into()))
        .map_err(|fault| fault.message.into_owned())
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("write a path".to_owned()) } else { Ok(text.to_owned()) }
}
