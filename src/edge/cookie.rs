//! The signed cookie in the Record-Route URI that we insert, and the dialog that it names.
//!
//! A request that bears it belongs to a dialog that we let through. It carries what is needed to judge and forward the
//! request when the dialog itself is forgotten, after a restart: both flows, the Call-ID and the caller's tag.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_sip::{ConnectionId, Flow, ListenerId, ShardId, Transport};
use subtle::ConstantTimeEq;

use crate::keys::{ACCEPTED_PERIODS, Keys, MAC_LENGTH, Purpose};
use crate::location::NodeNumber;

/// What the user part of a cookie's URI begins with.
const PREFIX: &[u8] = b"rw.";
/// The user part of the second Record-Route entry, which only says where we listen on the caller's side.
pub(crate) const COMPANION: &[u8] = b"rw";

/// The fixed part: period, shard, node, boot, dialog, tenant, Call-ID, caller's tag.
const FIXED: usize = 2 + 1 + 4 + 4 + 8 + 8 + 8 + 8;
const LONGEST_FLOW: usize = 1 + 1 + 2 * (16 + 2) + CONNECTION;
/// A connection's shard and serial number.
const CONNECTION: usize = 1 + 8;
/// Marks of a flow's first byte, beside the transport: IPv6 addresses; a connection behind them; a NAT before the side; and,
/// of the caller's, an emergency call.
const IS_WIDE: u8 = 0x80;
const HAS_CONNECTION: u8 = 0x40;
const IS_NATTED: u8 = 0x20;
const IS_EMERGENCY: u8 = 0x10;
const MARKS: u8 = IS_WIDE | HAS_CONNECTION | IS_NATTED | IS_EMERGENCY;
const LONGEST: usize = FIXED + 2 * LONGEST_FLOW + MAC_LENGTH;
const LONGEST_TEXT: usize = LONGEST.div_ceil(3) * 4;

/// What a cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// The shard that owns the dialog.
    pub(crate) shard: ShardId,
    /// The node that made it.
    pub(crate) node: NodeNumber,
    /// Which start of the node it was made in: a dialog of this start that is not in the table has ended.
    pub(crate) boot: u32,
    /// The dialog in the shard's table; 0 when none is tracked.
    pub(crate) dialog: u64,
    /// Whose call it is, by what its tenant is [known by](ringway_directory::Tenant::mark) on every node: the numbers of tenants need
    /// not be the same. 0 when the tenant is gone.
    pub(crate) tenant: u64,
    /// The fingerprint of the Call-ID.
    pub(crate) call_id: u64,
    /// The fingerprint of the caller's tag.
    pub(crate) caller_tag: u64,
    /// The caller's flow. A connection in it is one of the start that made the cookie.
    pub(crate) caller: Flow,
    /// The callee's flow.
    pub(crate) callee: Flow,
    /// Whether the caller is behind a NAT, so that its Contact says nothing of where it is.
    pub(crate) is_caller_natted: bool,
    /// Whether the callee is.
    pub(crate) is_callee_natted: bool,
    /// Whether it is an emergency call.
    pub(crate) is_emergency: bool,
}

/// What a URI's user part turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub(crate) enum Reading {
    /// A cookie that we signed.
    Valid(Cookie),
    /// It looks like a cookie, and is none of ours or too old.
    Forged,
    /// The second entry of a pair.
    Companion,
    /// Something else.
    Foreign,
}

impl Cookie {
    /// Appends the user part of the cookie's URI.
    pub(crate) fn write(&self, keys: &mut Keys, period: u64, out: &mut Vec<u8>) {
        let mut bytes = Bytes::default();
        bytes.put(&(period as u16).to_be_bytes());
        bytes.put(&[self.shard.0]);
        bytes.put(&self.node.0.to_be_bytes());
        bytes.put(&self.boot.to_be_bytes());
        bytes.put(&self.dialog.to_be_bytes());
        bytes.put(&self.tenant.to_be_bytes());
        bytes.put(&self.call_id.to_be_bytes());
        bytes.put(&self.caller_tag.to_be_bytes());
        let mark = |is_marked: bool, mark: u8| if is_marked { mark } else { 0 };
        let of_caller = mark(self.is_caller_natted, IS_NATTED) | mark(self.is_emergency, IS_EMERGENCY);
        bytes.put_flow(&self.caller, of_caller);
        bytes.put_flow(&self.callee, mark(self.is_callee_natted, IS_NATTED));
        let mac = keys.mac(Purpose::Cookie, period, &[bytes.as_slice()]);
        bytes.put(&mac);

        let mut text = [0; LONGEST_TEXT];
        let length = URL_SAFE_NO_PAD.encode_slice(bytes.as_slice(), &mut text).unwrap_or(0);
        debug_assert!(length > 0, "the longest cookie fits");
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(&text[..length]);
    }

    /// Reads a URI's user part.
    pub(crate) fn read(user: &[u8], keys: &mut Keys, period: u64) -> Reading {
        if user == COMPANION {
            return Reading::Companion;
        }
        let Some(text) = user.strip_prefix(PREFIX) else { return Reading::Foreign };
        Self::verify(text, keys, period).map_or(Reading::Forged, Reading::Valid)
    }

    fn verify(text: &[u8], keys: &mut Keys, period: u64) -> Option<Self> {
        let mut bytes = [0; LONGEST_TEXT];
        if text.len() > LONGEST_TEXT {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (signed, mac) = bytes[..length].split_at_checked(length.checked_sub(MAC_LENGTH)?)?;
        let mut reader = Reader(signed);
        // The period is sent modulo 2^16: take the newest that ends so.
        let age = u64::from((period as u16).wrapping_sub(u16::from_be_bytes(reader.array()?)));
        if age > ACCEPTED_PERIODS || age > period {
            return None;
        }
        if !bool::from(keys.mac(Purpose::Cookie, period - age, &[signed]).ct_eq(mac)) {
            return None;
        }
        let shard = ShardId(reader.array::<1>()?[0]);
        let node = NodeNumber(u32::from_be_bytes(reader.array()?));
        let boot = u32::from_be_bytes(reader.array()?);
        let dialog = u64::from_be_bytes(reader.array()?);
        let tenant = u64::from_be_bytes(reader.array()?);
        let call_id = u64::from_be_bytes(reader.array()?);
        let caller_tag = u64::from_be_bytes(reader.array()?);
        let (caller, of_caller) = reader.flow()?;
        let (callee, of_callee) = reader.flow()?;
        Some(Self {
            shard,
            node,
            boot,
            dialog,
            tenant,
            call_id,
            caller_tag,
            caller,
            callee,
            is_caller_natted: of_caller & IS_NATTED != 0,
            is_callee_natted: of_callee & IS_NATTED != 0,
            is_emergency: of_caller & IS_EMERGENCY != 0,
        })
    }
}

/// A small buffer that is filled from the front.
struct Bytes {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }
}

impl Bytes {
    fn put(&mut self, part: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + part.len()) {
            room.copy_from_slice(part);
            self.length += part.len();
        }
    }

    fn put_flow(&mut self, flow: &Flow, marks: u8) {
        let (local, remote) = (flow.local.ip().to_canonical(), flow.remote.ip().to_canonical());
        let wide = local.is_ipv6() || remote.is_ipv6();
        let mut kind = flow.transport as u8 | marks;
        if wide {
            kind |= IS_WIDE;
        }
        if flow.connection.is_some() {
            kind |= HAS_CONNECTION;
        }
        self.put(&[kind, flow.listener.0]);
        for (ip, port) in [(local, flow.local.port()), (remote, flow.remote.port())] {
            match (ip, wide) {
                (IpAddr::V4(ip), false) => self.put(&ip.octets()),
                (IpAddr::V4(ip), true) => self.put(&ip.to_ipv6_mapped().octets()),
                (IpAddr::V6(ip), _) => self.put(&ip.octets()),
            }
            self.put(&port.to_be_bytes());
        }
        if let Some(connection) = flow.connection {
            self.put(&[connection.shard.0]);
            self.put(&connection.serial.to_be_bytes());
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn address(&mut self, wide: bool) -> Option<SocketAddr> {
        let ip = if wide {
            IpAddr::V6(Ipv6Addr::from(self.array::<16>()?)).to_canonical()
        } else {
            IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes(self.array()?)))
    }

    /// A flow, and its first byte.
    fn flow(&mut self) -> Option<(Flow, u8)> {
        let [kind, listener] = self.array::<2>()?;
        let transport = *Transport::ALL.get(usize::from(kind & !MARKS))?;
        let wide = kind & IS_WIDE != 0;
        let (local, remote) = (self.address(wide)?, self.address(wide)?);
        let connection = if kind & HAS_CONNECTION == 0 {
            None
        } else {
            let [shard] = self.array::<1>()?;
            Some(ConnectionId { shard: ShardId(shard), serial: u64::from_be_bytes(self.array()?) })
        };
        let flow = Flow { transport, listener: ListenerId(listener), local, remote, connection };
        Some((flow, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(caller: &str, callee: &str) -> Cookie {
        let flow = |remote: &str| Flow::udp(ListenerId(1), "192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap());
        Cookie {
            shard: ShardId(2),
            node: NodeNumber(5),
            boot: 77,
            dialog: 0x1_0000_0005,
            tenant: 9,
            call_id: 11,
            caller_tag: 12,
            caller: flow(caller),
            callee: flow(callee),
            is_caller_natted: false,
            is_callee_natted: true,
            is_emergency: false,
        }
    }

    fn written(cookie: &Cookie, period: u64) -> Vec<u8> {
        let mut out = Vec::new();
        cookie.write(&mut Keys::new([1; 32]), period, &mut out);
        out
    }

    #[test]
    fn a_cookie_is_read_as_it_was_written() {
        for (caller, callee) in [
            ("198.51.100.7:5060", "203.0.113.9:40000"),
            ("[2001:db8::7]:5060", "203.0.113.9:1"),
            ("[::1]:1", "[::1]:2"),
        ] {
            let cookie = cookie(caller, callee);
            let text = written(&cookie, 20_000);
            assert_eq!(Cookie::read(&text, &mut Keys::new([1; 32]), 20_000), Reading::Valid(cookie));
            let connection = Some(ConnectionId { shard: ShardId(3), serial: 9 });
            let connected =
                Cookie { callee: Flow { transport: Transport::Tcp, connection, ..cookie.callee }, ..cookie };
            for is_emergency in [false, true] {
                let cookie = Cookie { is_emergency, is_caller_natted: is_emergency, ..connected };
                let text = written(&cookie, 20_000);
                assert_eq!(Cookie::read(&text, &mut Keys::new([1; 32]), 20_000), Reading::Valid(cookie));
            }
        }
    }

    #[test]
    fn a_cookie_with_any_character_changed_is_forged() {
        let text = written(&cookie("198.51.100.7:5060", "203.0.113.9:40000"), 20_000);
        for at in PREFIX.len()..text.len() {
            let mut changed = text.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Cookie::read(&changed, &mut Keys::new([1; 32]), 20_000), Reading::Forged, "at {at}");
        }
        assert_eq!(Cookie::read(&text, &mut Keys::new([2; 32]), 20_000), Reading::Forged);
        assert_eq!(Cookie::read(&text[..text.len() - 4], &mut Keys::new([1; 32]), 20_000), Reading::Forged);
    }

    #[test]
    fn a_cookie_lives_for_its_periods_and_no_longer() {
        let text = written(&cookie("198.51.100.7:5060", "203.0.113.9:40000"), 65_530);
        let mut keys = Keys::new([1; 32]);
        assert!(matches!(Cookie::read(&text, &mut keys, 65_530 + ACCEPTED_PERIODS), Reading::Valid(_)));
        assert_eq!(Cookie::read(&text, &mut keys, 65_531 + ACCEPTED_PERIODS), Reading::Forged);
        assert_eq!(Cookie::read(&text, &mut keys, 65_529), Reading::Forged);
    }

    #[test]
    fn other_user_parts_are_foreign() {
        let mut keys = Keys::new([1; 32]);
        assert_eq!(Cookie::read(b"101", &mut keys, 1), Reading::Foreign);
        assert_eq!(Cookie::read(b"rw", &mut keys, 1), Reading::Companion);
        assert_eq!(Cookie::read(b"rw.", &mut keys, 1), Reading::Forged);
    }
}
