//! By `rsip`, as its documentation uses it: a request of owned headers, each typed where its value is needed.

use ::rsip::message::{HasHeaders as _, HeadersExt as _};
use ::rsip::prelude::*;
use ::rsip::{Error, Header, Request, SipMessage, headers, typed};

use super::{BRANCH, COOKIE, EDGE, SOURCE, TARGET};

/// What every routing decision needs.
#[derive(Debug)]
pub struct RouteFields {
    /// The top Via: branch and sent-by.
    pub via: typed::Via,
    /// From, with its tag.
    pub from: typed::From,
    /// To: tag, user and host.
    pub to: typed::To,
    /// The number and the method.
    pub cseq: typed::CSeq,
    /// The first Contact.
    pub contact: Option<typed::Contact>,
    /// The Call-ID.
    pub call_id: String,
    /// Max-Forwards.
    pub max_forwards: u32,
    /// The Expires header field.
    pub expires: Option<u32>,
}

/// Reads the header fields.
///
/// # Errors
/// What `rsip` says.
pub fn parse(bytes: &[u8]) -> Result<Request, Error> {
    Request::try_from(SipMessage::try_from(bytes)?)
}

/// Reads the fields that routing needs. The Request-URI is read already.
///
/// # Errors
/// What `rsip` says.
pub fn route_fields(request: &Request) -> Result<RouteFields, Error> {
    Ok(RouteFields {
        via: request.via_header()?.typed()?,
        from: request.from_header()?.typed()?,
        to: request.to_header()?.typed()?,
        cseq: request.cseq_header()?.typed()?,
        contact: request.contact_header().ok().map(|contact| contact.typed()).transpose()?,
        call_id: request.call_id_header()?.value().to_owned(),
        max_forwards: request.max_forwards_header()?.num()?,
        expires: request.expires_header().map(|expires| expires.seconds()).transpose()?,
    })
}

/// The message as it goes on.
///
/// # Errors
/// What `rsip` says.
pub fn forward(mut request: Request, mut fields: RouteFields) -> Result<Vec<u8>, Error> {
    request.uri = TARGET.try_into()?;
    *request.max_forwards_header_mut()? = (fields.max_forwards.saturating_sub(1)).into();
    let (received, port) = SOURCE.split_once(':').unwrap_or_default();
    fields.via.params.retain(|param| !matches!(param, ::rsip::Param::Other(name, None) if name.value() == "rport"));
    fields.via.params.push(::rsip::Param::Received(received.to_owned().into()));
    fields.via.params.push(::rsip::Param::Other("rport".into(), Some(port.to_owned().into())));
    *request.via_header_mut()? = fields.via.into();
    let via = typed::Via {
        version: ::rsip::Version::V2,
        transport: ::rsip::Transport::Udp,
        uri: EDGE.try_into()?,
        params: vec![::rsip::Param::Branch(BRANCH.into())],
    };
    let route = headers::RecordRoute::new(format!("<sip:{COOKIE}@{EDGE};lr>"));
    let mut fields: Vec<Header> = std::mem::take(request.headers_mut()).into();
    fields.splice(0..0, [Header::Via(via.into()), Header::RecordRoute(route)]);
    request.headers = fields.into();
    Ok(request.into())
}
