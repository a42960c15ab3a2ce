//! Steps that stories of forks and cancelled calls share.

use super::{Heard, Phone, Request, Scene};

/// A call that rings at several devices of one extension.
pub struct Ringing {
    pub caller: Phone,
    pub invite: Request,
    /// Each device, and the INVITE that it has heard.
    pub devices: Vec<(Phone, Heard)>,
}

impl Scene {
    /// Registers a device whose Contact has these parameters.
    #[track_caller]
    pub fn register_with(&mut self, phone: Phone, parameters: &str) {
        let domain = self.state(phone).domain.clone();
        let contact = format!("<{}>{parameters}", self.contact(phone));
        let request = self.request(phone, "REGISTER", &format!("sip:{domain}")).contact(&contact);
        let response = self.ask(phone, request);
        assert_eq!(response.status(), Some(200), "{response}");
    }

    /// 101 of acme calls 102, which has so many devices, all registered.
    #[track_caller]
    pub fn ring(&mut self, devices: usize) -> Ringing {
        let caller = self.phone("101@acme.example");
        let phones: Vec<Phone> = (0..devices).map(|_| self.phone("102@acme.example")).collect();
        for &phone in &phones {
            self.register(phone);
        }
        self.ring_at(caller, &phones)
    }

    /// A caller calls the number of these devices, all of which are asked at once.
    #[track_caller]
    pub fn ring_at(&mut self, caller: Phone, devices: &[Phone]) -> Ringing {
        let invite = self.invite(caller, devices[0]);
        let devices = devices.iter().map(|&phone| (phone, self.expect_request(phone, "INVITE"))).collect();
        Ringing { caller, invite, devices }
    }

    /// A device answers; for each status up to 299, but for 100, the caller must hear it at once.
    #[track_caller]
    pub fn answer(&mut self, ringing: &Ringing, device: usize, status: u16) -> Option<Heard> {
        let (phone, heard) = &ringing.devices[device];
        self.respond(*phone, heard, status);
        if status >= 300 {
            self.expect_request(*phone, "ACK");
            return None;
        }
        (status > 100).then(|| self.expect_response(ringing.caller, status))
    }

    /// A device hears the CANCEL of its INVITE and ends it as section 9.2 says; the CANCEL.
    #[track_caller]
    pub fn expect_cancelled(&mut self, ringing: &Ringing, device: usize) -> Heard {
        let (phone, heard) = &ringing.devices[device];
        let cancel = self.expect_request(*phone, "CANCEL");
        assert_eq!(cancel.branch(), heard.branch());
        self.respond(*phone, &cancel, 200);
        self.respond(*phone, heard, 487);
        self.expect_request(*phone, "ACK");
        cancel
    }

    /// The caller hears how its call failed, and acknowledges that.
    #[track_caller]
    pub fn expect_failed(&mut self, ringing: &Ringing, status: u16) -> Heard {
        let failure = self.expect_response(ringing.caller, status);
        self.send(ringing.caller, failure.ack(&ringing.invite.text()));
        failure
    }

    /// Nobody hears anything more, now or later, and nothing is kept: no transaction, no dialog, no call.
    #[track_caller]
    pub fn expect_all_quiet(&mut self) {
        self.expect_nothing_more();
        self.advance(std::time::Duration::from_secs(40));
        self.expect_nothing_more();
        assert_eq!((self.open_work(), self.calls_now()), ((0, 0), 0));
        let transactions: usize = self.shards.iter().map(ringway_edge::Engine::transactions).sum();
        assert_eq!(transactions, 0);
    }

    /// A BYE of the node's own that a phone hears, however often it was repeated meanwhile.
    #[track_caller]
    pub fn expect_bye(&mut self, phone: Phone) -> Heard {
        let bye = self.expect_request(phone, "BYE");
        while let Some(again) = self.hear(phone) {
            assert_eq!(again, bye, "what comes again is the same");
        }
        bye
    }
}
