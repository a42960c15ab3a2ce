//! Media of calls through the relay: which calls need it, and what becomes of their descriptions.

use std::time::Duration;

use ringway_directory::{MediaPolicy, Tenant};
use ringway_edge::Reject;
use ringway_edge::counters::Unmoved;
use ringway_sip::Transport;
use ringway_sip::media::Side;

use crate::scene::{Dialog, Heard, Phone, Request, Scene, acme};

/// A phone, and the address that it thinks it has.
#[derive(Clone, Copy)]
struct Talker {
    phone: Phone,
    thinks: &'static str,
    public: &'static str,
}

/// Behind a NAT: where it thinks it is, the NAT's address.
const ALICE: (&str, &str) = ("10.0.0.5", "203.0.113.1");
const BOB: (&str, &str) = ("192.168.1.7", "203.0.113.2");
/// On the internet.
const CAROL: (&str, &str) = ("203.0.113.3", "203.0.113.3");
const DAVE: (&str, &str) = ("203.0.113.4", "203.0.113.4");

const EDGE: &str = "192.0.2.1";

impl Talker {
    fn new(scene: &mut Scene, number: &str, (thinks, public): (&'static str, &'static str)) -> Self {
        Self::with(scene, number, Transport::Udp, (thinks, public))
    }

    fn with(
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

    fn contact(&self) -> String {
        let host = if self.thinks.contains(':') { format!("[{}]", self.thinks) } else { self.thinks.to_owned() };
        format!("sip:phone@{host}:5060")
    }

    fn register(self, scene: &mut Scene) -> Self {
        let request = scene.request(self.phone, "REGISTER", "sip:acme.example");
        let request = self.as_it_thinks(request);
        assert_eq!(scene.ask(self.phone, request).status(), Some(200));
        self
    }

    /// A request with what the phone thinks of its address.
    fn as_it_thinks(&self, mut request: Request) -> Request {
        let public = request.via.rsplit_once(' ').unwrap().1.to_owned();
        request.via = request.via.replace(&public, &format!("{};rport", self.contact().rsplit_once('@').unwrap().1));
        request.contact(&format!("<{}>", self.contact()))
    }

    fn sdp(&self) -> String {
        self.sdp_at(self.thinks, 4000)
    }

    fn sdp_at(&self, address: &str, port: u16) -> String {
        let family = if address.contains(':') { "IP6" } else { "IP4" };
        format!(
            "v=0\r\no=- 7 7 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=x-unknown:\u{e4}\r\na=sendrecv\r\n"
        )
    }

    fn invite(&self, scene: &mut Scene, callee: &str, sdp: &str) -> Request {
        let request = scene.request(self.phone, "INVITE", &format!("sip:{callee}@acme.example"));
        let request = with_sdp(self.as_it_thinks(request), sdp);
        let request = scene.answer_challenge(self.phone, request);
        scene.send_request(self.phone, &request);
        request
    }

    fn respond(&self, scene: &mut Scene, request: &Heard, status: u16, sdp: &str) {
        let response = self.response(request, status, sdp);
        scene.send(self.phone, response);
    }

    fn response(&self, request: &Heard, status: u16, sdp: &str) -> String {
        let text = request.response(status, &format!("tag-{}", self.public), &self.contact());
        let length = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        if sdp.is_empty() { text } else { text.replace("Content-Length: 0\r\n\r\n", &length) }
    }

    fn tag(&self) -> String {
        format!("tag-{}", self.public)
    }
}

fn with_sdp(request: Request, sdp: &str) -> Request {
    if sdp.is_empty() { request } else { request.body("application/sdp", sdp) }
}

/// A description as it is heard through the relay.
fn moved(sdp: &str, from: &str, port: u16) -> String {
    let family = if from.contains(':') { "IP6" } else { "IP4" };
    sdp.replace(&format!("c=IN {family} {from}"), &format!("c=IN IP4 {EDGE}"))
        .replace("audio 4000", &format!("audio {port}"))
        .replace("video 4002", &format!("video {port}"))
}

/// The body of what is heard; the length in the head must be its own.
#[track_caller]
fn body(heard: &Heard) -> String {
    let body = heard.body();
    assert_eq!(heard.header("Content-Length"), body.len().to_string(), "{heard}");
    body
}

/// A call that is answered: both sides' dialogs, and what each has heard of the other's description.
struct Call {
    caller: Talker,
    callee: Talker,
    from: Dialog,
    to: Dialog,
    offer: String,
    answer: String,
}

impl Call {
    fn new(scene: &mut Scene, caller: Talker, callee: Talker) -> Self {
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
    fn again(&mut self, scene: &mut Scene, method: &str, offer: &str, answer: &str) -> (String, String) {
        let (caller, callee) = (self.caller, self.callee);
        let request = self.from.request(scene, caller.phone, method);
        let request = with_sdp(caller.as_it_thinks(request), offer);
        self.exchange(scene, request, answer, caller, callee)
    }

    /// The same by the callee.
    fn back(&mut self, scene: &mut Scene, method: &str, offer: &str, answer: &str) -> (String, String) {
        let (caller, callee) = (self.caller, self.callee);
        let request = self.to.request(scene, callee.phone, method);
        let request = with_sdp(callee.as_it_thinks(request), offer);
        self.exchange(scene, request, answer, callee, caller)
    }

    fn exchange(
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

    fn hang_up(mut self, scene: &mut Scene) {
        let bye = self.from.request(scene, self.caller.phone, "BYE");
        scene.send_request(self.caller.phone, &bye);
        let heard = scene.expect_request(self.callee.phone, "BYE");
        self.callee.respond(scene, &heard, 200, "");
        scene.expect_response(self.caller.phone, 200);
        scene.expect_all_quiet();
        assert_eq!(scene.streams_now(), 0);
    }
}

fn routes(request: &Request) -> Vec<String> {
    request.headers.iter().filter(|line| line.starts_with("Route")).cloned().collect()
}

fn policy(scene: &mut Scene, change: impl Fn(Tenant) -> Tenant) {
    scene.redirect(|edit| edit.put_tenant(change(acme())));
}

#[test]
fn two_phones_behind_nats_talk_through_the_relay() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let call = Call::new(&mut scene, alice, bob);
    assert_eq!(call.offer, moved(&alice.sdp(), alice.thinks, 20_002), "the port for callees, and no other byte");
    assert_eq!(call.answer, moved(&bob.sdp(), bob.thinks, 20_000), "the port for callers, and no other byte");
    let [(_, stream)] = scene.streams()[..] else { panic!("{:?}", scene.streams()) };
    assert_eq!(stream.party(Side::Caller), (alice.public.into(), Some("10.0.0.5:4000".into())));
    assert_eq!(stream.party(Side::Callee), (bob.public.into(), Some("192.168.1.7:4000".into())));
    assert_eq!(stream.rests, Some(false));
    assert_eq!(stream.parties[0].unwrap().local.to_string(), EDGE);
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn who_can_reach_each_other_is_left_alone() {
    for (caller, callee, is_relayed) in [
        (CAROL, DAVE, false),
        (ALICE, CAROL, true),
        (CAROL, BOB, true),
        // Two phones of one household.
        (("10.0.0.5", "203.0.113.1"), ("10.0.0.6", "203.0.113.1"), false),
        // In the operator's own network, and outside.
        (("10.9.0.1", "10.9.0.1"), ("10.9.0.2", "10.9.0.2"), false),
        (("10.9.0.1", "10.9.0.1"), CAROL, true),
    ] {
        let mut scene = Scene::with_lanes(1, 4);
        let caller = Talker::new(&mut scene, "101", caller);
        let callee = Talker::new(&mut scene, "102", callee);
        let call = Call::new(&mut scene, caller, callee);
        let is_untouched = call.offer == caller.sdp() && call.answer == callee.sdp();
        assert_eq!(is_untouched, !is_relayed, "{} {}", caller.public, callee.public);
        assert_eq!(scene.streams_now(), usize::from(is_relayed));
        call.hang_up(&mut scene);
    }
}

#[test]
fn a_description_that_names_another_address_than_its_signalling_gives_a_nat_away() {
    let mut scene = Scene::with_lanes(1, 4);
    let (carol, dave) =
        (Talker::new(&mut scene, "101", CAROL), Talker::new(&mut scene, "102", DAVE).register(&mut scene));
    let sdp = carol.sdp_at("172.16.0.3", 4000);
    carol.invite(&mut scene, "102", &sdp);
    scene.expect_response(carol.phone, 100);
    let heard = scene.expect_request(dave.phone, "INVITE");
    assert_eq!(body(&heard), moved(&sdp, "172.16.0.3", 20_002));
}

#[test]
fn a_tenant_may_want_all_media_relayed_or_none() {
    for (media, who, is_relayed) in
        [(MediaPolicy::Always, (CAROL, DAVE), true), (MediaPolicy::Never, (ALICE, BOB), false)]
    {
        let mut scene = Scene::with_lanes(1, 4);
        policy(&mut scene, |acme| Tenant { media, ..acme });
        let (caller, callee) = (Talker::new(&mut scene, "101", who.0), Talker::new(&mut scene, "102", who.1));
        let call = Call::new(&mut scene, caller, callee);
        assert_eq!(scene.streams_now(), usize::from(is_relayed));
        assert_eq!(call.offer != caller.sdp(), is_relayed);
        call.hang_up(&mut scene);
    }
}

#[test]
fn without_a_relay_nothing_is_moved() {
    let mut scene = Scene::new();
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let call = Call::new(&mut scene, alice, bob);
    assert_eq!((&call.offer, &call.answer), (&alice.sdp(), &bob.sdp()));
}

#[test]
fn phones_are_told_the_address_that_is_advertised() {
    let mut scene = Scene::with_lanes(1, 4);
    scene.reconfigure(|settings| {
        settings.media.advertise = vec!["198.51.100.80".parse().unwrap(), "2001:db8::80".parse().unwrap()]
    });
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let call = Call::new(&mut scene, alice, bob);
    assert_eq!(call.offer, moved(&alice.sdp(), alice.thinks, 20_002).replace(EDGE, "198.51.100.80"));
    let [(_, stream)] = scene.streams()[..] else { panic!() };
    assert_eq!(stream.parties[0].unwrap().local.to_string(), EDGE, "packets leave from the machine's own");
}

#[test]
fn each_branch_of_a_fork_has_ports_of_its_own_and_only_the_winners_stay() {
    let mut scene = Scene::with_lanes(1, 4);
    let alice = Talker::new(&mut scene, "101", ALICE);
    let bobs = [BOB, ("192.168.1.8", "203.0.113.12"), ("192.168.1.9", "203.0.113.13")]
        .map(|at| Talker::new(&mut scene, "102", at).register(&mut scene));
    let invite = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let heard = bobs.map(|bob| scene.expect_request(bob.phone, "INVITE"));
    let mut ports: Vec<_> = heard.iter().map(|heard| port_of(&body(heard))).collect();
    ports.sort_unstable();
    assert_eq!(ports, [20_002, 20_006, 20_010]);
    assert_eq!(scene.streams_now(), 3);

    // Early media of one, then another is busy, then the third answers.
    bobs[0].respond(&mut scene, &heard[0], 183, &bobs[0].sdp());
    let early = scene.expect_response(alice.phone, 183);
    assert_eq!(port_of(&body(&early)), port_of(&heard[0].body()) - 2, "of the same lane");
    bobs[1].respond(&mut scene, &heard[1], 486, "");
    scene.expect_request(bobs[1].phone, "ACK");
    assert_eq!(scene.streams_now(), 2, "who is busy needs no port");
    bobs[2].respond(&mut scene, &heard[2], 200, &bobs[2].sdp());
    let ok = scene.expect_response(alice.phone, 200);
    assert_eq!(port_of(&body(&ok)), port_of(&heard[2].body()) - 2);
    let cancel = scene.expect_request(bobs[0].phone, "CANCEL");
    bobs[0].respond(&mut scene, &cancel, 200, "");
    bobs[0].respond(&mut scene, &heard[0], 487, "");
    scene.expect_request(bobs[0].phone, "ACK");
    let [(_, stream)] = scene.streams()[..] else { panic!("{:?}", scene.streams()) };
    assert_eq!(stream.party(Side::Callee).0, bobs[2].public);

    let mut from = Dialog::of_caller(&invite, &ok);
    let ack = from.ack(&mut scene, alice.phone);
    scene.send(alice.phone, ack);
    scene.expect_request(bobs[2].phone, "ACK");
    let bye = from.request(&mut scene, alice.phone, "BYE");
    scene.send_request(alice.phone, &bye);
    let heard = scene.expect_request(bobs[2].phone, "BYE");
    bobs[2].respond(&mut scene, &heard, 200, "");
    scene.expect_response(alice.phone, 200);
    scene.expect_all_quiet();
    assert_eq!(scene.streams_now(), 0);
}

#[test]
fn two_that_answer_each_keep_their_stream_until_they_hang_up() {
    let mut scene = Scene::with_lanes(1, 4);
    let alice = Talker::new(&mut scene, "101", ALICE);
    let bobs = [BOB, ("192.168.1.8", "203.0.113.12")].map(|at| Talker::new(&mut scene, "102", at).register(&mut scene));
    let invite = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let heard = bobs.map(|bob| scene.expect_request(bob.phone, "INVITE"));
    for (bob, heard) in bobs.iter().zip(&heard) {
        bob.respond(&mut scene, heard, 200, &bob.sdp());
    }
    let oks = [scene.expect_response(alice.phone, 200), scene.expect_response(alice.phone, 200)];
    for (ok, heard) in oks.iter().zip(&heard) {
        assert_eq!(port_of(&body(ok)), port_of(&heard.body()) - 2);
    }
    assert_eq!(scene.streams_now(), 2);
    for (left, (ok, bob)) in oks.iter().zip(&bobs).enumerate() {
        let mut from = Dialog::of_caller(&invite, ok);
        let ack = from.ack(&mut scene, alice.phone);
        scene.send(alice.phone, ack);
        scene.expect_request(bob.phone, "ACK");
        let bye = from.request(&mut scene, alice.phone, "BYE");
        scene.send_request(alice.phone, &bye);
        let heard = scene.expect_request(bob.phone, "BYE");
        bob.respond(&mut scene, &heard, 200, "");
        scene.expect_response(alice.phone, 200);
        assert_eq!(scene.streams_now(), 1 - left);
    }
    scene.expect_all_quiet();
}

fn port_of(sdp: &str) -> u16 {
    sdp.split("m=audio ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn early_media_and_the_answer_behind_it_have_the_same_port() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    let [(_, before)] = scene.streams()[..] else { panic!() };
    assert_eq!(before.party(Side::Callee), (bob.public.into(), None), "expected before it has said anything");
    assert_eq!(before.rests, None, "silence until then");
    for status in [183, 200, 200] {
        bob.respond(&mut scene, &heard, status, &bob.sdp());
        let response = scene.expect_response(alice.phone, status);
        assert_eq!(body(&response), moved(&bob.sdp(), bob.thinks, 20_000));
    }
    assert_eq!(scene.streams_now(), 1);
    scene.expect_nothing_more();
}

#[test]
fn an_offer_that_comes_with_the_answer_is_moved_and_so_is_what_the_ack_answers() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    let invite = alice.invite(&mut scene, "102", "");
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    assert_eq!((body(&heard), scene.streams_now()), (String::new(), 0));
    bob.respond(&mut scene, &heard, 200, &bob.sdp());
    let ok = scene.expect_response(alice.phone, 200);
    assert_eq!(body(&ok), moved(&bob.sdp(), bob.thinks, 20_000));
    let mut from = Dialog::of_caller(&invite, &ok);
    let ack = from.ack(&mut scene, alice.phone);
    let with_answer =
        format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{}", alice.sdp().len(), alice.sdp());
    scene.send(alice.phone, ack.replace("Content-Length: 0\r\n\r\n", &with_answer));
    let ack = scene.expect_request(bob.phone, "ACK");
    assert_eq!(body(&ack), moved(&alice.sdp(), alice.thinks, 20_002));
    let [(_, stream)] = scene.streams()[..] else { panic!() };
    assert_eq!(stream.rests, Some(false));
    let call = Call {
        caller: alice,
        callee: bob,
        from,
        to: Dialog::of_callee(&heard, &bob.tag()),
        offer: String::new(),
        answer: String::new(),
    };
    call.hang_up(&mut scene);
}

#[test]
fn an_offerless_invite_within_the_call_keeps_the_ports() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let mut call = Call::new(&mut scene, alice, bob);
    let (_, offer) = call.back(&mut scene, "INVITE", "", &alice.sdp());
    assert_eq!(offer, moved(&alice.sdp(), alice.thinks, 20_002));
    call.hang_up(&mut scene);
}

#[test]
fn a_hold_in_any_of_its_forms_keeps_the_ports_and_lets_the_stream_rest() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let mut call = Call::new(&mut scene, alice, bob);
    let rests = |scene: &Scene| scene.streams()[0].1.rests.unwrap();
    for (offer, answer) in [
        (alice.sdp().replace("sendrecv", "sendonly"), bob.sdp().replace("sendrecv", "recvonly")),
        (alice.sdp().replace("sendrecv", "inactive"), bob.sdp().replace("sendrecv", "inactive")),
        (alice.sdp().replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0"), bob.sdp()),
    ] {
        let heard = call.again(&mut scene, "INVITE", &offer, &answer);
        assert_eq!(heard, (moved(&offer, alice.thinks, 20_002), moved(&answer, bob.thinks, 20_000)), "0.0.0.0 stays");
        assert!(rests(&scene));
        assert_eq!(scene.streams()[0].1.party(Side::Caller).1.as_deref(), Some("10.0.0.5:4000"), "nobody has moved");
        let heard = call.again(&mut scene, "INVITE", &alice.sdp(), &bob.sdp());
        assert_eq!(heard, (moved(&alice.sdp(), alice.thinks, 20_002), moved(&bob.sdp(), bob.thinks, 20_000)));
        assert!(!rests(&scene));
    }
    let (offer, answer) = call.back(&mut scene, "INVITE", &bob.sdp().replace("sendrecv", "sendonly"), &alice.sdp());
    assert_eq!((port_of(&offer), port_of(&answer)), (20_000, 20_002), "whoever asks");
    assert!(rests(&scene));
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn video_comes_and_goes_within_a_call() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let mut call = Call::new(&mut scene, alice, bob);
    let video = "m=video 4002 RTP/AVP 96\r\na=rtcp:4003\r\n";
    let both = |talker: Talker| talker.sdp() + video;
    let (offer, answer) = call.again(&mut scene, "UPDATE", &both(alice), &both(bob));
    assert!(offer.contains("m=audio 20002 ") && offer.contains("m=video 20006 RTP/AVP 96\r\na=rtcp:20007"), "{offer}");
    assert!(
        answer.contains("m=audio 20000 ") && answer.contains("m=video 20004 RTP/AVP 96\r\na=rtcp:20005"),
        "{answer}"
    );
    assert_eq!(scene.streams_now(), 2);
    let without = |talker: Talker| talker.sdp() + "m=video 0 RTP/AVP 96\r\n";
    let (offer, answer) = call.again(&mut scene, "INVITE", &both(alice), &without(bob));
    assert!(offer.contains("m=video 20006 ") && answer.ends_with("m=video 0 RTP/AVP 96\r\n"), "{offer}{answer}");
    assert_eq!(scene.streams_now(), 1, "refused");
    let (offer, _) = call.again(&mut scene, "INVITE", &without(alice), &without(bob));
    assert!(offer.ends_with("m=video 0 RTP/AVP 96\r\n"), "a port of 0 stays 0: {offer}");
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn prack_and_update_before_the_answer_use_the_ports_of_their_branch() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    let invite = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    bob.respond(&mut scene, &heard, 183, &bob.sdp());
    let early = scene.expect_response(alice.phone, 183);
    let (from, to) = (Dialog::of_caller(&invite, &early), Dialog::of_callee(&heard, &bob.tag()));
    let mut call = Call { caller: alice, callee: bob, from, to, offer: String::new(), answer: String::new() };
    for method in ["PRACK", "UPDATE"] {
        let heard = call.again(&mut scene, method, &alice.sdp(), &bob.sdp());
        assert_eq!(
            heard,
            (moved(&alice.sdp(), alice.thinks, 20_002), moved(&bob.sdp(), bob.thinks, 20_000)),
            "{method}"
        );
    }
    let heard = call.back(&mut scene, "UPDATE", &bob.sdp(), &alice.sdp());
    assert_eq!(heard, (moved(&bob.sdp(), bob.thinks, 20_000), moved(&alice.sdp(), alice.thinks, 20_002)));
    assert_eq!(scene.streams_now(), 1);
}

#[test]
fn phones_that_find_a_way_themselves_are_left_alone() {
    for line in ["a=ice-ufrag:8hhY", "a=candidate:1 1 UDP 2130706431 10.0.0.5 4000 typ host"] {
        let mut scene = Scene::with_lanes(1, 4);
        policy(&mut scene, |acme| Tenant { media: MediaPolicy::Always, ..acme });
        let (alice, bob) =
            (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
        let sdp = |talker: Talker| format!("{}{line}\r\n", talker.sdp());
        alice.invite(&mut scene, "102", &sdp(alice));
        scene.expect_response(alice.phone, 100);
        let heard = scene.expect_request(bob.phone, "INVITE");
        assert_eq!(body(&heard), sdp(alice));
        bob.respond(&mut scene, &heard, 200, &sdp(bob));
        assert_eq!(body(&scene.expect_response(alice.phone, 200)), sdp(bob));
        assert_eq!(scene.streams_now(), 0);
    }
}

#[test]
fn a_call_that_needs_a_port_when_none_is_left_is_refused() {
    let mut scene = Scene::with_lanes(1, 1);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let call = Call::new(&mut scene, alice, bob);
    let second = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let refusal = scene.expect_response(alice.phone, 503);
    assert_eq!(refusal.reason_code(), "no-media-ports");
    scene.send(alice.phone, refusal.ack(&second.text()));
    assert_eq!((scene.refusals(Reject::NoMediaPorts), scene.streams_now()), (1, 1));
    assert_eq!(scene.shards[0].lane_shortages(), 1);
    scene.give_lanes(0, 1);
    alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    scene.expect_request(bob.phone, "INVITE");
    assert_eq!(scene.streams_now(), 2);
    drop(call);
}

#[test]
fn a_call_whose_second_stream_finds_no_port_gives_the_first_back() {
    let mut scene = Scene::with_lanes(1, 1);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    let invite = alice.invite(&mut scene, "102", &(alice.sdp() + "m=video 4002 RTP/AVP 96\r\n"));
    scene.expect_response(alice.phone, 100);
    let refusal = scene.expect_response(alice.phone, 503);
    scene.send(alice.phone, refusal.ack(&invite.text()));
    assert_eq!((scene.streams_now(), scene.shards[0].free_lanes()), (0, 1));
    // And within a call, the call stays as it was.
    let mut call = Call::new(&mut scene, alice, bob);
    let offer = call.from.request(&mut scene, alice.phone, "UPDATE");
    let offer = with_sdp(alice.as_it_thinks(offer), &(alice.sdp() + "m=video 4002 RTP/AVP 96\r\n"));
    scene.send_request(alice.phone, &offer);
    assert_eq!(scene.expect_response(alice.phone, 503).reason_code(), "no-media-ports");
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn a_tenant_has_no_more_streams_than_its_limit() {
    let mut scene = Scene::with_lanes(1, 4);
    policy(&mut scene, |acme| Tenant { max_media: Some(1), ..acme });
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let call = Call::new(&mut scene, alice, bob);
    alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let refusal = scene.expect_response(alice.phone, 403);
    assert_eq!(refusal.reason_code(), "media-limit");
    assert_eq!((scene.refusals(Reject::MediaLimit), scene.streams_now()), (1, 1));
    drop(call);
}

#[test]
fn an_offer_in_an_answer_passes_as_it_came_when_no_port_is_left() {
    for (limit, lanes, why) in [(None, 0, Unmoved::NoPorts), (Some(0), 4, Unmoved::Limit)] {
        let mut scene = Scene::with_lanes(1, lanes);
        policy(&mut scene, |acme| Tenant { max_media: limit, ..acme });
        let (alice, bob) =
            (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
        alice.invite(&mut scene, "102", "");
        scene.expect_response(alice.phone, 100);
        let heard = scene.expect_request(bob.phone, "INVITE");
        bob.respond(&mut scene, &heard, 200, &bob.sdp());
        assert_eq!(body(&scene.expect_response(alice.phone, 200)), bob.sdp());
        assert_eq!(scene.shards[0].counters().unmoved[why as usize], 1);
        assert_eq!(scene.streams_now(), 0);
    }
}

#[test]
fn a_description_that_can_not_be_read_passes_as_it_came_and_is_counted() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    for (count, (kind, text)) in [
        ("application/sdp", "v=0\r\nm=audio 70000 RTP/AVP 0\r\n".to_owned()),
        ("application/sdp;charset=x", "not sdp".to_owned()),
        ("multipart/mixed;boundary=x", format!("--x\r\nContent-Type: application/sdp\r\n\r\n{}--x--\r\n", alice.sdp())),
    ]
    .into_iter()
    .enumerate()
    {
        let request = scene.request(alice.phone, "INVITE", "sip:102@acme.example");
        let request = alice.as_it_thinks(request).body(kind, &text);
        let request = scene.answer_challenge(alice.phone, request);
        scene.send_request(alice.phone, &request);
        scene.expect_response(alice.phone, 100);
        assert_eq!(body(&scene.expect_request(bob.phone, "INVITE")), text);
        assert_eq!(scene.shards[0].counters().unmoved[Unmoved::Unreadable as usize], count as u64 + 1);
    }
    assert_eq!(scene.streams_now(), 0);
}

#[test]
fn a_stream_that_the_relay_has_given_up_gets_another_port_with_the_next_offer() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let mut call = Call::new(&mut scene, alice, bob);
    let lane = scene.streams()[0].0;
    scene.time_out(0, lane);
    scene.expect_nothing_more();
    assert_eq!((scene.streams_now(), scene.calls_now()), (0, 1), "the call goes on");
    let (offer, answer) = call.again(&mut scene, "INVITE", &alice.sdp(), &bob.sdp());
    assert_eq!((port_of(&offer), port_of(&answer)), (20_006, 20_004));
    scene.time_out(0, lane);
    assert_eq!(scene.streams_now(), 1, "told twice, or late, it changes nothing");
    call.hang_up(&mut scene);
}

#[test]
fn a_call_that_is_given_up_refused_or_too_long_gives_its_ports_back() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) =
        (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB).register(&mut scene));
    // Given up.
    let invite = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    bob.respond(&mut scene, &heard, 183, &bob.sdp());
    scene.expect_response(alice.phone, 183);
    scene.send(alice.phone, invite.cancel());
    scene.expect_response(alice.phone, 200);
    let cancel = scene.expect_request(bob.phone, "CANCEL");
    bob.respond(&mut scene, &cancel, 200, "");
    bob.respond(&mut scene, &heard, 487, "");
    scene.expect_request(bob.phone, "ACK");
    let failure = scene.expect_response(alice.phone, 487);
    scene.send(alice.phone, failure.ack(&invite.text()));
    scene.expect_all_quiet();
    assert_eq!(scene.streams_now(), 0);
    // Nobody is there.
    let invite = alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    assert_eq!(scene.streams_now(), 1);
    scene.advance(Duration::from_millis(32_100));
    while scene.hear(bob.phone).is_some() {}
    let failure = scene.expect_response(alice.phone, 408);
    scene.send(alice.phone, failure.ack(&invite.text()));
    scene.expect_all_quiet();
    assert_eq!(scene.streams_now(), 0);
    // Nobody hangs up.
    let bob = bob.register(&mut scene);
    drop(Call::new(&mut scene, alice, bob));
    assert_eq!(scene.streams_now(), 1);
    scene.advance(Duration::from_secs(12 * 3600 + 1));
    assert_eq!((scene.streams_now(), scene.calls_now()), (0, 0));
}

#[test]
fn a_phone_that_moves_behind_a_nat_has_its_call_relayed_from_its_next_offer_on() {
    let mut scene = Scene::with_lanes(1, 4);
    let (carol, dave) = (Talker::new(&mut scene, "101", CAROL), Talker::new(&mut scene, "102", DAVE));
    let mut call = Call::new(&mut scene, carol, dave);
    assert_eq!(scene.streams_now(), 0);
    let offer = carol.sdp_at("10.77.0.2", 4000);
    let heard = call.again(&mut scene, "INVITE", &offer, &dave.sdp());
    assert_eq!(heard, (moved(&offer, "10.77.0.2", 20_002), moved(&dave.sdp(), dave.thinks, 20_000)));
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn ipv6_talks_to_ipv4() {
    let mut scene = Scene::with_lanes(1, 4);
    let six = ("2001:db8::5", "2001:db8::5");
    let (alice, bob) = (Talker::new(&mut scene, "101", six), Talker::new(&mut scene, "102", DAVE));
    scene.state(alice.phone).flow.local = "[2001:db8::1]:5060".parse().unwrap();
    let call = Call::new(&mut scene, alice, bob);
    assert_eq!(call.offer, moved(&alice.sdp(), alice.thinks, 20_002));
    let answer = bob.sdp().replace("c=IN IP4 203.0.113.4", "c=IN IP6 2001:db8::1").replace("audio 4000", "audio 20000");
    assert_eq!(call.answer, answer);
    call.hang_up(&mut scene);
}

#[test]
fn the_two_sides_may_be_with_different_shards_and_transports() {
    let mut scene = Scene::with_lanes(2, 4);
    let alice = Talker::with(&mut scene, "101", Transport::Tcp, ALICE);
    let bob = Talker::with(&mut scene, "102", Transport::Udp, BOB);
    let mut call = Call::new(&mut scene, alice, bob);
    let ports = (port_of(&call.offer), port_of(&call.answer));
    assert_eq!(ports.0, ports.1 + 2);
    let (offer, answer) = call.back(&mut scene, "INVITE", &bob.sdp(), &alice.sdp());
    assert_eq!((port_of(&answer), port_of(&offer)), ports, "the same ones, whoever asks");
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn after_a_restart_descriptions_pass_as_they_come() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = (Talker::new(&mut scene, "101", ALICE), Talker::new(&mut scene, "102", BOB));
    let mut call = Call::new(&mut scene, alice, bob);
    scene.restart();
    scene.give_lanes(0, 4);
    let heard = call.again(&mut scene, "INVITE", &alice.sdp(), &bob.sdp());
    assert_eq!(heard, (alice.sdp(), bob.sdp()));
}
