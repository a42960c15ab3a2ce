//! What changes in a request on its way, and what does not (RFC 3261 section 16.6).

use std::time::Duration;

use ringway_edge::Settings;
use ringway_sip::Transport;

use crate::scene::{Dialog, Heard, Phone, Scene};

const BOB: &str = "sip:102@acme.example";

fn alice_and_bob(change: impl FnOnce(&mut Settings)) -> (Scene, Phone, Phone) {
    let mut scene = Scene::with(change);
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

/// What stands between `<` and `>` of the first Record-Route.
fn record_route(heard: &Heard) -> String {
    heard.header("Record-Route").split(['<', '>']).nth(1).unwrap().to_owned()
}

#[test]
fn a_forwarded_invite_differs_only_where_the_rfc_says_so() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let invite = scene.request(alice, "INVITE", BOB);
    let invite = scene.answer_challenge(alice, invite);
    let credentials = invite.headers.iter().find(|line| line.starts_with("Proxy-Authorization")).unwrap().clone();
    let body = b"v=0\r\n\xff\x00\xfe\r\n";
    let text = |via: &str, uri: &str, hops: &str, ours: &str, route: &str, breadth: &str| {
        let head = format!(
            "INVITE {uri} SIP/2.0\r\n{ours}v:  SIP/2.0/UDP 198.51.100.1:5060;rport{via};branch=z9hG4bK-own\r\n\
             Via: SIP/2.0/TCP proxy.example;branch=z9hG4bK-b;received=192.0.2.77\r\nmax-FORWARDS : {hops}\r\n\
             Record-Route: <sip:proxy.example;lr>\r\n{route}\
             f: \"A, B\"\r\n  <sip:101@ACME.example>;tag=a\r\nTo: {BOB}\r\n\
             Proxy-Authorization: Digest realm=\"elsewhere.example\", username=\"x\", nonce=\"n\", uri=\"u\", response=\"r\"\r\n\
             i: one@phone\r\nCSEQ: 2 INVITE\r\nm: <sip:101@198.51.100.1>\r\nX-Unknown:a,,;\"b\r\nsUBJECT: \t\r\n\
             c: application/sdp\r\nl: {}\r\n{breadth}\r\n",
            body.len()
        );
        [head.as_bytes(), &body[..]].concat()
    };
    let route = format!("Route: <sip:192.0.2.1;lr>\r\n{credentials}\r\nP-Asserted-Identity: <sip:1@x>\r\n");
    scene.send(alice, text("", BOB, "9", "", &route, ""));
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    let ours = format!(
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch={}\r\nRecord-Route: <{}>\r\n",
        heard.branch(),
        record_route(&heard)
    );
    // The Via that we answer to is stamped (section 18.2.1): `received` stands at its end.
    let expected = text("=5060", &scene.contact(bob), "8", &ours, "", "Max-Breadth: 60\r\n");
    let expected = String::from_utf8_lossy(&expected).replace("z9hG4bK-own", "z9hG4bK-own;received=198.51.100.1");
    assert_eq!(heard.text(), expected);
    assert!(heard.bytes.ends_with(body));
    scene.expect_nothing_more();
}

#[test]
fn record_route_goes_before_those_of_others_and_leads_back_to_us() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    for method in ["INVITE", "REFER", "NOTIFY", "FOO"] {
        let request = scene.request(alice, method, BOB).header("Record-Route: <sip:proxy.example;lr>");
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        if method == "INVITE" {
            scene.expect_response(alice, 100);
        }
        let heard = scene.expect_request(bob, method);
        let routes = heard.headers("Record-Route");
        assert_eq!((routes.len(), &*routes[1]), (2, "<sip:proxy.example;lr>"), "{heard}");
        assert!(routes[0].starts_with("<sip:rw.") && routes[0].ends_with("@192.0.2.1:5060;lr>"), "{heard}");
    }
    // What opens no dialog needs none.
    for method in ["MESSAGE", "OPTIONS", "INFO"] {
        let request = scene.request(alice, method, BOB);
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        assert!(!scene.expect_request(bob, method).has("Record-Route"));
    }
}

#[test]
fn a_request_that_changes_its_transport_gets_two_record_routes() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    let (mut from, mut to) = scene.call(alice, bob);
    assert_eq!(from.routes.len(), 2);
    // Each side talks to the entry that is of its own transport.
    assert!(!from.routes[0].contains("transport") && to.routes[0].contains(";transport=tcp"), "{:?}", from.routes);
    assert_eq!(to.routes, from.routes.iter().rev().cloned().collect::<Vec<_>>());
    for (dialog, sender, receiver) in [(&mut from, alice, bob), (&mut to, bob, alice)] {
        let info = dialog.request(&mut scene, sender, "INFO");
        scene.send_request(sender, &info);
        let heard = scene.expect_request(receiver, "INFO");
        assert!(!heard.has("Route"), "{heard}");
        scene.respond(receiver, &heard, 200);
        scene.expect_response(sender, 200);
    }
    // A re-INVITE renews both.
    let invite = from.request(&mut scene, alice, "INVITE");
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    assert_eq!(scene.expect_request(bob, "INVITE").headers("Record-Route").len(), 2);
    scene.expect_nothing_more();
}

#[test]
fn a_wildcard_never_shows_and_what_is_advertised_does() {
    for (advertise, shown) in [(None, "192.0.2.1:5060"), (Some(("edge.example".into(), 5099)), "edge.example:5099")] {
        let (mut scene, alice, bob) = alice_and_bob(|settings| {
            settings.listeners[0].bound = "0.0.0.0:5060".parse().unwrap();
            settings.listeners[0].advertise = advertise.clone();
        });
        scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        assert!(heard.header("Via").starts_with(&format!("SIP/2.0/UDP {shown};branch=")), "{heard}");
        assert!(record_route(&heard).ends_with(&format!("@{shown};lr")), "{heard}");
        assert!(!heard.text().contains("0.0.0.0"), "{heard}");
    }
}

#[test]
fn a_cookie_finds_its_dialog_again() {
    for shards in [1, 4] {
        let mut scene = Scene::with_shards(shards, |_| {});
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(bob);
        let calls: Vec<(Dialog, Dialog)> = (0..2).map(|_| scene.call(alice, bob)).collect();
        assert_ne!(calls[0].0.routes, calls[1].0.routes);
        for (mut from, mut to) in calls {
            for (dialog, sender, receiver) in [(&mut from, alice, bob), (&mut to, bob, alice)] {
                let info = dialog.request(&mut scene, sender, "INFO");
                scene.send_request(sender, &info);
                assert_eq!(scene.expect_request(receiver, "INFO").header("Call-ID"), dialog.call_id);
            }
        }
    }
}

#[test]
fn a_loose_route_decides_where_it_goes() {
    for (route, address, transport) in [
        ("<sip:203.0.113.9;lr>", "203.0.113.9:5060", Transport::Udp),
        ("<sip:203.0.113.9:5080;lr>, <sip:further.example;lr>", "203.0.113.9:5080", Transport::Udp),
        ("<sip:x@[2001:db8::9]:5080;lr>", "[2001:db8::9]:5080", Transport::Udp),
        ("<sip:x@203.0.113.9:5080;lr;transport=tcp>", "203.0.113.9:5080", Transport::Tcp),
    ] {
        let (mut scene, alice, bob) = alice_and_bob(|_| {});
        let (mut from, _) = scene.call(alice, bob);
        let info = from.request(&mut scene, alice, "INFO").header(&format!("Route: {route}"));
        scene.send_request(alice, &info);
        let strays = scene.take_strays();
        let [(flow, heard)] = &strays[..] else { panic!("{strays:?}") };
        assert_eq!((flow.remote, flow.transport), (address.parse().unwrap(), transport));
        assert_eq!(heard.request_uri(), scene.contact(bob));
        assert_eq!(heard.headers("Route").join(", "), route);
        scene.expect_nothing_more();
    }
}

#[test]
fn a_strict_router_downstream_gets_its_uri_on_the_request_line() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let (mut from, _) = scene.call(alice, bob);
    let route = "Route: <sip:203.0.113.9:5080;x=y>, <sip:203.0.113.10;lr>";
    let info = from.request(&mut scene, alice, "INFO").header(route);
    scene.send_request(alice, &info);
    let strays = scene.take_strays();
    let [(flow, heard)] = &strays[..] else { panic!("{strays:?}") };
    assert_eq!(flow.remote, "203.0.113.9:5080".parse().unwrap());
    assert_eq!(heard.request_uri(), "sip:203.0.113.9:5080;x=y");
    assert_eq!(heard.headers("Route").join(", "), format!("<sip:203.0.113.10;lr>, <{}>", scene.contact(bob)));
    scene.expect_nothing_more();
}

#[test]
fn a_route_by_name_or_to_this_machine_is_never_followed() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let (mut from, _) = scene.call(alice, bob);
    for (route, status) in [
        ("<sip:elsewhere.example;lr>", 403),
        ("<sip:elsewhere.example>", 403),
        ("<sip:127.0.0.1:5080;lr>", 403),
        ("<sip:[::1]:5080;lr>", 403),
        ("<sip:[::ffff:127.0.0.1];lr>", 403),
        ("<sip:0.0.0.0;lr>", 403),
        ("<sip:224.0.1.75;lr>", 403),
        ("<<", 400),
    ] {
        let info = from.request(&mut scene, alice, "INFO").header(&format!("Route: {route}"));
        scene.send_request(alice, &info);
        scene.expect_response(alice, status);
        scene.expect_nothing_more();
    }
}

#[test]
fn every_branch_has_a_branch_parameter_of_its_own() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let devices: Vec<Phone> = (0..4).map(|_| scene.phone("102@acme.example")).collect();
    for (index, &device) in devices.iter().enumerate() {
        let contact = format!("<{}>;q={}", scene.contact(device), if index < 3 { "1.0" } else { "0.1" });
        let register = scene.request(device, "REGISTER", "sip:acme.example").contact(&contact);
        scene.ask(device, register);
    }
    scene.invite(alice, devices[0]);
    let mut branches = Vec::new();
    for &device in &devices {
        let heard = scene.expect_request(device, "INVITE");
        assert!(heard.branch().starts_with("z9hG4bK"), "{heard}");
        branches.push(heard.branch());
        scene.respond(device, &heard, 480);
        assert_eq!(scene.expect_request(device, "ACK").branch(), heard.branch());
    }
    // And so has the same call made again.
    scene.expect_response(alice, 480);
    scene.invite(alice, devices[0]);
    branches.push(scene.expect_request(devices[0], "INVITE").branch());
    let count = branches.len();
    branches.sort();
    branches.dedup();
    assert_eq!(branches.len(), count);
}

#[test]
fn the_cancel_and_the_ack_have_the_branch_of_their_invite() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let devices: Vec<Phone> = (0..3).map(|_| scene.phone("102@acme.example")).collect();
    devices.iter().for_each(|&device| drop(scene.register(device)));
    let invite = scene.request(alice, "INVITE", BOB).header("Require: a").header("Route: <sip:192.0.2.1;lr>");
    let invite = scene.answer_challenge(alice, invite);
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    let heard: Vec<_> = devices.iter().map(|&device| scene.expect_request(device, "INVITE")).collect();
    let like_invite = |request: &Heard, invite: &Heard| {
        assert_eq!(request.headers("Via"), invite.headers("Via")[..1]);
        assert_eq!(request.request_uri(), invite.request_uri());
        for name in ["Route", "From", "Call-ID"] {
            assert_eq!(request.headers(name), invite.headers(name), "{request}");
        }
        assert_eq!(request.header("CSeq").split(' ').next(), invite.header("CSeq").split(' ').next());
        assert!(!request.has("Require") && !request.has("Record-Route"), "{request}");
    };
    scene.respond(devices[0], &heard[0], 180);
    scene.expect_response(alice, 180);
    // One is busy, and one answers: the third is cancelled.
    scene.respond(devices[1], &heard[1], 486);
    let ack = scene.expect_request(devices[1], "ACK");
    like_invite(&ack, &heard[1]);
    assert_eq!(ack.to_tag(), "tag-2", "that of the response");
    scene.respond(devices[2], &heard[2], 200);
    scene.expect_response(alice, 200);
    let cancel = scene.expect_request(devices[0], "CANCEL");
    like_invite(&cancel, &heard[0]);
    assert_eq!(cancel.header("To"), heard[0].header("To"));
    assert_eq!(cancel.header("Reason"), "SIP;cause=200;text=\"Call completed elsewhere\"");
    scene.expect_nothing_more();
}

#[test]
fn a_request_to_a_stream_gets_a_content_length() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    let carol = scene.phone("102@acme.example");
    scene.register(bob);
    scene.register(carol);
    let invite = scene.request(alice, "INVITE", BOB);
    let invite = scene.answer_challenge(alice, invite.body("text/plain", "hello"));
    scene.send(alice, invite.text().replace("Content-Length: 5\r\n", ""));
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    assert_eq!((heard.headers("Content-Length"), heard.body()), (vec!["5".into()], "hello".into()));
    let heard = scene.expect_request(carol, "INVITE");
    assert_eq!((heard.has("Content-Length"), heard.body()), (false, "hello".into()));
}

#[test]
fn bytes_after_the_body_of_a_datagram_stay_behind() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let message = scene.request(alice, "MESSAGE", BOB).body("text/plain", "hello");
    let message = scene.answer_challenge(alice, message);
    scene.send(alice, message.text() + "INVITE sip:x@y SIP/2.0\r\n");
    assert_eq!(scene.expect_request(bob, "MESSAGE").body(), "hello");
    scene.expect_nothing_more();
}

#[test]
fn a_request_that_grew_over_1300_bytes_stays_on_its_flow() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let message = scene.request(alice, "MESSAGE", BOB).body("text/plain", &"x".repeat(3000));
    let message = scene.answer_challenge(alice, message);
    scene.send_request(alice, &message);
    let heard = scene.expect_request(bob, "MESSAGE");
    assert!(heard.bytes.len() > 3000 && heard.header("Via").starts_with("SIP/2.0/UDP "), "{heard}");
    scene.expect_nothing_more();
}

#[test]
fn a_udp_invite_to_a_tcp_phone_is_forwarded_statefully() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    assert!(heard.header("Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;branch="), "{heard}");
    // Alice repeats it until she hears more than a 100; Bob's stream repeats nothing.
    for _ in 0..3 {
        scene.send_request(alice, &invite);
        scene.expect_response(alice, 100);
    }
    scene.advance(Duration::from_secs(20));
    scene.expect_nothing_more();
}

#[test]
fn timer_c_is_longer_than_three_minutes() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 180);
    scene.expect_response(alice, 180);
    scene.advance(Duration::from_secs(180));
    scene.expect_nothing_more();
    scene.advance(Duration::from_secs(5));
    scene.expect_request(bob, "CANCEL");
}

#[test]
fn who_asserts_an_identity_is_never_an_endpoint() {
    let (mut scene, alice, bob) = alice_and_bob(|_| {});
    let message = scene
        .request(alice, "MESSAGE", BOB)
        .header("P-Asserted-Identity: <sip:1@acme.example>")
        .header("p-asserted-identity: <tel:1>")
        .header("P-Preferred-Identity: <sip:2@acme.example>")
        .header("Remote-Party-ID: <sip:3@acme.example>;party=calling");
    let message = scene.answer_challenge(alice, message);
    scene.send_request(alice, &message);
    let heard = scene.expect_request(bob, "MESSAGE");
    for name in ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"] {
        assert!(!heard.has(name), "{heard}");
    }
}
