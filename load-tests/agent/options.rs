//! OPTIONS to the domain: asks nothing of the server but to read and to answer.

use super::{Phones, challenge, refusal};
use crate::message::scan::Message;
use crate::operation::Phase;

/// Sends it.
pub(super) fn start(phones: &mut Phones, slot: u32, due: u64, now: u64) {
    phones.request(slot, Phase::Asking, due, now);
}

/// A response to it.
pub(super) fn handle(phones: &mut Phones, slot: u32, message: &Message<'_>, status: u16, reason: &[u8], now: u64) {
    let result = match status {
        100..=199 => {
            phones.operations.at(slot).is_proceeding = true;
            return;
        }
        200 => challenge::check(phones, slot),
        401 | 407 => match challenge::learn(phones, slot, message, status) {
            Ok(()) => return phones.request(slot, Phase::Asking, now, now),
            Err(fault) => Err(fault),
        },
        _ => Err(refusal(message, status, reason, "OPTIONS")),
    };
    match result {
        Ok(()) => {
            let elapsed = now.saturating_sub(phones.operations.get(slot).sent);
            phones.recorder.latency(phones.measures.options, elapsed);
            phones.succeed(slot, now);
        }
        Err(fault) => phones.fail(slot, &fault, now),
    }
}
