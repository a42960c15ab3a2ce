//! Media of calls through the relay: which calls need it, and what becomes of their descriptions.

use std::time::Duration;

use ringway_directory::{MediaPolicy, Tenant};
use ringway_edge::Reject;
use ringway_edge::counters::Unmoved;
use ringway_sip::Transport;
use ringway_sip::media::Side;

use crate::scene::talker::{ALICE, BOB, CAROL, Call, DAVE, EDGE, Talker, body, moved, policy, port_of, with_sdp};
use crate::scene::{Dialog, Scene};

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
    assert_eq!(before.rests, None, "silence until somebody answers");
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
        ("multipart/mixed", format!("--x\r\nContent-Type: application/sdp\r\n\r\n{}--x--\r\n", alice.sdp())),
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
