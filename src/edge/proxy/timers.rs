//! Timers that fire, and flows that fail.

use ringway_sip::Flow;
use ringway_sip::transaction::{Step, Steps, non_invite_client};

use super::context::{Cancelling, Client, Context, ContextKey, Progress};
use crate::core::{Alarm, Part};
use crate::engine::Engine;

impl Engine {
    /// Takes a timer that has fired. One whose context is gone, or that was stopped, does nothing.
    pub(crate) fn fire(&mut self, alarm: Alarm) {
        let (key, part, timer) = match alarm {
            Alarm::Transaction { context, part, timer } => (context, part, timer),
            Alarm::MaxCall(dialog) => return self.look_at_length(dialog),
            Alarm::Parked(serial) => return self.handle_late_look_up(serial),
            Alarm::Withheld(serial) => return self.handle_late_publication(serial),
        };
        match part {
            Part::Server => {
                let Some(context) = self.contexts.get_mut(key) else { return };
                let steps = context.server.fire(timer);
                self.take_server_steps(key, steps);
                self.forget_if_over(key);
            }
            Part::LateTrying => self.send_late_trying(key),
            Part::Client(index) => {
                self.drive_client(key, index, None, |client| client.fire(timer));
                self.settle(key);
            }
            Part::Cancel(index) => {
                self.drive_cancel(key, index, non_invite_client::Event::Timer(timer));
                self.forget_if_over(key);
            }
            Part::NodeSilent(index) => self.give_up_silent_node(key, index),
            Part::RingsTooLong(index) | Part::CancelledInVain(index) => self.give_up_branch(key, index, part),
        }
    }

    pub(crate) fn take_server_steps(&mut self, key: ContextKey, steps: Steps) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        for step in steps {
            match step {
                Step::Transmit => self.core.out.send_copy(context.response_flow(), &context.answer),
                Step::Start(timer, after) => self.core.start(key, Part::Server, timer, after),
                Step::Destroy => {
                    context.is_server_over = true;
                    context.answer = Vec::new();
                }
                // An ACK that never came to a failure, or a response that could not be sent, leaves nothing to do.
                Step::Acknowledge | Step::Deliver | Step::Stop(_) | Step::TimedOut | Step::TransportFailed => {}
            }
        }
    }

    /// What was sent on this flow did not arrive: every branch on it fails (section 16.9).
    pub(crate) fn handle_failed_flow(&mut self, flow: &Flow) {
        for (key, index) in self.contexts.pending_on(flow) {
            self.drive_client(key, index, None, Client::fail);
            self.settle(key);
        }
    }

    /// Another node has fallen silent: a device that has not shown itself is asked the next way. The node may live and be without
    /// Redis alone: then the CANCEL keeps its device from being asked twice, and what rings there rings on.
    pub(crate) fn handle_silent_node(&mut self, flow: &Flow) {
        let mut pending = self.contexts.pending_on(flow);
        pending.retain(|(key, index)| self.branch_mut(*key, *index).is_some_and(|branch| !branch.rings));
        self.give_up_on_node(flow, &pending);
    }

    /// Another node is dead: what it was handed is over, however far it had come, where the transaction itself would wait for
    /// Timer C once it has heard 100.
    pub(crate) fn handle_dead_node(&mut self, flow: &Flow) {
        let pending = self.contexts.pending_on(flow);
        self.give_up_on_node(flow, &pending);
    }

    fn give_up_on_node(&mut self, flow: &Flow, pending: &[(ContextKey, u8)]) {
        self.handle_failed_flow(flow);
        for &(key, index) in pending {
            let is_invite = self.contexts.get(key).is_some_and(Context::is_invite);
            if let Some(branch) = self.branch_mut(key, index).filter(|branch| is_invite && branch.is_pending())
                && matches!(branch.cancelling, Cancelling::No)
            {
                branch.cancelling = Cancelling::Wanted(Box::default());
                self.send_cancel(key, index);
            }
        }
        self.give_up_on_closed(pending);
    }

    /// Another node has said nothing at all to an INVITE: the device is asked the next way, if there is one. The transaction goes on
    /// for itself, so that a node that was only late is told CANCEL, and its device does not ring on.
    fn give_up_silent_node(&mut self, key: ContextKey, index: u8) {
        let Some(branch) = self.branch_mut(key, index).filter(|branch| branch.progress == Progress::Silent) else {
            return;
        };
        branch.progress = Progress::Final(503);
        if matches!(branch.cancelling, Cancelling::No) {
            branch.cancelling = Cancelling::Wanted(Box::default());
        }
        self.settle(key);
    }

    /// A connection or a node is gone. A phone that rang on it can't tell that it was answered, and nothing can cancel it: its
    /// branch is over, where the transaction itself would wait for Timer C (section 16.9 takes it as a 503).
    pub(crate) fn give_up_on_closed(&mut self, pending: &[(ContextKey, u8)]) {
        for &(key, index) in pending {
            if let Some(branch) = self.branch_mut(key, index).filter(|branch| branch.is_pending()) {
                branch.end(503);
                self.settle(key);
            }
        }
    }
}
