//! The caller: INVITE, ACK, BYE (RFC 3261 sections 12 to 15 and 17.1.1).

use smallvec::SmallVec;

use super::{Phones, challenge, refusal};
use crate::identity::Token;
use crate::message::scan::{Message, Name};
use crate::message::text::{list, parameter, put, uri};
use crate::message::write::{Writer, acknowledge_refusal};
use crate::operation::{CalleePhase, Operation, Phase};
use crate::timer::Due;
use crate::verify;

/// Bits of [`crate::operation::Operation::provisionals`].
const TRYING: u8 = 1;
const RINGING: u8 = 2;

/// Sends the INVITE.
pub(super) fn start(phones: &mut Phones, slot: u32, due: u64, now: u64) {
    phones.request(slot, Phase::Inviting, due, now);
}

/// A response to the INVITE.
pub(super) fn handle_invited(
    phones: &mut Phones,
    slot: u32,
    message: &Message<'_>,
    status: u16,
    reason: &[u8],
    now: u64,
) {
    let operation = phones.operations.at(slot);
    let elapsed = now.saturating_sub(operation.sent);
    match status {
        100..=199 => {
            operation.is_proceeding = true;
            let bit = if status == 100 { TRYING } else { RINGING };
            if operation.provisionals & bit != 0 {
                phones.recorder.messages.retransmissions_received += 1;
                return;
            }
            operation.provisionals |= bit;
            if status > 100 && !has_callees_tag(phones, slot, message) {
                return phones.fail(slot, &format!("another To tag than the callee's in the {status} to INVITE"), now);
            }
            let measure = if status == 100 { phones.measures.invite_100 } else { phones.measures.invite_180 };
            phones.recorder.latency(measure, elapsed);
        }
        200..=299 => match challenge::check(phones, slot).and_then(|()| take_dialog(phones, slot, message, status)) {
            Ok(()) => {
                phones.recorder.latency(phones.measures.invite_200, elapsed);
                answered(phones, slot);
            }
            Err(fault) => phones.fail(slot, &fault, now),
        },
        _ => {
            let endpoint = phones.users.user(operation.user).endpoint;
            acknowledge(phones, endpoint, message);
            if status != 401 && status != 407 {
                return phones.fail(slot, &refusal(message, status, reason, "INVITE"), now);
            }
            match challenge::learn(phones, slot, message, status) {
                Ok(()) => {
                    phones.recorder.latency(phones.measures.invite_challenge, elapsed);
                    phones.operations.at(slot).provisionals = 0;
                    phones.request(slot, Phase::Inviting, now, now);
                }
                Err(fault) => phones.fail(slot, &fault, now),
            }
        }
    }
}

/// Whether a response is of the dialog that our callee has opened.
fn has_callees_tag(phones: &Phones, slot: u32, message: &Message<'_>) -> bool {
    let tag = message.first(Name::To).and_then(verify::tag).and_then(|tag| phones.setting.run.read(tag));
    tag == Some(Token { slot, serial: phones.operations.get(slot).callee.tag })
}

/// Keeps what the 200 says of the dialog (section 12.1.2), and holds it against what our callee has sent.
fn take_dialog(phones: &mut Phones, slot: u32, message: &Message<'_>, status: u16) -> Result<(), String> {
    let operation = phones.operations.get(slot);
    let peer = operation.peer;
    if status != 200 || operation.callee.phase != CalleePhase::Answered {
        return Err("a 2xx to INVITE that the callee has not sent".into());
    }
    let to = message.first(Name::To).unwrap_or_default();
    if !has_callees_tag(phones, slot, message) {
        return Err("another To tag than the callee's in the 200 to INVITE".into());
    }
    let target = message.first(Name::Contact).map(uri).ok_or("no Contact in the 200 to INVITE")?;
    if !phones.writer().is_contact(peer, target) {
        return Err("another Contact than the callee's in the 200 to INVITE".into());
    }
    if message.body != phones.endpoint(peer).session {
        return Err("another body than the callee's in the 200 to INVITE".into());
    }
    let dialog = &mut phones.operations.at(slot).dialog;
    for (kept, text) in [(&mut dialog.to, to), (&mut dialog.target, target), (&mut dialog.routes, b"")] {
        kept.clear();
        kept.extend_from_slice(text);
    }
    // The route set is the Record-Route, turned round.
    for field in message.all(Name::RecordRoute).rev() {
        let routes: SmallVec<[&[u8]; 4]> = list(field).collect();
        for route in routes.into_iter().rev() {
            if parameter(uri(route), b"lr").is_none() {
                return Err("a Record-Route without lr in the 200 to INVITE".into());
            }
            put(&mut dialog.routes, &[b"Route: ", route, b"\r\n"]);
        }
    }
    Ok(())
}

/// The call stands: the ACK goes out. The BYE waits until the callee has it.
fn answered(phones: &mut Phones, slot: u32) {
    let serial = phones.next_serial();
    let operation = phones.operations.at(slot);
    operation.phase = Phase::Talking;
    operation.serial = 0;
    operation.dialog.invite_cseq = operation.cseq;
    operation.dialog.ack = serial;
    send_ack(phones, slot);
}

/// The ACK of the 200, the same each time (section 13.2.2.4).
fn send_ack(phones: &mut Phones, slot: u32) {
    let operation = phones.operations.get(slot);
    let (endpoint, cseq) = (phones.users.user(operation.user).endpoint, operation.dialog.invite_cseq);
    let token = Token { slot, serial: operation.dialog.ack };
    let writer = Writer {
        users: &phones.users,
        endpoints: &phones.endpoints,
        run: phones.setting.run,
        expires: phones.setting.expires,
    };
    phones.outbox.message(endpoint, |out| writer.in_dialog(out, slot, operation, b"ACK", token, cseq));
}

/// The ACK of a refusal (section 17.1.1.3).
fn acknowledge(phones: &mut Phones, endpoint: u16, message: &Message<'_>) {
    let cseq = message.first(Name::Cseq).unwrap_or_default();
    let number = cseq.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    phones.outbox.message(endpoint, |out| acknowledge_refusal(out, message, number));
}

/// An INVITE's final response has come again: the ACK was lost, or late.
pub(super) fn acknowledge_again(phones: &mut Phones, endpoint: u16, message: &Message<'_>, status: u16) {
    if status >= 300 {
        return acknowledge(phones, endpoint, message);
    }
    let call = message.first(Name::CallId).and_then(|call_id| phones.setting.run.read(call_id));
    let Some(Token { slot, serial }) = call else { return };
    let operation = phones.operations.find(slot).filter(|operation| operation.call == serial);
    if operation.is_some_and(|operation| matches!(operation.phase, Phase::Talking | Phase::HangingUp)) {
        send_ack(phones, slot);
    }
}

/// The callee has the ACK.
pub(super) fn confirmed(phones: &mut Phones, slot: u32, now: u64) {
    let operation = phones.operations.get(slot);
    let serial = operation.call;
    match phones.streams[usize::from(operation.stream)].hold {
        0 => hang_up(phones, slot, now),
        super::FOR_EVER => {}
        hold => phones.timers.set(now, hold, slot, serial, Due::HangUp),
    }
}

/// Whether both sides know that a call stands.
pub(super) fn stands(operation: &Operation) -> bool {
    operation.phase == Phase::Talking && operation.callee.phase == CalleePhase::Confirmed
}

/// Sends the BYE.
pub(super) fn hang_up(phones: &mut Phones, slot: u32, now: u64) {
    let operation = phones.operations.at(slot);
    if operation.phase == Phase::Talking {
        operation.credentials = None;
        phones.request(slot, Phase::HangingUp, now, now);
    }
}

/// A response to the BYE.
pub(super) fn handle_bye(phones: &mut Phones, slot: u32, message: &Message<'_>, status: u16, reason: &[u8], now: u64) {
    let operation = phones.operations.at(slot);
    let result = match status {
        100..=199 => {
            operation.is_proceeding = true;
            return;
        }
        200 if operation.callee.phase == CalleePhase::Ended => Ok(()),
        200 => Err("a 200 to a BYE that never reached the callee".to_owned()),
        401 | 407 => match challenge::learn(phones, slot, message, status) {
            Ok(()) => return phones.request(slot, Phase::HangingUp, now, now),
            Err(fault) => Err(fault),
        },
        _ => Err(refusal(message, status, reason, "BYE")),
    };
    match result {
        Ok(()) => {
            let elapsed = now.saturating_sub(phones.operations.get(slot).sent);
            phones.recorder.latency(phones.measures.bye, elapsed);
            phones.succeed(slot, now);
        }
        Err(fault) => phones.fail(slot, &fault, now),
    }
}
