//! Ways in which others' servers are made to carry calls that nobody pays for: none of them leads anywhere here.

use crate::scene::{Dialog, Phone, Scene};

/// A carrier that would take whatever we send.
const CARRIER: &str = "203.0.113.200:5060";

fn alice_and_bob() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

/// Nothing has gone to anybody who is no phone of the story.
#[track_caller]
fn expect_nothing_elsewhere(scene: &mut Scene) {
    let strays = scene.take_strays();
    assert!(strays.is_empty(), "{} is sent {}", strays[0].0.remote, strays[0].1);
}

#[test]
fn no_request_uri_leads_out_of_the_tenant() {
    for uri in [
        format!("sip:00442071234567@{CARRIER}"),
        "sip:00442071234567@carrier.example".to_owned(),
        "sip:102@globex.example".to_owned(),
        "tel:+442071234567".to_owned(),
        "sip:+442071234567@acme.example;user=phone".to_owned(),
        format!("sip:102@acme.example;maddr={}", CARRIER.split(':').next().unwrap()),
        "sip:102%40carrier.example@acme.example".to_owned(),
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let request = scene.request(alice, "INVITE", &uri);
        scene.send_request(alice, &request);
        let first = scene.hear(alice).unwrap_or_else(|| panic!("{uri}"));
        if first.status() == Some(407) {
            let request = scene.request(alice, "INVITE", &uri);
            let request = scene.answer_challenge(alice, request);
            scene.send_request(alice, &request);
            let refusal = scene.hear(alice).unwrap();
            // The address of another host is ignored where it is a parameter: then the number's own phone rings.
            let rings = refusal.status() == Some(100) && scene.hear(bob).is_some();
            assert!(rings || refusal.status() >= Some(400), "{uri}: {refusal}");
        } else {
            assert!(first.status() >= Some(400), "{uri}: {first}");
        }
        expect_nothing_elsewhere(&mut scene);
    }
}

#[test]
fn headers_that_name_a_carrier_give_no_rights_and_decide_nothing() {
    let carrier = format!("<sip:00442071234567@{CARRIER}>");
    for header in [
        format!("Diversion: {carrier};reason=unconditional"),
        format!("History-Info: {carrier};index=1"),
        format!("P-Asserted-Identity: {carrier}"),
        format!("Remote-Party-ID: {carrier};party=calling"),
        format!("Referred-By: {carrier}"),
        format!("P-Called-Party-ID: {carrier}"),
        "Replaces: 12345@192.0.2.9;to-tag=1;from-tag=2".to_owned(),
        "Target-Dialog: 12345@192.0.2.9;local-tag=1;remote-tag=2".to_owned(),
        "Join: 12345@192.0.2.9;to-tag=1;from-tag=2".to_owned(),
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let uri = scene.uri(bob);
        // Without credentials it is challenged like any other.
        let bare = scene.request(alice, "INVITE", &uri).header(&header);
        let text = scene.send_request(alice, &bare);
        let challenge = scene.expect_response(alice, 407);
        scene.send(alice, challenge.ack(&text));
        scene.expect_nothing_more();
        // With them it goes to the number's own phone and nowhere else.
        let request = scene.request(alice, "INVITE", &uri).header(&header);
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        scene.expect_response(alice, 100);
        scene.expect_request(bob, "INVITE");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_refer_passes_as_it_is_and_whoever_follows_it_calls_with_his_own_rights() {
    let (mut scene, alice, bob) = alice_and_bob();
    let (mut from, _) = scene.call(alice, bob);
    let refer_to = format!("Refer-To: <sip:00442071234567@{CARRIER}>");
    let refer =
        from.request(&mut scene, alice, "REFER").header(&refer_to).header("Referred-By: <sip:101@acme.example>");
    scene.send_request(alice, &refer);
    let heard = scene.expect_request(bob, "REFER");
    assert!(heard.to_string().contains(&refer_to), "{heard}");
    scene.respond(bob, &heard, 202);
    scene.expect_response(alice, 202);
    scene.expect_nothing_more();
    // Bob does as he was told: he is asked who he is, and then told that there is no such number.
    let uri = format!("sip:00442071234567@{CARRIER}");
    let call = scene.request(bob, "INVITE", &uri).header("Referred-By: <sip:101@acme.example>");
    scene.send_request(bob, &call);
    let refusal = scene.hear(bob).unwrap();
    assert!(refusal.status() >= Some(400) && refusal.status() != Some(407), "no tenant of ours: {refusal}");
    let request =
        scene.request(bob, "INVITE", "sip:00442071234567@acme.example").header("Referred-By: <sip:101@acme.example>");
    let request = scene.answer_challenge(bob, request);
    scene.send_request(bob, &request);
    assert_eq!(scene.expect_response(bob, 404).reason_code(), "unknown-number");
    expect_nothing_elsewhere(&mut scene);
}

#[test]
fn a_contact_that_names_a_carrier_is_reached_by_its_own_flow_or_not_at_all() {
    let mut scene = Scene::new();
    let (alice, mallory) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let request =
        scene.request(mallory, "REGISTER", "sip:acme.example").contact(&format!("<sip:00442071234567@{CARRIER}>"));
    let answer = scene.ask(mallory, request);
    assert_eq!(answer.status(), Some(200), "a phone behind NAT looks like this too: {answer}");
    scene.invite(alice, mallory);
    let heard = scene.expect_request(mallory, "INVITE");
    assert_eq!(heard.start_line(), format!("INVITE sip:00442071234567@{CARRIER} SIP/2.0"));
    scene.expect_nothing_more();
}

#[test]
fn a_target_refresh_and_a_3xx_that_name_a_carrier_lead_nowhere_else() {
    let (mut scene, alice, bob) = alice_and_bob();
    let (mut from, mut to) = scene.call(alice, bob);
    let refresh = from.request(&mut scene, alice, "UPDATE").contact(&format!("<sip:00442071234567@{CARRIER}>"));
    scene.send_request(alice, &refresh);
    let heard = scene.expect_request(bob, "UPDATE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    to.target = format!("sip:00442071234567@{CARRIER}");
    let info = to.request(&mut scene, bob, "INFO");
    scene.send_request(bob, &info);
    scene.expect_request(alice, "INFO");
    scene.expect_nothing_more();

    let (mut scene, alice, bob) = alice_and_bob();
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.send(bob, heard.response(302, "b", &format!("sip:00442071234567@{CARRIER}")));
    scene.expect_request(bob, "ACK");
    let moved = scene.expect_response(alice, 302);
    scene.send(alice, moved.ack(&invite.text()));
    scene.expect_all_quiet();
}

#[test]
fn a_route_within_a_dialog_needs_the_dialog_s_own_flow() {
    let (mut scene, alice, bob) = alice_and_bob();
    let (from, _): (Dialog, Dialog) = scene.call(alice, bob);
    let stranger = scene.phone("103@acme.example");
    let mut bye = from.clone().request(&mut scene, stranger, "BYE");
    bye.headers.push(format!("Route: <sip:{CARRIER};lr>"));
    scene.send_request(stranger, &bye);
    scene.expect_response(stranger, 407);
    expect_nothing_elsewhere(&mut scene);
    scene.expect_nothing_more();
}
