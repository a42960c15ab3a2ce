//! One side's view of a dialog (RFC 3261 section 12), and the requests it sends in it.

use super::{Heard, Phone, Request, Scene};

/// What a user agent knows of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    pub call_id: String,
    /// From of its requests, with its tag.
    pub local: String,
    /// To of its requests, with the other's tag.
    pub remote: String,
    pub target: String,
    pub routes: Vec<String>,
    pub cseq: u32,
    invite_cseq: u32,
}

impl Dialog {
    /// The caller's, from its INVITE and the 2xx (section 12.1.2).
    pub fn of_caller(invite: &Request, ok: &Heard) -> Self {
        let mut routes = ok.headers("Record-Route");
        routes.reverse();
        Self {
            call_id: invite.call_id.clone(),
            local: invite.from.clone(),
            remote: ok.header("To"),
            target: inside(&ok.header("Contact")),
            routes,
            cseq: invite.cseq,
            invite_cseq: invite.cseq,
        }
    }

    /// The callee's, from the INVITE that it heard and the tag that it chose (section 12.1.1).
    pub fn of_callee(invite: &Heard, tag: &str) -> Self {
        Self {
            call_id: invite.header("Call-ID"),
            local: format!("{};tag={tag}", invite.header("To")),
            remote: invite.header("From"),
            target: inside(&invite.header("Contact")),
            routes: invite.headers("Record-Route"),
            cseq: 100,
            invite_cseq: 0,
        }
    }

    /// The next request in the dialog.
    pub fn request(&mut self, scene: &mut Scene, phone: Phone, method: &str) -> Request {
        self.cseq += 1;
        self.request_with(scene, phone, method, self.cseq)
    }

    /// The ACK to the 2xx (section 13.2.2.4).
    pub fn ack(&mut self, scene: &mut Scene, phone: Phone) -> String {
        let cseq = self.invite_cseq;
        self.request_with(scene, phone, "ACK", cseq).text()
    }

    fn request_with(&self, scene: &mut Scene, phone: Phone, method: &str, cseq: u32) -> Request {
        let mut request = scene.request(phone, method, &self.target);
        request.from = self.local.clone();
        request.to = self.remote.clone();
        request.call_id = self.call_id.clone();
        request.cseq = cseq;
        request.headers = self.routes.iter().map(|route| format!("Route: {route}")).collect();
        request
    }
}

/// What stands between `<` and `>`.
pub fn inside(value: &str) -> String {
    value.split('<').nth(1).and_then(|rest| rest.split('>').next()).unwrap_or(value).to_owned()
}
