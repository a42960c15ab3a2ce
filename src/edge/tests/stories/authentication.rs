//! Who is asking, as phones notice it: RFC 3261 section 22 through the engine. The rules of nonces and counts have their
//! stories beside the authenticator.

use std::time::Duration;

use ringway_edge::DropReason;
use ringway_sip::digest::Algorithm;

use crate::scene::{ACME, GLOBEX, Phone, Request, Scene, digest};

/// What a first request of this phone is challenged with: the status, and the challenge.
#[track_caller]
fn challenge(scene: &mut Scene, phone: Phone, method: &str, uri: &str) -> (u16, String) {
    let request = scene.request(phone, method, uri);
    let sent = scene.send_request(phone, &request);
    let heard = scene.hear(phone).unwrap();
    if method == "INVITE" {
        scene.send(phone, heard.ack(&sent));
    }
    scene.expect_nothing_more();
    let headers = [heard.headers("WWW-Authenticate"), heard.headers("Proxy-Authenticate")].concat();
    let [value] = &headers[..] else { panic!("{heard}") };
    (heard.status().unwrap(), value.clone())
}

#[test]
fn a_challenge_comes_with_401_from_the_registrar_and_with_407_from_the_proxy() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    for (method, status) in [
        ("REGISTER", 401),
        ("SUBSCRIBE", 401),
        ("PUBLISH", 401),
        ("INVITE", 407),
        ("MESSAGE", 407),
        ("REFER", 407),
        ("INFO", 407),
        ("NOTIFY", 407),
        ("OPTIONS", 407),
        ("UNHEARD-OF", 407),
    ] {
        let uri = if method == "REGISTER" { "sip:acme.test" } else { "sip:102@acme.test" };
        let (heard, value) = challenge(&mut scene, phone, method, uri);
        assert_eq!(heard, status, "{method}");
        assert_eq!(digest::parameter(&value, "realm"), "acme.example", "the main domain, though an alias was asked");
        assert_eq!(digest::parameter(&value, "qop"), "auth");
        assert!(!value.contains("stale"), "{value}");
    }
    let (_, value) = challenge(&mut scene, phone, "REGISTER", "sip:acme.example");
    assert!(value.starts_with("Digest "), "{value}");
    let other = scene.phone("101@globex.example");
    let (_, value) = challenge(&mut scene, other, "INVITE", "sip:102@globex.example");
    assert_eq!(digest::parameter(&value, "realm"), "globex.example");
}

#[test]
fn every_offered_algorithm_has_a_challenge_of_its_own_in_the_order_of_the_settings() {
    let mut scene = Scene::with(|settings| settings.algorithms = vec![Algorithm::Sha256, Algorithm::Md5]);
    let phone = scene.phone("101@acme.example");
    let request = scene.request(phone, "REGISTER", "sip:acme.example");
    // By UDP the answer may be twice the request at most, so this phone says more about itself.
    let request = request.header(&format!("User-Agent: {}", "x".repeat(200)));
    scene.send_request(phone, &request);
    let values = scene.expect_response(phone, 401).headers("WWW-Authenticate");
    let algorithms: Vec<_> = values.iter().map(|value| digest::parameter(value, "algorithm")).collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_challenged_again_and_counted() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let mut nonces = std::collections::HashSet::new();
    for (user, password) in [("101", "wrong"), ("199", "secret-101"), ("102", "secret-101")] {
        let request = scene.request(phone, "REGISTER", "sip:acme.example");
        scene.send_request(phone, &request);
        let asked = scene.expect_response(phone, 401);
        let request = request.with_credentials(&asked, user, password, 1);
        scene.send_request(phone, &request);
        let again = scene.expect_response(phone, 401);
        assert!(!again.header("WWW-Authenticate").contains("stale"), "{again}");
        assert!(nonces.insert(digest::parameter(&again.header("WWW-Authenticate"), "nonce")), "a fresh nonce");
    }
    scene.expect_nothing_more();
    let failures = &scene.shards[0].counters().auth_failures;
    assert_eq!((failures.get(&ACME), failures.get(&GLOBEX)), (Some(&3), None));
    assert_eq!(scene.take_kept(), []);
}

#[test]
fn a_disabled_extension_is_told_so_only_when_it_knows_its_password() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    scene.redirect(|edit| {
        let extension = crate::scene::extension("acme.example", "101");
        edit.put_extension(ACME, ringway_directory::Extension { enabled: false, ..extension });
    });
    let request = scene.request(phone, "REGISTER", "sip:acme.example");
    let response = scene.ask(phone, request);
    assert_eq!((response.status(), response.reason_code()), (Some(403), "disabled".into()));
    scene.state(phone).password = "wrong".into();
    let request = scene.request(phone, "REGISTER", "sip:acme.example");
    assert_eq!(scene.ask(phone, request).status(), Some(401));
}

#[test]
fn credentials_for_another_realm_pass_untouched_and_none_are_ever_added() {
    let mut scene = Scene::new();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(callee);
    let foreign = "Digest username=\"x\",realm=\"carrier.example\",nonce=\"n\",uri=\"sip:y\",response=\"00\"";
    let uri = scene.uri(callee);
    let request = scene.request(caller, "INVITE", &uri).header(&format!("proxy-authorization: {foreign}"));
    assert_eq!(scene.ask(caller, request).status(), Some(100));
    let heard = scene.expect_request(callee, "INVITE");
    assert!(heard.headers("Proxy-Authorization").contains(&foreign.to_owned()), "{heard}");
    assert!(!heard.has("Authorization"), "{heard}");
    scene.expect_nothing_more();
}

#[test]
fn authentication_is_not_authorisation() {
    for from in [
        "<sip:102@acme.example>;tag=1",
        "<sip:101@globex.example>;tag=1",
        "<sip:101@elsewhere.example>;tag=1",
        "<sip:acme.example>;tag=1",
        "\"Anonymous\" <sip:102@anonymous.invalid>;tag=1",
        "<tel:101>;tag=1",
    ] {
        let mut scene = Scene::new();
        let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(callee);
        let uri = scene.uri(callee);
        for method in ["INVITE", "MESSAGE"] {
            let request = Request { from: from.into(), ..scene.request(caller, method, &uri) };
            let response = scene.ask(caller, request);
            let reason = (response.status(), response.reason_code());
            assert_eq!(reason, (Some(403), "identity-mismatch".into()), "{method} {from}");
        }
        scene.expect_nothing_more();
    }
}

#[test]
fn an_anonymous_caller_is_who_the_credentials_say() {
    for from in ["\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1", "<sip:101@acme.test>;tag=1"] {
        let mut scene = Scene::new();
        let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(callee);
        let uri = scene.uri(callee);
        let request = Request { from: from.into(), ..scene.request(caller, "MESSAGE", &uri) };
        let request = scene.answer_challenge(caller, request);
        scene.send_request(caller, &request);
        let heard = scene.expect_request(callee, "MESSAGE");
        assert_eq!(heard.header("From"), from);
        scene.respond(callee, &heard, 200);
        scene.expect_response(caller, 200);
        scene.expect_nothing_more();
    }
}

#[test]
fn an_ack_without_a_call_is_never_challenged() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let ack = scene.request(phone, "ACK", "sip:102@acme.example");
    scene.send_request(phone, &ack);
    scene.expect_nothing_more();
    assert_eq!(scene.shards[0].counters().drops[DropReason::StrayAck as usize], 1);
}

#[test]
fn a_cancel_without_a_call_is_never_challenged() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let cancel = scene.request(phone, "INVITE", "sip:102@acme.example").cancel();
    scene.send(phone, cancel);
    scene.expect_response(phone, 481);
    scene.expect_nothing_more();
}

#[test]
fn what_a_phone_itself_asks_goes_back_to_the_caller() {
    let mut scene = Scene::new();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(callee);
    let uri = scene.uri(callee);
    let request = scene.request(caller, "MESSAGE", &uri);
    let request = scene.answer_challenge(caller, request);
    scene.send_request(caller, &request);
    let heard = scene.expect_request(callee, "MESSAGE");
    let asks = "Digest realm=\"phone\",nonce=\"n\"";
    let response = heard.response(407, "t", "sip:102@198.51.100.2");
    let response = response.replace("Content-Length", &format!("Proxy-Authenticate: {asks}\r\nContent-Length"));
    scene.send(callee, response);
    assert_eq!(scene.expect_response(caller, 407).headers("Proxy-Authenticate"), [asks]);
    scene.expect_nothing_more();
}

#[test]
fn what_is_replayed_long_after_it_was_sent_is_no_retransmission() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let message = scene.request(alice, "MESSAGE", "sip:102@acme.example");
    let message = scene.answer_challenge(alice, message);
    let text = scene.send_request(alice, &message);
    let heard = scene.expect_request(bob, "MESSAGE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    // While the transaction lives it answers again; later the nonce count is used.
    scene.send(alice, &text);
    scene.expect_response(alice, 200);
    scene.advance(Duration::from_secs(33));
    scene.send(alice, &text);
    let challenge = scene.expect_response(alice, 407);
    assert!(challenge.header("Proxy-Authenticate").contains("stale=true"), "{challenge}");
    scene.expect_nothing_more();
}
