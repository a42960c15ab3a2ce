//! The packed form of an address-of-record's bindings: what memory holds and what the journal keeps.
//!
//! Numbers are little-endian. A record is
//!
//! ```text
//! format   u8    1
//! count    u8    bindings, at least one
//! ```
//!
//! and then, for each binding,
//!
//! ```text
//! flags    u8    1 natted, 2 connection lost, 4 connection, 8 instance, 16 reg-id, 32 our end is IPv6,
//!                64 the other end is IPv6, 128 q
//! transport                     u8; in it 128 pulse, 64 Path, 32 push token, 16 home, 8 removed
//! listener                      u8, its place in the configuration of the time
//! home                          u32, the node's number      if the flag says so
//! expires at, registered at     u32 each, Unix seconds
//! CSeq                          u32; its highest bit: it came with others
//! Call-ID                       u64, a hash
//! our end, the other end        4 + 2 bytes; for IPv6 16 + 4 (zone) + 2
//! connection                    u8 shard, u64 serial        if the flag says so
//! instance                      u64, a hash                 if the flag says so
//! reg-id                        u32                         if the flag says so
//! q                             u16, thousandths            if the flag says so
//! pulse                         if there is one: due, last ping u32 each, Unix seconds; round trip u16, 0.1 ms, the
//!                               highest is none; unanswered u8
//! Path                          u16 and as many bytes       if there is one
//! URI, parameters               u16 and as many bytes, each
//! User-Agent                    u8 and as many bytes
//! ```
//!
//! Nothing in it refers to a table of the running process, so a record means the same after a restart; the listener is
//! then looked for by transport and our end. A record that is
//! cut, too long, of another format or with flags that don't fit is refused as a whole.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ringway_sip::{ConnectionId, Flow, ListenerId, ShardId, Transport};
use smallvec::SmallVec;

use super::binding::Binding;
use super::home::NodeNumber;
use super::pulse::Pulse;

/// The format that is written, and the only one that is read.
const FORMAT: u8 = 1;

const NATTED: u8 = 1;
const CONNECTION_LOST: u8 = 2;
const CONNECTION: u8 = 4;
const INSTANCE: u8 = 8;
const REG_ID: u8 = 16;
const LOCAL_V6: u8 = 32;
const REMOTE_V6: u8 = 64;
const PREFERENCE: u8 = 128;

/// Beside the transport.
const PULSE: u8 = 128;
const PATH: u8 = 64;
const PUSH_TOKEN: u8 = 32;
const HOME: u8 = 16;
const REMOVED: u8 = 8;

/// Beside the CSeq.
const CAME_WITH_OTHERS: u32 = 1 << 31;

/// A round trip that is none.
const NO_ROUND_TRIP: u16 = u16::MAX;

/// The bindings of one record; most have one or two.
pub type Bindings<'a> = SmallVec<[Binding<'a>; 2]>;

/// A record that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garbage;

/// Reads a record. An empty one has no bindings.
pub fn unpack(record: &[u8]) -> Result<Bindings<'_>, Garbage> {
    let mut bindings = Bindings::new();
    if record.is_empty() {
        return Ok(bindings);
    }
    let mut reader = Reader(record);
    let [format, count] = reader.array()?;
    if format != FORMAT || count == 0 {
        return Err(Garbage);
    }
    for _ in 0..count {
        bindings.push(reader.binding()?);
    }
    if reader.0.is_empty() { Ok(bindings) } else { Err(Garbage) }
}

/// Appends the record of these bindings; nothing when there are none. At most 255 are written, and of each text as much
/// as its length has room for: who makes a binding keeps to far less.
pub fn pack(bindings: &[Binding<'_>], out: &mut Vec<u8>) {
    if bindings.is_empty() {
        return;
    }
    let count = u8::try_from(bindings.len()).unwrap_or(u8::MAX);
    out.extend([FORMAT, count]);
    for binding in bindings.iter().take(usize::from(count)) {
        pack_binding(binding, out);
    }
}

fn pack_binding(binding: &Binding<'_>, out: &mut Vec<u8>) {
    let flow = &binding.flow;
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.extend([
        flag(binding.is_natted, NATTED)
            | flag(binding.is_connection_lost, CONNECTION_LOST)
            | flag(flow.connection.is_some(), CONNECTION)
            | flag(binding.instance.is_some(), INSTANCE)
            | flag(binding.reg_id.is_some(), REG_ID)
            | flag(flow.local.is_ipv6(), LOCAL_V6)
            | flag(flow.remote.is_ipv6(), REMOTE_V6)
            | flag(binding.q.is_some(), PREFERENCE),
        flow.transport as u8
            | flag(binding.pulse.is_some(), PULSE)
            | flag(!binding.path.is_empty(), PATH)
            | flag(binding.has_push_token, PUSH_TOKEN)
            | flag(binding.home.is_some(), HOME)
            | flag(binding.is_removed, REMOVED),
        flow.listener.0,
    ]);
    out.extend(binding.home.map(|home| home.0.to_le_bytes()).iter().flatten());
    out.extend(binding.expires_at.to_le_bytes());
    out.extend(binding.registered_at.to_le_bytes());
    // A CSeq has 31 bits (RFC 3261 section 8.1.1.5).
    let came_with_others = if binding.came_with_others { CAME_WITH_OTHERS } else { 0 };
    out.extend((binding.cseq & !CAME_WITH_OTHERS | came_with_others).to_le_bytes());
    out.extend(binding.call_id.to_le_bytes());
    pack_address(&flow.local, out);
    pack_address(&flow.remote, out);
    if let Some(connection) = flow.connection {
        out.push(connection.shard.0);
        out.extend(connection.serial.to_le_bytes());
    }
    out.extend(binding.instance.map(u64::to_le_bytes).iter().flatten());
    out.extend(binding.reg_id.map(u32::to_le_bytes).iter().flatten());
    out.extend(binding.q.map(u16::to_le_bytes).iter().flatten());
    if let Some(pulse) = binding.pulse {
        out.extend(pulse.due.to_le_bytes());
        out.extend(pulse.sent.to_le_bytes());
        out.extend(pulse.round_trip.unwrap_or(NO_ROUND_TRIP).to_le_bytes());
        out.push(pulse.unanswered);
    }
    let path = Some(binding.path).filter(|path| !path.is_empty());
    for text in path.into_iter().chain([binding.uri, binding.parameters]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        out.extend(length.to_le_bytes());
        out.extend_from_slice(text.get(..usize::from(length)).unwrap_or_default());
    }
    let length = u8::try_from(binding.user_agent.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend_from_slice(binding.user_agent.get(..usize::from(length)).unwrap_or_default());
}

fn pack_address(address: &SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(address) => out.extend(address.ip().octets()),
        SocketAddr::V6(address) => {
            out.extend(address.ip().octets());
            out.extend(address.scope_id().to_le_bytes());
        }
    }
    out.extend(address.port().to_le_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Garbage> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Garbage)?;
        self.0 = rest;
        Ok(*array)
    }

    fn text(&mut self, length: usize) -> Result<&'a [u8], Garbage> {
        let (text, rest) = self.0.split_at_checked(length).ok_or(Garbage)?;
        self.0 = rest;
        Ok(text)
    }

    fn long_text(&mut self) -> Result<&'a [u8], Garbage> {
        let length = u16::from_le_bytes(self.array()?);
        self.text(usize::from(length))
    }

    fn address(&mut self, is_v6: bool) -> Result<SocketAddr, Garbage> {
        if is_v6 {
            let address = Ipv6Addr::from(self.array::<16>()?);
            let zone = u32::from_le_bytes(self.array()?);
            let port = u16::from_le_bytes(self.array()?);
            return Ok(SocketAddrV6::new(address, port, 0, zone).into());
        }
        let address = Ipv4Addr::from(self.array::<4>()?);
        Ok(SocketAddr::new(IpAddr::V4(address), u16::from_le_bytes(self.array()?)))
    }

    fn connection(&mut self) -> Result<ConnectionId, Garbage> {
        let [shard] = self.array()?;
        Ok(ConnectionId { shard: ShardId(shard), serial: u64::from_le_bytes(self.array()?) })
    }

    fn pulse(&mut self) -> Result<Pulse, Garbage> {
        let due = u32::from_le_bytes(self.array()?);
        let sent = u32::from_le_bytes(self.array()?);
        let round_trip = Some(u16::from_le_bytes(self.array()?)).filter(|round_trip| *round_trip != NO_ROUND_TRIP);
        let [unanswered] = self.array()?;
        Ok(Pulse { due, sent, round_trip, unanswered })
    }

    fn binding(&mut self) -> Result<Binding<'a>, Garbage> {
        let [flags, transport, listener] = self.array()?;
        let has_beside = |flag: u8| transport & flag != 0;
        let has = |flag: u8| flags & flag != 0;
        let home = if has_beside(HOME) { Some(NodeNumber(u32::from_le_bytes(self.array()?))) } else { None };
        let expires_at = u32::from_le_bytes(self.array()?);
        let registered_at = u32::from_le_bytes(self.array()?);
        let cseq = u32::from_le_bytes(self.array()?);
        let (cseq, came_with_others) = (cseq & !CAME_WITH_OTHERS, cseq & CAME_WITH_OTHERS != 0);
        let call_id = u64::from_le_bytes(self.array()?);
        let number = transport & !(PULSE | PATH | PUSH_TOKEN | HOME | REMOVED);
        let transport_of_flow = *Transport::ALL.get(usize::from(number)).ok_or(Garbage)?;
        let local = self.address(has(LOCAL_V6))?;
        let remote = self.address(has(REMOTE_V6))?;
        let connection = if has(CONNECTION) { Some(self.connection()?) } else { None };
        let is_stream = transport_of_flow.is_reliable();
        if (connection.is_some() && has(CONNECTION_LOST)) || (!is_stream && has(CONNECTION | CONNECTION_LOST)) {
            return Err(Garbage);
        }
        let instance = if has(INSTANCE) { Some(u64::from_le_bytes(self.array()?)) } else { None };
        let reg_id = if has(REG_ID) { Some(u32::from_le_bytes(self.array()?)) } else { None };
        let q = if has(PREFERENCE) { Some(u16::from_le_bytes(self.array()?)) } else { None };
        let pulse = if has_beside(PULSE) { Some(self.pulse()?) } else { None };
        let path = if has_beside(PATH) { self.long_text()? } else { &[] };
        if has_beside(PATH) && path.is_empty() {
            return Err(Garbage);
        }
        let uri = self.long_text()?;
        let parameters = self.long_text()?;
        let [length] = self.array()?;
        let user_agent = self.text(usize::from(length))?;
        Ok(Binding {
            uri,
            parameters,
            path,
            user_agent,
            q,
            registered_at,
            expires_at,
            cseq,
            call_id,
            flow: Flow { transport: transport_of_flow, listener: ListenerId(listener), local, remote, connection },
            is_natted: has(NATTED),
            is_connection_lost: has(CONNECTION_LOST),
            instance,
            reg_id,
            has_push_token: has_beside(PUSH_TOKEN),
            pulse,
            home,
            came_with_others,
            is_removed: has_beside(REMOVED),
        })
    }
}

#[cfg(test)]
mod tests;
