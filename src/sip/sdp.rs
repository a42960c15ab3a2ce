//! Session descriptions (RFC 8866) as a relay of media needs them: where each stream is to be received, and edits that move
//! it elsewhere.
//!
//! A description is scanned once, and nothing is copied. Only the few spans that say where media goes are ever edited: the
//! address of `c=`, the port of `m=`, the port and address of `a=rtcp` (RFC 3605). Every other byte stays as it was, known
//! or not. Nothing here judges codecs or keys, and nobody's offer is held against its answer.

mod lines;
mod relocate;
mod scan;

use std::net::IpAddr;
use std::ops::Range;

use smallvec::SmallVec;

/// Media sections that a description may have; one more is [`SdpProblem::TooManySections`].
pub const MAX_SECTIONS: usize = 8;

/// A session description, on the bytes that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdp<'a> {
    bytes: &'a [u8],
    /// The session's `c=`, which holds for every section without one of its own.
    connection: Option<Connection>,
    direction: Option<Direction>,
    has_ice: bool,
    has_fingerprint: bool,
    sections: SmallVec<[Section; 2]>,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The port; 0 when the stream is not wanted.
    pub port: u16,
    /// What travels there.
    pub protocol: Protocol,
    /// Its own `c=`.
    connection: Option<Connection>,
    port_at: Range<usize>,
    /// Where a `c=` of its own would stand: behind `m=` and `i=`.
    connection_at: usize,
    rtcp: Option<Rtcp>,
    direction: Option<Direction>,
    has_fingerprint: bool,
}

/// What travels in a section, as far as a relay minds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RTP, encrypted or not.
    Rtp,
    /// RTP whose keys are agreed upon in the stream itself (RFC 5764).
    DtlsRtp,
    /// Anything else, several ports, or a group of receivers (multicast).
    Other,
}

/// Who is to send, as the sender of the description sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendReceive,
    /// The sender of the description alone: it holds the other.
    SendOnly,
    /// The other alone.
    ReceiveOnly,
    /// Nobody.
    Inactive,
}

/// The address of a `c=` line or an `a=rtcp` attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connection {
    /// `IP4` or `IP6` and the address.
    span: Range<usize>,
    host: Host,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// A name: it is never resolved.
    Name,
    /// A group of receivers, with a scope and perhaps a range.
    Multicast,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rtcp {
    port: u16,
    port_at: Range<usize>,
    connection: Option<Connection>,
}

/// Why a description can't be read. It is then passed on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpProblem {
    /// It doesn't begin with `v=0`.
    NotSdp,
    /// An `m=` line, a `c=` line or an `a=rtcp` attribute can't be read.
    Malformed,
    /// A section that is wanted has no address.
    NoConnection,
    /// There are more than [`MAX_SECTIONS`].
    TooManySections,
}

impl<'a> Sdp<'a> {
    /// Scans a description.
    ///
    /// # Errors
    /// What keeps it from being read, as far as its streams are concerned. Other mistakes in it are nobody's business here.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SdpProblem> {
        scan::scan(bytes)
    }

    /// The description, whole.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its media sections, in their order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Whether the endpoints look for a way themselves (RFC 8445): such a description is better left alone.
    pub fn has_ice(&self) -> bool {
        self.has_ice
    }

    /// The address at which a section's media is wanted. `None` for a name or a group.
    pub fn address(&self, section: &Section) -> Option<IpAddr> {
        match self.connection_of(section)?.host {
            Host::Address(address) => Some(address),
            Host::Name | Host::Multicast => None,
        }
    }

    /// Where a section's RTCP is wanted: at an address, or at the section's own when there is none, and a port. Without
    /// `a=rtcp` it is the next port (RFC 3550 section 11).
    pub fn rtcp(&self, section: &Section) -> (Option<IpAddr>, u16) {
        let own = self.address(section);
        match &section.rtcp {
            None => (own, section.port.saturating_add(1)),
            Some(Rtcp { port, connection: Some(Connection { host, .. }), .. }) => match host {
                Host::Address(address) => (Some(*address), *port),
                Host::Name | Host::Multicast => (None, *port),
            },
            Some(Rtcp { port, connection: None, .. }) => (own, *port),
        }
    }

    /// Whether a section's keys may be agreed upon in the stream itself: its protocol says so, or a certificate's fingerprint
    /// does beside a protocol that leaves it open (RFC 5764, RFC 8643).
    pub fn offers_dtls(&self, section: &Section) -> bool {
        section.protocol == Protocol::DtlsRtp || self.has_fingerprint || section.has_fingerprint
    }

    /// Who is to send in a section.
    pub fn direction(&self, section: &Section) -> Direction {
        section.direction.or(self.direction).unwrap_or(Direction::SendReceive)
    }

    /// Whether a section is on hold: somebody is not to send, or it is wanted at no address, as RFC 2543 had it.
    pub fn is_held(&self, section: &Section) -> bool {
        self.direction(section) != Direction::SendReceive
            || self.address(section).is_some_and(|address| address.is_unspecified())
    }

    /// Whether a section is wanted and can be relayed.
    pub fn can_be_relayed(&self, section: &Section) -> bool {
        section.port != 0
            && section.protocol != Protocol::Other
            && self.connection_of(section).is_some_and(|connection| connection.host != Host::Multicast)
    }

    fn connection_of<'s>(&'s self, section: &'s Section) -> Option<&'s Connection> {
        section.connection.as_ref().or(self.connection.as_ref())
    }
}
