//! Whom a request is forwarded to (RFC 3261 section 16.5).

use std::time::Duration;

use ringway_sip::Transport;

use crate::scene::{Phone, Scene};

const BOB: &str = "sip:102@acme.example";

/// A scene where alice calls and bob's number has so many devices, each registered with these Contact parameters.
fn bob_with(parameters: &[&str]) -> (Scene, Phone, Vec<Phone>) {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let devices: Vec<Phone> = parameters.iter().map(|_| scene.phone("102@acme.example")).collect();
    for (&device, parameters) in devices.iter().zip(parameters) {
        let contact = format!("<{}>{parameters}", scene.contact(device));
        let register = scene.request(device, "REGISTER", "sip:acme.example").contact(&contact);
        assert_eq!(scene.ask(device, register).status(), Some(200));
    }
    (scene, alice, devices)
}

#[test]
fn a_number_that_does_not_exist_is_404_and_one_without_bindings_is_480() {
    let (mut scene, alice, _) = bob_with(&[""]);
    for (uri, status, reason) in [
        ("sip:999@acme.example", 404, "unknown-number"),
        ("sip:1020@acme.example", 404, "unknown-number"),
        ("sip:103@acme.example", 480, "not-registered"),
        // Without TLS nobody can be reached securely, so nobody is.
        ("sips:102@acme.example", 480, "not-registered"),
    ] {
        let invite = scene.request(alice, "INVITE", uri);
        let refused = scene.ask(alice, invite);
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(status), reason), "{uri}");
        scene.expect_nothing_more();
    }
    // What has expired is no binding.
    scene.advance(Duration::from_secs(3700));
    let invite = scene.request(alice, "INVITE", BOB);
    assert_eq!(scene.ask(alice, invite).status(), Some(480));
    scene.expect_nothing_more();
}

#[test]
fn a_disabled_extension_is_not_called() {
    let (mut scene, alice, _) = bob_with(&[""]);
    scene.redirect(|edit| {
        let disabled =
            ringway_directory::Extension { enabled: false, ..crate::scene::extension("acme.example", "102") };
        edit.put_extension(crate::scene::ACME, disabled);
    });
    let invite = scene.request(alice, "INVITE", BOB);
    assert_eq!(scene.ask(alice, invite).status(), Some(480));
    scene.expect_nothing_more();
}

#[test]
fn the_number_is_read_as_a_number_however_it_is_written() {
    for uri in [
        "sip:102@acme.example",
        "sip:%31%302@ACME.example:5060;user=phone;transport=tcp",
        "sip:102:secret@acme.test",
        "tel:102",
        "tel:102;phone-context=acme.example",
    ] {
        let (mut scene, alice, devices) = bob_with(&[""]);
        let invite = scene.request(alice, "INVITE", uri);
        assert_eq!(scene.ask(alice, invite).status(), Some(100), "{uri}");
        let heard = scene.expect_request(devices[0], "INVITE");
        assert_eq!(heard.request_uri(), scene.contact(devices[0]));
        scene.expect_nothing_more();
    }
}

#[test]
fn one_contact_is_asked_once() {
    let (mut scene, alice, devices) = bob_with(&[""]);
    let bob = devices[0];
    for contact in ["<sip:102@198.51.100.2:5060;x=y>", "<SIP:%31%302@198.51.100.2:5060>"] {
        let register = scene.request(bob, "REGISTER", "sip:acme.example").contact(contact);
        assert_eq!(scene.ask(bob, register).headers("Contact").len(), 1);
    }
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    // Nor is it asked again when it names itself.
    let moved = heard.response(302, "b", BOB);
    scene.send(bob, moved);
    scene.expect_request(bob, "ACK");
    scene.expect_response(alice, 302);
    scene.expect_nothing_more();
}

#[test]
fn contacts_are_asked_in_order_of_q_and_together_when_equal() {
    let (mut scene, alice, devices) = bob_with(&[";q=0.5", "", ";q=0.5", ";q=1.0", ";q=0"]);
    scene.invite(alice, devices[0]);
    let mut order = Vec::new();
    for _ in 0..3 {
        let heard: Vec<_> = (0..devices.len()).filter_map(|index| Some((index, scene.hear(devices[index])?))).collect();
        scene.expect_nothing_more();
        order.push(heard.iter().map(|(index, _)| *index).collect::<Vec<_>>());
        for (index, invite) in heard {
            scene.respond(devices[index], &invite, 486);
            scene.expect_request(devices[index], "ACK");
        }
    }
    assert_eq!(order, [vec![1, 3], vec![0, 2], vec![4]]);
    scene.expect_response(alice, 486);
    scene.expect_nothing_more();
}

#[test]
fn a_domain_that_we_do_not_serve_is_never_a_target() {
    let (mut scene, alice, _) = bob_with(&[""]);
    for uri in
        ["sip:102@elsewhere.example", "sip:102@198.51.100.2:5060", "sip:102@203.0.113.9", "sip:102@[2001:db8::1]"]
    {
        for method in ["INVITE", "MESSAGE", "REFER", "OPTIONS", "FOO"] {
            let request = scene.request(alice, method, uri);
            scene.send_request(alice, &request);
            assert_eq!(scene.expect_response(alice, 404).reason_code(), "unknown-domain");
            scene.expect_nothing_more();
        }
    }
}

#[test]
fn a_phone_that_registers_while_it_rings_is_not_asked_any_more() {
    // Section 16.5 lets a proxy go on adding targets; ours are those of the moment when the call came.
    let (mut scene, alice, devices) = bob_with(&[""]);
    scene.invite(alice, devices[0]);
    scene.expect_request(devices[0], "INVITE");
    let late = scene.phone("102@acme.example");
    scene.register(late);
    scene.advance(Duration::from_millis(400));
    scene.expect_nothing_more();
}

#[test]
fn a_contact_with_a_method_or_headers_is_not_registered() {
    let mut scene = Scene::new();
    let bob = scene.phone("102@acme.example");
    for contact in [
        "<sip:102@198.51.100.1:5060;method=INVITE>",
        "<sip:102@198.51.100.1:5060?Subject=x>",
        "<sip:102@198.51.100.1:5060;METHOD=BYE?Route=%3Csip:192.0.2.99%3E>",
    ] {
        let register = scene.request(bob, "REGISTER", "sip:acme.example").contact(contact);
        let refused = scene.ask(bob, register);
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(403), "contact-refused"), "{contact}");
        assert_eq!(scene.take_kept(), []);
        // One that came in before can go.
        let register = scene.request(bob, "REGISTER", "sip:acme.example").contact(&format!("{contact};expires=0"));
        assert_eq!(scene.ask(bob, register).status(), Some(200));
    }
}

#[test]
fn a_phone_on_a_stream_is_asked_on_its_stream() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let bob = scene.phone_at("102@acme.example", Transport::Tcp, "198.51.100.2:40000");
    let register = scene.request(bob, "REGISTER", "sip:acme.example").contact("<sip:102@phone.example;transport=tcp>");
    assert_eq!(scene.ask(bob, register).status(), Some(200));
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    assert_eq!(heard.request_uri(), "sip:102@phone.example;transport=tcp");
    scene.expect_nothing_more();
}

#[test]
fn a_redirection_to_another_line_of_the_same_adapter_is_followed() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let adapter = scene.phone("102@acme.example");
    scene.register(adapter);
    // The same device, with the account of its second line.
    (scene.state(adapter).number, scene.state(adapter).password) = ("103".into(), "secret-103".into());
    scene.register(adapter);
    let invite = scene.request(alice, "INVITE", BOB);
    assert_eq!(scene.ask(alice, invite).status(), Some(100));
    let heard = scene.expect_request(adapter, "INVITE");
    scene.send(adapter, heard.response(302, "b", "sip:103@acme.example"));
    scene.expect_request(adapter, "ACK");
    let heard = scene.expect_request(adapter, "INVITE");
    assert!(heard.request_uri().starts_with("sip:103@"), "{heard}");
    // Sent back, it goes no third time.
    scene.send(adapter, heard.response(302, "b", BOB));
    scene.expect_request(adapter, "ACK");
    scene.expect_response(alice, 302);
    scene.expect_nothing_more();
}
