//! What a request must be when it reaches the callee: what the caller has sent, with the server's marks on it.
//!
//! Faults are reasons of failure. An echo (`--floor`) leaves no marks.

use super::Phones;
use crate::identity::Token;
use crate::message::scan::{Message, Name};
use crate::message::text::{number, uri};
use crate::verify;

/// Max-Forwards of every request of ours.
const HOPS: u64 = 70;

/// Holds an INVITE against the caller's.
pub(super) fn invite(
    phones: &Phones,
    slot: u32,
    endpoint: u16,
    message: &Message<'_>,
    request_uri: &[u8],
) -> Result<(), String> {
    let operation = phones.operations.get(slot);
    let fault = |what: &str| Err(format!("{what} in the INVITE at the callee"));
    common(phones, slot, endpoint, message, request_uri, "INVITE")?;
    if verify::cseq(message) != Some((operation.cseq, b"INVITE")) {
        return fault("another CSeq than was sent");
    }
    if message.first(Name::To).and_then(verify::tag).is_some() {
        return fault("a To tag");
    }
    if !message.first(Name::Contact).is_some_and(|contact| phones.writer().is_contact(operation.user, uri(contact))) {
        return fault("another Contact than the caller's");
    }
    if message.body != phones.endpoint(operation.user).session {
        return fault("another body than the caller's");
    }
    Ok(())
}

/// Holds an ACK or BYE against the caller's.
pub(super) fn in_dialog(
    phones: &Phones,
    slot: u32,
    endpoint: u16,
    message: &Message<'_>,
    request_uri: &[u8],
    method: &str,
) -> Result<(), String> {
    let operation = phones.operations.get(slot);
    let fault = |what: &str| Err(format!("{what} in the {method} at the callee"));
    common(phones, slot, endpoint, message, request_uri, method)?;
    let cseq = if method == "ACK" { operation.dialog.invite_cseq } else { operation.cseq };
    if verify::cseq(message) != Some((cseq, method.as_bytes())) {
        return fault("another CSeq than was sent");
    }
    let tag = message.first(Name::To).and_then(verify::tag).and_then(|tag| phones.setting.run.read(tag));
    if tag != Some(Token { slot, serial: operation.callee.tag }) {
        return fault("another To tag than the callee's");
    }
    if message.first(Name::Route).is_some() && !phones.setting.is_echo {
        return fault("a Route that the server should have taken away");
    }
    Ok(())
}

fn common(
    phones: &Phones,
    slot: u32,
    endpoint: u16,
    message: &Message<'_>,
    request_uri: &[u8],
    method: &str,
) -> Result<(), String> {
    let operation = phones.operations.get(slot);
    let fault = |what: &str| Err(format!("{what} in the {method} at the callee"));
    // An echo chooses the callee's socket by the caller's.
    if phones.users.user(operation.peer).endpoint != endpoint && !phones.setting.is_echo {
        return Err(format!("the {method} came to another socket than the callee's"));
    }
    let from = message.first(Name::From).and_then(verify::tag).and_then(|tag| phones.setting.run.read(tag));
    if from != Some(Token { slot, serial: operation.call }) {
        return fault("another From tag than was sent");
    }
    if phones.setting.is_echo {
        return Ok(());
    }
    if !phones.writer().is_contact(operation.peer, request_uri) {
        return fault("another Request-URI than the callee's Contact");
    }
    let mut vias = message.values(Name::Via);
    let (first, last) = (vias.next(), vias.last());
    let ours = last.and_then(verify::branch).and_then(|branch| phones.setting.run.read_branch(branch));
    if first.is_none() || ours.is_none_or(|token| token.slot != slot) {
        return fault("no Via of the server above ours");
    }
    if message.first(Name::MaxForwards).and_then(number).is_none_or(|hops| hops >= HOPS) {
        return fault("a Max-Forwards that is not less than was sent");
    }
    Ok(())
}
