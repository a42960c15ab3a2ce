//! `[redis]`: where registrations are shared with other nodes.

use ringway_cluster::Address;

use super::reader::Reader;

/// Where Redis is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redis {
    /// `None` for a node that is alone.
    pub address: Option<Address>,
    /// The file with the certificates that sign Redis's own; empty for the system's.
    pub ca: Box<str>,
}

pub(super) fn read(reader: &Reader<'_>) -> Redis {
    let section = reader.section("redis");
    let read = |path: &str| match path {
        "" => Ok((path.into(), None)),
        _ => match std::fs::read(path) {
            Ok(certificates) => Ok((path.into(), Some(certificates))),
            Err(error) => Err(format!("{path} can't be read: {error}")),
        },
    };
    let (ca, authorities) = section.text("ca", "", read).unwrap_or_default();
    let parse = |url: &str| match url {
        "" => Ok(None),
        url => Address::parse(url, authorities.clone()).map(Some),
    };
    Redis { address: section.text("url", "", parse).flatten(), ca }
}
