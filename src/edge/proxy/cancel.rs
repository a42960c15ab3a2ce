//! Cancelling (RFC 3261 sections 9 and 16.10): a caller gives up, or another device has answered.

use ringway_sip::transaction::{NonInviteClient, Step, Timer, non_invite_client};
use ringway_sip::write::write_cancel;
use ringway_sip::{Message, Name};

use super::context::{Cancelling, ContextKey, Progress};
use crate::answer::{Bound, Received};
use crate::core::Part;
use crate::engine::Engine;

impl Engine {
    /// Takes a CANCEL that matches a transaction: it is answered 200 by itself, and cancels every branch.
    /// False when nothing matches that came from the same place.
    pub(crate) fn handle_cancel(&mut self, request: Received<'_, '_>) -> bool {
        let Some(key) = self.contexts.find(request.transaction) else { return false };
        let Some(context) = self.contexts.get_mut(key) else { return false };
        // Nobody else can cancel the call, even one who has seen its branch.
        if context.flow.remote != request.flow.remote || context.flow.transport != request.flow.transport {
            return false;
        }
        self.core.answer(request, 200, None, Bound::None, |writer| writer);
        let Some(context) = self.contexts.get_mut(key) else { return true };
        if context.has_answered {
            return true;
        }
        context.is_cancelled = true;
        context.waiting.clear();
        let reason = request.message.field(Name::Reason).map(|field| field.value).unwrap_or_default();
        self.cancel_pending(key, reason);
        self.settle(key);
        true
    }

    /// Cancels every branch that has no final response. An empty `reason` gives none.
    pub(crate) fn cancel_pending(&mut self, key: ContextKey, reason: &[u8]) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        if !context.is_invite() {
            return;
        }
        let mut to_send = smallvec::SmallVec::<[u8; 8]>::new();
        for (index, branch) in context.branches.iter_mut().enumerate() {
            if !branch.is_pending() || !matches!(branch.cancelling, Cancelling::No) {
                continue;
            }
            branch.cancelling = Cancelling::Wanted(reason.into());
            // Before a provisional response there may be nothing to cancel (section 9.1): it waits for one.
            if branch.progress == Progress::Provisional {
                to_send.push(index as u8);
            }
        }
        for index in to_send {
            self.send_cancel(key, index);
        }
    }

    /// Sends the CANCEL that is wanted on a branch.
    pub(crate) fn send_cancel(&mut self, key: ContextKey, index: u8) {
        let timers = self.core.settings.timers;
        let Some(branch) = self.branch_mut(key, index) else { return };
        let Cancelling::Wanted(reason) = &branch.cancelling else { return };
        let mut bytes = Vec::new();
        {
            let Ok(invite) = Message::parse(&branch.request) else { return };
            write_cancel(&invite, (!reason.is_empty()).then_some(&**reason), &mut bytes);
        }
        let machine = NonInviteClient::new(branch.flow.transport.is_reliable(), timers);
        branch.cancelling = Cancelling::Sent { machine, bytes: bytes.into() };
        // Section 9.1: a branch without a final response 64*T1 after its CANCEL is taken as cancelled.
        self.core.start(key, Part::CancelledInVain(index), Timer::F, timers.t1() * 64);
        self.drive_cancel(key, index, non_invite_client::Event::Start);
    }

    pub(crate) fn handle_cancel_response(&mut self, key: ContextKey, index: u8, status: u16) {
        self.drive_cancel(key, index, non_invite_client::Event::response(status));
        self.forget_if_over(key);
    }

    pub(crate) fn drive_cancel(&mut self, key: ContextKey, index: u8, event: non_invite_client::Event) {
        let Some(branch) = self.contexts.get_mut(key).and_then(|context| context.branches.get_mut(usize::from(index)))
        else {
            return;
        };
        let Cancelling::Sent { machine, bytes } = &mut branch.cancelling else { return };
        let mut is_over = false;
        for step in machine.handle(event) {
            match step {
                Step::Transmit => self.core.out.send_copy(branch.flow, bytes),
                Step::Start(timer, after) => self.core.start(key, Part::Cancel(index), timer, after),
                Step::Destroy => is_over = true,
                // What a CANCEL is answered changes nothing: the INVITE's own response counts.
                Step::Acknowledge | Step::Deliver | Step::Stop(_) | Step::TimedOut | Step::TransportFailed => {}
            }
        }
        if is_over {
            branch.cancelling = Cancelling::Done;
        }
    }

    /// Timer C, or the wait after a CANCEL, has run out on a branch (section 16.8).
    pub(crate) fn give_up_branch(&mut self, key: ContextKey, index: u8, part: Part) {
        let now = self.core.now.monotonic;
        let Some(branch) = self.branch_mut(key, index) else { return };
        if !branch.is_pending() {
            return;
        }
        match part {
            Part::RingsTooLong(_) if branch.rings_until > now => {
                let left = branch.rings_until.since(now);
                self.core.start(key, part, Timer::C, left);
            }
            Part::RingsTooLong(_) if branch.progress == Progress::Provisional => {
                if matches!(branch.cancelling, Cancelling::No) {
                    branch.cancelling = Cancelling::Wanted(Box::default());
                    self.send_cancel(key, index);
                }
            }
            _ => {
                branch.end(408);
                self.settle(key);
            }
        }
    }
}
