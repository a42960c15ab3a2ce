//! What a UDP source can make us send that has not shown who it is: little, once, and not often.

use std::time::Duration;

use ringway_directory::Tenant;
use ringway_edge::{DropReason, Reject, Settings};
use ringway_sip::Transport;
use ringway_sip::digest::Algorithm;

use crate::scene::{Dialog, Phone, Request, Scene, acme};

/// A request that is as short as one can be, from the first phone of a story, with so many bytes in a header that nobody
/// needs.
fn short(method: &str, uri: &str, further: &str, padding: usize) -> String {
    let padding = "x".repeat(padding);
    format!(
        "{method} {uri} SIP/2.0\r\nv:SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK{padding}\r\nf:<sip:1@a.b>;tag=1\r\n\
         t:<{uri}>\r\ni:1\r\nCSeq:1 {method}\r\n{further}\r\n"
    )
}

fn talkative(settings: &mut Settings) {
    settings.node = "a-node-with-a-long-name.example".into();
    settings.server = Some("ringway/1.0".into());
    settings.algorithms = vec![Algorithm::Sha512_256, Algorithm::Sha256, Algorithm::Md5];
}

#[test]
fn an_answer_to_a_stranger_has_at_most_twice_the_bytes_of_its_request() {
    let preloaded = "Route:<sip:192.0.2.99;lr>\r\n";
    let forged = "Route:<sip:rw.AAAA@192.0.2.1;lr>\r\n";
    let mut answered = 0;
    for (method, uri, further) in [
        ("OPTIONS", "sip:192.0.2.1", ""),
        ("OPTIONS", "sip:acme.test", "Require:a\r\n"),
        ("REGISTER", "sip:acme.test", ""),
        ("REGISTER", "sip:c.d", ""),
        ("INVITE", "sip:1@acme.test", ""),
        ("INVITE", "sip:1@c.d", ""),
        ("INVITE", "x:1", ""),
        ("INVITE", "sip:1@acme.test", "Max-Forwards:0\r\n"),
        ("INVITE", "sip:1@acme.test", "Proxy-Require:a\r\n"),
        ("INVITE", "sip:1@acme.test", "Call-ID:2\r\n"),
        ("INVITE", "sip:1@acme.test", "Max-Forwards:999\r\n"),
        ("INVITE", "sip:1@acme.test", preloaded),
        ("INVITE", "sip:1@acme.test", forged),
        ("BYE", "sip:1@acme.test", ""),
        ("CANCEL", "sip:1@acme.test", ""),
        ("FOO", "tel:1", ""),
    ] {
        for padding in (0..1200).step_by(75) {
            let mut scene = Scene::with(talkative);
            let phone = scene.phone("101@acme.example");
            let request = short(method, uri, further, padding);
            scene.send(phone, &request);
            let dropped = scene.drops(DropReason::Amplification);
            match scene.hear(phone) {
                Some(answer) => {
                    assert!(answer.bytes.len() <= request.len() * 2, "{request}{answer}");
                    assert_eq!(dropped, 0);
                    answered += 1;
                }
                None => assert_eq!(dropped, 1, "{request}"),
            }
            scene.expect_nothing_more();
            scene.advance(Duration::from_secs(40));
            scene.expect_nothing_more();
        }
    }
    assert!(answered > 200, "{answered}");
}

#[test]
fn an_answer_sheds_what_is_optional_before_it_is_dropped() {
    let headers = |method: &str, uri: &str, padding| {
        let mut scene = Scene::with(talkative);
        let phone = scene.phone("101@acme.example");
        scene.send(phone, short(method, uri, &format!("X:{}\r\n", "x".repeat(padding)), 0));
        let answer = scene.hear(phone)?;
        let optional = ["Allow", "Accept", "Warning", "Server"].into_iter().filter(|name| answer.has(name));
        Some(optional.collect::<Vec<_>>().join(" "))
    };
    for (method, uri, expected) in [
        (
            "OPTIONS",
            "sip:192.0.2.1",
            &["Accept Server", "Allow", "Allow Server", "Allow Accept", "Allow Accept Server"][..],
        ),
        ("INVITE", "sip:1@c.d", &["Server", "Warning", "Warning Server"]),
    ] {
        let mut seen: Vec<String> = (0..300).filter_map(|padding| headers(method, uri, padding)).collect();
        seen.dedup();
        assert_eq!(seen, expected, "{method}");
    }
}

#[test]
fn nothing_is_shed_on_a_stream() {
    let mut scene = Scene::with(talkative);
    let phone = scene.tcp_phone("101@acme.example");
    scene.send(phone, short("REGISTER", "sip:acme.test", "", 0));
    let challenge = scene.expect_response(phone, 401);
    assert_eq!((challenge.headers("WWW-Authenticate").len(), challenge.has("Server")), (3, true));
}

#[test]
fn a_source_in_a_trusted_network_may_be_forged_too_and_gets_no_more_than_any_other() {
    let mut scene = Scene::with(|settings| {
        talkative(settings);
        settings.limits.trusted = vec!["198.51.100.0/24".parse().unwrap()];
    });
    let phone = scene.phone("101@acme.example");
    scene.send(phone, short("REGISTER", "sip:acme.test", "", 0));
    scene.expect_nothing_more();
    assert_eq!(scene.drops(DropReason::Amplification), 1);
    let options = short("OPTIONS", "sip:192.0.2.1", "", 0);
    scene.send(phone, &options);
    let answer = scene.expect_response(phone, 200);
    assert!(answer.bytes.len() <= options.len() * 2 && !answer.has("Allow"), "{answer}");
}

#[test]
fn who_asks_in_the_name_of_a_trusted_network_for_a_long_list_hears_nothing_and_who_registers_hears_of_itself() {
    let mut scene = Scene::new();
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { trust: Box::new(["198.51.100.0/24".parse().unwrap()]), ..acme() });
    });
    let phone = scene.phone("101@acme.example");
    let stream = scene.tcp_phone("101@acme.example");
    let register = |scene: &mut Scene, phone, contact: Option<String>| {
        let request = Request { contact, ..scene.request(phone, "REGISTER", "sip:acme.example") };
        let length = scene.send_request(phone, &request).len();
        scene
            .hear(phone)
            .map(|answer| (answer.status(), answer.headers("Contact").len(), answer.bytes.len() <= 2 * length))
    };
    let contact = |number: usize| Some(format!("<sip:101@198.51.100.1:{};of={}>", 6000 + number, "x".repeat(20)));
    // With one or two devices all is as ever.
    for number in 1..=2 {
        assert_eq!(register(&mut scene, phone, contact(number)), Some((Some(200), number, true)));
        assert_eq!(register(&mut scene, phone, None), Some((Some(200), number, true)));
    }
    for number in 3..=10 {
        let (status, contacts, is_within) = register(&mut scene, phone, contact(number)).unwrap();
        assert_eq!((status, is_within), (Some(200), true));
        assert!(contacts == number || contacts == 1, "{contacts}");
        if number > 6 {
            assert_eq!(contacts, 1);
        }
    }
    assert_eq!(scene.drops(DropReason::Amplification), 0);
    // Nor is it told to who removes what is not there.
    let nothing = Some("<sip:101@198.51.100.1:9>;expires=0".to_owned());
    for contact in [None, nothing] {
        assert_eq!(register(&mut scene, phone, contact), None);
    }
    assert_eq!(scene.drops(DropReason::Amplification), 2);
    assert_eq!(register(&mut scene, stream, None), Some((Some(200), 10, false)));
}

#[test]
fn an_answer_to_a_stranger_is_sent_once_for_each_of_its_datagrams() {
    let mut scene = Scene::new();
    let phone = scene.phone("101@acme.example");
    let invite = scene.request(phone, "INVITE", "sip:102@acme.example");
    let tags: Vec<_> = (0..2)
        .map(|_| {
            scene.send_request(phone, &invite);
            let challenge = scene.expect_response(phone, 407);
            scene.advance(Duration::from_secs(40));
            scene.expect_nothing_more();
            challenge.to_tag()
        })
        .collect();
    assert_eq!(tags[0], tags[1]);
    assert_eq!(scene.open_work(), (0, 0));
}

/// Requests that are answered without any proof of who asks: one of each refusal.
fn of_strangers(scene: &mut Scene, phone: Phone) -> Vec<(&'static str, String)> {
    let request = |scene: &mut Scene, method: &str| scene.request(phone, method, "sip:102@acme.example");
    let (mut hops, mut dialog) = (request(scene, "INVITE"), request(scene, "BYE"));
    hops.max_forwards = Some(0);
    dialog.to += ";tag=b";
    vec![
        ("a challenge", request(scene, "INVITE").text()),
        ("OPTIONS", scene.request(phone, "OPTIONS", "sip:acme.example").text()),
        ("an unknown domain", scene.request(phone, "INVITE", "sip:102@elsewhere.example").text()),
        ("no hops left", hops.text()),
        ("an extension", request(scene, "MESSAGE").header("Proxy-Require: a").text()),
        ("no dialog", dialog.text()),
        ("a forged cookie", dialog.clone().header("Route: <sip:rw.AAAA@192.0.2.1;lr>").text()),
        ("a preloaded route", request(scene, "INVITE").header("Route: <sip:192.0.2.99;lr>").text()),
        ("a stray CANCEL", request(scene, "INVITE").cancel()),
        ("a malformed request", request(scene, "INVITE").header("Max-Forwards: 70").header("Call-ID: b").text()),
    ]
}

#[test]
fn a_stranger_that_keeps_to_no_rate_hears_nothing() {
    let mut scene = Scene::with(|settings| settings.limits.source.requests = 5);
    let (phone, other) = (scene.phone("101@acme.example"), scene.phone("101@acme.example"));
    for (what, text) in of_strangers(&mut scene, phone) {
        scene.advance(Duration::from_secs(10));
        let before = scene.drops(DropReason::SourceRate);
        let heard_of = |scene: &mut Scene, times: usize| {
            (0..times).for_each(|_| scene.send(phone, &text));
            std::iter::from_fn(|| scene.hear(phone)).count()
        };
        assert_eq!(heard_of(&mut scene, 30), 10, "{what}: a burst of twice the rate");
        assert_eq!(scene.drops(DropReason::SourceRate) - before, 20, "{what}");
        scene.send(other, &text);
        assert!(scene.hear(other).is_some(), "{what}: another source has its own");
        scene.advance(Duration::from_secs(1));
        assert_eq!(heard_of(&mut scene, 30), 5, "{what}: a second later");
        scene.expect_nothing_more();
    }
}

#[test]
fn a_stream_beyond_its_rate_is_told_when_to_come_back_and_a_trusted_network_has_no_rate() {
    let mut scene = Scene::with(|settings| {
        settings.limits.source.requests = 1;
        settings.limits.trusted = vec!["198.51.100.2/32".parse().unwrap()];
    });
    let (stream, trusted) = (scene.tcp_phone("101@acme.example"), scene.phone("101@acme.example"));
    for phone in [stream, trusted] {
        for (what, text) in of_strangers(&mut scene, phone).into_iter().cycle().take(40) {
            scene.send(phone, text);
            let answer = scene.hear(phone);
            if phone == stream && answer.as_ref().is_some_and(|answer| answer.status() == Some(503)) {
                let seconds: u32 = answer.unwrap().header("Retry-After").parse().unwrap();
                assert!((5..15).contains(&seconds), "{seconds}");
            } else {
                assert!(answer.is_some() || what == "a malformed request", "{what}");
            }
        }
    }
    assert!(scene.refusals(Reject::SourceRate) > 20);
    assert_eq!(scene.drops(DropReason::Amplification), 0);
}

#[test]
fn a_dialog_is_not_held_to_the_rate_and_whoever_replays_its_cookie_is() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let mallory = scene.phone("103@acme.example");
    scene.register(bob);
    let (mut dialog, _) = scene.call(alice, bob);
    scene.reconfigure(|settings| settings.limits.source.requests = 2);
    let info = |scene: &mut Scene, dialog: &mut Dialog, phone| {
        let request = dialog.request(scene, phone, "INFO");
        scene.send_request(phone, &request);
    };
    for _ in 0..50 {
        info(&mut scene, &mut dialog, alice);
        let heard = scene.expect_request(bob, "INFO");
        scene.respond(bob, &heard, 200);
        scene.expect_response(alice, 200);
    }
    for _ in 0..50 {
        info(&mut scene, &mut dialog, mallory);
    }
    let mut stranger = dialog.clone();
    stranger.remote += "x";
    let before = std::iter::from_fn(|| scene.hear(mallory)).count();
    assert_eq!(before, 4, "challenges: twice the rate");
    scene.advance(Duration::from_secs(10));
    for _ in 0..50 {
        info(&mut scene, &mut stranger, mallory);
    }
    assert_eq!(std::iter::from_fn(|| scene.hear(mallory)).count(), 4, "481s");
    scene.expect_nothing_more();
}

#[test]
fn what_was_asked_of_one_address_proves_nothing_for_another_however_right_the_answer_is() {
    for method in ["REGISTER", "INVITE"] {
        let mut scene = Scene::new();
        let (attacker, callee) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        let victim = scene.phone_at("101@acme.example", Transport::Udp, "203.0.113.200:5060");
        scene.register(callee);
        let uri = if method == "REGISTER" { "sip:acme.example" } else { "sip:102@acme.example" };
        let asked = scene.request(attacker, method, uri);
        let right = scene.answer_challenge(attacker, asked);
        let sent = scene.send_request(victim, &right);
        let heard = scene.hear(victim).unwrap();
        let challenge = heard.headers(if method == "REGISTER" { "WWW-Authenticate" } else { "Proxy-Authenticate" });
        assert!(challenge[0].contains("stale=true"), "{heard}");
        assert!(heard.bytes.len() <= 2 * sent.len(), "{heard}");
        scene.expect_nothing_more();
        scene.advance(Duration::from_secs(40));
        scene.expect_nothing_more();
        assert_eq!(scene.hear(callee), None);
        // Who is there answers it, and is let in.
        let number = scene.next_serial();
        let password = scene.state(victim).password.clone();
        let answered = right.with_credentials(&heard, "101", &password, number);
        scene.send_request(victim, &answered);
        let status = scene.hear(victim).and_then(|heard| heard.status());
        assert_eq!(status, Some(if method == "REGISTER" { 200 } else { 100 }));
    }
}
