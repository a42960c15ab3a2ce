//! More to do than can be done: who is refused first, and who never (docs/decisions/0022-overload.md).

use std::time::Duration;

use ringway_directory::{Budgets, Tenant};
use ringway_edge::Reject;
use ringway_edge::settings::SourceBudgets;
use ringway_sip::Transport;

use crate::scene::{ACME, GLOBEX, Phone, Scene, acme};

const MILLISECOND: Duration = Duration::from_millis(1);

fn scene() -> Scene {
    Scene::with(|settings| settings.limits.source = SourceBudgets::default())
}

/// Asks for something new, and tells whether it was refused for want of time.
#[track_caller]
fn is_refused(scene: &mut Scene, phone: Phone, method: &str, uri: &str) -> bool {
    let request = scene.request(phone, method, uri);
    scene.send_request(phone, &request);
    let heard = scene.hear(phone).expect("an answer");
    if heard.status() != Some(503) {
        return false;
    }
    assert_eq!(heard.reason_code(), "too-busy");
    let seconds: u32 = heard.header("Retry-After").parse().unwrap();
    assert!((5..15).contains(&seconds), "{heard}");
    true
}

fn flooder(scene: &mut Scene, domain: &str, port: u16) -> Phone {
    scene.phone_at(&format!("109@{domain}"), Transport::Tcp, &format!("203.0.113.66:{port}"))
}

/// So many milliseconds in which a request of acme comes each millisecond, and waits for `waiting`. How many are refused.
fn crowd(scene: &mut Scene, phone: Phone, waiting: Duration, milliseconds: usize) -> usize {
    scene.waiting = waiting;
    (0..milliseconds)
        .filter(|_| {
            scene.advance(MILLISECOND);
            is_refused(scene, phone, "OPTIONS", "sip:acme.example")
        })
        .count()
}

#[test]
fn new_work_is_refused_first_and_what_is_of_a_call_goes_on() {
    let mut scene = scene();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut dialog, _) = scene.call(alice, bob);
    let crowded = flooder(&mut scene, "acme.example", 40_000);
    assert_eq!(crowd(&mut scene, crowded, MILLISECOND, 1000), 0);
    // Every message waits four times as long as it may, and more and more is refused, up to 19 in 20.
    let refused: Vec<_> = (0..10).map(|_| crowd(&mut scene, crowded, MILLISECOND * 20, 100)).collect();
    assert!(refused[0] < 30 && refused.is_sorted_by(|one, next| one <= &(next + 15)), "{refused:?}");
    assert!((85..=100).contains(&refused[9]), "{refused:?}");
    assert!(scene.refusals(Reject::TooBusy) >= 500);
    for method in ["INFO", "INVITE", "BYE"] {
        let request = dialog.request(&mut scene, alice, method);
        scene.send_request(alice, &request);
        if method == "INVITE" {
            scene.expect_response(alice, 100);
        }
        let heard = scene.expect_request(bob, method);
        scene.respond(bob, &heard, if method == "INVITE" { 488 } else { 200 });
        let answer = scene.hear(alice).unwrap();
        assert!(matches!(answer.status(), Some(200 | 488)), "{answer}");
        if method == "INVITE" {
            scene.send(alice, answer.ack(&request.text()));
            scene.expect_request(bob, "ACK");
        }
    }
    // The queue is gone, and soon all are let in again.
    crowd(&mut scene, crowded, Duration::ZERO, 1200);
    assert_eq!(crowd(&mut scene, crowded, Duration::ZERO, 500), 0);
}

#[test]
fn one_long_stall_refuses_nobody() {
    let mut scene = scene();
    let crowded = flooder(&mut scene, "acme.example", 40_000);
    for _ in 0..20 {
        assert_eq!(crowd(&mut scene, crowded, MILLISECOND * 500, 40), 0);
        assert_eq!(crowd(&mut scene, crowded, Duration::ZERO, 70), 0);
    }
}

#[test]
fn a_tenant_that_asks_for_less_than_its_share_loses_nothing_to_one_that_floods() {
    let mut scene = scene();
    let large = flooder(&mut scene, "acme.example", 40_000);
    let small = flooder(&mut scene, "globex.example", 40_001);
    crowd(&mut scene, large, MILLISECOND * 20, 300);
    let mut refused = [0, 0];
    // For two seconds one of fifty requests is the small one's, and up to 19 of 20 are to be refused.
    for millisecond in 0..2000 {
        scene.advance(MILLISECOND);
        refused[0] += usize::from(is_refused(&mut scene, large, "OPTIONS", "sip:acme.example"));
        if millisecond % 50 == 0 {
            refused[1] += usize::from(is_refused(&mut scene, small, "OPTIONS", "sip:globex.example"));
        }
    }
    assert!(refused[0] > 1700, "{refused:?}");
    assert!(refused[1] <= 4, "but for the first tenths of a second, none of forty: {refused:?}");
}

#[test]
fn tenants_that_flood_alike_share_what_there_is_by_their_weight() {
    let mut scene = scene();
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { budgets: Budgets { weight: Some(4), ..Budgets::default() }, ..acme() });
    });
    let heavy = flooder(&mut scene, "acme.example", 40_000);
    let light = flooder(&mut scene, "globex.example", 40_001);
    scene.waiting = MILLISECOND * 20;
    let mut let_in = [0.0, 0.0];
    for _ in 0..5000 {
        scene.advance(MILLISECOND);
        let_in[0] += f64::from(u8::from(!is_refused(&mut scene, heavy, "OPTIONS", "sip:acme.example")));
        let_in[1] += f64::from(u8::from(!is_refused(&mut scene, light, "OPTIONS", "sip:globex.example")));
    }
    let ratio = let_in[0] / let_in[1];
    assert!((2.0..6.0).contains(&ratio), "{let_in:?}");
    let refusals = |tenant| scene.shards[0].counters().tenant_refusals[&tenant];
    assert!(refusals(ACME) < refusals(GLOBEX));
}

#[test]
fn whoever_is_registered_at_the_tenant_is_refused_later_than_strangers_and_a_call_is_no_pass() {
    let mut scene = scene();
    let [own, others] = ["101@acme.example", "101@globex.example"].map(|aor| {
        let phone = scene.phone(aor);
        scene.register(phone);
        phone
    });
    let crowded = flooder(&mut scene, "acme.example", 40_000);
    // Some is refused, and less than half.
    crowd(&mut scene, crowded, MILLISECOND * 6, 500);
    let asked = [
        (own, "INVITE", "sip:102@acme.example"),
        (own, "REGISTER", "sip:acme.example"),
        (crowded, "INVITE", "sip:102@acme.example"),
        (crowded, "REGISTER", "sip:acme.example"),
        (others, "OPTIONS", "sip:acme.example"),
    ];
    let mut refused = [0; 5];
    for _ in 0..200 {
        scene.advance(MILLISECOND / 2);
        for (count, (phone, method, uri)) in refused.iter_mut().zip(asked) {
            *count += usize::from(is_refused(&mut scene, phone, method, uri));
        }
    }
    assert!(refused[..2] == [0, 0] && refused[2..].iter().all(|count| *count > 10), "{refused:?}");
}

#[test]
fn when_messages_wait_far_too_long_calls_may_not_change_and_can_still_end() {
    let mut scene = Scene::with(|settings| {
        settings.limits.source = SourceBudgets::default();
        settings.limits.emergency_numbers = vec!["103".into()];
    });
    let [alice, bob, carol] = ["101", "102", "103"].map(|number| scene.phone(&format!("{number}@acme.example")));
    scene.register(bob);
    scene.register(carol);
    let (mut dialog, _) = scene.call(alice, bob);
    let (mut emergency, _) = scene.call(alice, carol);
    let crowded = flooder(&mut scene, "acme.example", 40_000);
    crowd(&mut scene, crowded, MILLISECOND * 60, 500);
    let mut refused = 0;
    for _ in 0..40 {
        let info = dialog.request(&mut scene, alice, "INFO");
        scene.send_request(alice, &info);
        if let Some(heard) = scene.hear(bob) {
            scene.respond(bob, &heard, 200);
            scene.expect_response(alice, 200);
        } else {
            assert_eq!(scene.expect_response(alice, 503).reason_code(), "too-busy");
            refused += 1;
        }
        // An emergency call is never held up.
        let info = emergency.request(&mut scene, alice, "INFO");
        scene.send_request(alice, &info);
        let heard = scene.expect_request(carol, "INFO");
        scene.respond(carol, &heard, 200);
        scene.expect_response(alice, 200);
    }
    assert!(refused > 20, "{refused}");
    let bye = dialog.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
}

#[test]
fn a_client_that_knows_overload_control_is_told_how_much_to_hold_back() {
    let mut scene = scene();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let knows = ";oc;oc-algo=\"loss,rate\"";
    let ask = |scene: &mut Scene| {
        let mut request = scene.request(alice, "OPTIONS", "sip:acme.example");
        request.branch += knows;
        scene.send_request(alice, &request);
        scene.hear(alice).unwrap().header("Via")
    };
    let via = ask(&mut scene);
    assert!(via.contains(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1800000000."), "{via}");
    // Also in what is passed on: each of these is a response to its request.
    let mut invite = scene.request(alice, "INVITE", "sip:102@acme.example");
    invite.branch += knows;
    let mut invite = scene.answer_challenge(alice, invite);
    invite.branch += knows;
    scene.send_request(alice, &invite);
    let trying = scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 486);
    let busy = scene.expect_response(alice, 486);
    scene.send(alice, busy.ack(&invite.text()));
    scene.expect_request(bob, "ACK");
    for heard in [trying, busy] {
        let via = heard.header("Via");
        assert!(via.contains(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=") && !via.contains("rate"), "{via}");
    }
    let crowded = flooder(&mut scene, "acme.example", 40_000);
    crowd(&mut scene, crowded, MILLISECOND * 20, 1000);
    let via = ask(&mut scene);
    assert!(via.contains(";oc=95;oc-algo=\"loss\";oc-validity=500;oc-seq="), "{via}");
    // What is refused of it anyway does not tell it to stay away altogether.
    let refusal = (0..100)
        .find_map(|_| {
            let mut request = scene.request(crowded, "OPTIONS", "sip:acme.example");
            request.branch += knows;
            scene.send_request(crowded, &request);
            scene.hear(crowded).filter(|heard| heard.status() == Some(503))
        })
        .expect("nineteen in twenty are refused");
    assert!(!refusal.has("Retry-After"), "{refusal}");
    // Who does not ask is not told.
    let request = scene.request(alice, "OPTIONS", "sip:acme.example");
    scene.send_request(alice, &request);
    let via = scene.hear(alice).unwrap().header("Via");
    assert!(!via.contains("oc="), "{via}");
}
