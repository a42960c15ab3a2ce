//! What a datagram is before anybody parses it (RFC 5626 section 8).

/// The least length of a STUN message: its header (RFC 8489 section 5).
const STUN_HEADER: usize = 20;

/// The longest datagram that is taken for a vendor's ping. The shortest SIP message is many times longer.
const LONGEST_PING: usize = 4;

/// What a datagram on a SIP port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramKind {
    /// Something to parse.
    Message,
    /// CRLFs, NULs or a vendor's few bytes, which keep a NAT's door open; needs no answer and is never malformed.
    KeepAlive,
    /// STUN, which on a SIP port is a keep-alive that asks for its reflexive address.
    Stun,
}

/// Tells the kinds apart by their first bytes and their length.
pub fn datagram_kind(bytes: &[u8]) -> DatagramKind {
    if bytes.len() <= LONGEST_PING || bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b'\0')) {
        DatagramKind::KeepAlive
    } else if is_stun(bytes) {
        DatagramKind::Stun
    } else {
        DatagramKind::Message
    }
}

/// A STUN message begins with two zero bits and tells its length. Clients older than RFC 5389 send no magic cookie.
fn is_stun(bytes: &[u8]) -> bool {
    let [first, _, high, low, ..] = bytes else { return false };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    *first < 0x40 && length.is_multiple_of(4) && bytes.len() == STUN_HEADER + length && !is_text(*first)
}

/// A message may be preceded by white space, whose bytes also begin with two zero bits.
const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | b'\t' | b' '..)
}
