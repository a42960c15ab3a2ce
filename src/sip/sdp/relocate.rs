//! Moving streams: the edits that have them sent to a relay.

use std::net::IpAddr;
use std::ops::Range;

use super::{Connection, Host, Rtcp, Sdp, Section};
use crate::Edits;
use crate::bytes::until;
use crate::write::write_number;

impl Sdp<'_> {
    /// Has the sections that have a port in `ports` received at `address`: RTP at that port, and RTCP at the next one, or at
    /// the same if both shared one before. Sections without a port stay where they are, and so does what is on hold by
    /// `0.0.0.0`: that no media is wanted is to be heard. `offset` is where the description stands in what `edits` are for.
    /// Returns how many bytes longer the description becomes; negative: shorter.
    pub fn relocate(&self, address: IpAddr, ports: &[Option<u16>], offset: usize, edits: &mut Edits) -> isize {
        let mut pen = Pen { edits, bytes: self.bytes, offset, growth: 0 };
        let port_of = |index: usize| ports.get(index).copied().flatten();
        let shares = |section: &Section| section.port != 0 && section.connection.is_none();
        // The session's address is moved with the last who share it, and stays for one who doesn't move.
        let all_move = (self.sections.iter().enumerate())
            .filter(|(_, section)| shares(section))
            .all(|(index, _)| port_of(index).is_some());
        let any_moves =
            (self.sections.iter().enumerate()).any(|(index, section)| shares(section) && port_of(index).is_some());
        if let Some(connection) = &self.connection
            && all_move
            && any_moves
        {
            pen.move_connection(connection, address);
        }
        for (index, section) in self.sections.iter().enumerate() {
            let Some(port) = port_of(index) else { continue };
            pen.write_port(&section.port_at, port);
            match (&section.connection, &self.connection) {
                (Some(own), _) => pen.move_connection(own, address),
                (None, Some(session)) if !all_move && session.is_somewhere() => {
                    pen.insert_connection(section.connection_at, address);
                }
                (None, _) => {}
            }
            if let Some(Rtcp { port: rtcp, port_at, connection }) = &section.rtcp {
                pen.write_port(port_at, if *rtcp == section.port { port } else { port.saturating_add(1) });
                if let Some(connection) = connection {
                    pen.move_connection(connection, address);
                }
            }
        }
        pen.growth
    }
}

impl Connection {
    fn is_somewhere(&self) -> bool {
        !matches!(self.host, Host::Address(address) if address.is_unspecified())
    }
}

/// Writes edits, and counts what they add.
struct Pen<'e> {
    edits: &'e mut Edits,
    bytes: &'e [u8],
    offset: usize,
    growth: isize,
}

impl Pen<'_> {
    fn replace(&mut self, span: &Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let Self { edits, offset, growth, .. } = self;
        *growth -= (span.end - span.start) as isize;
        edits.replace_with(span.start + *offset..span.end + *offset, |text| {
            let before = text.len();
            write(text);
            *growth += (text.len() - before) as isize;
        });
    }

    fn write_port(&mut self, span: &Range<usize>, port: u16) {
        self.replace(span, |text| write_number(text, u64::from(port)));
    }

    fn move_connection(&mut self, connection: &Connection, address: IpAddr) {
        if connection.is_somewhere() {
            self.replace(&connection.span, |text| write_address(address, text));
        }
    }

    fn insert_connection(&mut self, at: usize, address: IpAddr) {
        let is_behind_line = until(self.bytes, at).ends_with(b"\n");
        self.replace(&(at..at), |text| {
            text.extend_from_slice(if is_behind_line { b"c=IN " } else { b"\r\nc=IN " });
            write_address(address, text);
            text.extend_from_slice(if is_behind_line { b"\r\n" } else { b"" });
        });
    }
}

fn write_address(address: IpAddr, text: &mut Vec<u8>) {
    text.extend_from_slice(if address.is_ipv6() { b"IP6 " } else { b"IP4 " });
    text.extend_from_slice(address.to_string().as_bytes());
}
