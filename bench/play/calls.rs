//! Calls: the first half of the phones calls the second.

use super::{Play, Unexpected, Workload};
use crate::batch::Batch;
use crate::digest::{Known, nonce_of};
use crate::text::status;

impl Play {
    pub(super) fn calls(&mut self, callers: &[u32]) -> Result<(), Unexpected> {
        let half = self.phones.count() / 2;
        let callees: Vec<u32> = callers.iter().map(|caller| caller + half).collect();
        let first = self.call;
        self.call += callers.len() as u64;

        self.invite(callers, half, first)?;
        let invites = self.heard_by_callees(&callees, b"INVITE", Some(100))?;
        self.answer(&invites, b"SIP/2.0 180 Ringing");
        self.expect(callers, 180)?;
        self.answer(&invites, b"SIP/2.0 200 OK");
        self.expect(callers, 200)?;

        let oks = self.heard.clone();
        self.within_dialog(&oks, b"ACK");
        self.heard_by_callees(&callees, b"ACK", None)?;
        self.within_dialog(&oks, b"BYE");
        let byes = self.heard_by_callees(&callees, b"BYE", None)?;
        self.answer(&byes, b"SIP/2.0 200 OK");
        self.expect(callers, 200)
    }

    /// Sends the INVITEs; when they are challenged, acknowledges that and sends them anew.
    fn invite(&mut self, callers: &[u32], half: u32, first: u64) -> Result<(), Unexpected> {
        for (call, &caller) in (first..).zip(callers) {
            self.sent.write(caller, |out| self.phones.invite(out, caller, caller + half, call, None));
        }
        if self.workload == Workload::Call {
            self.turn();
            return Ok(());
        }
        let invites = self.sent.clone();
        self.turn();
        self.expect(callers, 407)?;
        let challenges = self.heard.clone();
        for ((caller, invite), (_, challenge)) in invites.iter().zip(challenges.iter()) {
            self.sent.write(caller, |out| self.phones.ack_failure(out, invite, challenge));
        }
        self.turn();
        self.expect(&[], 0)?;
        for (call, (caller, challenge)) in (first..).zip(challenges.iter()) {
            let known = Known { nonce: nonce_of(challenge).to_vec(), count: 1 };
            self.sent.write(caller, |out| self.phones.invite(out, caller, caller + half, call, Some(&known)));
        }
        self.turn();
        Ok(())
    }

    /// Callees answer requests that they have heard.
    fn answer(&mut self, requests: &Batch, status_line: &[u8]) {
        for (callee, request) in requests.iter() {
            self.sent.write(callee, |out| self.phones.respond(out, callee, request, status_line));
        }
        self.turn();
    }

    /// Callers send a request in each of the dialogs that these 2xx have opened.
    fn within_dialog(&mut self, oks: &Batch, method: &[u8]) {
        for (caller, ok) in oks.iter() {
            self.sent.write(caller, |out| self.phones.within_dialog(out, caller, ok, method));
        }
        self.turn();
    }

    /// What the callees have heard: each one request with this method, while each caller has heard one response with
    /// that status, or nothing.
    fn heard_by_callees(&self, callees: &[u32], method: &[u8], of_caller: Option<u16>) -> Result<Batch, Unexpected> {
        let mut requests = Batch::default();
        let mut responses = 0;
        for (hearer, message) in self.heard.iter() {
            if callees.get(requests.len()) == Some(&hearer) && message.starts_with(method) {
                requests.push(hearer, message);
            } else if of_caller == Some(status(message)) {
                responses += 1;
            }
        }
        let count = callees.len();
        let of_caller = if of_caller.is_some() { count } else { 0 };
        if requests.len() != count || responses != of_caller || self.heard.len() != count + of_caller {
            let method = String::from_utf8_lossy(method);
            return Err(self.unexpected(format_args!("{count} callees to hear {method}, got {}", requests.len())));
        }
        Ok(requests)
    }
}
