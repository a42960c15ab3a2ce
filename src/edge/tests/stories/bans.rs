//! Who is shut out for a while, and who is not (docs/decisions/0021-bans.md).

use std::time::Duration;

use ringway_edge::bans::{BanReason, Barred, NewBan};
use ringway_edge::{DropReason, Note, Reject};
use ringway_sip::Transport;

use crate::scene::{Heard, Phone, Request, Scene};

/// A REGISTER that answers a challenge with this name and password; what is heard then.
#[track_caller]
fn guess(scene: &mut Scene, phone: Phone, name: &str, password: &str) -> Option<Heard> {
    let request = challenged(scene, phone, name, password)?;
    scene.send_request(phone, &request);
    scene.hear(phone)
}

/// The same, not sent yet. `None` when there is no challenge.
fn challenged(scene: &mut Scene, phone: Phone, name: &str, password: &str) -> Option<Request> {
    let request = scene.request(phone, "REGISTER", "sip:acme.example");
    scene.send_request(phone, &request);
    let challenge = scene.hear(phone).filter(|heard| heard.status() == Some(401))?;
    let serial = scene.next_serial();
    Some(request.with_credentials(&challenge, name, password, serial))
}

/// Asks for something; whether there is an answer.
fn is_served(scene: &mut Scene, phone: Phone) -> bool {
    let request = scene.request(phone, "OPTIONS", "sip:acme.example");
    scene.send_request(phone, &request);
    scene.hear(phone).is_some()
}

/// Who is banned, in the order of the text.
fn banned(scene: &Scene) -> Vec<String> {
    let mut banned: Vec<_> = scene
        .bans
        .list(scene.now.wall)
        .iter()
        .map(|listed| match listed.barred {
            Barred::Source(source) => format!("{source} {}", listed.reason.code()),
            Barred::Address(address) => format!("{address} {}", listed.reason.code()),
            Barred::Account(source, _) => format!("{} at {source} {}", listed.detail, listed.reason.code()),
        })
        .collect();
    banned.sort();
    banned
}

fn udp(scene: &mut Scene, aor: &str, address: &str) -> Phone {
    scene.phone_at(aor, Transport::Udp, address)
}

#[test]
fn an_account_that_has_failed_ten_times_is_not_looked_at_from_there_and_everybody_else_is() {
    let mut scene = Scene::new();
    let guesser = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    for number in 0..10 {
        let heard = guess(&mut scene, guesser, "101", &format!("guess-{number}")).unwrap();
        assert_eq!(heard.status(), Some(401), "{heard}");
    }
    assert_eq!(banned(&scene), ["101@acme.example at 203.0.113.1 brute-force"]);
    // Not even with the right password, which would tell that it is right.
    for password in ["guess", "secret-101"] {
        let heard = guess(&mut scene, guesser, "101", password).unwrap();
        assert_eq!((heard.status(), &*heard.reason_code()), (Some(403), "account-banned"), "{heard}");
    }
    assert_eq!(scene.refusals(Reject::AccountBanned), 2);
    let neighbour = udp(&mut scene, "102@acme.example", "203.0.113.1:40000");
    let owner = udp(&mut scene, "101@acme.example", "203.0.113.2:5060");
    scene.register(neighbour);
    scene.register(owner);
    scene.advance(Duration::from_secs(601));
    assert!(banned(&scene).is_empty());
    scene.register(guesser);
    assert!(scene.bans.is_empty());
}

#[test]
fn a_phone_with_an_old_password_that_asks_once_a_minute_is_never_banned() {
    let mut scene = Scene::new();
    let phone = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    for _ in 0..60 {
        assert_eq!(guess(&mut scene, phone, "101", "old").unwrap().status(), Some(401));
        scene.advance(Duration::from_secs(60));
    }
    assert!(banned(&scene).is_empty());
}

#[test]
fn names_that_nobody_has_ban_their_source_for_a_while() {
    let mut scene = Scene::new();
    let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    for number in 0..10 {
        assert!(guess(&mut scene, scanner, &format!("user-{number}"), "1234").is_some());
    }
    assert_eq!(banned(&scene), ["203.0.113.1 brute-force"]);
    // Whatever it sends, and from which port: nothing is answered, and it is counted.
    let elsewhere = udp(&mut scene, "101@acme.example", "203.0.113.1:6000");
    assert!(!is_served(&mut scene, scanner) && !is_served(&mut scene, elsewhere));
    assert!(scene.bans.holds_source(scene.now.wall, "203.0.113.1".parse().unwrap()), "no new connection either");
    assert_eq!(scene.drops(DropReason::Banned), 2);
    assert_eq!(scene.bans.list(scene.now.wall)[0].hits, 3);
    let other = udp(&mut scene, "101@acme.example", "203.0.113.2:5060");
    assert!(is_served(&mut scene, other));
    scene.advance(Duration::from_secs(601));
    assert!(is_served(&mut scene, scanner) && scene.bans.is_empty());
    assert_eq!((scene.bans.made(BanReason::BruteForce), scene.bans.made_in_all()), (1, 1));
}

#[test]
fn one_bad_phone_behind_a_carrier_s_nat_takes_nothing_from_the_others() {
    let mut scene = Scene::new();
    let good: Vec<_> = (101..=105)
        .map(|number| udp(&mut scene, &format!("{number}@acme.example"), &format!("203.0.113.1:{}", 20_000 + number)))
        .collect();
    good.iter().for_each(|phone| drop(scene.register(*phone)));
    let bad = udp(&mut scene, "109@acme.example", "203.0.113.1:30000");
    for number in 0..40 {
        guess(&mut scene, bad, "109", "wrong");
        guess(&mut scene, bad, &format!("user-{number}"), "1234");
    }
    // Its port and its account, and no more.
    assert_eq!(banned(&scene), ["109@acme.example at 203.0.113.1 brute-force", "203.0.113.1:30000 brute-force"]);
    assert!(!is_served(&mut scene, bad));
    good.iter().for_each(|phone| drop(scene.register(*phone)));
    let newcomer = udp(&mut scene, "106@acme.example", "203.0.113.1:31000");
    scene.register(newcomer);
    // A new connection, too.
    assert!(!scene.bans.holds_source(scene.now.wall, "203.0.113.1".parse().unwrap()));
}

#[test]
fn right_passwords_outweigh_wrong_ones_of_the_same_source() {
    let mut scene = Scene::new();
    let bad = udp(&mut scene, "109@acme.example", "203.0.113.1:30000");
    for number in 0..40 {
        guess(&mut scene, bad, &format!("user-{number}"), "1234").unwrap();
        // Somebody calls who is not registered: no binding speaks for the source, its success does.
        let good = udp(&mut scene, "101@acme.example", &format!("203.0.113.1:{}", 40_000 + number));
        let message = scene.request(good, "MESSAGE", "sip:102@acme.example");
        assert_eq!(scene.ask(good, message).reason_code(), "not-registered");
    }
    assert!(banned(&scene).is_empty());
}

#[test]
fn with_somebody_else_s_address_nobody_can_be_banned() {
    let mut scene = Scene::new();
    let victim = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    scene.register(victim);
    let attacker = udp(&mut scene, "109@acme.example", "198.51.100.66:5060");
    // It asks for nonces by itself, and answers them in the victim's name: from its very address, from one beside it, and from
    // one where nobody is registered.
    for address in ["203.0.113.1:5060", "203.0.113.1:6000", "203.0.113.9:5060"] {
        for number in 0..40 {
            let Some(request) = challenged(&mut scene, attacker, &format!("user-{number}"), "1234") else {
                panic!("the attacker is not asked any more, having failed nowhere by itself")
            };
            let flow = scene.state(attacker).flow;
            scene.state(attacker).flow.remote = address.parse().unwrap();
            scene.send_request(attacker, &request);
            scene.state(attacker).flow = flow;
        }
    }
    scene.take_strays();
    while scene.hear(victim).is_some() {}
    assert_eq!(banned(&scene), ["203.0.113.1:6000 brute-force", "203.0.113.9:5060 brute-force"]);
    scene.register(victim);
    let neighbour = udp(&mut scene, "102@acme.example", "203.0.113.9:5061");
    scene.register(neighbour);
    // What is not proven is over in moments.
    scene.advance(Duration::from_secs(30));
    assert!(banned(&scene).is_empty());
}

#[test]
fn trusted_networks_and_keep_alives_never_count() {
    let mut scene = Scene::with(|settings| settings.limits.trusted = vec!["192.0.2.128/25".parse().unwrap()]);
    let gateway = udp(&mut scene, "101@acme.example", "192.0.2.200:5060");
    for number in 0..40 {
        assert!(guess(&mut scene, gateway, &format!("user-{number}"), "1234").is_some());
    }
    let phone = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    for _ in 0..500 {
        for keep_alive in [&b"\r\n\r\n"[..], b"\0\0\0\0", b"\0", &stun] {
            scene.send(phone, keep_alive);
        }
        // Nor what is no SIP, or malformed: by UDP it could come from anybody.
        scene.send(phone, "hello there\r\n\r\n");
        scene.send(phone, "OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1\r\n\r\n");
    }
    while scene.hear(phone).is_some() {}
    assert!(banned(&scene).is_empty() && scene.bans.suspects() == 0);
    scene.advance(Duration::from_secs(2));
    scene.register(phone);
}

#[test]
fn who_sends_malformed_messages_on_connections_is_banned_and_so_is_a_known_scanner() {
    let mut scene = Scene::new();
    let fuzzer = scene.phone_at("101@acme.example", Transport::Tcp, "203.0.113.1:40000");
    for _ in 0..10 {
        scene.send(
            fuzzer,
            "OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.1\r\nContent-Length: 0\r\n\r\n",
        );
        assert_eq!(scene.hear(fuzzer).unwrap().status(), Some(400));
    }
    let scanner = scene.phone_at("101@acme.example", Transport::Tcp, "203.0.113.2:40000");
    let request = scene.request(scanner, "OPTIONS", "sip:acme.example").header("User-Agent: Friendly-Scanner/1.0");
    scene.send_request(scanner, &request);
    assert_eq!(banned(&scene), ["203.0.113.1 malformed", "203.0.113.2 scanner"]);
    assert!(!is_served(&mut scene, fuzzer) && !is_served(&mut scene, scanner));
    scene.expect_nothing_more();
}

#[test]
fn a_known_scanner_is_not_answered_and_by_udp_only_its_port_is_banned_for_moments() {
    let mut scene = Scene::new();
    let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    for (method, uri) in
        [("OPTIONS", "sip:acme.example"), ("REGISTER", "sip:acme.example"), ("INVITE", "sip:1@x.example")]
    {
        let request = scene.request(scanner, method, uri).header("User-Agent: sipvicious");
        scene.send_request(scanner, &request);
        scene.expect_nothing_more();
    }
    assert_eq!((scene.drops(DropReason::Scanner), scene.drops(DropReason::Banned)), (1, 2));
    assert_eq!(banned(&scene), ["203.0.113.1:5060 scanner"]);
    // A phone whose maker's name only contains such a word is none.
    let phone = udp(&mut scene, "101@acme.example", "203.0.113.3:5060");
    let request = scene.request(phone, "OPTIONS", "sip:acme.example").header("User-Agent: not sipvicious");
    scene.send_request(phone, &request);
    scene.expect_response(phone, 200);
}

#[test]
fn a_scanner_that_looks_for_a_domain_is_one_drop_and_no_refusal() {
    for (method, reject) in [("INVITE", Reject::UnknownDomain), ("REGISTER", Reject::RegisterUnknownDomain)] {
        let mut scene = Scene::new();
        let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
        let request = scene.request(scanner, method, "sip:x.example").header("User-Agent: sipvicious");
        scene.send_request(scanner, &request);
        scene.expect_nothing_more();
        assert_eq!((scene.drops(DropReason::Scanner), scene.refusals(reject)), (1, 0), "{method}");
        assert!(matches!(scene.take_notes()[..], [Note::Banned(_)]), "{method}");
    }
}

#[test]
fn who_looks_for_domains_finds_a_closed_door_for_moments() {
    let mut scene = Scene::new();
    let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    let answered = (0..40)
        .filter(|number| {
            let request = scene.request(scanner, "REGISTER", &format!("sip:domain-{number}.example"));
            scene.send_request(scanner, &request);
            scene.hear(scanner).is_some()
        })
        .count();
    assert_eq!((answered, banned(&scene)), (20, vec!["203.0.113.1:5060 scanner".to_owned()]));
    scene.advance(Duration::from_secs(30));
    assert!(is_served(&mut scene, scanner));
}

#[test]
fn with_ban_seconds_0_nobody_is_banned() {
    let mut scene = Scene::with(|settings| settings.limits.ban_seconds = 0);
    let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    for number in 0..40 {
        assert!(guess(&mut scene, scanner, &format!("user-{number}"), "1234").is_some());
    }
    assert!(scene.bans.is_empty());
}

#[test]
fn a_ban_for_which_there_is_no_room_is_told_as_one_that_does_not_hold() {
    let mut scene = Scene::with(|settings| settings.limits.max_bans = 1);
    let barred = Barred::Source("192.0.2.99".parse().unwrap());
    let lasts = Duration::from_secs(86_400);
    assert!(scene.bans.add(scene.now.wall, NewBan { barred, reason: BanReason::Manual, detail: "".into(), lasts }, 1));
    let scanner = udp(&mut scene, "101@acme.example", "203.0.113.1:5060");
    let scan = scene.request(scanner, "OPTIONS", "sip:acme.example").header("User-Agent: sipvicious");
    let told = |scene: &mut Scene| match &scene.take_notes()[..] {
        [Note::Banned(banned)] => (banned.reason, banned.holds),
        notes => panic!("one ban is told: {notes:?}"),
    };
    scene.send_request(scanner, &scan);
    assert_eq!(told(&mut scene), (BanReason::Scanner, false));
    assert!(is_served(&mut scene, scanner));
    assert_eq!(banned(&scene), ["192.0.2.99 manual"]);
    scene.reconfigure(|settings| settings.limits.max_bans = 2);
    scene.send_request(scanner, &scan);
    assert_eq!(told(&mut scene), (BanReason::Scanner, true));
    assert!(!is_served(&mut scene, scanner));
}
