//! Phones on TLS and WebSocket, and what `sips` asks for (RFC 3261 sections 16.6 and 26.2.2, RFC 7118).

use ringway_sip::Transport;

use crate::scene::{Dialog, Phone, Scene};

const STREAMS: [Transport; 3] = [Transport::Tls, Transport::Ws, Transport::Wss];

/// Each side of a dialog sends a request that reaches the other.
fn talk(scene: &mut Scene, sides: [(&mut Dialog, Phone, Phone); 2]) {
    for (dialog, sender, receiver) in sides {
        let info = dialog.request(scene, sender, "INFO");
        scene.send_request(sender, &info);
        let heard = scene.expect_request(receiver, "INFO");
        scene.respond(receiver, &heard, 200);
        scene.expect_response(sender, 200);
    }
}

/// Calls a `sips` address and answers; both views of the dialog.
fn call_securely(scene: &mut Scene, caller: Phone, callee: Phone) -> (Dialog, Dialog) {
    let invite = scene.request(caller, "INVITE", "sips:102@acme.example");
    let invite = scene.answer_challenge(caller, invite);
    scene.send_request(caller, &invite);
    scene.expect_response(caller, 100);
    let heard = scene.expect_request(callee, "INVITE");
    scene.respond(callee, &heard, 200);
    let ok = scene.expect_response(caller, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    let to = Dialog::of_callee(&heard, &ok.to_tag());
    let ack = from.ack(scene, caller);
    scene.send(caller, ack);
    scene.expect_request(callee, "ACK");
    (from, to)
}

#[test]
fn phones_on_streams_of_every_kind_call_each_other() {
    for (caller, callee) in [(0, 1), (1, 2), (2, 0), (2, 2)] {
        let mut scene = Scene::new();
        let alice = scene.stream_phone("101@acme.example", STREAMS[caller]);
        let bob = scene.stream_phone("102@acme.example", STREAMS[callee]);
        scene.register(bob);
        let (mut from, mut to) = scene.call(alice, bob);
        // A web phone knows one name for both kinds of WebSocket.
        let named = |transport: Transport| if transport == Transport::Tls { "tls" } else { "ws" };
        assert!(to.routes[0].contains(&format!(";transport={}", named(STREAMS[callee]))), "{:?}", to.routes);
        assert!(from.routes[0].contains(&format!(";transport={}", named(STREAMS[caller]))), "{:?}", from.routes);
        talk(&mut scene, [(&mut from, alice, bob), (&mut to, bob, alice)]);
        scene.expect_nothing_more();
    }
}

#[test]
fn the_via_of_a_request_names_the_transport_of_the_flow() {
    for transport in STREAMS {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let bob = scene.stream_phone("102@acme.example", transport);
        scene.register(bob);
        scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        assert!(heard.header("Via").starts_with(&format!("SIP/2.0/{} ", transport.via_token())), "{heard}");
    }
}

/// No certificate shows whose address a Via names (RFC 5923 section 9.2), so its alias counts for nothing.
#[test]
fn an_alias_in_a_via_brings_its_sender_nobody_elses_calls() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let bob = scene.stream_phone("102@acme.example", Transport::Tcp);
        let mallory = scene.stream_phone("103@acme.example", transport);
        scene.register(bob);
        let listens = scene.state(bob).flow.remote;
        let mut register = scene.request(mallory, "REGISTER", "sip:acme.example");
        register.via = format!("SIP/2.0/{} {listens};alias", transport.via_token());
        // It is answered as if the parameter were not there, and the Via comes back as it was.
        let answer = scene.ask(mallory, register);
        assert_eq!(answer.status(), Some(200), "{answer}");
        assert!(answer.header("Via").contains(&format!("{listens};alias;")), "{answer}");
        scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        scene.respond(bob, &heard, 486);
        scene.expect_request(bob, "ACK");
        scene.expect_response(alice, 486);
        assert_eq!(scene.hear(mallory), None, "{transport}");
        scene.close_flow(bob);
        let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
        let invite = scene.answer_challenge(alice, invite);
        scene.send_request(alice, &invite);
        assert_eq!(scene.hear(mallory), None, "{transport}: nor when the connection of who is called is closed");
        scene.expect_request(bob, "INVITE");
    }
}

#[test]
fn a_phone_whose_stream_closes_is_gone_at_once() {
    for transport in STREAMS {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let bob = scene.stream_phone("102@acme.example", transport);
        scene.register(bob);
        scene.close_flow(bob);
        let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
        assert_eq!(scene.ask(alice, invite).status(), Some(480), "{transport}");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_web_page_in_a_trusted_network_is_challenged_like_any_other() {
    for transport in [Transport::Ws, Transport::Wss, Transport::Tls] {
        let mut scene = Scene::new();
        scene.redirect(|edit| {
            let trust = vec!["198.51.100.0/24".parse().unwrap()].into();
            edit.put_tenant(ringway_directory::Tenant { trust, ..crate::scene::acme() });
        });
        let alice = scene.stream_phone("101@acme.example", transport);
        let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
        scene.send_request(alice, &invite);
        // Nobody is registered: who is believed hears that at once.
        let expected = if transport == Transport::Tls { 480 } else { 407 };
        assert_eq!(scene.hear(alice).unwrap().status(), Some(expected), "{transport}");
    }
}

#[test]
fn a_route_that_asks_for_tls_is_followed_only_where_tls_is_spoken_already() {
    for route in ["<sips:192.0.2.77;lr>", "<sip:192.0.2.77;transport=tls;lr>", "<sip:192.0.2.77;transport=ws;lr>"] {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let bob = scene.phone("102@acme.example");
        scene.register(bob);
        let (mut from, _) = scene.call(alice, bob);
        from.routes.push(route.into());
        let info = from.request(&mut scene, alice, "INFO");
        scene.send_request(alice, &info);
        assert_eq!(scene.hear(alice).unwrap().status(), Some(403), "{route}");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_sips_call_reaches_devices_on_tls_only() {
    for (transport, is_reached) in [
        (Transport::Udp, false),
        (Transport::Tcp, false),
        (Transport::Ws, false),
        (Transport::Tls, true),
        (Transport::Wss, true),
    ] {
        let mut scene = Scene::new();
        let alice = scene.stream_phone("101@acme.example", Transport::Tls);
        let bob = scene.phone_at("102@acme.example", transport, "198.51.100.9:40000");
        scene.register(bob);
        let invite = scene.request(alice, "INVITE", "sips:102@acme.example");
        let invite = scene.answer_challenge(alice, invite);
        scene.send_request(alice, &invite);
        if is_reached {
            scene.expect_response(alice, 100);
            scene.expect_request(bob, "INVITE");
        } else {
            scene.expect_response(alice, 480);
        }
        scene.expect_nothing_more();
    }
}

#[test]
fn the_side_that_asked_for_sips_gets_a_sips_record_route() {
    let mut scene = Scene::new();
    let alice = scene.stream_phone("101@acme.example", Transport::Tls);
    let bob = scene.stream_phone("102@acme.example", Transport::Tls);
    scene.register(bob);
    // Bob's Contact is a sip one, so his side is told sip, and Alice's sips.
    let (mut from, mut to) = call_securely(&mut scene, alice, bob);
    assert_eq!(from.routes.len(), 2);
    assert!(from.routes[0].starts_with("<sips:") && !from.routes[0].contains("transport"), "{:?}", from.routes);
    assert!(to.routes[0].starts_with("<sip:") && to.routes[0].contains(";transport=tls"), "{:?}", to.routes);
    talk(&mut scene, [(&mut from, alice, bob), (&mut to, bob, alice)]);
    scene.expect_nothing_more();
}

#[test]
fn a_sips_contact_on_tls_gets_a_sips_record_route() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let bob = scene.phone_at("102@acme.example", Transport::Tls, "198.51.100.9:40000");
    let contact = format!("<{}>", scene.contact(bob).replace("sip:", "sips:"));
    let register = scene.request(bob, "REGISTER", "sip:acme.example").contact(&contact);
    assert_eq!(scene.ask(bob, register).status(), Some(200));
    let (mut from, mut to) = scene.call(alice, bob);
    assert!(to.routes[0].starts_with("<sips:"), "{:?}", to.routes);
    assert!(from.routes[0].starts_with("<sip:"), "{:?}", from.routes);
    talk(&mut scene, [(&mut from, alice, bob), (&mut to, bob, alice)]);
    scene.expect_nothing_more();
}

#[test]
fn a_sips_contact_is_registered_over_tls_only_and_can_always_be_removed() {
    for (transport, is_taken) in [
        (Transport::Udp, false),
        (Transport::Tcp, false),
        (Transport::Ws, false),
        (Transport::Tls, true),
        (Transport::Wss, true),
    ] {
        let mut scene = Scene::new();
        let bob = scene.phone_at("102@acme.example", transport, "198.51.100.9:40000");
        let contact = "<sips:102@198.51.100.9:5061>";
        let register = scene.request(bob, "REGISTER", "sip:acme.example").contact(contact);
        let response = scene.ask(bob, register);
        if is_taken {
            assert_eq!(response.status(), Some(200), "{transport}");
        } else {
            assert_eq!((response.status(), &*response.reason_code()), (Some(403), "contact-insecure"), "{transport}");
        }
        let remove = scene.request(bob, "REGISTER", "sip:acme.example").contact(&format!("{contact};expires=0"));
        assert_eq!(scene.ask(bob, remove).status(), Some(200), "{transport}");
    }
}

#[test]
fn a_sips_call_passes_a_proxy_only_to_a_sips_contact() {
    for (contact, is_reached) in [("<sip:102@10.0.0.7:5060>", false), ("<sips:102@10.0.0.7:5061>", true)] {
        let mut scene = Scene::new();
        let alice = scene.stream_phone("101@acme.example", Transport::Tls);
        let edge = scene.stream_phone("102@acme.example", Transport::Tls);
        let register = scene.request(edge, "REGISTER", "sip:acme.example").contact(contact);
        let register = register.header("Path: <sip:192.0.2.77;lr>").header("Supported: path");
        assert_eq!(scene.ask(edge, register).status(), Some(200));
        let invite = scene.request(alice, "INVITE", "sips:102@acme.example");
        let invite = scene.answer_challenge(alice, invite);
        scene.send_request(alice, &invite);
        if is_reached {
            scene.expect_response(alice, 100);
            scene.expect_request(edge, "INVITE");
        } else {
            scene.expect_response(alice, 480);
        }
        scene.expect_nothing_more();
    }
}

#[test]
fn a_proxy_that_is_reached_by_a_sips_route_gets_a_sips_record_route() {
    for (path, is_sips) in [("<sips:192.0.2.77;lr>", true), ("<sip:192.0.2.77;transport=tls;lr>", false)] {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let edge = scene.stream_phone("102@acme.example", Transport::Tls);
        let register = scene.request(edge, "REGISTER", "sip:acme.example").contact("<sip:102@10.0.0.7:5060>");
        let register = register.header(&format!("Path: {path}")).header("Supported: path");
        assert_eq!(scene.ask(edge, register).status(), Some(200));
        scene.invite(alice, edge);
        let heard = scene.expect_request(edge, "INVITE");
        assert_eq!(heard.header("Record-Route").starts_with("<sips:"), is_sips, "{heard}");
    }
}

#[test]
fn a_redirection_of_a_sips_call_stays_on_tls() {
    for (transport, is_followed) in [(Transport::Udp, false), (Transport::Tls, true)] {
        let mut scene = Scene::new();
        let alice = scene.stream_phone("101@acme.example", Transport::Tls);
        let bob = scene.stream_phone("102@acme.example", Transport::Tls);
        let carol = scene.phone_at("103@acme.example", transport, "198.51.100.9:40000");
        scene.register(bob);
        scene.register(carol);
        let invite = scene.request(alice, "INVITE", "sips:102@acme.example");
        let invite = scene.answer_challenge(alice, invite);
        scene.send_request(alice, &invite);
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        let moved = heard.response(302, "tag-b", "sip:103@acme.example");
        scene.send(bob, moved);
        scene.expect_request(bob, "ACK");
        if is_followed {
            scene.expect_request(carol, "INVITE");
        } else {
            assert!(scene.expect_response(alice, 302).has("Contact"));
        }
        scene.expect_nothing_more();
    }
}
