//! Phones that talk: they know an address of their own, right or wrong, and describe their media.

use ringway_directory::Tenant;
use ringway_sip::Transport;

use super::{Dialog, Heard, Phone, Request, Scene, acme};

/// A phone, and the address that it thinks it has.
#[derive(Clone, Copy)]
pub struct Talker {
    pub phone: Phone,
    pub thinks: &'static str,
    pub public: &'static str,
}

/// Behind a NAT: where it thinks it is, the NAT's address.
pub const ALICE: (&str, &str) = ("10.0.0.5", "203.0.113.1");
pub const BOB: (&str, &str) = ("192.168.1.7", "203.0.113.2");
/// On the internet.
pub const CAROL: (&str, &str) = ("203.0.113.3", "203.0.113.3");
pub const DAVE: (&str, &str) = ("203.0.113.4", "203.0.113.4");

pub const EDGE: &str = "192.0.2.1";

impl Talker {
    pub fn new(scene: &mut Scene, number: &str, (thinks, public): (&'static str, &'static str)) -> Self {
        Self::with(scene, number, Transport::Udp, (thinks, public))
    }

    pub fn with(
        scene: &mut Scene,
        number: &str,
        transport: Transport,
        (thinks, public): (&'static str, &'static str),
    ) -> Self {
        let host = if public.contains(':') { format!("[{public}]") } else { public.to_owned() };
        // A NAT chooses a port of its own.
        let port =
            if thinks == public { 5060 } else { 40_000 + thinks.len() * 10 + usize::from(thinks.ends_with('6')) };
        let phone = scene.phone_at(&format!("{number}@acme.example"), transport, &format!("{host}:{port}"));
        Self { phone, thinks, public }
    }

    pub fn contact(&self) -> String {
        let host = if self.thinks.contains(':') { format!("[{}]", self.thinks) } else { self.thinks.to_owned() };
        format!("sip:phone@{host}:5060")
    }

    pub fn register(self, scene: &mut Scene) -> Self {
        let request = scene.request(self.phone, "REGISTER", "sip:acme.example");
        let request = self.as_it_thinks(request);
        assert_eq!(scene.ask(self.phone, request).status(), Some(200));
        self
    }

    /// A request with what the phone thinks of its address.
    pub fn as_it_thinks(&self, mut request: Request) -> Request {
        let public = request.via.rsplit_once(' ').unwrap().1.to_owned();
        request.via = request.via.replace(&public, &format!("{};rport", self.contact().rsplit_once('@').unwrap().1));
        request.contact(&format!("<{}>", self.contact()))
    }

    pub fn sdp(&self) -> String {
        self.sdp_at(self.thinks, 4000)
    }

    pub fn sdp_at(&self, address: &str, port: u16) -> String {
        let family = if address.contains(':') { "IP6" } else { "IP4" };
        format!(
            "v=0\r\no=- 7 7 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=x-unknown:\u{e4}\r\na=sendrecv\r\n"
        )
    }

    pub fn invite(&self, scene: &mut Scene, callee: &str, sdp: &str) -> Request {
        let request = scene.request(self.phone, "INVITE", &format!("sip:{callee}@acme.example"));
        let request = with_sdp(self.as_it_thinks(request), sdp);
        let request = scene.answer_challenge(self.phone, request);
        scene.send_request(self.phone, &request);
        request
    }

    pub fn respond(&self, scene: &mut Scene, request: &Heard, status: u16, sdp: &str) {
        let response = self.response(request, status, sdp);
        scene.send(self.phone, response);
    }

    pub fn response(&self, request: &Heard, status: u16, sdp: &str) -> String {
        let text = request.response(status, &format!("tag-{}", self.public), &self.contact());
        let length = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        if sdp.is_empty() { text } else { text.replace("Content-Length: 0\r\n\r\n", &length) }
    }

    pub fn tag(&self) -> String {
        format!("tag-{}", self.public)
    }
}

pub fn with_sdp(request: Request, sdp: &str) -> Request {
    if sdp.is_empty() { request } else { request.body("application/sdp", sdp) }
}

/// A description as it is heard through the relay.
pub fn moved(sdp: &str, from: &str, port: u16) -> String {
    let family = if from.contains(':') { "IP6" } else { "IP4" };
    sdp.replace(&format!("c=IN {family} {from}"), &format!("c=IN IP4 {EDGE}"))
        .replace("audio 4000", &format!("audio {port}"))
        .replace("video 4002", &format!("video {port}"))
}

/// The body of what is heard; the length in the head must be its own.
#[track_caller]
pub fn body(heard: &Heard) -> String {
    let body = heard.body();
    assert_eq!(heard.header("Content-Length"), body.len().to_string(), "{heard}");
    body
}

/// A call that is answered: both sides' dialogs, and what each has heard of the other's description.
pub struct Call {
    pub caller: Talker,
    pub callee: Talker,
    pub from: Dialog,
    pub to: Dialog,
    pub offer: String,
    pub answer: String,
}

impl Call {
    pub fn new(scene: &mut Scene, caller: Talker, callee: Talker) -> Self {
        callee.register(scene);
        let invite = caller.invite(scene, "102", &caller.sdp());
        scene.expect_response(caller.phone, 100);
        let heard = scene.expect_request(callee.phone, "INVITE");
        callee.respond(scene, &heard, 200, &callee.sdp());
        let ok = scene.expect_response(caller.phone, 200);
        let mut from = Dialog::of_caller(&invite, &ok);
        let to = Dialog::of_callee(&heard, &callee.tag());
        let ack = from.ack(scene, caller.phone);
        scene.send(caller.phone, ack);
        scene.expect_request(callee.phone, "ACK");
        scene.expect_nothing_more();
        Self { caller, callee, from, to, offer: body(&heard), answer: body(&ok) }
    }

    /// A request of the caller within the call with this description, answered with that one; what each hears.
    pub fn again(&mut self, scene: &mut Scene, method: &str, offer: &str, answer: &str) -> (String, String) {
        let (caller, callee) = (self.caller, self.callee);
        let request = self.from.request(scene, caller.phone, method);
        let request = with_sdp(caller.as_it_thinks(request), offer);
        self.exchange(scene, request, answer, caller, callee)
    }

    /// The same by the callee.
    pub fn back(&mut self, scene: &mut Scene, method: &str, offer: &str, answer: &str) -> (String, String) {
        let (caller, callee) = (self.caller, self.callee);
        let request = self.to.request(scene, callee.phone, method);
        let request = with_sdp(callee.as_it_thinks(request), offer);
        self.exchange(scene, request, answer, callee, caller)
    }

    pub fn exchange(
        &self,
        scene: &mut Scene,
        request: Request,
        answer: &str,
        asks: Talker,
        answers: Talker,
    ) -> (String, String) {
        let method = request.method.clone();
        scene.send_request(asks.phone, &request);
        let heard = scene.expect_request(answers.phone, &method);
        if method == "INVITE" {
            scene.expect_response(asks.phone, 100);
        }
        answers.respond(scene, &heard, 200, answer);
        let ok = scene.expect_response(asks.phone, 200);
        if method == "INVITE" {
            let ack = Request { method: "ACK".into(), body: String::new(), ..request.clone() };
            scene.send(asks.phone, Request { headers: routes(&request), ..ack }.text());
            scene.expect_request(answers.phone, "ACK");
        }
        scene.expect_nothing_more();
        (body(&heard), body(&ok))
    }

    pub fn hang_up(mut self, scene: &mut Scene) {
        let bye = self.from.request(scene, self.caller.phone, "BYE");
        scene.send_request(self.caller.phone, &bye);
        let heard = scene.expect_request(self.callee.phone, "BYE");
        self.callee.respond(scene, &heard, 200, "");
        scene.expect_response(self.caller.phone, 200);
        scene.expect_all_quiet();
        assert_eq!(scene.streams_now(), 0);
    }
}

pub fn routes(request: &Request) -> Vec<String> {
    request.headers.iter().filter(|line| line.starts_with("Route")).cloned().collect()
}

pub fn policy(scene: &mut Scene, change: impl Fn(Tenant) -> Tenant) {
    scene.redirect(|edit| edit.put_tenant(change(acme())));
}

pub fn port_of(sdp: &str) -> u16 {
    sdp.split("m=audio ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}
