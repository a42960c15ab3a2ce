//! Flows that phones register themselves (RFC 5626), STUN keep-alives, and Path (RFC 3327).

use std::time::Duration;

use ringway_edge::Input;
use ringway_sip::Transport;

use crate::registration::{register, registered, without_jitter};
use crate::scene::{Heard, Phone, Request, Scene};

const DEVICE: &str = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>\"";

fn scene() -> Scene {
    Scene::with(without_jitter)
}

/// Makes a REGISTER one of a flow.
fn flow(request: Request, contact: &str, reg_id: u32) -> Request {
    request.contact(&format!("<{contact}>;{DEVICE};reg-id={reg_id}")).header("Supported: path, outbound")
}

#[track_caller]
fn register_flow(scene: &mut Scene, phone: Phone, reg_id: u32) -> Heard {
    let contact = scene.contact(phone);
    register(scene, phone, |request| flow(request, &contact, reg_id))
}

/// Two ways to one phone of 102, the second registered last, and a caller.
fn two_flows(transport: Transport) -> (Scene, Phone, Phone, Phone) {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let first = scene.phone_at("102@acme.example", transport, "198.51.100.2:40001");
    let second = scene.phone_at("102@acme.example", transport, "198.51.100.3:40002");
    register_flow(&mut scene, first, 1);
    scene.advance(Duration::from_secs(1));
    register_flow(&mut scene, second, 2);
    (scene, caller, first, second)
}

#[test]
fn a_registered_flow_is_answered_with_require_outbound_and_a_flow_timer() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let response = register_flow(&mut scene, phone, 1);
    assert_eq!(response.status(), Some(200), "{response}");
    assert_eq!((response.header("Require"), response.header("Flow-Timer")), ("outbound".into(), "120".into()));
    assert!(response.header("Contact").contains(&format!(";{DEVICE};reg-id=1;")), "{response}");
    scene.reconfigure(|settings| settings.registrar.flow_timer = 0);
    let response = register_flow(&mut scene, phone, 1);
    assert_eq!((response.header("Require"), response.has("Flow-Timer")), ("outbound".into(), false));
}

#[test]
fn a_registration_may_insist_on_the_extensions_that_there_are_and_on_no_other() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let contact = scene.contact(phone);
    let response =
        register(&mut scene, phone, |request| flow(request, &contact, 1).header("Require: outbound, Path, gruu"));
    assert_eq!(response.status(), Some(200), "{response}");
    let response = register(&mut scene, phone, |request| flow(request, &contact, 1).header("Require: gruu, teleport"));
    assert_eq!((response.status(), response.header("Unsupported")), (Some(420), "teleport".into()));
    let options = scene.request(phone, "OPTIONS", "sip:acme.example").header("Require: outbound");
    scene.send_request(phone, &options);
    assert_eq!(scene.expect_response(phone, 420).header("Unsupported"), "outbound");
}

#[test]
fn whoever_does_not_ask_for_it_whole_registers_as_before() {
    let plain = |contact: &str| format!("<{contact}>");
    for (contact, supported) in [
        (format!("{};{DEVICE};reg-id=1", plain("sip:101@198.51.100.1")), "path"),
        (format!("{};{DEVICE}", plain("sip:101@198.51.100.1")), "outbound"),
        (format!("{};reg-id=1", plain("sip:101@198.51.100.1")), "outbound"),
        (format!("{};{DEVICE};reg-id=0", plain("sip:101@198.51.100.1")), "outbound"),
    ] {
        let mut scene = scene();
        let phone = scene.phone("101@acme.example");
        let header = format!("Supported: {supported}");
        let response = register(&mut scene, phone, |request| request.contact(&contact).header(&header));
        assert_eq!(response.status(), Some(200), "{response}");
        assert!(!response.has("Require") && !response.has("Flow-Timer"), "{contact} {supported}");
    }
}

#[test]
fn a_flow_behind_a_proxy_that_does_not_keep_it_is_439_and_without_support_as_before() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let contact = scene.contact(phone);
    let second_hop = "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-first-hop";
    for path in [None, Some("Path: <sip:edge.example;lr>")] {
        let behind = |request: Request| {
            let request = request.header(second_hop);
            if let Some(path) = path { request.header(path) } else { request }
        };
        let refused = register(&mut scene, phone, |request| behind(flow(request, &contact, 1)));
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(439), "first-hop-lacks-outbound"));
        let ignored = register(&mut scene, phone, |request| {
            behind(request.contact(&format!("<{contact}>;{DEVICE};reg-id=1")).header("Supported: path"))
        });
        assert_eq!((ignored.status(), ignored.has("Require")), (Some(200), false), "{ignored}");
    }
    for path in ["<sip:t0k3n@edge.example;lr;ob>", "<sip:outer.example;lr>, <sip:t0k3n@edge.example;lr;ob>"] {
        let kept = register(&mut scene, phone, |request| {
            flow(request, &contact, 1).header(second_hop).header(&format!("Path: {path}"))
        });
        assert_eq!((kept.status(), kept.header("Require")), (Some(200), "outbound".into()), "{kept}");
    }
}

#[test]
fn a_flow_is_registered_alone_whatever_is_removed_beside_it() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let with = |other: &str| format!("<sip:101@198.51.100.1>;{DEVICE};reg-id=1, {other}");
    let several = with("<sip:101@198.51.100.9>");
    let refused = register(&mut scene, phone, |request| request.contact(&several).header("Supported: outbound"));
    assert_eq!((refused.status(), &*refused.reason_code()), (Some(400), "flow-with-others"));
    assert_eq!(registered(&mut scene, phone), Vec::<String>::new());
    let removing = with("<sip:101@198.51.100.9>;expires=0");
    let taken = register(&mut scene, phone, |request| request.contact(&removing).header("Supported: outbound"));
    assert_eq!((taken.status(), taken.header("Require")), (Some(200), "outbound".into()));
}

#[test]
fn a_device_that_comes_again_with_its_instance_and_reg_id_is_called_by_its_new_flow() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (before, after) = (scene.tcp_phone("102@acme.example"), scene.tcp_phone("102@acme.example"));
    register_flow(&mut scene, before, 1);
    scene.advance(Duration::from_secs(10));
    let response = register_flow(&mut scene, after, 1);
    assert_eq!(response.headers("Contact").len(), 1, "{response}");
    assert!(response.header("Contact").contains("198.51.100.3"), "{response}");
    scene.invite(caller, after);
    scene.expect_request(after, "INVITE");
    scene.expect_nothing_more();
}

#[test]
fn devices_with_flows_and_devices_without_are_registered_side_by_side() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (with, without) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    register_flow(&mut scene, with, 1);
    scene.register(without);
    assert_eq!(registered(&mut scene, without).len(), 2);
    scene.invite(caller, with);
    scene.expect_request(with, "INVITE");
    scene.expect_request(without, "INVITE");
    scene.expect_nothing_more();
}

#[test]
fn a_device_is_rung_by_one_of_its_flows_only_the_one_that_it_registered_last() {
    let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
    assert_eq!(registered(&mut scene, first).len(), 2);
    let invite = scene.invite(caller, first);
    let heard = scene.expect_request(second, "INVITE");
    scene.expect_nothing_more();
    // It answers for the whole device, whatever it says.
    scene.respond(second, &heard, 486);
    scene.expect_request(second, "ACK");
    let busy = scene.expect_response(caller, 486);
    scene.send(caller, busy.ack(&invite.text()));
    scene.expect_nothing_more();
}

#[test]
fn a_flow_that_fails_is_followed_by_another_of_the_same_device() {
    for failure in [Some(430), Some(408), None] {
        let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
        scene.invite(caller, first);
        let heard = scene.expect_request(second, "INVITE");
        match failure {
            Some(status) => {
                scene.respond(second, &heard, status);
                scene.expect_request(second, "ACK");
            }
            None => {
                let flow = scene.state(second).flow;
                scene.input(0, Input::SendFailed(flow));
            }
        }
        let heard = scene.expect_request(first, "INVITE");
        scene.expect_nothing_more();
        scene.respond(first, &heard, 200);
        scene.expect_response(caller, 200);
        scene.expect_nothing_more();
    }
}

#[test]
fn a_device_that_has_rung_is_not_tried_by_another_flow() {
    let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
    let invite = scene.invite(caller, first);
    let heard = scene.expect_request(second, "INVITE");
    scene.respond(second, &heard, 180);
    scene.expect_response(caller, 180);
    scene.respond(second, &heard, 408);
    scene.expect_request(second, "ACK");
    let failure = scene.expect_response(caller, 408);
    scene.send(caller, failure.ack(&invite.text()));
    scene.expect_nothing_more();
}

#[test]
fn a_100_is_the_next_hops_word_and_not_the_devices() {
    let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
    scene.invite(caller, first);
    let heard = scene.expect_request(second, "INVITE");
    scene.respond(second, &heard, 100);
    scene.respond(second, &heard, 430);
    scene.expect_request(second, "ACK");
    let heard = scene.expect_request(first, "INVITE");
    scene.respond(first, &heard, 200);
    scene.expect_response(caller, 200);
    scene.expect_nothing_more();
}

#[test]
fn when_every_flow_has_failed_the_caller_hears_no_430() {
    let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
    scene.invite(caller, first);
    for phone in [second, first] {
        let heard = scene.expect_request(phone, "INVITE");
        scene.respond(phone, &heard, 430);
        scene.expect_request(phone, "ACK");
    }
    let failure = scene.expect_response(caller, 500);
    assert_eq!(failure.reason_code(), "flow-failed");
    scene.expect_nothing_more();
}

#[test]
fn a_message_falls_over_too() {
    let (mut scene, caller, first, second) = two_flows(Transport::Tcp);
    let uri = scene.uri(first);
    let message = scene.request(caller, "MESSAGE", &uri).body("text/plain", "hello");
    let message = scene.answer_challenge(caller, message);
    scene.send_request(caller, &message);
    let heard = scene.expect_request(second, "MESSAGE");
    scene.respond(second, &heard, 430);
    let heard = scene.expect_request(first, "MESSAGE");
    scene.respond(first, &heard, 200);
    scene.expect_response(caller, 200);
    scene.expect_nothing_more();
}

#[test]
fn a_registered_flow_is_used_though_the_contact_names_another_address() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let phone = scene.phone_at("102@acme.example", Transport::Udp, "198.51.100.2:6000");
    // Without rport its Via tells nothing of a NAT.
    let via = "SIP/2.0/UDP 198.51.100.2:5062";
    for is_outbound in [true, false] {
        let request = scene.request(phone, "REGISTER", "sip:acme.example");
        let request = Request { via: via.into(), ..request };
        let request = request.contact(&format!("<sip:102@198.51.100.2:5062>;{DEVICE};reg-id=1"));
        let request = if is_outbound { request.header("Supported: outbound") } else { request };
        // Its responses go where its Via says: to a port that nobody of the story has.
        scene.send_request(phone, &request);
        let challenge = scene.take_strays().remove(0).1;
        let serial = scene.next_serial();
        let request = request.with_credentials(&challenge, "102", "secret-102", serial);
        scene.send_request(phone, &request);
        assert_eq!(scene.take_strays().remove(0).1.status(), Some(200));
        let uri = scene.uri(phone);
        let invite = scene.request(caller, "INVITE", &uri);
        let invite = scene.answer_challenge(caller, invite);
        scene.send_request(caller, &invite);
        scene.expect_response(caller, 100);
        assert_eq!(scene.hear(phone).is_some(), is_outbound);
        assert_eq!(scene.take_strays().is_empty(), is_outbound);
        scene.send(caller, invite.cancel());
        scene.expect_response(caller, 200);
    }
}

#[test]
fn a_flow_whose_connection_is_closed_is_dead_at_once_and_a_plain_contact_is_tried() {
    for (is_outbound, listed) in [(true, 0), (false, 1)] {
        let mut scene = scene();
        let other = scene.phone("101@acme.example");
        let phone = scene.tcp_phone("101@acme.example");
        let contact = scene.contact(phone);
        register(&mut scene, phone, |request| {
            let request = request.contact(&format!("<{contact}>;{DEVICE};reg-id=1"));
            if is_outbound { request.header("Supported: outbound") } else { request }
        });
        let flow = scene.state(phone).flow;
        scene.input(0, Input::FlowClosed(flow));
        assert_eq!(registered(&mut scene, other).len(), listed, "outbound: {is_outbound}");
    }
}

#[test]
fn a_connection_that_only_its_phone_can_open_is_dead_when_it_closes() {
    for transport in [Transport::Tls, Transport::Ws, Transport::Wss] {
        let mut scene = scene();
        let other = scene.phone("101@acme.example");
        let phone = scene.phone_at("101@acme.example", transport, "198.51.100.9:40000");
        // Its Contact could be reached by TCP, which is not the way that it has chosen.
        let contact = "<sip:101@198.51.100.9:40000;transport=tcp>";
        register(&mut scene, phone, |request| request.contact(contact));
        assert_eq!(registered(&mut scene, other).len(), 1);
        let flow = scene.state(phone).flow;
        scene.input(0, Input::FlowClosed(flow));
        assert_eq!(registered(&mut scene, other), Vec::<String>::new(), "{transport}");
    }
}

#[test]
fn a_connection_that_carries_a_flow_is_watched_longer_than_its_flow_timer() {
    let mut scene = scene();
    let (tcp, udp) = (scene.tcp_phone("101@acme.example"), scene.phone("102@acme.example"));
    register_flow(&mut scene, udp, 1);
    scene.register(udp);
    assert_eq!(scene.expected, [], "datagrams have no connection, and who has not promised anything is not watched");
    register_flow(&mut scene, tcp, 1);
    let flow = scene.state(tcp).flow;
    assert_eq!(scene.expected, [(flow, Duration::from_secs(120), Duration::from_secs(150))]);
}

#[test]
fn a_flow_behind_a_proxy_is_the_proxys_to_watch() {
    let mut scene = scene();
    let phone = scene.tcp_phone("101@acme.example");
    let contact = scene.contact(phone);
    for more in [
        &["Path: <sip:t0k3n@edge.example;lr;ob>"][..],
        &["Path: <sip:t0k3n@edge.example;lr;ob>", "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-first-hop"],
    ] {
        let response = register(&mut scene, phone, |request| {
            more.iter().fold(flow(request, &contact, 1), |request, header| request.header(header))
        });
        assert_eq!((response.header("Require"), response.has("Flow-Timer")), ("outbound".into(), false));
    }
    assert_eq!(scene.expected, []);
}

/// A STUN Binding request without attributes.
fn stun() -> Vec<u8> {
    [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat()
}

#[test]
fn a_stun_keep_alive_of_a_registered_phone_is_answered_with_its_address_and_nobody_elses() {
    let mut scene = scene();
    let (phone, stranger) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    register_flow(&mut scene, phone, 1);
    scene.send(stranger, stun());
    scene.expect_nothing_more();
    scene.send(phone, stun());
    let answer = scene.hear(phone).unwrap().bytes;
    assert_eq!(answer.len(), 32, "less than twice the request");
    assert_eq!((&answer[..2], &answer[4..20]), (&[1, 1][..], &stun()[4..]));
    let port = 5060_u16 ^ 0x2112;
    let address = [198 ^ 0x21, 51 ^ 0x12, 100 ^ 0xa4, 1 ^ 0x42];
    let mapped = [&[0, 0x20, 0, 8, 0, 1][..], &port.to_be_bytes(), &address].concat();
    assert_eq!(answer[20..], mapped);
    assert_eq!(scene.shards[0].counters().stun_answers, 1);
    // CRLFs and a vendor's few bytes keep the door open without an answer.
    for keep_alive in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"jaK\0"] {
        scene.send(phone, keep_alive);
    }
    // STUN that asks for something else.
    let mut other = stun();
    other[1] = 3;
    scene.send(phone, other);
    scene.expect_nothing_more();
}

#[test]
fn a_stun_keep_alive_over_ipv6_is_answered_within_the_budget_of_its_source() {
    let mut scene = Scene::with(|settings| {
        without_jitter(settings);
        settings.limits.source.requests = 5;
    });
    let phone = scene.phone_at("101@acme.example", Transport::Udp, "[2001:db8::7]:5060");
    let contact = scene.contact(phone);
    let response = register(&mut scene, phone, |request| request.contact(&format!("<{contact}>")));
    assert_eq!(response.status(), Some(200), "{response}");
    let answers = |scene: &mut Scene| {
        for _ in 0..50 {
            scene.send(phone, stun());
        }
        std::iter::from_fn(|| scene.hear(phone)).map(|answer| answer.bytes.len()).collect::<Vec<_>>()
    };
    let answered = answers(&mut scene);
    assert!((1..=20).contains(&answered.len()), "{answered:?}");
    assert!(answered.iter().all(|length| *length == 44), "with its address");
    scene.advance(Duration::from_secs(10));
    assert!(!answers(&mut scene).is_empty(), "and later again");
}

// --- Path ---

const PATH: &str = "<sip:t0k3n@192.0.2.77;lr>";

fn register_by_path(scene: &mut Scene, phone: Phone, path: &str) -> Heard {
    let header = format!("Path: {path}");
    register(scene, phone, |request| {
        request.contact("<sip:102@10.0.0.7:5060>").header(&header).header("Supported: path")
    })
}

#[test]
fn a_path_is_stored_and_told_and_requests_pass_it_by_the_flow_that_the_registration_came_on() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let edge = scene.phone("102@acme.example");
    let path = format!("<sip:outer.example;lr>, {PATH}");
    let response = register_by_path(&mut scene, edge, &path);
    assert_eq!((response.status(), response.header("Path")), (Some(200), path.clone()));
    scene.invite(caller, edge);
    let invite = scene.expect_request(edge, "INVITE");
    assert_eq!(invite.request_uri(), "sip:102@10.0.0.7:5060");
    assert_eq!(invite.headers("Route"), std::slice::from_ref(&path), "in its order, and sent to nobody else");
    scene.expect_nothing_more();
    // It survives a restart.
    scene.restart();
    scene.invite(caller, edge);
    assert_eq!(scene.expect_request(edge, "INVITE").headers("Route"), [path]);
}

#[test]
fn a_path_that_the_phone_does_not_know_of_is_refused_with_420() {
    let mut scene = scene();
    let edge = scene.phone("102@acme.example");
    let header = format!("Path: {PATH}");
    let refused = register(&mut scene, edge, |request| request.header(&header));
    assert_eq!((refused.status(), refused.header("Unsupported")), (Some(420), "path".into()));
    assert_eq!(refused.reason_code(), "path-unsupported");
    assert_eq!(registered(&mut scene, edge), Vec::<String>::new());
}

#[test]
fn a_path_that_can_t_be_followed_is_refused() {
    let mut scene = scene();
    let edge = scene.phone("102@acme.example");
    let long = format!("<sip:{}@192.0.2.77;lr>", "x".repeat(600));
    for path in ["<sip:192.0.2.77>", "<tel:+1;lr>", &long] {
        let refused = register_by_path(&mut scene, edge, path);
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(403), "path-refused"), "{path}");
    }
    assert_eq!(registered(&mut scene, edge), Vec::<String>::new());
}

#[test]
fn a_phone_behind_a_proxy_is_the_proxys_to_ping() {
    let mut scene = Scene::with(|settings| {
        without_jitter(settings);
        settings.registrar.ping_seconds = 25;
    });
    let edge = scene.phone("102@acme.example");
    register_by_path(&mut scene, edge, PATH);
    scene.advance(Duration::from_secs(100));
    scene.expect_nothing_more();
}

#[test]
fn the_path_of_one_phone_is_not_that_of_another() {
    let mut scene = scene();
    let caller = scene.phone("101@acme.example");
    let (edge, direct) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    register_by_path(&mut scene, edge, PATH);
    scene.register(direct);
    scene.invite(caller, direct);
    assert_eq!(scene.expect_request(edge, "INVITE").headers("Route"), [PATH]);
    assert_eq!(scene.expect_request(direct, "INVITE").headers("Route"), Vec::<String>::new());
    scene.expect_nothing_more();
}

// --- Service-Route ---

#[test]
fn a_phone_is_told_the_way_for_its_requests_when_that_is_configured_and_may_use_it() {
    let mut scene = scene();
    let (caller, callee) = (scene.tcp_phone("101@acme.example"), scene.phone("102@acme.example"));
    assert!(!scene.register(caller).has("Service-Route"), "not by default");
    scene.reconfigure(|settings| settings.registrar.service_route = true);
    let route = "<sip:192.0.2.1:5060;transport=tcp;lr>";
    assert_eq!(scene.register(caller).headers("Service-Route"), [route]);
    assert_eq!(scene.register(callee).headers("Service-Route"), ["<sip:192.0.2.1:5060;lr>"]);
    // Who only asks what is registered hears it as well.
    let fetched = register(&mut scene, caller, |request| Request { contact: None, ..request });
    assert_eq!(fetched.headers("Service-Route"), [route]);
    let uri = scene.uri(callee);
    let invite = scene.request(caller, "INVITE", &uri).header(&format!("Route: {route}"));
    let invite = scene.answer_challenge(caller, invite);
    scene.send_request(caller, &invite);
    scene.expect_response(caller, 100);
    assert!(!scene.expect_request(callee, "INVITE").has("Route"));
    scene.expect_nothing_more();
}

// --- X-Push ---

#[test]
fn a_device_that_says_by_x_push_how_to_wake_it_is_an_app() {
    let mut scene = Scene::with(without_jitter);
    scene.redirect(|edit| {
        let limits = ringway_directory::Extension {
            max_phones: 1,
            max_apps: 1,
            ..crate::scene::extension("acme.example", "101")
        };
        edit.put_extension(crate::scene::ACME, limits);
    });
    let (desk, app, second) =
        (scene.phone("101@acme.example"), scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    scene.register(desk);
    let push = "X-Push: device-os=ios; device-uid=abc; allow-call-push=true; app-id=com.example";
    let response = register(&mut scene, app, |request| request.header(push));
    assert_eq!(response.status(), Some(200), "{response}");
    let response = register(&mut scene, second, |request| request.header(push));
    assert_eq!(response.reason_code(), "registration-limit");
}
