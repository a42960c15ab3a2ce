//! Operations of one phone and the edge.

use std::time::Duration;

use super::{BATCH, Play, Unexpected};
use crate::digest::{Known, nonce_of};

impl Play {
    /// Every phone's first REGISTER, at a pace that no limit minds.
    pub(super) fn register_all(&mut self) -> Result<(), Unexpected> {
        self.known = vec![Known::default(); self.phones.count() as usize];
        let all: Vec<u32> = (0..self.phones.count()).collect();
        for who in all.chunks(BATCH as usize) {
            if self.workload.is_challenged() {
                self.register(who)?
            } else {
                self.register_trusted(who)?
            }
            self.node.pass(Duration::from_millis(1));
        }
        Ok(())
    }

    pub(super) fn options(&mut self, who: &[u32]) -> Result<(), Unexpected> {
        for &phone in who {
            self.sent.write(phone, |out| self.phones.options(out, phone));
        }
        self.turn();
        self.expect(who, 200)
    }

    pub(super) fn register_trusted(&mut self, who: &[u32]) -> Result<(), Unexpected> {
        for &phone in who {
            self.sent.write(phone, |out| self.phones.register(out, phone, None));
        }
        self.turn();
        self.expect(who, 200)
    }

    pub(super) fn register(&mut self, who: &[u32]) -> Result<(), Unexpected> {
        for &phone in who {
            self.sent.write(phone, |out| self.phones.register(out, phone, None));
        }
        self.turn();
        self.expect(who, 401)?;
        for (phone, challenge) in self.heard.iter() {
            let known = &mut self.known[phone as usize];
            known.nonce.clear();
            known.nonce.extend_from_slice(nonce_of(challenge));
            known.count = 0;
        }
        self.refresh(who)
    }

    pub(super) fn refresh(&mut self, who: &[u32]) -> Result<(), Unexpected> {
        for &phone in who {
            let known = &mut self.known[phone as usize];
            known.count += 1;
            self.sent.write(phone, |out| self.phones.register(out, phone, Some(known)));
        }
        self.turn();
        self.expect(who, 200)
    }
}
