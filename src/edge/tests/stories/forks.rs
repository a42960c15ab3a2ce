//! One number, several devices: all ring, or one after the other, and the best answer wins (RFC 3261 section 16.7).

use ringway_edge::settings::Limits;

use crate::scene::{ACME, Dialog, Ringing, Scene, extension};

#[test]
fn a_2xx_is_forwarded_at_once_and_the_rest_is_cancelled() {
    let mut scene = Scene::new();
    let ringing = scene.ring(3);
    scene.answer(&ringing, 0, 180);
    scene.answer(&ringing, 1, 180);
    let ok = scene.answer(&ringing, 0, 200).unwrap();
    let cancel = scene.expect_cancelled(&ringing, 1);
    assert_eq!(cancel.headers("Reason"), ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    // The third has said nothing: there may be nothing to cancel there until it does.
    scene.expect_nothing_more();
    let (third, heard) = &ringing.devices[2];
    scene.respond(*third, heard, 100);
    let cancel = scene.expect_cancelled(&ringing, 2);
    assert_eq!(cancel.headers("Reason"), ["SIP;cause=200;text=\"Call completed elsewhere\""]);
    scene.expect_nothing_more();
    hang_up(&mut scene, &ringing, 0, &ok);
    scene.expect_all_quiet();
}

#[test]
fn a_second_2xx_of_a_fork_is_forwarded_too_and_each_leg_has_its_ack_and_bye() {
    for first_hung_up in [0, 1] {
        let mut scene = Scene::with_shards(2, |_| {});
        let ringing = scene.ring(2);
        scene.answer(&ringing, 0, 180);
        scene.answer(&ringing, 1, 180);
        let first = scene.answer(&ringing, 0, 200).unwrap();
        let (other, heard) = ringing.devices[1].clone();
        let cancel = scene.expect_request(other, "CANCEL");
        // It had been picked up already.
        let second = scene.answer(&ringing, 1, 200).unwrap();
        scene.respond(other, &cancel, 481);
        assert_ne!(first.to_tag(), second.to_tag());
        // The callee repeats its 200 until the ACK comes.
        scene.respond(other, &heard, 200);
        assert_eq!(scene.expect_response(ringing.caller, 200), second);
        let answers = [first, second];
        hang_up(&mut scene, &ringing, first_hung_up, &answers[first_hung_up]);
        assert_eq!((scene.open_work().1, scene.calls_now()), (1, 1), "the other leg talks on");
        hang_up(&mut scene, &ringing, 1 - first_hung_up, &answers[1 - first_hung_up]);
        scene.expect_all_quiet();
    }
}

#[test]
fn a_leg_that_hangs_up_before_the_second_2xx_comes_does_not_end_the_call() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    scene.answer(&ringing, 1, 100);
    let first = scene.answer(&ringing, 0, 200).unwrap();
    scene.expect_request(ringing.devices[1].0, "CANCEL");
    hang_up(&mut scene, &ringing, 0, &first);
    let second = scene.answer(&ringing, 1, 200).unwrap();
    assert_eq!(scene.calls_now(), 1);
    hang_up(&mut scene, &ringing, 1, &second);
    assert_eq!(scene.calls_now(), 0);
}

#[test]
fn a_late_answer_within_an_early_dialog_does_not_bring_its_callee_back() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    let rings = scene.answer(&ringing, 1, 180).unwrap();
    let mut early = Dialog::of_caller(&ringing.invite, &rings);
    let update = early.request(&mut scene, ringing.caller, "UPDATE");
    scene.send_request(ringing.caller, &update);
    let heard = scene.expect_request(ringing.devices[1].0, "UPDATE");
    let ok = scene.answer(&ringing, 0, 200).unwrap();
    scene.expect_cancelled(&ringing, 1);
    scene.respond(ringing.devices[1].0, &heard, 200);
    scene.expect_response(ringing.caller, 200);
    hang_up(&mut scene, &ringing, 0, &ok);
    scene.expect_all_quiet();
}

#[test]
fn a_2xx_that_comes_again_after_its_bye_does_not_keep_the_call() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    scene.answer(&ringing, 1, 180);
    let first = scene.answer(&ringing, 0, 200).unwrap();
    scene.expect_request(ringing.devices[1].0, "CANCEL");
    let second = scene.answer(&ringing, 1, 200).unwrap();
    hang_up(&mut scene, &ringing, 1, &second);
    assert_eq!(scene.answer(&ringing, 1, 200), Some(second));
    hang_up(&mut scene, &ringing, 0, &first);
    assert_eq!((scene.open_work().1, scene.calls_now()), (0, 0));
}

#[test]
fn a_6xx_cancels_the_others_and_is_sent_when_they_are_through() {
    let mut scene = Scene::new();
    let ringing = scene.ring(3);
    scene.answer(&ringing, 1, 180);
    scene.answer(&ringing, 2, 180);
    scene.answer(&ringing, 0, 603);
    scene.expect_cancelled(&ringing, 1);
    let (third, heard) = ringing.devices[2].clone();
    let cancel = scene.expect_request(third, "CANCEL");
    scene.expect_nothing_more();
    scene.respond(third, &cancel, 200);
    scene.respond(third, &heard, 487);
    scene.expect_request(third, "ACK");
    scene.expect_failed(&ringing, 603);
    scene.expect_all_quiet();
}

#[test]
fn a_200_that_crosses_a_6xx_wins() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    scene.answer(&ringing, 1, 180);
    scene.answer(&ringing, 0, 603);
    scene.expect_request(ringing.devices[1].0, "CANCEL");
    let ok = scene.answer(&ringing, 1, 200).unwrap();
    hang_up(&mut scene, &ringing, 1, &ok);
    assert_eq!(scene.calls_now(), 0);
}

#[test]
fn no_further_group_is_asked_after_a_6xx() {
    let mut scene = Scene::new();
    let (caller, first, second) =
        (scene.phone("101@acme.example"), scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    scene.register_with(first, ";q=0.9");
    scene.register_with(second, ";q=0.1");
    let ringing = scene.ring_at(caller, &[first]);
    scene.answer(&ringing, 0, 600);
    scene.expect_failed(&ringing, 600);
    scene.expect_all_quiet();
}

#[test]
fn the_best_response_is_chosen_when_every_branch_is_through() {
    const SILENCE: u16 = 0;
    let table: &[(&[u16], u16)] = &[
        (&[486, 404], 486),
        (&[404, 486], 486),
        (&[404, 480], 404),
        (&[500, 404], 404),
        (&[404, 415], 415),
        (&[486, 420], 420),
        (&[486, 484], 484),
        (&[486, 407], 407),
        (&[302, 486], 302),
        (&[603, 401, 486], 603),
        (&[486, 600], 600),
        (&[503, 486], 486),
        (&[503], 500),
        (&[503, 504], 504),
        (&[SILENCE, 503], 408),
        (&[SILENCE, 500], 408),
        (&[SILENCE, 404], 404),
        (&[SILENCE, SILENCE], 408),
    ];
    for (answers, best) in table {
        let mut scene = Scene::new();
        let ringing = scene.ring(answers.len());
        for (device, &status) in answers.iter().enumerate().filter(|(_, status)| **status != SILENCE) {
            scene.expect_nothing_more();
            scene.answer(&ringing, device, status);
        }
        if answers.contains(&SILENCE) {
            scene.expect_nothing_more();
            scene.advance(std::time::Duration::from_millis(32_100));
            for &(device, _) in &ringing.devices {
                // The INVITE again, until Timer B.
                while scene.hear(device).is_some() {}
            }
        }
        let failure = scene.expect_failed(&ringing, *best);
        assert_ne!(failure.to_tag(), "", "{answers:?}");
        scene.expect_all_quiet();
    }
}

#[test]
fn challenges_of_all_branches_are_collected() {
    let mut scene = Scene::new();
    let ringing = scene.ring(3);
    let challenges = [
        (401, "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\""),
        (407, "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\", qop=\"auth,auth-int\""),
        (486, "Subject: engaged"),
    ];
    for ((phone, heard), (status, line)) in ringing.devices.iter().zip(challenges) {
        let response = heard.response(status, "tag", "sip:x@192.0.2.9");
        scene.send(*phone, response.replace("Content-Length", &format!("{line}\r\nContent-Length")));
        scene.expect_request(*phone, "ACK");
    }
    let failure = scene.expect_failed(&ringing, 401);
    assert_eq!(failure.headers("WWW-Authenticate"), ["Digest realm=\"one\", nonce=\"1\""]);
    assert_eq!(failure.headers("Proxy-Authenticate"), ["Digest realm=\"two\", nonce=\"2\", qop=\"auth,auth-int\""]);
    assert!(!failure.has("Subject"), "{failure}");
    scene.expect_all_quiet();
}

#[test]
fn groups_are_asked_in_order_of_q_and_each_together() {
    let mut scene = Scene::new();
    let caller = scene.phone("101@acme.example");
    let devices: Vec<_> = (0..4).map(|_| scene.phone("102@acme.example")).collect();
    for (device, q) in devices.iter().zip([";q=0.3", ";q=0.7", "", ";q=0.7"]) {
        scene.register_with(*device, q);
    }
    let first = scene.ring_at(caller, &[devices[2]]);
    scene.expect_nothing_more();
    scene.answer(&first, 0, 486);
    let second: Vec<_> = [1, 3].map(|at| (devices[at], scene.expect_request(devices[at], "INVITE"))).into();
    scene.expect_nothing_more();
    let second = Ringing { devices: second, ..first };
    scene.answer(&second, 0, 480);
    scene.expect_nothing_more();
    scene.answer(&second, 1, 404);
    let heard = scene.expect_request(devices[0], "INVITE");
    let third = Ringing { devices: vec![(devices[0], heard)], ..second };
    let ok = scene.answer(&third, 0, 200).unwrap();
    hang_up(&mut scene, &third, 0, &ok);
    scene.expect_all_quiet();
}

#[test]
fn every_branch_has_a_branch_parameter_of_its_own() {
    let mut scene = Scene::new();
    let ringing = scene.ring(3);
    let mut branches: Vec<_> = ringing.devices.iter().map(|(_, heard)| heard.branch()).collect();
    assert!(branches.iter().all(|branch| branch.starts_with("z9hG4bK")), "{branches:?}");
    branches.push(ringing.invite.branch);
    branches.sort();
    branches.dedup();
    assert_eq!(branches.len(), 4);
}

#[test]
fn a_fork_asks_no_more_branches_at_once_than_it_may_and_the_rest_later() {
    let mut scene = Scene::with(|settings| settings.limits = Limits { max_branches: 2, ..Limits::default() });
    let caller = scene.phone("101@acme.example");
    let devices: Vec<_> = (0..3).map(|_| scene.phone("102@acme.example")).collect();
    for &device in &devices {
        scene.register(device);
    }
    let first = scene.ring_at(caller, &devices[..2]);
    scene.expect_nothing_more();
    scene.answer(&first, 0, 486);
    scene.expect_nothing_more();
    scene.answer(&first, 1, 486);
    let heard = scene.expect_request(devices[2], "INVITE");
    let rest = Ringing { devices: vec![(devices[2], heard)], ..first };
    scene.answer(&rest, 0, 404);
    scene.expect_failed(&rest, 486);
    scene.expect_all_quiet();
}

// --- redirections ---

#[test]
fn a_302_to_a_number_of_the_tenant_is_dialled_again_as_the_callee() {
    for target in ["sip:103@acme.example", "sip:103@acme.test", "tel:103"] {
        let mut scene = Scene::new();
        let carol = scene.phone("103@acme.example");
        scene.register(carol);
        let ringing = scene.ring(1);
        redirect(&mut scene, &ringing, 0, target);
        let heard = scene.expect_request(carol, "INVITE");
        assert_eq!(heard.request_uri(), scene.contact(carol));
        let ringing = Ringing { devices: vec![(carol, heard)], ..ringing };
        let ok = scene.answer(&ringing, 0, 200).unwrap();
        hang_up(&mut scene, &ringing, 0, &ok);
        scene.expect_all_quiet();
    }
}

#[test]
fn who_was_reached_by_a_302_may_move_and_hang_up_as_itself() {
    let mut scene = Scene::new();
    let carol = scene.phone("103@acme.example");
    scene.register(carol);
    let ringing = scene.ring(1);
    redirect(&mut scene, &ringing, 0, "sip:103@acme.example");
    let heard = scene.expect_request(carol, "INVITE");
    let mut dialog = Dialog::of_callee(&heard, "carol");
    scene.send(carol, heard.response(200, "carol", &scene.contact(carol)));
    scene.expect_response(ringing.caller, 200);
    scene.state(carol).flow.remote.set_port(5099);
    let bye = dialog.request(&mut scene, carol, "BYE");
    let bye = scene.answer_challenge(carol, bye);
    scene.send_request(carol, &bye);
    let heard = scene.expect_request(ringing.caller, "BYE");
    scene.respond(ringing.caller, &heard, 200);
    scene.expect_response(carol, 200);
    scene.expect_all_quiet();
}

#[test]
fn a_302_to_anywhere_else_is_not_followed_and_goes_to_the_caller() {
    let elsewhere = [
        "sip:103@elsewhere.example",
        "sip:103@203.0.113.9",
        "sip:103@globex.example",
        "sip:199@acme.example",
        "mailto:carol@acme.example",
    ];
    for target in elsewhere {
        let mut scene = Scene::new();
        let (carol, stranger) = (scene.phone("103@acme.example"), scene.phone("103@globex.example"));
        scene.register(carol);
        scene.register(stranger);
        let ringing = scene.ring(1);
        redirect(&mut scene, &ringing, 0, target);
        let redirection = scene.expect_failed(&ringing, 302);
        assert_eq!(redirection.header("Contact"), format!("<{target}>"));
        scene.expect_all_quiet();
    }
}

#[test]
fn a_302_to_a_disabled_extension_is_not_followed() {
    let mut scene = Scene::new();
    let carol = scene.phone("103@acme.example");
    scene.register(carol);
    scene.redirect(|edit| {
        edit.put_extension(ACME, ringway_directory::Extension { enabled: false, ..extension("acme.example", "103") });
    });
    let ringing = scene.ring(1);
    redirect(&mut scene, &ringing, 0, "sip:103@acme.example");
    scene.expect_failed(&ringing, 302);
    scene.expect_all_quiet();
}

#[test]
fn a_302_back_to_who_was_asked_already_asks_nobody_twice() {
    let mut scene = Scene::new();
    let carol = scene.phone("103@acme.example");
    scene.register(carol);
    let ringing = scene.ring(1);
    redirect(&mut scene, &ringing, 0, "sip:103@acme.example");
    let heard = scene.expect_request(carol, "INVITE");
    let ringing = Ringing { devices: vec![(carol, heard)], ..ringing };
    redirect(&mut scene, &ringing, 0, "sip:102@acme.example");
    scene.expect_failed(&ringing, 302);
    scene.expect_all_quiet();
}

#[test]
fn a_302_of_one_device_waits_until_the_others_are_through() {
    let mut scene = Scene::new();
    let carol = scene.phone("103@acme.example");
    scene.register(carol);
    let ringing = scene.ring(2);
    redirect(&mut scene, &ringing, 0, "sip:103@acme.example");
    scene.expect_nothing_more();
    scene.answer(&ringing, 1, 486);
    let heard = scene.expect_request(carol, "INVITE");
    let ringing = Ringing { devices: vec![(carol, heard)], ..ringing };
    scene.answer(&ringing, 0, 404);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

/// A device answers 302 with this Contact.
#[track_caller]
fn redirect(scene: &mut Scene, ringing: &Ringing, device: usize, target: &str) {
    let (phone, heard) = &ringing.devices[device];
    scene.send(*phone, heard.response(302, "moved", target));
    scene.expect_request(*phone, "ACK");
}

/// The caller acknowledges a device's 200 and hangs up.
#[track_caller]
fn hang_up(scene: &mut Scene, ringing: &Ringing, device: usize, ok: &crate::scene::Heard) {
    let phone = ringing.devices[device].0;
    let mut dialog = Dialog::of_caller(&ringing.invite, ok);
    let ack = dialog.ack(scene, ringing.caller);
    scene.send(ringing.caller, ack);
    scene.expect_request(phone, "ACK");
    let bye = dialog.request(scene, ringing.caller, "BYE");
    scene.send_request(ringing.caller, &bye);
    let heard = scene.expect_request(phone, "BYE");
    scene.respond(phone, &heard, 200);
    scene.expect_response(ringing.caller, 200);
    scene.expect_nothing_more();
}

#[test]
fn a_callee_that_answers_under_ever_new_tags_makes_no_more_than_sixteen_sides_of_a_call() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    let (bob, heard) = ringing.devices[0].clone();
    let contact = scene.contact(bob);
    let answers: Vec<_> = (0..40)
        .map(|number| {
            scene.send(bob, heard.response(200, &format!("new-{number}"), &contact));
            // A 2xx is the callee's to send, and the caller's to judge (RFC 3261 section 16.7, step 5).
            scene.expect_response(ringing.caller, 200)
        })
        .collect();
    assert_eq!((scene.open_work().1, scene.calls_now()), (1, 1), "it is one call, whatever he says");
    let mut sides = 0;
    for answer in &answers {
        let mut dialog = Dialog::of_caller(&ringing.invite, answer);
        let bye = dialog.request(&mut scene, ringing.caller, "BYE");
        scene.send_request(ringing.caller, &bye);
        match scene.hear(bob) {
            Some(heard) => {
                sides += 1;
                scene.respond(bob, &heard, 200);
                scene.expect_response(ringing.caller, 200);
            }
            None => drop(scene.expect_response(ringing.caller, 481)),
        }
    }
    assert_eq!(sides, 16, "of the others nothing is kept");
    assert_eq!((scene.open_work().1, scene.calls_now()), (0, 0));
}
