//! Phones that register: RFC 3261 section 10.3, as far as it ends in a 200.

use std::time::Duration;

use ringway_edge::{Input, Settings};
use ringway_sip::Transport;

use crate::scene::{Heard, Phone, Request, Scene};

/// A node that grants what is asked, to the second.
fn scene() -> Scene {
    Scene::with(without_jitter)
}

pub fn without_jitter(settings: &mut Settings) {
    settings.registrar.expires_jitter = 0;
}

/// Registers with what `change` makes of a plain REGISTER; whatever is answered to its credentials.
#[track_caller]
pub fn register(scene: &mut Scene, phone: Phone, change: impl FnOnce(Request) -> Request) -> Heard {
    let domain = scene.state(phone).domain.clone();
    let request = scene.request(phone, "REGISTER", &format!("sip:{domain}"));
    scene.ask(phone, change(request))
}

/// As [`register`], with a Call-ID and the CSeq that the request with credentials has.
#[track_caller]
pub fn register_in_order(scene: &mut Scene, phone: Phone, call_id: &str, cseq: u32, contact: &str) -> Heard {
    register(scene, phone, |request| Request { call_id: call_id.into(), cseq: cseq - 1, ..request }.contact(contact))
}

/// The Contacts that a REGISTER without one is answered with: what is registered.
#[track_caller]
pub fn registered(scene: &mut Scene, phone: Phone) -> Vec<String> {
    let response = register(scene, phone, |request| Request { contact: None, ..request });
    assert_eq!(response.status(), Some(200), "{response}");
    scene.expect_nothing_more();
    response.headers("Contact")
}

#[test]
fn a_registration_is_answered_with_every_current_binding_and_its_expiry() {
    let mut scene = scene();
    let (desk, mobile) = (scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    let response = register(&mut scene, desk, |request| request.header("Expires: 120"));
    assert_eq!(response.headers("Contact"), ["<sip:101@198.51.100.1:5060>;expires=120"]);
    scene.advance(Duration::from_secs(50));
    let response = register(&mut scene, mobile, |request| {
        let request = request.header("Record-Route: <sip:proxy.example;lr>").header("Expires: 600");
        request.contact("\"Mobile\" <sip:101@198.51.100.2:5060>;q=0.70;+sip.instance=\"<urn:uuid:1>\";Mobility=mobile")
    });
    assert_eq!(
        response.headers("Contact"),
        [
            "<sip:101@198.51.100.1:5060>;expires=70",
            "<sip:101@198.51.100.2:5060>;+sip.instance=\"<urn:uuid:1>\";Mobility=mobile;q=0.7;expires=600",
        ]
    );
    assert_eq!(response.header("Date"), "Fri, 15 Jan 2027 08:00:50 GMT");
    assert!(!response.has("Record-Route"), "{response}");
    assert!(!response.to_tag().is_empty());
    scene.expect_nothing_more();
}

#[test]
fn what_is_registered_is_where_a_call_goes() {
    let mut scene = scene();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let contact = "sip:B%6fb@198.51.100.2:5060;line=7;Ob";
    register(&mut scene, callee, |request| request.contact(&format!("<{contact}>")));
    scene.invite(caller, callee);
    assert_eq!(scene.expect_request(callee, "INVITE").request_uri(), contact, "byte for byte");
    scene.expect_nothing_more();
}

#[test]
fn the_record_is_found_by_the_bare_address_of_record() {
    for uri in ["sip:101@acme.example;user=phone", "sip:%3101@ACME.example", "sip:101@acme.test"] {
        let mut scene = scene();
        let (callee, caller) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        let to = "\"One\" <sip:1%30%31@Acme.Example;user=phone;foo=bar>";
        let response = register(&mut scene, callee, |request| Request { to: to.into(), ..request });
        assert_eq!(response.status(), Some(200), "{response}");
        let keys: Vec<_> = scene.take_kept().into_iter().map(|kept| kept.key).collect();
        assert_eq!(keys, ["acme.example\u{0}101"]);
        let invite = scene.request(caller, "INVITE", uri);
        assert_eq!(scene.ask(caller, invite).status(), Some(100));
        scene.expect_request(callee, "INVITE");
    }
}

#[test]
fn the_expiry_is_the_contacts_then_the_headers_then_the_default() {
    for (parameter, header, expected) in [
        (";expires=120", "Expires: 600", 120),
        (";Expires=120", "X: y", 120),
        ("", "Expires: 600", 600),
        ("", "X: y", 300),
        (";expires=abc", "Expires: 600", 3600),
        ("", "Expires: soon", 3600),
        (";expires", "X: y", 3600),
        (";expires=3601", "X: y", 3600),
        (";expires=4294967296", "X: y", 3600),
        ("", "Expires: 99999999999999999999", 3600),
    ] {
        let mut scene = scene();
        let phone = scene.phone("101@acme.example");
        let contact = format!("<sip:101@198.51.100.1>{parameter}");
        let response = register(&mut scene, phone, |request| request.contact(&contact).header(header));
        let contacts = [format!("<sip:101@198.51.100.1>;expires={expected}")];
        assert_eq!(response.headers("Contact"), contacts, "{parameter} {header}");
    }
}

#[test]
fn a_binding_is_gone_when_its_time_is_up() {
    let mut scene = scene();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    register(&mut scene, callee, |request| request.header("Expires: 60"));
    scene.advance(Duration::from_millis(59_999));
    assert_eq!(registered(&mut scene, callee), ["<sip:102@198.51.100.2:5060>;expires=1"]);
    scene.advance(Duration::from_millis(1));
    assert!(registered(&mut scene, callee).is_empty());
    let uri = scene.uri(callee);
    let invite = scene.request(caller, "INVITE", &uri);
    assert_eq!(scene.ask(caller, invite).status(), Some(480));
    scene.advance(Duration::from_secs(5));
    let mut count = 0;
    scene.location.count(|_, bindings| count += bindings);
    assert_eq!(count, 0, "it was swept too");
}

#[test]
fn a_binding_never_lives_shorter_than_was_granted() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    scene.advance(Duration::from_millis(999));
    let response = register(&mut scene, phone, |request| request.header("Expires: 60"));
    assert_eq!(response.headers("Contact"), ["<sip:101@198.51.100.1:5060>;expires=60"]);
    scene.advance(Duration::from_millis(59_999));
    assert_eq!(registered(&mut scene, phone).len(), 1);
    scene.advance(Duration::from_millis(2));
    assert!(registered(&mut scene, phone).is_empty());
}

#[test]
fn a_reg_id_counts_only_with_an_instance_and_from_a_device_that_supports_outbound() {
    let bindings = |parameters: &str, supported: &str| {
        let mut scene = scene();
        let phone = scene.phone("101@acme.example");
        for port in [5060, 5061] {
            let contact = format!("<sip:101@198.51.100.1:{port}>{parameters}");
            register(&mut scene, phone, |request| request.contact(&contact).header(supported));
        }
        registered(&mut scene, phone).len()
    };
    let instance = ";+sip.instance=\"<urn:uuid:1>\"";
    assert_eq!(bindings(&format!("{instance};reg-id=1"), "Supported: path, Outbound"), 1, "the same flow, come back");
    assert_eq!(bindings(&format!("{instance};reg-id=1"), "Supported: path"), 2);
    assert_eq!(bindings(&format!("{instance};reg-id=0"), "Supported: outbound"), 2);
    assert_eq!(bindings(";reg-id=1", "Supported: outbound"), 2);
    assert_eq!(bindings(instance, "Supported: outbound"), 2);
}

#[test]
fn granted_intervals_are_spread_and_never_longer_than_asked() {
    let mut scene = Scene::new();
    let mut granted = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let phone = scene.phone("101@acme.example");
        let response = register(&mut scene, phone, |request| request.contact("<sip:101@198.51.100.1>;expires=1000"));
        let contact = response.header("Contact");
        granted.insert(contact.split("expires=").nth(1).unwrap().parse::<u32>().unwrap());
    }
    assert!(granted.iter().all(|seconds| (900..=1000).contains(seconds)), "{granted:?}");
    assert!(granted.len() > 20, "{granted:?}");
}

#[test]
fn another_call_id_updates_and_removes_whatever_its_cseq() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let contact = "<sip:101@198.51.100.1>";
    register_in_order(&mut scene, phone, "before-the-reboot", 500, contact);
    let response = register_in_order(&mut scene, phone, "after-the-reboot", 2, &format!("{contact};expires=90"));
    assert_eq!(response.headers("Contact"), [format!("{contact};expires=90")]);
    let response = register_in_order(&mut scene, phone, "another-reboot", 2, &format!("{contact};expires=0"));
    assert_eq!((response.status(), response.headers("Contact")), (Some(200), vec![]));
}

#[test]
fn a_higher_cseq_of_the_same_call_id_updates_and_removes() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let contact = "<sip:101@198.51.100.1>";
    register_in_order(&mut scene, phone, "one", 2, contact);
    let response = register_in_order(&mut scene, phone, "one", 4, &format!("{contact};expires=90"));
    assert_eq!(response.headers("Contact"), [format!("{contact};expires=90")]);
    register_in_order(&mut scene, phone, "one", 7, &format!("{contact};expires=0"));
    assert!(registered(&mut scene, phone).is_empty());
    let kept = scene.take_kept();
    assert_eq!(kept.len(), 3);
    assert!(kept[2].record.is_empty() && kept[0].version < kept[1].version && kept[1].version < kept[2].version);
}

#[test]
fn several_contacts_are_registered_at_once_and_kept_once() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    let response = register(&mut scene, phone, |request| {
        request
            .contact("<sip:a@198.51.100.1>;q=1, <sip:b@198.51.100.1>;q=0.5;expires=90")
            .header("m: sip:c@198.51.100.1;q=0")
    });
    let expected = [
        "<sip:a@198.51.100.1>;q=1;expires=300",
        "<sip:b@198.51.100.1>;q=0.5;expires=90",
        "<sip:c@198.51.100.1>;q=0;expires=300",
    ];
    assert_eq!(response.headers("Contact"), expected);
    assert_eq!(scene.take_kept().len(), 1);
}

#[test]
fn contact_star_removes_all() {
    let mut scene = scene();
    let (desk, mobile) = (scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    register_in_order(&mut scene, desk, "desk", 8, "<sip:101@198.51.100.1>");
    register_in_order(&mut scene, mobile, "mobile", 2, "<sip:101@198.51.100.2>");
    let all =
        |cseq| move |request| Request { call_id: "desk".into(), cseq, ..request }.contact("*").header("Expires: 0");
    let response = register(&mut scene, desk, all(6));
    assert_eq!((response.status(), response.reason_code()), (Some(500), "out-of-order".into()), "CSeq 7 is not higher");
    let response = register(&mut scene, desk, all(7));
    assert_eq!(response.status(), Some(500), "nor is 8");
    assert_eq!(registered(&mut scene, desk).len(), 2);
    let response = register(&mut scene, desk, all(8));
    assert_eq!((response.status(), response.headers("Contact")), (Some(200), vec![]));
    assert!(registered(&mut scene, mobile).is_empty());
    assert_eq!(scene.take_kept().len(), 3);
}

#[test]
fn a_register_without_contact_only_reads() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    register(&mut scene, phone, |request| request);
    scene.take_kept();
    let response = register(&mut scene, phone, |request| Request { contact: None, ..request }.header("Expires: 0"));
    assert_eq!(response.headers("Contact"), ["<sip:101@198.51.100.1:5060>;expires=300"]);
    assert_eq!(scene.take_kept(), []);
    scene.expect_nothing_more();
}

#[test]
fn bindings_are_compared_as_uris() {
    let contacts = |first: &str, second: &str| {
        let mut scene = scene();
        // Over TLS, for one of them is a sips URI.
        let phone = scene.stream_phone("101@acme.example", Transport::Tls);
        register_in_order(&mut scene, phone, "one", 2, &format!("<{first}>"));
        register_in_order(&mut scene, phone, "one", 4, &format!("<{second}>"));
        registered(&mut scene, phone).len()
    };
    assert_eq!(contacts("sip:a@phone.example:5060", "SIP:a@PHONE.example:5060;x=1"), 1);
    assert_eq!(contacts("sip:%61@phone.example", "sip:a@phone.example"), 1);
    assert_eq!(contacts("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"), 1);
    assert_eq!(contacts("sip:a@phone.example", "sip:a@phone.example:5060"), 2);
    assert_eq!(contacts("sip:a@phone.example", "sip:A@phone.example"), 2);
    assert_eq!(contacts("sip:a@phone.example", "sips:a@phone.example"), 2);
    assert_eq!(contacts("sip:a@phone.example;x=1", "sip:a@phone.example;x=2"), 2);
    assert_eq!(contacts("sip:a@phone.example;transport=udp", "sip:a@phone.example;transport=tcp"), 2);
}

#[test]
fn requests_of_two_phones_do_not_mix() {
    let mut scene = scene();
    let (desk, mobile) = (scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    let (other, namesake) = (scene.phone("102@acme.example"), scene.phone("101@globex.example"));
    for phone in [desk, mobile, other, namesake] {
        register(&mut scene, phone, |request| Request { call_id: "the-same".into(), ..request });
    }
    // Of 101's phones the second was refused, for they use one Call-ID and one CSeq; nothing else was.
    assert_eq!(registered(&mut scene, desk), ["<sip:101@198.51.100.1:5060>;expires=300"]);
    assert_eq!(registered(&mut scene, other), ["<sip:102@198.51.100.3:5060>;expires=300"]);
    assert_eq!(registered(&mut scene, namesake), ["<sip:101@198.51.100.4:5060>;expires=300"]);
    register(&mut scene, mobile, |request| request);
    assert_eq!(registered(&mut scene, desk).len(), 2);
    let response = register(&mut scene, other, |request| request.contact("<sip:102@198.51.100.3:5060>;expires=1"));
    assert_eq!(response.status(), Some(423));
    assert_eq!((registered(&mut scene, desk).len(), registered(&mut scene, other).len()), (2, 1));
}

#[test]
fn a_retransmitted_register_gets_the_same_answer_and_no_second_save() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let request = scene.request(phone, "REGISTER", "sip:acme.example").header("Expires: 600");
    let request = scene.answer_challenge(phone, request);
    scene.send_request(phone, &request);
    let first = scene.expect_response(phone, 200);
    for _ in 0..2 {
        scene.send_request(phone, &request);
        assert_eq!(scene.expect_response(phone, 200), first);
    }
    assert_eq!(scene.take_kept().len(), 1);
    scene.advance(Duration::from_secs(4));
    scene.send_request(phone, &request);
    let late = scene.expect_response(phone, 200);
    let left = |heard: &Heard| heard.header("Contact").split("expires=").nth(1).unwrap().parse::<u32>().unwrap();
    assert_eq!(left(&late), left(&first) - 4, "the record is not renewed by it");
    assert_eq!(scene.take_kept(), []);
    scene.expect_nothing_more();
}

#[test]
fn unknown_and_malformed_headers_that_are_not_needed_are_ignored() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    for line in
        ["X-Foo: \u{e4}\"<", "Date: yesterday", "Warning: what", "Subject: \"", "Retry-After: -1", "Supported: ,,"]
    {
        let response = register(&mut scene, phone, |request| request.header(line));
        assert_eq!(response.status(), Some(200), "{line}");
    }
}

#[test]
fn a_phone_behind_a_nat_is_called_on_the_flow_that_it_registered_by() {
    let call = |via: &str, contact: &str| {
        let mut scene = scene();
        let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        let via = format!("SIP/2.0/UDP {via}");
        register(&mut scene, callee, |request| Request { via, ..request }.contact(&format!("<{contact}>")));
        let uri = scene.uri(callee);
        let invite = scene.request(caller, "INVITE", &uri);
        assert_eq!(scene.ask(caller, invite).status(), Some(100));
        let mut sent: Vec<_> =
            scene.take_strays().into_iter().map(|(flow, heard)| (flow.remote.to_string(), heard)).collect();
        sent.extend(scene.hear(callee).map(|heard| ("198.51.100.2:5060".to_owned(), heard)));
        let [(remote, heard)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(heard.request_uri(), contact);
        remote.clone()
    };
    // Not behind one: the Contact says where.
    assert_eq!(call("198.51.100.2:5060", "sip:102@198.51.100.2:5070"), "198.51.100.2:5070");
    assert_eq!(call("198.51.100.2:5060;rport", "sip:102@198.51.100.2:5070"), "198.51.100.2:5070");
    // Another address in the Contact or in the Via, a name, or another port than the one that rport asked about.
    assert_eq!(call("198.51.100.2:5060", "sip:102@10.0.0.2:5070"), "198.51.100.2:5060");
    assert_eq!(call("198.51.100.2:5060", "sip:102@phone.example:5070"), "198.51.100.2:5060");
    assert_eq!(call("198.51.100.2:5070;rport", "sip:102@198.51.100.2:5070"), "198.51.100.2:5060");
    // What the Via says must not lead the answer away, so this one is told by rport.
    assert_eq!(call("10.0.0.2:5060;rport", "sip:102@198.51.100.2:5070"), "198.51.100.2:5060");
}

#[test]
fn registrations_are_there_after_a_restart_with_what_is_left_of_them() {
    let mut scene = scene();
    let (caller, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    register(&mut scene, callee, |request| request.header("Expires: 600"));
    scene.advance(Duration::from_secs(100));
    scene.restart();
    assert_eq!(registered(&mut scene, callee), ["<sip:102@198.51.100.2:5060>;expires=500"]);
    scene.invite(caller, callee);
    scene.expect_request(callee, "INVITE");
}

#[test]
fn when_a_connection_closes_only_a_phone_that_can_be_connected_to_is_still_called() {
    let called_after_close = |contact: &str| {
        let mut scene = scene();
        let (caller, callee) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
        register(&mut scene, callee, |request| request.contact(&format!("<{contact}>")));
        let flow = scene.state(callee).flow;
        scene.input(0, Input::FlowClosed(flow));
        let uri = scene.uri(callee);
        let invite = scene.request(caller, "INVITE", &uri);
        let status = scene.ask(caller, invite).status();
        let sent: Vec<_> = scene.take_strays().into_iter().map(|(flow, _)| (flow.remote, flow.connection)).collect();
        (status, sent)
    };
    let address = "198.51.100.2:5062".parse().unwrap();
    assert_eq!(called_after_close("sip:102@198.51.100.2:5062;transport=tcp"), (Some(100), vec![(address, None)]));
    assert_eq!(called_after_close("sip:102@10.0.0.2:5062;transport=tcp"), (Some(480), vec![]), "behind a NAT");
    assert_eq!(called_after_close("sip:102@phone.example;transport=tcp"), (Some(480), vec![]), "a name");
}

#[test]
fn one_device_of_an_extension_is_unregistered_and_the_others_stay() {
    let mut scene = scene();
    let (desk, mobile) = (scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    scene.register(desk);
    scene.register(mobile);
    let mut marks = Vec::new();
    let aor = ringway_edge::location::Aor { tenant: crate::scene::ACME, number: b"101" };
    scene.location.lookup(scene.now.wall, &aor, |binding| marks.push((binding.uri.to_vec(), binding.mark())));
    let contact = scene.contact(desk);
    let mark = marks.iter().find(|(uri, _)| *uri == contact.as_bytes()).map(|(_, mark)| *mark);
    scene.input(0, Input::Removed { tenant: crate::scene::ACME, number: b"101", device: mark });
    assert_eq!(registered(&mut scene, mobile).len(), 1);
    scene.input(0, Input::Removed { tenant: crate::scene::ACME, number: b"101", device: None });
    assert_eq!(registered(&mut scene, mobile).len(), 0);
}
