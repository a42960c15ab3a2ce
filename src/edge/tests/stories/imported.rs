//! Nodes with directories of their own, in which the tenants have other numbers: nothing that one node writes and another reads
//! may be believed to mean the tenant that has this number there.

use ringway_directory::{SnapshotEdit, Tenant};
use ringway_edge::location::{Aor, OtherNode};
use ringway_sip::Transport;

use crate::gruus::register_device;
use crate::nodes::{A, A_AT, B, B_AT};
use crate::scene::{ACME, GLOBEX, Request, Scene, acme, extension};

/// The two tenants with each other's numbers.
fn swap(edit: &mut SnapshotEdit) {
    edit.remove_tenant(ACME);
    edit.remove_tenant(GLOBEX);
    let globex = Tenant { domain: "globex.example".into(), aliases: Box::default(), ..acme() };
    for tenant in [Tenant { id: GLOBEX, ..acme() }, globex] {
        let (id, domain) = (tenant.id, tenant.domain.to_string());
        edit.put_tenant(tenant);
        for number in 101..=109 {
            edit.put_extension(id, extension(&domain, &number.to_string()));
        }
    }
}

#[test]
fn a_call_outlives_its_node_at_another_that_has_its_address_and_another_number_for_its_tenant() {
    let mut b = Scene::of_node(B, B_AT);
    let (caller, callee) = (b.phone("102@acme.example"), b.phone("101@acme.example"));
    b.register(callee);
    let (mut from, _) = b.call(caller, callee);
    // b is dead, and a has its address now.
    let mut a = Scene::of_node(A, B_AT);
    a.redirect(swap);
    let callee = a.phone_at("101@acme.example", Transport::Udp, &b.state(callee).flow.remote.to_string());
    // From elsewhere, so that it is asked who it is: by its own tenant.
    let moved = a.phone_at("102@acme.example", Transport::Udp, "198.51.100.77:5060");
    let bye = from.request(&mut a, moved, "BYE");
    let bye = a.answer_challenge(moved, bye);
    assert!(bye.headers.iter().any(|line| line.contains("realm=\"acme.example\"")), "{}", bye.text());
    a.send_request(moved, &bye);
    let heard = a.expect_request(callee, "BYE");
    a.respond(callee, &heard, 200);
    a.expect_response(moved, 200);
    // And at one that does not have the tenant at all the call is unknown.
    let mut stranger = Scene::of_node(A, B_AT);
    stranger.redirect(|edit| edit.remove_tenant(ACME));
    let moved = stranger.phone_at("102@acme.example", Transport::Udp, "198.51.100.78:5060");
    let bye = from.request(&mut stranger, moved, "BYE");
    stranger.send_request(moved, &bye);
    let refused = stranger.expect_response(moved, 481);
    assert_eq!(refused.reason_code(), "no-dialog");
    stranger.expect_nothing_more();
}

#[test]
fn a_temporary_gruu_leads_to_its_device_from_a_node_that_has_another_number_for_its_tenant() {
    let (mut a, mut b) = (Scene::of_node(A, A_AT), Scene::of_node(B, B_AT));
    a.redirect(swap);
    a.location.set_nodes(&[OtherNode { number: B, address: B_AT.parse().unwrap(), is_alive: true }]);
    let device = b.phone("101@acme.example");
    let (_, temporary) = register_device(&mut b, device, 2);
    // What Redis does, where tenants go by their domains.
    b.location.take_unpublished(b.now.wall, 100, |section| {
        assert_eq!(section.aor.tenant, ACME);
        let aor = Aor { tenant: GLOBEX, number: section.aor.number };
        a.location.learn(a.now.wall, &aor, &[(B, section.record)], None).unwrap();
    });
    let device = a.phone_at("101@acme.example", Transport::Udp, &b.state(device).flow.remote.to_string());
    let caller = a.phone_at("102@acme.example", Transport::Udp, "198.51.100.102:5060");
    let invite = a.request(caller, "INVITE", &temporary);
    let invite = a.answer_challenge(caller, invite);
    a.send_request(caller, &invite);
    a.expect_response(caller, 100);
    a.expect_request(device, "INVITE");
    // Nobody takes it for a device of the tenant that has the number of before.
    let elsewhere = temporary.replace("acme.example", "globex.example");
    let invite = a.request(caller, "INVITE", &elsewhere);
    a.state(caller).domain = "globex.example".into();
    let invite = Request { from: "<sip:102@globex.example>;tag=from".into(), ..invite };
    assert_eq!(a.ask(caller, invite).status(), Some(404));
}
