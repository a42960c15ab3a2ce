//! Session timers (RFC 4028) as a proxy keeps them, reliable provisional responses (RFC 3262) and UPDATE (RFC 3311).

use crate::scene::{Dialog, Heard, Phone, Scene};

fn alice_and_bob() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

/// Sends an INVITE with these headers, with credentials; what comes back first that is not a 100.
fn invite_with(scene: &mut Scene, alice: Phone, bob: Phone, headers: &[&str]) -> (String, Option<Heard>) {
    let uri = scene.uri(bob);
    let mut request = scene.request(alice, "INVITE", &uri);
    request.headers.extend(headers.iter().map(|header| (*header).to_owned()));
    let request = scene.answer_challenge(alice, request);
    let text = scene.send_request(alice, &request);
    let first = scene.hear(alice).filter(|heard| heard.status() != Some(100));
    (text, first)
}

#[test]
fn a_session_that_is_too_brief_is_422_with_min_se() {
    for (session, answered) in [("89", Some("90")), ("1;refresher=uac", Some("90")), ("90", None), ("1800", None)] {
        let (mut scene, alice, bob) = alice_and_bob();
        let headers = [&format!("Session-Expires: {session}"), "Supported: 100rel, TIMER"];
        let (invite, refusal) = invite_with(&mut scene, alice, bob, &headers);
        assert_eq!(refusal.as_ref().map(|refusal| refusal.header("Min-SE")).as_deref(), answered, "{session}");
        match refusal {
            Some(refusal) => {
                assert_eq!((refusal.status(), refusal.reason_code().as_str()), (Some(422), "session-too-brief"));
                scene.send(alice, refusal.ack(&invite));
                scene.expect_all_quiet();
            }
            None => {
                scene.expect_request(bob, "INVITE");
            }
        }
    }
}

#[test]
fn the_compact_form_is_the_same_header_and_the_least_interval_is_a_setting() {
    let (mut scene, alice, bob) = alice_and_bob();
    scene.reconfigure(|settings| settings.min_session_expires = 600);
    let (_, refusal) = invite_with(&mut scene, alice, bob, &["x: 599", "k: timer"]);
    assert_eq!(refusal.unwrap().header("Min-SE"), "600");
}

#[test]
fn who_does_not_know_session_timers_is_not_refused_and_its_interval_is_raised() {
    for (sent, min_se, session_heard, min_se_heard) in [
        ("30;refresher=uas", None, "90;refresher=uas", "90"),
        ("30", Some("60"), "90", "90"),
        ("30", Some("300"), "300", "300"),
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let session = format!("Session-Expires: {sent}");
        let min_se = min_se.map(|min_se| format!("Min-SE: {min_se}"));
        let headers: Vec<&str> = std::iter::once(&*session).chain(min_se.as_deref()).collect();
        invite_with(&mut scene, alice, bob, &headers);
        let heard = scene.expect_request(bob, "INVITE");
        assert_eq!(heard.header("Session-Expires"), session_heard);
        assert_eq!(heard.header("Min-SE"), min_se_heard);
    }
}

#[test]
fn what_the_sides_agree_on_passes_untouched_both_ways() {
    let (mut scene, alice, bob) = alice_and_bob();
    let lines = ["Session-Expires: 1800;refresher=uac", "Min-SE: 90", "Supported: timer,100rel", "Require: 100rel"];
    invite_with(&mut scene, alice, bob, &lines);
    let heard = scene.expect_request(bob, "INVITE");
    for line in lines {
        assert!(heard.to_string().contains(&format!("\r\n{line}\r\n")), "{line}: {heard}");
    }
    let contact = scene.contact(bob);
    let answer = ["Require: timer", "Session-Expires: 1800;refresher=uas"];
    let response = heard
        .response(200, "b", &contact)
        .replace("\r\nContent-Length", &format!("\r\n{}\r\nContent-Length", answer.join("\r\n")));
    scene.send(bob, response);
    let ok = scene.expect_response(alice, 200);
    for line in answer {
        assert!(ok.to_string().contains(&format!("\r\n{line}\r\n")), "{line}: {ok}");
    }
}

#[test]
fn a_422_of_the_callee_reaches_the_caller_with_its_min_se() {
    let (mut scene, alice, bob) = alice_and_bob();
    let (invite, _) = invite_with(&mut scene, alice, bob, &["Session-Expires: 100", "Supported: timer"]);
    let heard = scene.expect_request(bob, "INVITE");
    let contact = scene.contact(bob);
    scene.send(
        bob,
        heard.response(422, "b", &contact).replace("\r\nContent-Length", "\r\nMin-SE: 200\r\nContent-Length"),
    );
    scene.expect_request(bob, "ACK");
    let refusal = scene.expect_response(alice, 422);
    assert_eq!(refusal.header("Min-SE"), "200");
    scene.send(alice, refusal.ack(&invite));
    scene.expect_all_quiet();
}

#[test]
fn a_refresh_within_the_call_is_held_to_the_same_least_interval() {
    let (mut scene, alice, bob) = alice_and_bob();
    let (mut from, _) = scene.call(alice, bob);
    for method in ["INVITE", "UPDATE"] {
        let refresh = from.request(&mut scene, alice, method).header("Session-Expires: 60").header("Supported: timer");
        scene.send_request(alice, &refresh);
        let refusal = scene.expect_response(alice, 422);
        assert_eq!(refusal.header("Min-SE"), "90");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_reliable_provisional_response_its_prack_and_an_update_pass_while_it_rings() {
    let (mut scene, alice, bob) = alice_and_bob();
    let uri = scene.uri(bob);
    let request = scene.request(alice, "INVITE", &uri).header("Require: 100rel").body("application/sdp", "v=0\r\n");
    let invite = scene.answer_challenge(alice, request);
    scene.send_request(alice, &invite);
    // Ours goes to the next hop only, and is never reliable.
    let trying = scene.expect_response(alice, 100);
    assert!(!trying.has("Require") && !trying.has("RSeq"), "{trying}");
    let heard = scene.expect_request(bob, "INVITE");
    let contact = scene.contact(bob);
    let ringing = heard
        .response(183, "b", &contact)
        .replace("\r\nContent-Length", "\r\nRequire: 100rel\r\nRSeq: 988789\r\nContent-Length");
    scene.send(bob, &ringing);
    let early = scene.expect_response(alice, 183);
    assert_eq!((early.header("RSeq").as_str(), early.header("Require").as_str()), ("988789", "100rel"));
    // Its UAS repeats it until the PRACK comes (RFC 3262 section 3): each time it passes.
    scene.send(bob, &ringing);
    assert_eq!(scene.expect_response(alice, 183).header("RSeq"), "988789");

    let mut dialog = Dialog::of_caller(&invite, &early);
    let rack = format!("RAck: 988789 {} INVITE", invite.cseq);
    for (method, header) in [("PRACK", rack.as_str()), ("UPDATE", "X: y")] {
        let request =
            dialog.request(&mut scene, alice, method).header(header).body("application/sdp", "v=0\r\no=x\r\n");
        scene.send_request(alice, &request);
        let passed = scene.expect_request(bob, method);
        assert!(passed.to_string().contains(&format!("\r\n{header}\r\n")), "{passed}");
        assert!(passed.to_string().ends_with("v=0\r\no=x\r\n"), "{passed}");
        scene.respond(bob, &passed, 200);
        scene.expect_response(alice, 200);
    }
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
}

#[test]
fn the_prack_of_each_ringing_device_goes_to_that_device_whatever_it_acknowledges() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    let reliable = "\r\nRequire: 100rel\r\nRSeq: 1\r\nContent-Length";
    let mut early = Vec::new();
    for (device, (phone, heard)) in ringing.devices.iter().enumerate() {
        let contact = scene.contact(*phone);
        let rings = heard.response(180, &format!("tag{device}"), &contact).replace("\r\nContent-Length", reliable);
        scene.send(*phone, &rings);
        let rings = scene.expect_response(ringing.caller, 180);
        assert_eq!(rings.header("RSeq"), "1", "each device counts by itself");
        early.push(Dialog::of_caller(&ringing.invite, &rings));
    }
    // The number of a response that we have never seen is its device's to judge.
    for (number, status) in [(1, 200), (99, 481)] {
        for (dialog, (phone, _)) in early.iter_mut().zip(&ringing.devices) {
            let rack = format!("RAck: {number} {} INVITE", ringing.invite.cseq);
            let prack = dialog.request(&mut scene, ringing.caller, "PRACK").header(&rack);
            scene.send_request(ringing.caller, &prack);
            let heard = scene.expect_request(*phone, "PRACK");
            assert!(heard.to_string().contains(&format!("\r\n{rack}\r\n")), "{heard}");
            scene.expect_nothing_more();
            scene.respond(*phone, &heard, status);
            scene.expect_response(ringing.caller, status);
        }
    }
}
