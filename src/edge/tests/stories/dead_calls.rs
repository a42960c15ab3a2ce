//! Calls that nobody ends: the node says BYE to both sides and gives their places back.

use std::time::Duration;

use ringway_edge::counters::CallEnd;

use crate::registration::register;
use crate::scene::{Dialog, Heard, Phone, Scene};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);

/// A session that both sides agree on, its interval, and how long after it a session is taken for dead.
const AGREED: &str = "Session-Expires: 1800;refresher=uac";
const SESSION: Duration = Duration::from_secs(1800);
const GRACE: Duration = Duration::from_secs(32);

struct Story {
    scene: Scene,
    alice: Phone,
    bob: Phone,
    from: Dialog,
    to: Dialog,
}

/// A call; what its INVITE and its 200 have more than usual.
fn call_with(scene: Scene, invite: &[&str], answer: &[&str]) -> Story {
    let mut scene = scene;
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let uri = scene.uri(bob);
    let mut request = scene.request(alice, "INVITE", &uri);
    request.headers.extend(invite.iter().map(|header| (*header).to_owned()));
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    let ok = answer_with(&mut scene, bob, &heard, answer);
    scene.send(bob, ok);
    let ok = scene.expect_response(alice, 200);
    let mut from = Dialog::of_caller(&request, &ok);
    let to = Dialog::of_callee(&heard, "b");
    let ack = from.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");
    Story { scene, alice, bob, from, to }
}

/// The same where no call may last longer than an hour.
fn call_of_an_hour(invite: &[&str], answer: &[&str]) -> Story {
    call_with(Scene::with(|settings| settings.max_call = HOUR), invite, answer)
}

/// A 200 with further headers.
fn answer_with(scene: &mut Scene, phone: Phone, request: &Heard, headers: &[&str]) -> String {
    let contact = scene.contact(phone);
    let more: String = headers.iter().map(|header| format!("\r\n{header}")).collect();
    request.response(200, "b", &contact).replace("\r\nContent-Length", &format!("{more}\r\nContent-Length"))
}

/// A phone takes a BYE of the node's.
#[track_caller]
fn take_bye(scene: &mut Scene, phone: Phone) -> Heard {
    let bye = scene.expect_bye(phone);
    scene.respond(phone, &bye, 200);
    bye
}

impl Story {
    /// The call is still there after so long, and nobody has heard anything.
    #[track_caller]
    fn expect_quiet_for(&mut self, time: Duration) {
        self.scene.advance(time);
        self.scene.expect_nothing_more();
        assert_eq!(self.scene.calls_now(), 1);
    }

    /// The call is ended for this reason when it has gone on for so long, and not a moment before.
    #[track_caller]
    fn expect_end_after(mut self, time: Duration, end: CallEnd) {
        self.expect_quiet_for(time - SECOND);
        self.scene.advance(SECOND * 2);
        self.expect_end(end);
    }

    /// Both sides hear BYE as if the other had sent it, with a number above all that it has sent, and nothing stays.
    #[track_caller]
    fn expect_end(mut self, end: CallEnd) {
        let Self { scene, alice, bob, from, to } = &mut self;
        for (hears, own, other, contact) in
            [(*alice, &*from, &*to, scene.contact(*alice)), (*bob, &*to, &*from, scene.contact(*bob))]
        {
            let bye = take_bye(scene, hears);
            assert_eq!(bye.start_line(), format!("BYE {contact} SIP/2.0"));
            assert_eq!((bye.header("From"), bye.header("To")), (own.remote.clone(), own.local.clone()));
            assert_eq!(bye.header("Call-ID"), own.call_id);
            let number: u32 = bye.header("CSeq").strip_suffix(" BYE").unwrap().parse().unwrap();
            // The callee's story counts from 100, and the node knows of it what has passed.
            assert!(number > if other.cseq == 100 { 0 } else { other.cseq }, "{bye}");
            assert!(bye.header("Reason").ends_with(&format!("text=\"{}\"", end.as_str())), "{bye}");
            assert_eq!((bye.headers("Via").len(), bye.header("Max-Forwards")), (1, "70".into()));
            for name in ["Contact", "Route", "Supported", "Require", "Proxy-Require"] {
                assert!(!bye.has(name), "{name}: {bye}");
            }
        }
        assert_eq!(scene.shards.iter().map(|shard| shard.counters().calls_ended[end as usize]).sum::<u64>(), 1);
        let bye = self.from.request(&mut self.scene, self.alice, "BYE");
        self.scene.send_request(self.alice, &bye);
        assert_eq!(self.scene.expect_response(self.alice, 481).reason_code(), "no-dialog");
        self.scene.expect_all_quiet();
    }

    /// One side refreshes the session; the other accepts with these headers.
    #[track_caller]
    fn refresh(&mut self, method: &str, accepted: &[&str]) {
        let Self { scene, alice, bob, from, .. } = self;
        let request = from.request(scene, *alice, method).header("Supported: timer").header(AGREED);
        scene.send_request(*alice, &request);
        if method == "INVITE" {
            scene.expect_response(*alice, 100);
        }
        let heard = scene.expect_request(*bob, method);
        let ok = answer_with(scene, *bob, &heard, accepted);
        scene.send(*bob, ok);
        scene.expect_response(*alice, 200);
        if method == "INVITE" {
            let ack = from.ack(scene, *alice).replace("CSeq: 2 ACK", &format!("CSeq: {} ACK", from.cseq));
            scene.send(*alice, ack);
            scene.expect_request(*bob, "ACK");
        }
    }
}

#[test]
fn a_call_that_is_as_long_as_a_call_may_be_is_ended_on_both_sides() {
    call_of_an_hour(&[], &[]).expect_end_after(HOUR, CallEnd::TooLong);
}

#[test]
fn ringing_does_not_count_and_is_ended_by_timer_c_alone() {
    let mut scene = Scene::with(|settings| settings.max_call = SECOND * 60);
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    scene.advance(SECOND * 150);
    scene.expect_nothing_more();
    assert_eq!(scene.calls_now(), 1);
    scene.answer(&ringing, 0, 200);
    scene.advance(SECOND * 20);
    scene.expect_nothing_more();
    assert_eq!(scene.calls_now(), 1);
    scene.advance(SECOND * 41);
    take_bye(&mut scene, ringing.caller);
    take_bye(&mut scene, ringing.devices[0].0);
    scene.expect_all_quiet();
}

#[test]
fn the_bye_s_number_is_above_what_each_side_has_sent_in_the_call() {
    let mut story = call_of_an_hour(&[], &[]);
    for _ in 0..3 {
        let Story { scene, alice, bob, from, to } = &mut story;
        for (sender, receiver, dialog) in [(*alice, *bob, from), (*bob, *alice, to)] {
            let info = dialog.request(scene, sender, "INFO");
            scene.send_request(sender, &info);
            let heard = scene.expect_request(receiver, "INFO");
            scene.respond(receiver, &heard, 200);
            scene.expect_response(sender, 200);
        }
    }
    assert_eq!(story.to.cseq, 103);
    story.scene.advance(HOUR);
    story.expect_end(CallEnd::TooLong);
}

#[test]
fn a_session_that_is_not_refreshed_is_ended_on_both_sides_after_its_grace() {
    let story = call_with(Scene::new(), &["Supported: timer", "Session-Expires: 1800"], &[AGREED]);
    story.expect_end_after(SESSION + GRACE, CallEnd::SessionExpired);
}

#[test]
fn a_session_that_is_refreshed_goes_on_by_re_invite_and_by_update() {
    for method in ["INVITE", "UPDATE"] {
        let mut story = call_with(Scene::new(), &[AGREED], &[AGREED]);
        for _ in 0..3 {
            story.scene.advance(SESSION / 2);
            story.refresh(method, &[AGREED]);
        }
        story.expect_end_after(SESSION + GRACE, CallEnd::SessionExpired);
    }
}

#[test]
fn a_refresh_that_agrees_on_no_session_timer_ends_the_watch() {
    let mut story = call_with(Scene::with(|settings| settings.max_call = HOUR * 2), &[AGREED], &[AGREED]);
    story.scene.advance(SESSION / 2);
    story.refresh("UPDATE", &[]);
    story.expect_quiet_for(HOUR);
}

#[test]
fn a_call_whose_sides_have_vanished_is_given_up_after_the_byes() {
    let Story { mut scene, alice, bob, .. } = call_of_an_hour(&[], &[]);
    scene.advance(HOUR);
    assert_eq!((scene.open_work(), scene.calls_now()), ((0, 0), 0), "the place is given back at once");
    for phone in [alice, bob] {
        let first = scene.expect_request(phone, "BYE");
        scene.advance(SECOND);
        let again = scene.expect_request(phone, "BYE");
        assert_eq!(first.to_string(), again.to_string());
    }
    scene.advance(SECOND * 40);
    while scene.hear(alice).is_some() || scene.hear(bob).is_some() {}
    scene.expect_all_quiet();
}

#[test]
fn a_side_whose_connection_is_gone_keeps_nothing_open() {
    let mut scene = Scene::with(|settings| settings.max_call = HOUR);
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    scene.call(alice, bob);
    scene.advance(HOUR);
    let bye = scene.expect_bye(alice);
    scene.respond(alice, &bye, 481);
    let bye = scene.expect_bye(bob);
    let flow = scene.state(bob).flow;
    assert!(bye.header("Via").starts_with("SIP/2.0/TCP "));
    scene.input(0, ringway_edge::Input::FlowClosed(flow));
    // Its Contact may still be called, and when that is in vain too, it is over.
    assert_eq!(scene.expect_bye(bob).request_uri(), bye.request_uri());
    scene.input(0, ringway_edge::Input::SendFailed(ringway_sip::Flow { connection: None, ..flow }));
    scene.expect_all_quiet();
}

#[test]
fn every_leg_of_a_fork_that_was_answered_twice_is_ended() {
    let mut scene = Scene::with(|settings| settings.max_call = HOUR);
    let ringing = scene.ring(2);
    scene.respond(ringing.devices[0].0, &ringing.devices[0].1, 200);
    scene.respond(ringing.devices[1].0, &ringing.devices[1].1, 200);
    scene.expect_response(ringing.caller, 200);
    scene.expect_response(ringing.caller, 200);
    scene.advance(HOUR);
    // The caller has two calls.
    for phone in [ringing.caller, ringing.caller, ringing.devices[0].0, ringing.devices[1].0] {
        let bye = scene.expect_request(phone, "BYE");
        scene.respond(phone, &bye, 200);
    }
    scene.expect_all_quiet();
}

#[test]
fn a_call_that_ended_is_not_ended_again() {
    let Story { mut scene, alice, bob, mut from, .. } = call_of_an_hour(&[AGREED], &[AGREED]);
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.advance(HOUR * 2);
    scene.expect_all_quiet();
}

#[test]
fn a_tenant_may_have_shorter_calls_than_the_node_and_no_longer_ones() {
    for (seconds, longest) in [(600, SECOND * 600), (7200, HOUR)] {
        let mut scene = Scene::with(|settings| settings.max_call = HOUR);
        scene.redirect(|edit| {
            let max_call_seconds = Some(seconds);
            edit.put_tenant(ringway_directory::Tenant { max_call_seconds, ..crate::scene::acme() });
        });
        call_with(scene, &[], &[]).expect_end_after(longest, CallEnd::TooLong);
    }
}

#[test]
fn a_side_that_has_given_its_gruu_hears_the_bye_where_it_is_registered_now() {
    for is_registered in [true, false] {
        let mut scene = Scene::with(|settings| settings.max_call = HOUR);
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        let device = |scene: &Scene, phone| format!("<{}>;+sip.instance=\"<urn:uuid:2>\"", scene.contact(phone));
        let contact = device(&scene, bob);
        register(&mut scene, bob, |request| request.contact(&contact));
        let gruu = "sip:102@acme.example;gr=urn:uuid:2";
        let invite = scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        scene.send(bob, heard.response(200, "b", gruu));
        let ok = scene.expect_response(alice, 200);
        let ack = Dialog::of_caller(&invite, &ok).ack(&mut scene, alice);
        scene.send(alice, ack);
        scene.expect_request(bob, "ACK");
        let moved = scene.phone("102@acme.example");
        scene.advance(HOUR - SECOND * 10);
        if is_registered {
            let contact = device(&scene, moved);
            register(&mut scene, moved, |request| request.contact(&contact));
        }
        scene.advance(SECOND * 10);
        take_bye(&mut scene, alice);
        // Where it was is the best guess when it is registered nowhere.
        let hears = if is_registered { moved } else { bob };
        let uri = if is_registered { scene.contact(moved) } else { gruu.to_owned() };
        assert_eq!(take_bye(&mut scene, hears).request_uri(), uri);
        scene.expect_all_quiet();
    }
}
