//! Matching requests to server transactions (RFC 3261 section 17.2.3).

use ringway_sip::transaction::invite_server;
use ringway_sip::{Essentials, Message, Method};

use super::context::Server;
use crate::answer::Received;
use crate::core::Core;
use crate::engine::Engine;

impl Engine {
    /// Whether this request is one that a server transaction already has. A retransmission is answered as before.
    pub(crate) fn absorb_retransmission(&mut self, request: Received<'_, '_>) -> bool {
        let Some(key) = self.contexts.find(request.transaction) else { return false };
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let steps = context.server.repeat();
        self.take_server_steps(key, steps);
        true
    }

    /// Whether this ACK acknowledges a failure that a server transaction has sent.
    pub(crate) fn absorb_ack(&mut self, request: Received<'_, '_>) -> bool {
        let Some(key) = self.contexts.find(request.transaction) else { return false };
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let Server::Invite(machine) = &mut context.server else { return false };
        // The ACK to a 2xx has a branch of its own and never comes here, but with a UA of RFC 2543.
        if machine.state() == invite_server::State::Accepted {
            return false;
        }
        let steps = machine.handle(invite_server::Event::Ack);
        self.take_server_steps(key, steps);
        self.forget_if_over(key);
        true
    }
}

impl Core {
    /// The key of the transaction that a request of this method belongs to.
    ///
    /// A branch with the magic cookie names it, together with the sent-by. A request of RFC 2543 is known by what
    /// section 17.2.3 lists for those.
    pub(crate) fn transaction_of(&self, message: &Message<'_>, essentials: &Essentials<'_>) -> u128 {
        let via = &essentials.via;
        let method = match essentials.cseq.method {
            Method::Ack | Method::Cancel => Method::Invite,
            method => method,
        };
        // Methods without a name of their own are told apart by what they are called.
        let token = if method == Method::Other { message.method_token() } else { method.as_str().as_bytes() };
        let port = via.port.unwrap_or(0).to_be_bytes();
        match via.branch.filter(|branch| branch.starts_with(b"z9hG4bK")) {
            Some(branch) => self.fingerprints.of(&[branch, via.host, &port, token]),
            None => self.fingerprints.of(&[
                message.request_uri(),
                essentials.from_tag.unwrap_or_default(),
                essentials.call_id,
                &essentials.cseq.number.to_be_bytes(),
                via.raw,
                token,
            ]),
        }
    }
}
