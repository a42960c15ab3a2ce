//! REGISTERs that change nothing, and what they are told (RFC 3261 section 10.3).

use ringway_edge::Reject;
use ringway_sip::Transport;

use crate::registration::{register, register_in_order, registered, without_jitter};
use crate::scene::{Phone, Request, Scene};

fn scene() -> Scene {
    Scene::with(without_jitter)
}

/// Asserts that a REGISTER is refused, that nothing is kept, and that what was registered still is.
#[track_caller]
fn expect_refusal(
    scene: &mut Scene,
    phone: Phone,
    (status, reason): (u16, &str),
    change: impl FnOnce(Request) -> Request,
) {
    let before = registered(scene, phone);
    scene.take_kept();
    let response = register(scene, phone, change);
    assert_eq!((response.status(), &*response.reason_code()), (Some(status), reason), "{response}");
    assert_eq!(scene.take_kept(), []);
    assert_eq!(registered(scene, phone), before);
}

#[test]
fn an_interval_that_is_too_brief_gets_423_with_min_expires_and_changes_nothing() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    register(&mut scene, phone, |request| request);
    for seconds in [1, 59] {
        let contact = format!("<sip:101@198.51.100.1:5060>;expires={seconds}");
        expect_refusal(&mut scene, phone, (423, "interval-too-brief"), |request| request.contact(&contact));
        let response = register(&mut scene, phone, |request| request.contact(&contact));
        assert_eq!(response.header("Min-Expires"), "60");
    }
    let response = register(&mut scene, phone, |request| request.header("Expires: 60"));
    assert_eq!(response.headers("Contact"), ["<sip:101@198.51.100.1:5060>;expires=60"]);
    let response = register(&mut scene, phone, |request| request.header("Expires: 0"));
    assert_eq!((response.status(), response.headers("Contact")), (Some(200), vec![]));
}

#[test]
fn an_hour_is_never_too_brief() {
    let mut scene = Scene::with(|settings| {
        without_jitter(settings);
        settings.registrar.min_expires = 7200;
        settings.registrar.max_expires = 86_400;
    });
    let phone = scene.phone("101@acme.example");
    expect_refusal(&mut scene, phone, (423, "interval-too-brief"), |request| request.header("Expires: 3599"));
    let response = register(&mut scene, phone, |request| request.header("Expires: 3600"));
    assert_eq!(response.headers("Contact"), ["<sip:101@198.51.100.1:5060>;expires=3600"]);
}

#[test]
fn one_bad_contact_of_several_changes_none() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    register(&mut scene, phone, |request| request);
    for (expected, second) in [
        ((423, "interval-too-brief"), "<sip:b@198.51.100.1>;expires=5"),
        ((400, "malformed"), "<sip:b@198.51.100.1>;q=7"),
        ((400, "malformed"), "<sip:b@>"),
        ((400, "wildcard-contact"), "*"),
        ((403, "contact-refused"), "<sip:b@192.0.2.1:5060>"),
        ((403, "contact-refused"), "<tel:101>"),
    ] {
        let contact = format!("<sip:a@198.51.100.1>, {second}");
        expect_refusal(&mut scene, phone, expected, |request| request.contact(&contact));
    }
}

#[test]
fn more_bindings_than_the_ceiling_are_refused_together() {
    let mut scene = Scene::with(|settings| settings.registrar.max_bindings = 2);
    let phone = scene.phone("101@acme.example");
    let three = "<sip:a@198.51.100.1>, <sip:b@198.51.100.1>, <sip:c@198.51.100.1>";
    expect_refusal(&mut scene, phone, (403, "registration-limit"), |request| request.contact(three));
    let response = register(&mut scene, phone, |request| request.contact("<sip:a@198.51.100.1>, <sip:b@198.51.100.1>"));
    assert_eq!(response.status(), Some(200));
    expect_refusal(&mut scene, phone, (403, "registration-limit"), |request| request.contact("<sip:c@198.51.100.1>"));
    let exchange = "<sip:c@198.51.100.1>, <sip:a@198.51.100.1>;expires=0";
    assert_eq!(register(&mut scene, phone, |request| request.contact(exchange)).status(), Some(200));
    let many = vec!["<sip:a@198.51.100.1>;expires=0"; 33].join(",");
    expect_refusal(&mut scene, phone, (403, "registration-limit"), |request| request.contact(&many));
}

#[test]
fn a_request_that_is_out_of_order_changes_nothing_and_fails() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    register_in_order(&mut scene, phone, "one", 10, "<sip:a@198.51.100.1>");
    for (cseq, contact) in [
        (9, "<sip:a@198.51.100.1>"),
        (9, "<sip:a@198.51.100.1>;expires=0"),
        (10, "<sip:b@198.51.100.1>"),
        (10, "<sip:a@198.51.100.1>;expires=90"),
        (10, "<sip:a@198.51.100.1>;expires=0"),
        (9, "<sip:b@198.51.100.1>, <sip:a@198.51.100.1>"),
        (10, "<sip:a@198.51.100.1>, <sip:b@198.51.100.1>"),
    ] {
        expect_refusal(&mut scene, phone, (500, "out-of-order"), |request| {
            Request { call_id: "one".into(), cseq: cseq - 1, ..request }.contact(contact)
        });
    }
}

#[test]
fn contact_star_with_anything_else_is_400_and_removes_nothing() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    register(&mut scene, phone, |request| request);
    for (contact, line) in [
        ("*, <sip:101@198.51.100.1:5060>", "Expires: 0"),
        ("<sip:101@198.51.100.1:5060>, *", "Expires: 0"),
        ("<sip:101@198.51.100.1:5060>", "Expires: 0\r\nm: *"),
        ("*", "Expires: 0\r\nContact: *"),
        ("*", "Expires: 60"),
        ("*", "Expires: none"),
        ("*", "X: y"),
    ] {
        let refusal = (400, "wildcard-contact");
        expect_refusal(&mut scene, phone, refusal, |request| request.contact(contact).header(line));
    }
}

#[test]
fn a_contact_that_leads_back_to_us_is_refused() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    for contact in [
        "sip:101@192.0.2.1",
        "sip:101@192.0.2.1:5060;transport=tcp",
        "sip:101@127.0.0.1:5070",
        "sip:101@[::1]:5070",
        "sip:101@[::ffff:127.0.0.1]:5070",
        "sip:101@localhost:5070",
        "sip:101@198.51.100.1;maddr=192.0.2.1",
        "sip:101@198.51.100.1:5070;maddr=127.0.0.2",
    ] {
        let contact = format!("<{contact}>");
        expect_refusal(&mut scene, phone, (403, "contact-refused"), |request| request.contact(&contact));
        let removal = format!("{contact};expires=0");
        assert_eq!(register(&mut scene, phone, |request| request.contact(&removal)).status(), Some(200));
    }
    let local = scene.phone_at("101@acme.example", Transport::Udp, "127.0.0.1:5070");
    let response = register(&mut scene, local, |request| request);
    assert_eq!(response.headers("Contact"), ["<sip:101@127.0.0.1:5070>;expires=300"]);
}

#[test]
fn a_contact_of_another_scheme_or_of_absurd_length_is_refused() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let long = "x".repeat(1100);
    for contact in [
        "<mailto:a@example.com>".to_owned(),
        "<tel:+4930123>".to_owned(),
        format!("<sip:{long}@198.51.100.1>"),
        format!("<sip:a@198.51.100.1>;x={long}"),
    ] {
        expect_refusal(&mut scene, phone, (403, "contact-refused"), |request| request.contact(&contact));
    }
    let secure = scene.stream_phone("101@acme.example", Transport::Tls);
    let response = register(&mut scene, secure, |request| request.contact("<sips:a@198.51.100.1>"));
    assert_eq!(response.headers("Contact"), ["<sips:a@198.51.100.1>;expires=300"]);
}

#[test]
fn a_register_for_somebody_else_is_403() {
    let mut scene = scene();
    let (phone, victim) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    register(&mut scene, victim, |request| request);
    let before = registered(&mut scene, victim);
    scene.take_kept();
    for (to, contact) in [
        ("<sip:102@acme.example>", "<sip:101@198.51.100.1>"),
        ("<sip:102@acme.example>", "<sip:102@198.51.100.2:5060>;expires=0"),
        ("<sip:102@acme.example>", "*, <>"),
        ("<sip:199@acme.example>", "<sip:101@198.51.100.1>"),
        ("<sip:acme.example>", "<sip:101@198.51.100.1>"),
    ] {
        let response = register(&mut scene, phone, |request| Request { to: to.into(), ..request }.contact(contact));
        let reason = (response.status(), response.reason_code());
        assert_eq!(reason, (Some(403), "register-identity-mismatch".into()), "{to} {contact}");
        assert_eq!(scene.take_kept(), []);
    }
    assert_eq!(registered(&mut scene, victim), before);
}

#[test]
fn a_register_whose_to_is_another_domain_is_404_and_one_for_an_unknown_domain_403() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    for (uri, to, expected) in [
        ("sip:acme.example", "<sip:101@globex.example>", (404, "register-other-domain")),
        ("sip:globex.example", "<sip:101@acme.example>", (404, "register-other-domain")),
        ("sip:acme.example", "<sip:101@elsewhere.example>", (404, "register-other-domain")),
        ("sip:elsewhere.example", "<sip:101@acme.example>", (403, "register-unknown-domain")),
        ("sip:elsewhere.example", "<sip:101@elsewhere.example>", (403, "register-unknown-domain")),
    ] {
        let request = Request { to: to.into(), ..scene.request(phone, "REGISTER", uri) };
        scene.send_request(phone, &request);
        let response = scene.expect_response(phone, expected.0);
        assert_eq!(response.reason_code(), expected.1, "{uri} {to}");
        assert!(!response.has("WWW-Authenticate"), "unchallenged");
        assert_eq!(scene.take_kept(), []);
        scene.expect_nothing_more();
    }
}

#[test]
fn a_register_whose_to_is_no_sip_address_is_refused() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    for to in ["<tel:101>", "<mailto:101@acme.example>"] {
        let mut request = scene.request(phone, "REGISTER", "sip:acme.example");
        request.to = to.into();
        scene.send_request(phone, &request);
        scene.expect_response(phone, 404);
    }
    assert_eq!(scene.take_kept(), []);
    scene.expect_nothing_more();
}

#[test]
fn a_register_without_credentials_is_challenged_with_401() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    for number in ["101", "199"] {
        let to = format!("<sip:{number}@acme.example>");
        let request = Request { to, ..scene.request(phone, "REGISTER", "sip:acme.example") };
        scene.send_request(phone, &request);
        let response = scene.expect_response(phone, 401);
        assert!(response.header("WWW-Authenticate").starts_with("Digest realm=\"acme.example\",nonce="), "{response}");
    }
    assert_eq!(scene.take_kept(), []);
    scene.expect_nothing_more();
}

#[test]
fn an_unknown_option_in_require_is_420_with_unsupported() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    expect_refusal(&mut scene, phone, (420, "bad-extension"), |request| request.header("Require: foo, bar"));
    let response = register(&mut scene, phone, |request| request.header("Require: foo, bar"));
    assert_eq!(response.header("Unsupported"), "foo, bar");
}

#[test]
fn the_registrar_never_answers_6xx() {
    for reject in Reject::ALL {
        assert!(reject.status() < 600, "{reject:?}");
    }
}

#[test]
fn a_register_with_a_to_tag_belongs_to_no_dialog() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let mut request = scene.request(phone, "REGISTER", "sip:acme.example");
    request.to += ";tag=x";
    scene.send_request(phone, &request);
    assert_eq!(scene.expect_response(phone, 481).reason_code(), "no-dialog");
    assert_eq!(scene.take_kept(), []);
}

#[test]
fn a_register_for_another_hosts_maddr_is_403() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let request = scene.request(phone, "REGISTER", "sip:acme.example;maddr=203.0.113.9");
    scene.send_request(phone, &request);
    assert_eq!(scene.expect_response(phone, 403).reason_code(), "register-unknown-domain");
}
