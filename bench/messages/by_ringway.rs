//! By our parser.

use std::net::SocketAddr;

use ringway_sip::write::{stamp_via, write_number, write_sent_by, write_via};
use ringway_sip::{Contact, ContactSet, Edits, Essentials, Message, Name, Transport, Uri};

use super::{BRANCH, COOKIE, EDGE, SOURCE, TARGET};

/// What every routing decision needs.
#[derive(Debug)]
pub struct RouteFields<'a> {
    /// Top Via, From, To and their tags, Call-ID, CSeq, Max-Forwards.
    pub essentials: Essentials<'a>,
    /// The parts of the Request-URI.
    pub request_uri: Uri<'a>,
    /// The parts of the URI in To.
    pub to: Uri<'a>,
    /// The first Contact.
    pub contact: Option<Contact<'a>>,
    /// The Expires header field.
    pub expires: Option<u32>,
}

/// Finds the header fields.
pub fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    Message::parse(bytes).ok()
}

/// Reads the fields that routing needs.
pub fn route_fields<'a>(message: &Message<'a>) -> Option<RouteFields<'a>> {
    let essentials = message.essentials().ok()?;
    let contact = match message.contacts().ok()? {
        ContactSet::List(mut contacts) => contacts.next(),
        _ => None,
    };
    Some(RouteFields {
        request_uri: Uri::parse(message.request_uri()).ok()?,
        to: essentials.to.parse_uri().ok()?,
        contact,
        expires: message.expires(),
        essentials,
    })
}

/// Forwards messages, with the memory of the ones before.
#[derive(Debug)]
pub struct Forwarder {
    edits: Edits,
    out: Vec<u8>,
    source: SocketAddr,
    edge: SocketAddr,
}

impl Forwarder {
    /// A forwarder without any memory yet.
    ///
    /// # Errors
    /// Never, as long as the addresses of this module are addresses.
    pub fn new() -> Result<Self, std::net::AddrParseError> {
        Ok(Self { edits: Edits::new(), out: Vec::new(), source: SOURCE.parse()?, edge: EDGE.parse()? })
    }

    /// The message as it goes on.
    pub fn forward(&mut self, message: &Message<'_>, fields: &RouteFields<'_>) -> Option<&[u8]> {
        let Self { edits, out, source, edge } = self;
        edits.clear();
        out.clear();
        edits.replace(message.span_of(message.request_uri()), TARGET.as_bytes());
        edits.insert_with(message.first_field_at(), |text| {
            write_via(text, Transport::Udp, *edge, BRANCH.as_bytes(), false);
            text.extend_from_slice(b"Record-Route: <sip:");
            text.extend_from_slice(COOKIE.as_bytes());
            text.push(b'@');
            write_sent_by(text, (*edge).into());
            text.extend_from_slice(b";lr>\r\n");
        });
        let via = &fields.essentials.via;
        edits.replace_with(message.span_of(via.raw), |text| stamp_via(via, *source, text));
        let left = fields.essentials.max_forwards?.checked_sub(1)?;
        let hops = message.field(Name::MaxForwards)?;
        edits.replace_with(message.span_of(hops.value), |text| write_number(text, left.into()));
        edits.apply(message.bytes(), out);
        Some(out)
    }
}
