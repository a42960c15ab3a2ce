//! REGISTER: a binding made, or refreshed with the nonce that is known.

use super::{Phones, challenge, refusal};
use crate::message::scan::{Message, Name};
use crate::message::text::number;
use crate::operation::{Kind, Phase};
use crate::verify;

/// Sends the first REGISTER of an operation.
pub(super) fn start(phones: &mut Phones, slot: u32, due: u64, now: u64) {
    let operation = phones.operations.get(slot);
    let (user, kind) = (operation.user, operation.kind);
    if phones.users.user(user).registration == 0 {
        let serial = phones.next_serial();
        phones.users.user_mut(user).registration = serial;
    }
    if kind == Kind::Refresh && phones.users.user(user).login.is_challenged() {
        let cnonce = phones.cnonce();
        phones.operations.at(slot).credentials = Some(phones.users.user_mut(user).login.advance(cnonce, false));
    }
    send(phones, slot, due, now);
}

/// CSeq goes on over all REGISTERs of a user, as its Call-ID does (RFC 3261 section 10.2).
fn send(phones: &mut Phones, slot: u32, due: u64, now: u64) {
    let operation = phones.operations.at(slot);
    let user = phones.users.user_mut(operation.user);
    operation.cseq = user.cseq;
    user.cseq += 1;
    phones.request(slot, Phase::Registering, due, now);
}

/// A response to it.
pub(super) fn handle(phones: &mut Phones, slot: u32, message: &Message<'_>, status: u16, reason: &[u8], now: u64) {
    let operation = phones.operations.at(slot);
    let elapsed = now.saturating_sub(operation.sent);
    let result = match status {
        100..=199 => {
            operation.is_proceeding = true;
            return;
        }
        200 => check(phones, slot, message),
        401 | 407 => match challenge::learn(phones, slot, message, status) {
            Ok(()) => {
                phones.recorder.latency(phones.measures.register_challenge, elapsed);
                return send(phones, slot, now, now);
            }
            Err(fault) => Err(fault),
        },
        _ => {
            let after = message.first(Name::RetryAfter).and_then(seconds);
            let fault = refusal(message, status, reason, "REGISTER");
            return phones.fail_and_retry(slot, &fault, now, after);
        }
    };
    match result {
        Ok(()) => {
            phones.recorder.latency(phones.measures.register, elapsed);
            phones.succeed(slot, now);
        }
        Err(fault) => phones.fail(slot, &fault, now),
    }
}

fn check(phones: &mut Phones, slot: u32, message: &Message<'_>) -> Result<(), String> {
    challenge::check(phones, slot)?;
    let user = phones.operations.get(slot).user;
    let bindings = verify::binding(message, |uri| phones.writer().is_contact(user, uri), phones.setting.expires)?;
    phones.strangers += u64::from(bindings > 1);
    Ok(())
}

/// The seconds of a Retry-After, in nanoseconds; a comment or parameters may follow (RFC 3261 section 20.33).
fn seconds(value: &[u8]) -> Option<u64> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    number(&value[..digits]).and_then(|seconds| seconds.checked_mul(1_000_000_000))
}
