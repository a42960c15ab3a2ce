//! The description in a message's body, and how the message is written when its media has moved.

use std::net::IpAddr;

use ringway_sip::write::write_number;
use ringway_sip::{Edits, Message, Name, Sdp, SdpProblem};
use smallvec::SmallVec;

use super::parts::description_among_parts;

/// A description whose media is to be received elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Moved<'a> {
    pub(crate) sdp: Sdp<'a>,
    pub(crate) address: IpAddr,
    /// The port of each section that moves.
    pub(crate) ports: SmallVec<[Option<u16>; 2]>,
}

/// The session description in a message's body, alone or one of its parts; `None` when there is none.
pub(crate) fn described<'a>(message: &Message<'a>) -> Option<Result<Sdp<'a>, SdpProblem>> {
    let content_type = message.field(Name::ContentType)?.value;
    let kind = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let is_in_parts = kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
    if !is_in_parts && !kind.eq_ignore_ascii_case(b"application/sdp") {
        return None;
    }
    if message.has(Name::ContentEncoding) {
        return Some(Err(SdpProblem::NotSdp));
    }
    if is_in_parts {
        return description_among_parts(content_type, message.body());
    }
    Some(Sdp::parse(message.body()))
}

impl<'a> Moved<'a> {
    /// Edits a message's body, and its length. Returns how long the body becomes.
    pub(crate) fn edit(&self, message: &Message<'a>, edits: &mut Edits) -> usize {
        let description = message.span_of(self.sdp.bytes());
        let growth = self.sdp.relocate(self.address, &self.ports, description.start, edits);
        let length = message.body().len().saturating_add_signed(growth);
        if let Some(field) = message.field(Name::ContentLength) {
            edits.replace_with(message.span_of(field.value), |out| write_number(out, length as u64));
        }
        length
    }
}
