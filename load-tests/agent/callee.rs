//! The callee: rings, answers, is hung up on (RFC 3261 sections 8.2, 13.3.1.4, 15.1.2 and 17.2).

use super::{Phones, call, callee_checks};
use crate::identity::{TOKEN, Token};
use crate::message::scan::{Message, Name};
use crate::message::text::shown;
use crate::message::write::{Answer, respond};
use crate::operation::{CalleePhase, Phase};
use crate::timer::{Due, GIVE_UP, T1, T2};
use crate::verify;

/// A request that came, with its method and Request-URI.
pub(super) fn handle(phones: &mut Phones, endpoint: u16, message: &Message<'_>, method: &[u8], uri: &[u8], now: u64) {
    let call = message.first(Name::CallId).filter(|call_id| call_id.len() == TOKEN);
    let Some(Token { slot, serial }) = call.and_then(|call_id| phones.setting.run.read(call_id)) else {
        return unasked(phones, endpoint, message, method);
    };
    let Some(operation) = phones.operations.find(slot).filter(|operation| operation.call == serial) else {
        return handle_late(phones, endpoint, message, method, serial);
    };
    let branch = message.first(Name::Via).and_then(verify::branch).unwrap_or_default();
    match (method, operation.callee.phase) {
        (b"INVITE", CalleePhase::Idle) => match callee_checks::invite(phones, slot, endpoint, message, uri) {
            Ok(()) => ring(phones, slot, message, branch, now),
            Err(fault) => refuse(phones, slot, endpoint, message, &fault, now),
        },
        (b"INVITE", _) if operation.callee.branch == branch => {
            phones.recorder.messages.retransmissions_received += 1;
            phones.recorder.messages.retransmissions_sent += 1;
            send_response(phones, slot);
        }
        (b"ACK", CalleePhase::Answered) => {
            match callee_checks::in_dialog(phones, slot, endpoint, message, uri, "ACK") {
                Ok(()) => {
                    let operation = phones.operations.at(slot);
                    operation.callee.phase = CalleePhase::Confirmed;
                    if operation.phase == Phase::Talking {
                        call::confirmed(phones, slot, now);
                    }
                }
                Err(fault) => phones.fail(slot, &fault, now),
            }
        }
        (b"BYE", CalleePhase::Confirmed) => match callee_checks::in_dialog(phones, slot, endpoint, message, uri, "BYE")
        {
            Ok(()) => {
                phones.operations.at(slot).callee.phase = CalleePhase::Ended;
                phones.outbox.message(endpoint, |out| respond(out, message, b"200 OK", None, None));
            }
            Err(fault) => refuse(phones, slot, endpoint, message, &fault, now),
        },
        (b"ACK" | b"BYE", CalleePhase::Confirmed | CalleePhase::Ended) => again(phones, endpoint, message, method),
        _ => unasked(phones, endpoint, message, method),
    }
}

/// A request of a call that is over.
fn handle_late(phones: &mut Phones, endpoint: u16, message: &Message<'_>, method: &[u8], serial: u64) {
    if serial > phones.serial {
        unasked(phones, endpoint, message, method);
    } else {
        again(phones, endpoint, message, method);
    }
}

/// An ACK or BYE that has come before. Only a BYE is answered, as it was the first time.
fn again(phones: &mut Phones, endpoint: u16, message: &Message<'_>, method: &[u8]) {
    phones.recorder.messages.retransmissions_received += 1;
    if method == b"BYE" {
        phones.recorder.messages.retransmissions_sent += 1;
        phones.outbox.message(endpoint, |out| respond(out, message, b"200 OK", None, None));
    }
}

/// A request that no operation of ours explains. An OPTIONS is answered: servers ask phones so whether they are there.
fn unasked(phones: &mut Phones, endpoint: u16, message: &Message<'_>, method: &[u8]) {
    if method == b"OPTIONS" {
        phones.outbox.message(endpoint, |out| respond(out, message, b"200 OK", None, None));
    }
    phones.unexpected(&format!("a {} that belongs to no call", shown(method)));
}

/// A request that the server has spoilt: the call has failed.
fn refuse(phones: &mut Phones, slot: u32, endpoint: u16, message: &Message<'_>, fault: &str, now: u64) {
    phones.outbox.message(endpoint, |out| respond(out, message, b"400 Bad Request", None, None));
    phones.fail(slot, fault, now);
}

/// Sends the 180, and the 200 when it has rung long enough.
fn ring(phones: &mut Phones, slot: u32, message: &Message<'_>, branch: &[u8], now: u64) {
    let tag = phones.next_serial();
    let operation = phones.operations.at(slot);
    let (peer, serial, stream) = (operation.peer, operation.call, operation.stream);
    let callee = &mut operation.callee;
    callee.phase = CalleePhase::Ringing;
    callee.tag = tag;
    callee.branch.clear();
    callee.branch.extend_from_slice(branch);
    // Both responses are written now, while the INVITE is at hand. The buffers are those of the slot's last call.
    let mut ringing = std::mem::take(&mut callee.response);
    let mut ok = std::mem::take(&mut callee.ok);
    ringing.clear();
    ok.clear();
    let writer = phones.writer();
    let dialog = |has_session| Answer { writer: &writer, user: peer, has_session };
    let tag = Some((phones.setting.run, Token { slot, serial: tag }));
    respond(&mut ringing, message, b"180 Ringing", tag, Some(&dialog(false)));
    respond(&mut ok, message, b"200 OK", tag, Some(&dialog(true)));
    let callee = &mut phones.operations.at(slot).callee;
    callee.response = ringing;
    callee.ok = ok;
    send_response(phones, slot);
    match phones.streams[usize::from(stream)].ring {
        0 => answer(phones, slot, now),
        ring => phones.timers.set(now, ring, slot, serial, Due::Answer),
    }
}

/// Sends the 200.
pub(super) fn answer(phones: &mut Phones, slot: u32, now: u64) {
    let operation = phones.operations.at(slot);
    let (serial, callee) = (operation.call, &mut operation.callee);
    if callee.phase != CalleePhase::Ringing {
        return;
    }
    callee.phase = CalleePhase::Answered;
    std::mem::swap(&mut callee.response, &mut callee.ok);
    callee.answered = now;
    callee.interval = T1;
    phones.timers.set(now, T1, slot, serial, Due::Ok);
    send_response(phones, slot);
}

/// Sends the response that was sent last, or is to be sent now.
fn send_response(phones: &mut Phones, slot: u32) {
    let operation = phones.operations.get(slot);
    let endpoint = phones.users.user(operation.peer).endpoint;
    phones.outbox.message(endpoint, |out| out.extend_from_slice(&operation.callee.response));
}

/// Sends the 200 again while no ACK comes, on any transport (section 13.3.1.4).
pub(super) fn repeat_ok(phones: &mut Phones, slot: u32, now: u64) {
    let operation = phones.operations.at(slot);
    let (serial, callee) = (operation.call, &mut operation.callee);
    if callee.phase != CalleePhase::Answered {
        return;
    }
    let elapsed = now.saturating_sub(callee.answered);
    if elapsed >= GIVE_UP {
        return phones.fail(slot, "no ACK for the callee's 200 within 32 s", now);
    }
    callee.interval = (callee.interval * 2).min(T2);
    let delay = if elapsed + callee.interval > GIVE_UP { T1 } else { callee.interval };
    phones.timers.set(now, delay, slot, serial, Due::Ok);
    phones.recorder.messages.retransmissions_sent += 1;
    send_response(phones, slot);
}
