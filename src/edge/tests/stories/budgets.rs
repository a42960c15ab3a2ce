//! What a source and a tenant may ask for a second, and that they take nothing from others (docs/operations.md, budgets of
//! sources and of tenants).

use std::time::Duration;

use ringway_directory::{Budgets, Tenant};
use ringway_edge::settings::{SourceBudgets, TenantBudgets};
use ringway_edge::{Arrival, DropReason, Input, Reject};
use ringway_sip::{Method, Transport};

use crate::scene::{ACME, Dialog, Phone, Scene, acme};

/// Gives acme these budgets, and globex none.
fn with_budgets(scene: &mut Scene, budgets: Budgets) {
    scene.redirect(|edit| edit.put_tenant(Tenant { budgets, ..acme() }));
}

/// Sends so many requests of one kind, none with credentials; how many are refused for the tenant's budget.
#[track_caller]
fn flood(scene: &mut Scene, phone: Phone, method: &str, uri: &str, count: usize) -> usize {
    flood_for(scene, phone, method, uri, count, "tenant-rate")
}

/// The same for whatever budget has this reason.
#[track_caller]
fn flood_for(scene: &mut Scene, phone: Phone, method: &str, uri: &str, count: usize, reason: &str) -> usize {
    let mut refused = 0;
    for _ in 0..count {
        let request = scene.request(phone, method, uri);
        scene.send_request(phone, &request);
        let heard = scene.hear(phone).expect("an answer");
        if heard.status() == Some(503) {
            assert_eq!(heard.reason_code(), reason);
            let seconds: u32 = heard.header("Retry-After").parse().unwrap();
            assert!((5..15).contains(&seconds), "{heard}");
            refused += 1;
        }
    }
    refused
}

fn stranger(scene: &mut Scene) -> Phone {
    scene.phone_at("109@acme.example", Transport::Tcp, "203.0.113.66:40000")
}

/// No budget of a source interferes.
fn scene() -> Scene {
    Scene::with(|settings| settings.limits.source = SourceBudgets::default())
}

#[test]
fn one_tenant_that_floods_at_a_hundred_times_its_budget_takes_nothing_from_the_others() {
    let mut scene = scene();
    with_budgets(&mut scene, Budgets { requests: Some(50), ..Budgets::default() });
    let [caller, callee] = ["101", "102"].map(|number| scene.phone(&format!("{number}@globex.example")));
    let flooder = stranger(&mut scene);
    let mut refused = 0;
    // Ten seconds of it: a hundred requests each twentieth of a second, and the other tenant registers and calls between them.
    for _ in 0..200 {
        for (method, uri) in [("REGISTER", "sip:acme.example"), ("OPTIONS", "sip:acme.example")] {
            refused += flood(&mut scene, flooder, method, uri, 125);
        }
        scene.register(caller);
        scene.register(callee);
        let (mut dialog, _) = scene.call(caller, callee);
        let bye = dialog.request(&mut scene, caller, "BYE");
        scene.send_request(caller, &bye);
        let heard = scene.expect_request(callee, "BYE");
        scene.respond(callee, &heard, 200);
        scene.expect_response(caller, 200);
        scene.expect_nothing_more();
        scene.advance(Duration::from_millis(50));
    }
    // What it was given is its budget, and the half of the burst that strangers have.
    assert_eq!(50_000 - refused, 50 * 10 + 50 - 3);
    assert_eq!(scene.refusals(Reject::TenantRate), refused as u64);
    let counted: u64 = scene.shards.iter().map(|shard| shard.counters().tenant_refusals[&ACME]).sum();
    assert_eq!(counted, refused as u64);
    assert_eq!(scene.drops(DropReason::SourceRate), 0);
}

#[test]
fn strangers_do_not_use_up_what_a_tenant_s_registered_phones_need() {
    let mut scene = scene();
    let phone = scene.phone("101@acme.example");
    scene.register(phone);
    with_budgets(&mut scene, Budgets { registers: Some(10), ..Budgets::default() });
    let flooder = stranger(&mut scene);
    for _ in 0..30 {
        flood(&mut scene, flooder, "REGISTER", "sip:acme.example", 100);
        // Two requests a second: the challenge, and the answer to it.
        scene.register(phone);
        scene.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_phone_that_is_registered_at_another_tenant_is_a_stranger() {
    let mut scene = scene();
    let [phone, flooder] = ["101@acme.example", "101@globex.example"].map(|aor| {
        let phone = scene.tcp_phone(aor);
        scene.register(phone);
        phone
    });
    with_budgets(&mut scene, Budgets { requests: Some(10), ..Budgets::default() });
    for _ in 0..30 {
        flood(&mut scene, flooder, "OPTIONS", "sip:acme.example", 100);
        scene.register(phone);
        scene.advance(Duration::from_secs(1));
    }
}

/// Sends so many requests of one side into a call, and answers what comes through; how many that are.
#[track_caller]
fn send_within(scene: &mut Scene, dialog: &mut Dialog, way: (Phone, Phone), method: &str, count: usize) -> usize {
    let (sender, receiver) = way;
    let mut passed = 0;
    for _ in 0..count {
        let request = dialog.request(scene, sender, method);
        scene.send_request(sender, &request);
        if let Some(heard) = scene.hear(receiver) {
            scene.respond(receiver, &heard, 200);
            scene.expect_response(sender, 200);
            passed += 1;
        } else if let Some(refused) = scene.hear(sender) {
            assert_eq!((refused.status(), &*refused.reason_code()), (Some(503), "dialog-rate"));
            assert!(refused.has("Retry-After"), "{refused}");
        }
    }
    passed
}

#[test]
fn a_side_of_a_call_that_floods_is_held_up_and_nobody_is_kept_from_hanging_up() {
    let mut scene = Scene::with(|settings| {
        settings.limits.source = SourceBudgets::default();
        settings.limits.emergency_numbers = vec!["103".into()];
    });
    let [alice, bob, carol] = ["101", "102", "103"].map(|number| scene.phone(&format!("{number}@acme.example")));
    scene.register(bob);
    scene.register(carol);
    let (mut from, mut to) = scene.call(alice, bob);
    let (mut emergency, _) = scene.call(alice, carol);
    assert_eq!(send_within(&mut scene, &mut from, (alice, bob), "INFO", 300), 100);
    assert_eq!(scene.refusals(Reject::DialogRate), 200);
    // The other side has a budget of its own, and so has another call; help has none.
    assert_eq!(send_within(&mut scene, &mut to, (bob, alice), "INFO", 50), 50);
    assert_eq!(send_within(&mut scene, &mut emergency, (alice, carol), "INFO", 300), 300);
    scene.advance(Duration::from_secs(1));
    assert_eq!(send_within(&mut scene, &mut from, (alice, bob), "INFO", 300), 50);
    assert_eq!(send_within(&mut scene, &mut from, (alice, bob), "BYE", 1), 1);
}

#[test]
fn what_is_of_a_call_that_was_forgotten_in_a_restart_is_held_against_its_source() {
    let mut scene = Scene::with(|settings| {
        settings.limits.source.requests = 10;
        settings.limits.emergency_numbers = vec!["103".into()];
    });
    let [alice, bob, carol] = ["101", "102", "103"].map(|number| scene.phone(&format!("{number}@acme.example")));
    scene.register(bob);
    scene.register(carol);
    let (mut from, _) = scene.call(alice, bob);
    let (mut emergency, _) = scene.call(alice, carol);
    scene.restart();
    assert_eq!(send_within(&mut scene, &mut from, (alice, bob), "INFO", 100), 20);
    assert_eq!(scene.drops(DropReason::SourceRate), 80);
    // Help is help after a restart too.
    assert_eq!(send_within(&mut scene, &mut emergency, (alice, carol), "INFO", 100), 100);
    assert_eq!(send_within(&mut scene, &mut from, (alice, bob), "BYE", 1), 1);
}

#[test]
fn each_kind_of_request_has_its_own_budget_and_what_is_of_a_call_has_none() {
    let mut scene = scene();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut dialog, _) = scene.call(alice, bob);
    with_budgets(&mut scene, Budgets { registers: Some(5), calls: Some(3), ..Budgets::default() });
    let flooder = stranger(&mut scene);
    assert_eq!(flood(&mut scene, flooder, "REGISTER", "sip:acme.example", 100), 95);
    assert_eq!(flood(&mut scene, flooder, "INVITE", "sip:102@acme.example", 100), 97);
    assert_eq!(flood(&mut scene, flooder, "MESSAGE", "sip:102@acme.example", 100), 0);
    for method in ["INFO", "BYE"] {
        let request = dialog.request(&mut scene, alice, method);
        scene.send_request(alice, &request);
        let heard = scene.expect_request(bob, method);
        scene.respond(bob, &heard, 200);
        scene.expect_response(alice, 200);
    }
    assert!(scene.responses(Method::Register)[4] >= 95);
}

#[test]
fn the_configuration_s_budget_is_each_tenant_s_that_has_none_of_its_own() {
    let mut scene = scene();
    scene.reconfigure(|settings| {
        settings.limits.tenant = TenantBudgets { requests: 10, ..TenantBudgets::default() };
    });
    let flooder = stranger(&mut scene);
    assert_eq!(flood(&mut scene, flooder, "OPTIONS", "sip:acme.example", 100), 90);
    assert_eq!(flood(&mut scene, flooder, "OPTIONS", "sip:globex.example", 100), 90);
    // Our own address is no tenant's.
    assert_eq!(flood(&mut scene, flooder, "OPTIONS", "sip:192.0.2.1", 100), 0);
    with_budgets(&mut scene, Budgets { requests: Some(0), ..Budgets::default() });
    assert_eq!(flood(&mut scene, flooder, "OPTIONS", "sip:acme.example", 100), 0);
    scene.advance(Duration::from_secs(2));
    assert_eq!(flood(&mut scene, flooder, "OPTIONS", "sip:globex.example", 100), 90);
}

#[test]
fn shards_share_a_tenant_s_budget() {
    let mut scene = Scene::with_shards(4, |settings| settings.limits.source = SourceBudgets::default());
    with_budgets(&mut scene, Budgets { requests: Some(100), ..Budgets::default() });
    let phones: Vec<_> = (0..4)
        .map(|port| scene.phone_at("109@acme.example", Transport::Tcp, &format!("203.0.113.66:{}", 40_000 + port)))
        .collect();
    let refused: usize = phones.iter().map(|phone| flood(&mut scene, *phone, "OPTIONS", "sip:acme.example", 100)).sum();
    assert_eq!(refused, 300);
}

#[test]
fn a_tenant_holds_no_more_connections_than_it_may_and_gets_a_place_back_when_one_is_closed() {
    let mut scene = scene();
    with_budgets(&mut scene, Budgets { connections: Some(1), ..Budgets::default() });
    let phone =
        |scene: &mut Scene, who: &str, port: u16| scene.phone_at(who, Transport::Tcp, &format!("198.51.100.7:{port}"));
    let (first, second) =
        (phone(&mut scene, "101@acme.example", 40_001), phone(&mut scene, "102@acme.example", 40_002));
    let other = phone(&mut scene, "101@globex.example", 40_003);
    scene.register(first);
    scene.register(other);
    let ask = |scene: &mut Scene| {
        let request = scene.request(second, "REGISTER", "sip:acme.example");
        scene.ask(second, request)
    };
    let refused = ask(&mut scene);
    assert_eq!((refused.status(), refused.reason_code().as_str()), (Some(503), "tenant-connections"));
    assert!(refused.has("Retry-After"), "{refused}");
    // Whoever has a place keeps it, and by UDP there is nothing to hold.
    scene.register(first);
    let by_udp = scene.phone("103@acme.example");
    scene.register(by_udp);
    scene.close_flow(first);
    assert_eq!(ask(&mut scene).status(), Some(200));
    assert_eq!(scene.refusals(Reject::TenantConnections), 1);
}

#[test]
fn what_another_shard_reads_of_a_connection_that_is_closed_takes_no_place() {
    let mut scene = Scene::with_shards(2, |_| {});
    // Of the first phone no password is asked, which only the shard would take that has asked for it.
    scene.redirect(|edit| {
        let budgets = Budgets { connections: Some(1), ..Budgets::default() };
        edit.put_tenant(Tenant { budgets, trust: Box::new(["198.51.100.1/32".parse().unwrap()]), ..acme() });
    });
    let (gone, next) = (scene.tcp_phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    let register = scene.request(gone, "REGISTER", "sip:acme.example").text();
    let flow = scene.state(gone).flow;
    scene.close_flow(gone);
    let arrival = Arrival::HandedOver { offered: 0 };
    scene.input(1, Input::Message { flow, bytes: register.as_bytes(), arrival });
    assert_eq!(scene.hear(gone).unwrap().status(), Some(200), "it was read all the same");
    scene.register(next);
}

// --- of a source ---

#[test]
fn a_source_that_calls_and_calls_may_still_register_and_its_calls_end_at_their_own_budget() {
    let mut scene = scene();
    let caller = stranger(&mut scene);
    scene.reconfigure(|settings| {
        settings.limits.source = SourceBudgets { requests: 100, registers: 0, calls: 5 };
    });
    let calls = |scene: &mut Scene, count| {
        count - flood_for(scene, caller, "INVITE", "sip:102@acme.example", count, "source-rate")
    };
    assert_eq!(calls(&mut scene, 1000), 10, "a burst of twice the budget");
    scene.register(caller);
    assert_eq!(flood_for(&mut scene, caller, "OPTIONS", "sip:acme.example", 188, "source-rate"), 0);
    scene.advance(Duration::from_secs(1));
    assert_eq!(scene.refusals(Reject::SourceRate), 990);
    scene.reconfigure(|settings| settings.limits.source.calls = 0);
    assert!(calls(&mut scene, 100) > 90, "without a budget of calls that of requests is left");
}

#[test]
fn a_source_has_a_budget_of_registrations_when_it_is_given_one_and_by_udp_hears_no_more() {
    let mut scene = scene();
    scene.reconfigure(|settings| settings.limits.source.registers = 5);
    let [phone, other] = ["198.51.100.7:5060", "[2001:db8::7]:5060"]
        .map(|address| scene.phone_at("101@acme.example", Transport::Udp, address));
    for source in [phone, other] {
        for _ in 0..100 {
            let request = scene.request(source, "REGISTER", "sip:acme.example");
            scene.send_request(source, &request);
        }
        assert_eq!(std::iter::from_fn(|| scene.hear(source)).count(), 10);
    }
    assert_eq!(scene.drops(DropReason::SourceRate), 180);
}

#[test]
fn phones_that_are_registered_are_served_beside_a_neighbour_behind_their_nat_who_floods() {
    let mut scene = Scene::new();
    let phone =
        |scene: &mut Scene, who: &str, port: u16| scene.phone_at(who, Transport::Udp, &format!("203.0.113.66:{port}"));
    let [alice, bob] = [("101@acme.example", 5061), ("102@acme.example", 5062)].map(|(who, port)| {
        let phone = phone(&mut scene, who, port);
        scene.register(phone);
        phone
    });
    let flooder = phone(&mut scene, "109@acme.example", 5069);
    for _ in 0..20 {
        for method in ["INVITE", "REGISTER"] {
            for _ in 0..1000 {
                let request = scene.request(flooder, method, "sip:102@acme.example");
                scene.send_request(flooder, &request);
            }
        }
        while scene.hear(flooder).is_some() {}
        scene.register(alice);
        let (mut dialog, _) = scene.call(alice, bob);
        let bye = dialog.request(&mut scene, alice, "BYE");
        scene.send_request(alice, &bye);
        let heard = scene.expect_request(bob, "BYE");
        scene.respond(bob, &heard, 200);
        scene.expect_response(alice, 200);
        scene.advance(Duration::from_secs(1));
    }
    assert!(scene.drops(DropReason::SourceRate) > 20 * 1700);
}

#[test]
fn after_a_restart_a_hundred_phones_behind_one_nat_register_at_once() {
    let mut scene = Scene::new();
    for port in 0..100 {
        let number = 101 + port % 9;
        let tenant = if port % 2 == 0 { "acme" } else { "globex" };
        let address = format!("203.0.113.66:{}", 40_000 + port);
        let phone = scene.phone_at(&format!("{number}@{tenant}.example"), Transport::Udp, &address);
        scene.register(phone);
    }
    assert_eq!(scene.drops(DropReason::SourceRate), 0);
}
