//! `[capture]`: where messages go for good, as HEP. What `ringway capture` shows needs no setting.

use std::fmt;
use std::net::SocketAddr;

use super::reader::Reader;

/// The agent's number when none is configured.
pub const HEP_ID: u32 = 1;

/// The server that takes HEP.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Capture {
    /// Where it is; `None` sends nothing.
    pub hep: Option<SocketAddr>,
    /// What this node calls itself there.
    pub hep_id: u32,
    /// The server's password; empty for none.
    pub hep_password: Box<str>,
    /// The domains of the tenants whose messages are sent; empty for all messages.
    pub hep_tenants: Vec<Box<str>>,
}

impl fmt::Debug for Capture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hep, hep_id, hep_tenants, .. } = self;
        write!(formatter, "Capture {{ hep: {hep:?}, hep_id: {hep_id}, hep_tenants: {hep_tenants:?}, .. }}")
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Capture {
    let section = reader.section("capture");
    let address = |text: &str| match text {
        "" => Ok(None),
        text => crate::capture::parse_hep(text).map(Some),
    };
    Capture {
        hep: section.text("hep", "", address).flatten(),
        hep_id: section.number("hep_id", 0..=u32::MAX, "", HEP_ID),
        hep_password: section.text("hep_password", "", |text| Ok(text.into())).unwrap_or_default(),
        hep_tenants: section
            .list("hep_tenants", "[\"acme.example\"]", |text| Ok(text.to_lowercase().into()))
            .unwrap_or_default(),
    }
}
