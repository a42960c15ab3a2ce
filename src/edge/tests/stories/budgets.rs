//! What a tenant may ask for a second, and that it takes nothing from others (docs/operations.md, budgets of tenants).

use std::time::Duration;

use ringway_directory::{Budgets, Tenant};
use ringway_edge::settings::TenantBudgets;
use ringway_edge::{DropReason, Reject};
use ringway_sip::{Method, Transport};

use crate::scene::{ACME, Phone, Scene, acme};

/// Gives acme these budgets, and globex none.
fn with_budgets(scene: &mut Scene, budgets: Budgets) {
    scene.redirect(|edit| edit.put_tenant(Tenant { budgets, ..acme() }));
}

/// Sends so many requests of one kind, none with credentials; how many are refused for the tenant's budget.
#[track_caller]
fn flood(scene: &mut Scene, phone: Phone, method: &str, uri: &str, count: usize) -> usize {
    let mut refused = 0;
    for _ in 0..count {
        let request = scene.request(phone, method, uri);
        scene.send_request(phone, &request);
        let heard = scene.hear(phone).expect("an answer");
        if heard.status() == Some(503) {
            assert_eq!(heard.reason_code(), "tenant-rate");
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
    Scene::with(|settings| settings.limits.source_rps = 0)
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
    let mut scene = Scene::with_shards(4, |settings| settings.limits.source_rps = 0);
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
