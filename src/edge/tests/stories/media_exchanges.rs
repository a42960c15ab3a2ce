//! Offers and answers of media that is relayed: who may say something of it, and what becomes of what was refused.

use std::time::Duration;

use ringway_directory::{MediaPolicy, Tenant};
use ringway_edge::counters::Unmoved;
use ringway_edge::{Action, Input};
use ringway_sip::Transport;
use ringway_sip::media::{LaneId, LaneOrder, Side};

use crate::scene::talker::{ALICE, BOB, CAROL, Call, DAVE, Talker, body, moved, policy, port_of, with_sdp};
use crate::scene::{Dialog, Heard, Scene};

const VIDEO: &str = "m=video 4002 RTP/AVP 96\r\n";
const NO_VIDEO: &str = "m=video 0 RTP/AVP 96\r\n";

fn two(scene: &mut Scene) -> (Talker, Talker) {
    (Talker::new(scene, "101", ALICE), Talker::new(scene, "102", BOB))
}

/// A call that rings, and the INVITE as the callee has heard it.
fn ring(scene: &mut Scene, alice: Talker, bob: Talker, sdp: &str) -> (crate::scene::Request, Heard) {
    let invite = alice.invite(scene, "102", sdp);
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    (invite, heard)
}

fn without_audio(talker: Talker) -> String {
    talker.sdp().replace("m=audio 4000", "m=audio 0")
}

/// The caller's offer within the call, refused with this status; what the callee has heard of it.
fn refused(scene: &mut Scene, call: &mut Call, method: &str, offer: &str, status: u16) -> String {
    let (caller, callee) = (call.caller, call.callee);
    let request = call.from.request(scene, caller.phone, method);
    let request = with_sdp(caller.as_it_thinks(request), offer);
    scene.send_request(caller.phone, &request);
    let heard = scene.expect_request(callee.phone, method);
    callee.respond(scene, &heard, status, "");
    if method == "INVITE" {
        scene.expect_response(caller.phone, 100);
        scene.expect_request(callee.phone, "ACK");
    }
    let refusal = scene.expect_response(caller.phone, status);
    if method == "INVITE" {
        scene.send(caller.phone, refusal.ack(&request.text()));
    }
    scene.expect_nothing_more();
    body(&heard)
}

#[test]
fn what_is_neither_offer_nor_answer_moves_nothing_and_ends_nothing() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let before = scene.streams();
    for method in ["OPTIONS", "INFO", "MESSAGE"] {
        // What bob could do, and not what he wants (RFC 3261 section 11.2).
        let heard = call.again(&mut scene, method, "", &without_audio(bob));
        assert_eq!(heard, (String::new(), without_audio(bob)), "{method}");
        let heard = call.again(&mut scene, method, &without_audio(alice), &bob.sdp());
        assert_eq!(heard, (without_audio(alice), bob.sdp()), "{method}");
    }
    assert_eq!(scene.streams(), before);
    call.hang_up(&mut scene);
}

#[test]
fn an_ack_from_elsewhere_teaches_the_relay_nothing_and_ends_nothing() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let mallory = Talker::new(&mut scene, "103", ("203.0.113.66", "203.0.113.66"));
    let (invite, heard) = ring(&mut scene, alice, bob, "");
    bob.respond(&mut scene, &heard, 200, &bob.sdp());
    let ok = scene.expect_response(alice.phone, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    let ack = from.ack(&mut scene, alice.phone);
    let with = |sdp: &str| {
        let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
        ack.replace("Content-Length: 0\r\n\r\n", &body)
    };
    let before = scene.streams();
    scene.send(mallory.phone, with(&mallory.sdp()));
    let forged = scene.expect_request(bob.phone, "ACK");
    assert_eq!(body(&forged), moved(&mallory.sdp(), mallory.thinks, 20_002), "bob is told the relay, as ever");
    scene.send(mallory.phone, with(&without_audio(mallory)));
    scene.expect_request(bob.phone, "ACK");
    assert_eq!(scene.streams(), before);
    scene.send(alice.phone, with(&alice.sdp()));
    assert_eq!(body(&scene.expect_request(bob.phone, "ACK")), moved(&alice.sdp(), alice.thinks, 20_002));
    let [(_, stream)] = scene.streams()[..] else { panic!() };
    assert_eq!(stream.party(Side::Caller), (alice.public.into(), Some("10.0.0.5:4000".into())));
    assert_eq!(stream.rests, Some(false));
    // It comes again with each 200 that does: with the same ports, and nothing new to tell.
    scene.send(alice.phone, with(&alice.sdp()));
    assert_eq!(body(&scene.expect_request(bob.phone, "ACK")), moved(&alice.sdp(), alice.thinks, 20_002));
    scene.expect_nothing_more();
}

#[test]
fn an_offer_in_a_reliable_ringing_is_answered_by_its_prack() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    bob.register(&mut scene);
    let (invite, heard) = ring(&mut scene, alice, bob, "");
    bob.respond(&mut scene, &heard, 183, &bob.sdp());
    let early = scene.expect_response(alice.phone, 183);
    assert_eq!(body(&early), moved(&bob.sdp(), bob.thinks, 20_000));
    let (from, to) = (Dialog::of_caller(&invite, &early), Dialog::of_callee(&heard, &bob.tag()));
    let mut call = Call { caller: alice, callee: bob, from, to, offer: String::new(), answer: String::new() };
    let (answer, _) = call.again(&mut scene, "PRACK", &alice.sdp(), "");
    assert_eq!(answer, moved(&alice.sdp(), alice.thinks, 20_002));
    bob.respond(&mut scene, &heard, 200, "");
    scene.expect_response(alice.phone, 200);
    let ack = call.from.ack(&mut scene, alice.phone);
    scene.send(alice.phone, ack);
    assert_eq!(body(&scene.expect_request(bob.phone, "ACK")), "");
    let [(_, stream)] = scene.streams()[..] else { panic!("{:?}", scene.streams()) };
    assert_eq!(stream.party(Side::Caller), (alice.public.into(), Some("10.0.0.5:4000".into())));
    call.hang_up(&mut scene);
}

#[test]
fn a_stream_goes_on_when_the_offer_to_end_it_is_refused() {
    for (method, status) in [("INVITE", 488), ("INVITE", 491), ("UPDATE", 504), ("UPDATE", 600)] {
        let mut scene = Scene::with_lanes(1, 4);
        let (alice, bob) = two(&mut scene);
        let mut call = Call::new(&mut scene, alice, bob);
        let before = scene.streams();
        let heard = refused(&mut scene, &mut call, method, &without_audio(alice), status);
        assert_eq!(heard, without_audio(alice));
        assert_eq!(scene.streams(), before, "{method} {status}");
        call.again(&mut scene, method, &without_audio(alice), &without_audio(bob));
        assert_eq!(scene.streams_now(), 0, "accepted, it ends");
        call.hang_up(&mut scene);
    }
}

#[test]
fn a_refused_offer_gives_the_lane_of_what_it_added_back() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let before = scene.streams();
    for method in ["INVITE", "UPDATE", "PRACK"] {
        let heard = refused(&mut scene, &mut call, method, &(alice.sdp() + VIDEO), 488);
        assert!(heard.contains("m=video 200"), "{heard}");
        assert_eq!(scene.streams_now(), 1, "{method}");
        assert_eq!(scene.streams(), before, "{method}");
    }
    call.hang_up(&mut scene);
}

#[test]
fn an_offer_for_which_there_are_no_ports_ends_no_stream() {
    let mut scene = Scene::with_lanes(1, 2);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let before = scene.streams();
    let more = format!("{}{VIDEO}m=audio 4004 RTP/AVP 0\r\n", without_audio(alice));
    let request = call.from.request(&mut scene, alice.phone, "UPDATE");
    let request = with_sdp(alice.as_it_thinks(request), &more);
    scene.send_request(alice.phone, &request);
    assert_eq!(scene.expect_response(alice.phone, 503).reason_code(), "no-media-ports");
    assert_eq!((scene.streams(), scene.streams_now()), (before, 1));
    call.hang_up(&mut scene);
}

#[test]
fn a_refused_move_leaves_the_party_where_it_was() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let before = scene.streams();
    let held = alice.sdp_at("10.0.0.99", 4100).replace("sendrecv", "inactive");
    refused(&mut scene, &mut call, "INVITE", &held, 491);
    assert_eq!(scene.streams(), before);
    call.hang_up(&mut scene);
}

#[test]
fn an_offer_that_nobody_answers_is_as_good_as_refused() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let request = call.from.request(&mut scene, alice.phone, "UPDATE");
    let request = with_sdp(alice.as_it_thinks(request), &(alice.sdp() + VIDEO));
    scene.send_request(alice.phone, &request);
    assert_eq!(scene.streams_now(), 2);
    scene.advance(Duration::from_secs(33));
    while scene.hear(bob.phone).is_some() {}
    while scene.hear(alice.phone).is_some() {}
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn one_who_rings_without_a_stream_does_not_end_that_of_one_who_answers() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let (_, heard) = ring(&mut scene, alice, bob, &(alice.sdp() + VIDEO));
    let early = bob.response(&heard, 183, &(bob.sdp() + NO_VIDEO)).replace(&bob.tag(), "tag-another");
    scene.send(bob.phone, early);
    assert!(body(&scene.expect_response(alice.phone, 183)).ends_with(NO_VIDEO));
    assert_eq!(scene.streams_now(), 2);
    bob.respond(&mut scene, &heard, 200, &(bob.sdp() + VIDEO));
    let ok = body(&scene.expect_response(alice.phone, 200));
    assert!(ok.contains("m=audio 20000 ") && ok.contains("m=video 20004 "), "{ok}");
    assert_eq!(scene.streams_now(), 2);
}

#[test]
fn a_phone_that_rings_for_long_has_the_port_of_which_it_spoke_when_it_answers() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let (_, heard) = ring(&mut scene, alice, bob, &alice.sdp());
    bob.respond(&mut scene, &heard, 183, &bob.sdp());
    let early = body(&scene.expect_response(alice.phone, 183));
    assert_eq!(scene.streams()[0].1.rests, None, "no early media need come");
    scene.advance(Duration::from_secs(150));
    bob.respond(&mut scene, &heard, 200, &bob.sdp());
    assert_eq!(body(&scene.expect_response(alice.phone, 200)), early);
    assert_eq!(scene.streams()[0].1.rests, Some(false));
    assert_eq!(scene.streams_now(), 1);
}

#[test]
fn an_answer_takes_no_port_that_its_offer_had_not() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let (_, heard) = ring(&mut scene, alice, bob, &alice.sdp());
    let lane = scene.streams()[0].0;
    scene.time_out(0, lane);
    bob.respond(&mut scene, &heard, 200, &bob.sdp());
    assert_eq!(body(&scene.expect_response(alice.phone, 200)), bob.sdp());
    assert_eq!((scene.streams_now(), scene.shards[0].free_lanes()), (0, 3));
}

#[test]
fn the_answer_to_an_offer_that_was_moved_is_moved_with_ice_and_among_other_parts_too() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let ice = |talker: Talker| format!("{}a=ice-ufrag:8hhY\r\n", talker.sdp());
    let (offer, answer) = call.again(&mut scene, "INVITE", &alice.sdp(), &ice(bob));
    assert_eq!((offer, answer), (moved(&alice.sdp(), alice.thinks, 20_002), moved(&ice(bob), bob.thinks, 20_000)));
    // An offer that passed untouched leaves its answer alone, and the relay as it is.
    let before = scene.streams();
    let heard = call.again(&mut scene, "INVITE", &ice(alice), &bob.sdp());
    assert_eq!(heard, (ice(alice), bob.sdp()));
    assert_eq!(scene.streams(), before);
    call.hang_up(&mut scene);
}

#[test]
fn a_description_among_other_parts_is_moved_and_no_other_byte() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let location = "--x\r\nContent-Type: application/pidf+xml\r\n\r\n<c=IN IP4 10.0.0.5/>\r\n";
    let parts = |sdp: &str| format!("{location}--x\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--x--\r\n");
    let request = scene.request(alice.phone, "INVITE", "sip:102@acme.example");
    let request = alice.as_it_thinks(request).body("multipart/mixed;boundary=x", &parts(&alice.sdp()));
    let request = scene.answer_challenge(alice.phone, request);
    scene.send_request(alice.phone, &request);
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    assert_eq!(body(&heard), parts(&moved(&alice.sdp(), alice.thinks, 20_002)));
    bob.respond(&mut scene, &heard, 200, &bob.sdp());
    assert_eq!(body(&scene.expect_response(alice.phone, 200)), moved(&bob.sdp(), bob.thinks, 20_000));
    assert_eq!(scene.streams_now(), 1);
}

#[test]
fn an_answer_that_can_not_be_read_passes_and_is_counted() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let (_, answer) = call.again(&mut scene, "UPDATE", &alice.sdp(), "v=0\r\nm=audio x RTP/AVP 0\r\n");
    assert_eq!(answer, "v=0\r\nm=audio x RTP/AVP 0\r\n");
    assert_eq!(scene.shards[0].counters().unmoved[Unmoved::Unreadable as usize], 1);
    assert_eq!(scene.streams_now(), 1);
    call.hang_up(&mut scene);
}

#[test]
fn a_late_offer_that_passes_untouched_leaves_the_ack_alone() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let ice = format!("{}a=ice-ufrag:8hhY\r\n", bob.sdp());
    let request = call.from.request(&mut scene, alice.phone, "INVITE");
    let request = alice.as_it_thinks(request);
    scene.send_request(alice.phone, &request);
    scene.expect_response(alice.phone, 100);
    let heard = scene.expect_request(bob.phone, "INVITE");
    bob.respond(&mut scene, &heard, 200, &ice);
    assert_eq!(body(&scene.expect_response(alice.phone, 200)), ice);
    let ack = crate::scene::Request { method: "ACK".into(), ..request.clone() };
    let routes = request.headers.iter().filter(|line| line.starts_with("Route")).cloned().collect();
    let ack = with_sdp(crate::scene::Request { headers: routes, ..ack }, &alice.sdp());
    scene.send_request(alice.phone, &ack);
    assert_eq!(body(&scene.expect_request(bob.phone, "ACK")), alice.sdp());
    call.hang_up(&mut scene);
}

#[test]
fn media_is_expected_from_where_the_invite_went_whoever_answers_it() {
    let mut scene = Scene::with_lanes(1, 4);
    let (alice, bob) = two(&mut scene);
    let bob = bob.register(&mut scene);
    let mallory = Talker::new(&mut scene, "103", ("203.0.113.66", "203.0.113.66"));
    let (_, heard) = ring(&mut scene, alice, bob, &alice.sdp());
    let answer = bob.response(&heard, 200, &bob.sdp());
    scene.send(mallory.phone, answer);
    scene.expect_response(alice.phone, 200);
    let [(_, stream)] = scene.streams()[..] else { panic!() };
    assert_eq!(stream.party(Side::Callee).0, bob.public);
}

#[test]
fn an_emergency_call_is_above_the_limits_of_its_tenant_and_goes_on_without_ports() {
    for (lanes, is_relayed) in [(4, true), (0, false)] {
        let mut scene = Scene::with_lanes(1, lanes);
        scene.reconfigure(|settings| settings.limits.emergency_numbers = vec!["102".into()]);
        policy(&mut scene, |acme| Tenant { max_media: Some(0), max_calls: Some(0), ..acme });
        let (alice, bob) = two(&mut scene);
        let mut call = Call::new(&mut scene, alice, bob);
        assert_eq!(call.offer != alice.sdp(), is_relayed);
        assert_eq!(scene.streams_now(), usize::from(is_relayed));
        assert_eq!(scene.shards[0].counters().unmoved[Unmoved::NoPorts as usize], u64::from(!is_relayed));
        let (offer, _) = call.again(&mut scene, "INVITE", &(alice.sdp() + VIDEO), &(bob.sdp() + VIDEO));
        assert_eq!(offer.contains("m=video 20006 "), is_relayed, "{offer}");
        call.hang_up(&mut scene);
    }
}

#[test]
fn who_rings_next_has_the_ports_of_who_did_not_answer() {
    for first_fails in [486, 408] {
        let mut scene = Scene::with_lanes(1, 4);
        policy(&mut scene, |acme| Tenant { max_media: Some(1), ..acme });
        let alice = Talker::new(&mut scene, "101", ALICE);
        let bobs = [(BOB, "1.0"), (("192.168.1.8", "203.0.113.12"), "0.5")].map(|(at, q)| {
            let bob = Talker::new(&mut scene, "102", at);
            let request = scene.request(bob.phone, "REGISTER", "sip:acme.example");
            let request = bob.as_it_thinks(request).contact(&format!("<{}>;q={q}", bob.contact()));
            assert_eq!(scene.ask(bob.phone, request).status(), Some(200));
            bob
        });
        let (_, heard) = ring(&mut scene, alice, bobs[0], &alice.sdp());
        bobs[0].respond(&mut scene, &heard, first_fails, "");
        scene.expect_request(bobs[0].phone, "ACK");
        let heard = scene.expect_request(bobs[1].phone, "INVITE");
        bobs[1].respond(&mut scene, &heard, 200, &bobs[1].sdp());
        let ok = scene.expect_response(alice.phone, 200);
        assert_eq!(port_of(&body(&ok)) + 2, port_of(&body(&heard)), "{first_fails}");
        assert_eq!(scene.streams_now(), 1);
    }
}

#[test]
fn a_tenant_without_a_limit_of_its_own_leaves_the_others_their_share() {
    let mut scene = Scene::with_lanes(1, 4);
    scene.reconfigure(|settings| settings.media.tenant_streams = Some(1));
    let (alice, bob) = two(&mut scene);
    drop(Call::new(&mut scene, alice, bob));
    alice.invite(&mut scene, "102", &alice.sdp());
    scene.expect_response(alice.phone, 100);
    assert_eq!(scene.expect_response(alice.phone, 403).reason_code(), "media-limit");
    policy(&mut scene, |acme| Tenant { max_media: Some(2), ..acme });
    ring(&mut scene, alice, bob, &alice.sdp());
    assert_eq!(scene.streams_now(), 2, "its own limit counts");
}

#[test]
fn connected_phones_at_addresses_of_their_own_are_left_alone() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut scene = Scene::with_lanes(1, 4);
        let phones = [("101", CAROL), ("102", DAVE)].map(|(number, at)| {
            let mut talker = Talker::with(&mut scene, number, transport, at);
            // Connections come from a port that nobody listens at.
            scene.state(talker.phone).flow.remote.set_port(49_152);
            talker.public = at.1;
            talker
        });
        let call = Call::new(&mut scene, phones[0], phones[1]);
        assert_eq!((&call.offer, &call.answer), (&phones[0].sdp(), &phones[1].sdp()));
        assert_eq!(scene.streams_now(), 0);
        call.hang_up(&mut scene);
    }
}

#[test]
fn one_side_may_ask_while_the_other_does_and_each_refusal_takes_back_its_own() {
    let mut scene = Scene::with_lanes(1, 6);
    policy(&mut scene, |acme| Tenant { media: MediaPolicy::Always, ..acme });
    let (alice, bob) = two(&mut scene);
    let mut call = Call::new(&mut scene, alice, bob);
    let before = scene.streams();
    let one = call.from.request(&mut scene, alice.phone, "UPDATE");
    let one = with_sdp(alice.as_it_thinks(one), &(alice.sdp() + VIDEO));
    let other = call.to.request(&mut scene, bob.phone, "UPDATE");
    let other = with_sdp(bob.as_it_thinks(other), &(bob.sdp() + VIDEO + "m=audio 4004 RTP/AVP 0\r\n"));
    scene.send_request(alice.phone, &one);
    scene.send_request(bob.phone, &other);
    assert_eq!(scene.streams_now(), 3);
    let (to_bob, to_alice) = (scene.expect_request(bob.phone, "UPDATE"), scene.expect_request(alice.phone, "UPDATE"));
    alice.respond(&mut scene, &to_alice, 491, "");
    scene.expect_response(bob.phone, 491);
    assert_eq!(scene.streams_now(), 2, "the lane that the other offer has brought is still asked for");
    bob.respond(&mut scene, &to_bob, 491, "");
    scene.expect_response(alice.phone, 491);
    assert_eq!(scene.streams(), before);
    call.hang_up(&mut scene);
}

#[test]
fn a_lane_that_nobody_has_is_given_back_when_the_relay_asks_after_it() {
    let mut scene = Scene::with_lanes(1, 2);
    let (alice, bob) = two(&mut scene);
    drop(Call::new(&mut scene, alice, bob));
    let of_a_call = scene.streams()[0].0;
    let in_reserve = LaneId { number: of_a_call.number + 1, ..of_a_call };
    let nobodys = LaneId { number: 99, ..of_a_call };
    for (lane, is_ended) in [(of_a_call, false), (in_reserve, false), (nobodys, true)] {
        let engine = &mut scene.shards[0];
        engine.handle(scene.now, Input::LaneIdle(lane));
        let mut ended = Vec::new();
        engine.drain(|action| {
            if let Action::Relay(lane, LaneOrder::End) = action {
                ended.push(lane);
            }
        });
        assert_eq!(ended == [lane], is_ended, "{lane:?}");
    }
}

#[test]
fn a_handshake_in_the_stream_is_expected_where_a_fingerprint_is_told() {
    for (line, protocol, takes_dtls) in
        [("", "RTP/AVP", false), ("a=fingerprint:SHA-1 4A:AD\r\n", "RTP/AVP", true), ("", "UDP/TLS/RTP/SAVP", true)]
    {
        let mut scene = Scene::with_lanes(1, 1);
        let (alice, bob) = two(&mut scene);
        let bob = bob.register(&mut scene);
        ring(&mut scene, alice, bob, &(alice.sdp().replace("RTP/AVP", protocol) + line));
        assert_eq!(scene.streams()[0].1.parties[0].unwrap().takes_dtls, takes_dtls, "{line}{protocol}");
    }
}
