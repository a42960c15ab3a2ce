//! OPTIONS pings to devices behind NATs (RFC 3261 section 11), which keep the NAT's door open and tell who is still there.
//!
//! No transaction is kept, and nothing is repeated: a lost ping is one without an answer. All that its answer needs stands
//! in the branch, signed: when it was sent, and whose binding it is about. So any shard can take it, whichever sent it.
//! Whatever the answer says, somebody is there. What becomes of who keeps silent stands in `location::pulse`.

use std::net::SocketAddr;
use std::ops::Range;

use ringway_directory::TenantId;
use ringway_sip::write::{write_header, write_via};
use ringway_sip::{Flow, Message, Method, Monotonic, ShardId};

use crate::branch::Branch;
use crate::core::Core;
use crate::keys::Purpose;
use crate::location::Ping;
use crate::reject::DropReason;

/// What stands in a ping's branch where others have their shard: there are never so many.
const NO_SHARD: ShardId = ShardId(u8::MAX);
/// Pings are signed with one key for as long as the node runs.
const PERIOD: u64 = 0;

/// Pings that are due, copied while the record was locked.
#[derive(Debug, Default)]
pub(crate) struct DuePings {
    text: Vec<u8>,
    pings: Vec<Due>,
}

#[derive(Debug)]
struct Due {
    tenant: TenantId,
    number: Range<usize>,
    uri: Range<usize>,
    record: u64,
    flow: Flow,
}

impl DuePings {
    /// Takes note of one.
    pub(crate) fn push(&mut self, ping: Ping<'_>) {
        let start = self.text.len();
        self.text.extend_from_slice(ping.aor.number);
        let middle = self.text.len();
        self.text.extend_from_slice(ping.uri);
        let (number, uri) = (start..middle, middle..self.text.len());
        self.pings.push(Due { tenant: ping.aor.tenant, number, uri, record: ping.record, flow: ping.flow });
    }
}

impl Core {
    /// Sends the pings that are due, and forgets them.
    pub(crate) fn send_pings(&mut self, due: &mut DuePings) {
        for ping in due.pings.drain(..) {
            let text = |range: Range<usize>| due.text.get(range).unwrap_or_default();
            self.send_ping(&ping, text(ping.number.clone()), text(ping.uri.clone()));
        }
        due.text.clear();
    }

    fn send_ping(&mut self, ping: &Due, number: &[u8], uri: &[u8]) {
        let Some(tenant) = self.directory.tenant(ping.tenant) else { return };
        let sent = self.now.monotonic.as_micros();
        let record = ping.record ^ self.mask(sent, ping.flow.remote);
        let secret = signature(&mut self.keys, self.boot, record, sent, ping.flow.remote);
        let branch = Branch { shard: NO_SHARD, context: record, index: 0, secret, routing: sent }.encode();
        let settings = &self.settings;
        let is_sent = self.out.send(ping.flow, false, |out| {
            out.extend_from_slice(b"OPTIONS ");
            out.extend_from_slice(uri);
            out.extend_from_slice(b" SIP/2.0\r\n");
            write_via(out, ping.flow.transport, settings.own_side(&ping.flow), branch.as_bytes(), false);
            out.extend_from_slice(b"Max-Forwards: 70\r\n");
            let domain = tenant.domain.as_bytes();
            // Unguessable words of the branch, which differ from ping to ping, serve for the others too.
            let words = branch.as_bytes();
            let tag = words.get(words.len() / 2..).unwrap_or_default();
            write_header(out, "From", &[b"<sip:ping@", domain, b">;tag=", tag].concat());
            write_header(out, "To", &[b"<sip:", number, b"@", domain, b">"].concat());
            write_header(out, "Call-ID", words);
            out.extend_from_slice(b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
            true
        });
        self.counters.pings_sent += u64::from(is_sent);
    }

    /// Takes a response whose branch says that it answers a ping. False when the branch is of another kind.
    pub(crate) fn take_ping_answer(&mut self, message: &Message<'_>, branch: &Branch, flow: &Flow) -> bool {
        if branch.shard != NO_SHARD {
            return false;
        }
        let Branch { context: record, index, secret, routing: sent, .. } = *branch;
        let is_signed = index == 0 && signature(&mut self.keys, self.boot, record, sent, flow.remote) == secret;
        if !is_signed || message.method() != Method::Options {
            self.counters.drop(DropReason::StrayResponse);
        } else if message.status() >= 200 {
            let round_trip = self.now.monotonic.since(Monotonic::from_micros(sent));
            let record = record ^ self.mask(sent, flow.remote);
            let every = self.settings.registrar.ping_seconds;
            if self.location.answered(self.now.wall, record, flow, round_trip, every) {
                self.counters.pings_answered += 1;
            } else {
                // It has gone meanwhile.
                self.counters.drop(DropReason::StrayResponse);
            }
        }
        true
    }

    /// What hides the record's hash, which is not for others to see.
    fn mask(&self, sent: u64, remote: SocketAddr) -> u64 {
        self.fingerprints.short(&[b"ping", &sent.to_be_bytes(), &address(remote)])
    }
}

fn signature(keys: &mut crate::keys::Keys, boot: u32, record: u64, sent: u64, remote: SocketAddr) -> u64 {
    let parts = [&boot.to_be_bytes()[..], &record.to_be_bytes(), &sent.to_be_bytes(), &address(remote)];
    let mac = keys.mac(Purpose::Ping, PERIOD, &parts);
    mac.first_chunk().map_or(0, |half| u64::from_be_bytes(*half))
}

/// An address and port as they are signed.
fn address(remote: SocketAddr) -> [u8; 18] {
    let mut bytes = [0; 18];
    let (ip, port) = bytes.split_at_mut(16);
    let address = match remote.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        std::net::IpAddr::V6(ip) => ip,
    };
    ip.copy_from_slice(&address.octets());
    port.copy_from_slice(&remote.port().to_be_bytes());
    bytes
}
