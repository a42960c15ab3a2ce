//! Which messages belong to a capture.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use ringway_capture::{Filter, MAX_FOLLOWED, Seen, Wanted, Way};
use support::{ACME, GLOBEX, request, response, seen, subject, subject_on};

const ALICE: &str = "sip:101@acme.example";
const BOB: &str = "sip:102@acme.test";
const EVE: &str = "sip:101@globex.example";

fn at(remote: &str, text: &str) -> Seen {
    seen(Way::Received, remote, 0, text)
}

fn message(text: &str) -> Seen {
    at("198.51.100.7:5060", text)
}

fn takes(filter: &mut Filter, seen: &Seen) -> bool {
    filter.takes(seen, subject(seen).as_ref())
}

fn filter(wanted: Wanted) -> Filter {
    Filter::new(wanted, 7)
}

fn of_tenant(tenant: u32) -> Filter {
    filter(Wanted { tenant: Some(tenant), ..Wanted::default() })
}

#[test]
fn a_tenant_s_messages_are_those_with_its_domain_or_an_alias() {
    for (taken, text) in [
        (true, request("INVITE", BOB, ALICE, BOB, "1")),
        (true, request("INVITE", BOB, "sip:101@ACME.example", BOB, "2")),
        (true, request("REGISTER", "sip:acme.test", ALICE, ALICE, "3")),
        (true, request("REGISTER", "sip:192.0.2.1", "sip:x@globex.example", ALICE, "4")),
        (true, request("INVITE", "sip:102@192.0.2.1", ALICE, "sip:102@192.0.2.1", "5")),
        (true, request("INVITE", "tel:102", ALICE, "tel:102", "6")),
        (true, response(200, "INVITE", ALICE, BOB, "7")),
        (false, request("INVITE", EVE, ALICE, EVE, "8")),
        (false, request("INVITE", EVE, ALICE, BOB, "9")),
        (
            false,
            request("INVITE", "sip:1@elsewhere.example", "sip:2@elsewhere.example", "sip:1@elsewhere.example", "10"),
        ),
        (false, response(404, "INVITE", ALICE, EVE, "11")),
        (false, response(404, "INVITE", EVE, ALICE, "12")),
    ] {
        assert_eq!(takes(&mut of_tenant(ACME), &message(&text)), taken, "{text}");
    }
}

#[test]
fn what_names_our_address_alone_is_the_default_tenant_s() {
    let own = "sip:102@192.0.2.1";
    let seen = message(&request("INVITE", own, "sip:101@192.0.2.1", own, "1"));
    assert!(takes(&mut of_tenant(ACME), &seen));
    assert!(!takes(&mut of_tenant(GLOBEX), &seen));
}

#[test]
fn what_names_our_address_alone_on_a_registered_flow_is_that_tenant_s_and_not_the_default_tenant_s() {
    let own = "sip:102@192.0.2.1";
    for text in [
        request("INVITE", own, "sip:101@192.0.2.1", own, "1"),
        request("INVITE", own, "sip:101@elsewhere.example", own, "2"),
        // To decides nothing: anybody may write anything there.
        request("INVITE", own, "sip:101@192.0.2.1", ALICE, "3"),
        response(200, "INVITE", "sip:101@192.0.2.1", own, "4"),
        request("BYE", "sip:phone@10.0.0.1", own, "sip:101@192.0.2.1", "5"),
    ] {
        let seen = message(&text);
        let subject = subject_on(&seen, Some(GLOBEX));
        assert!(!of_tenant(ACME).takes(&seen, subject.as_ref()), "{text}");
        assert!(of_tenant(GLOBEX).takes(&seen, subject.as_ref()), "{text}");
    }
    let seen = message(&response(200, "INVITE", "sip:101@192.0.2.1", ALICE, "6"));
    for tenant in [ACME, GLOBEX] {
        let subject = subject_on(&seen, Some(GLOBEX));
        assert!(!of_tenant(tenant).takes(&seen, subject.as_ref()), "it is of two, so its call must say");
    }
    // Who registers names the tenant, whoever else is registered behind that address.
    let seen = message(&request("REGISTER", "sip:192.0.2.1", "sip:101@192.0.2.1", "sip:101@192.0.2.1", "7"));
    assert!(of_tenant(ACME).takes(&seen, subject_on(&seen, Some(GLOBEX)).as_ref()));
}

#[test]
fn who_asks_for_everything_follows_no_call() {
    let mut all = filter(Wanted::default());
    for number in 0..10 {
        assert!(takes(&mut all, &message(&request("INVITE", BOB, ALICE, BOB, &number.to_string()))));
    }
    assert_eq!(all.followed(), 0);
}

#[test]
fn a_call_is_followed_through_messages_that_name_no_tenant() {
    let mut filter = of_tenant(ACME);
    let bare = response(200, "INVITE", "sip:a@10.0.0.1", "sip:b@10.0.0.2", "1");
    assert!(!takes(&mut filter, &message(&bare)), "it has not begun");
    assert!(takes(&mut filter, &message(&request("INVITE", BOB, ALICE, BOB, "1"))));
    assert!(takes(&mut filter, &message(&bare)));
    assert!(!takes(&mut filter, &message(&bare.replace("Call-ID: 1", "Call-ID: 2"))));
}

#[test]
fn another_tenant_s_message_is_never_shown_even_with_a_call_id_that_is_followed() {
    let mut filter = of_tenant(ACME);
    assert!(takes(&mut filter, &message(&request("INVITE", BOB, ALICE, BOB, "1"))));
    for foreign in [
        request("INVITE", EVE, EVE, EVE, "1"),
        request("BYE", "sip:101@10.0.0.1", EVE, EVE, "1"),
        response(200, "INVITE", EVE, EVE, "1"),
        request("INVITE", EVE, ALICE, BOB, "1"),
    ] {
        assert!(!takes(&mut filter, &message(&foreign)), "{foreign}");
    }
}

#[test]
fn a_number_is_looked_for_in_request_uri_from_and_to_and_within_its_tenant() {
    let wanted = |tenant| Wanted { tenant, number: Some("102".into()), ..Wanted::default() };
    let takes = |tenant, text: &str| takes(&mut filter(wanted(tenant)), &message(text));
    assert!(takes(Some(ACME), &request("INVITE", BOB, ALICE, BOB, "1")));
    assert!(takes(None, &request("INVITE", "sip:%3102@acme.example", ALICE, ALICE, "1")), "escaped");
    assert!(takes(None, &request("BYE", "sip:phone@10.0.0.1", BOB, ALICE, "1")));
    assert!(!takes(Some(ACME), &request("INVITE", ALICE, "sip:1022@acme.example", ALICE, "1")));
    assert!(!takes(Some(GLOBEX), &request("INVITE", BOB, ALICE, BOB, "1")));
}

#[test]
fn a_call_and_a_network_are_chosen_too_and_everything_that_is_said_must_be_so() {
    let invite = |call_id: &str| request("INVITE", BOB, ALICE, BOB, call_id);
    let mut call = filter(Wanted { call_id: Some("a@b".into()), ..Wanted::default() });
    assert!(takes(&mut call, &message(&invite("a@b"))));
    assert!(!takes(&mut call, &message(&invite("A@b"))), "Call-IDs are compared byte by byte");

    let network = Some("198.51.100.0/24".parse().unwrap());
    let mut near = filter(Wanted { network, tenant: Some(ACME), ..Wanted::default() });
    assert!(!takes(&mut near, &at("203.0.113.9:5060", &invite("1"))));
    assert!(takes(&mut near, &at("198.51.100.7:5060", &invite("1"))));
    assert!(takes(&mut near, &at("203.0.113.9:5060", &invite("1"))), "the call's other side belongs to it");
}

#[test]
fn what_is_no_sip_is_shown_only_to_who_asked_for_everything_from_there() {
    let junk = at("198.51.100.7:5060", "\0\0 no SIP");
    assert!(subject(&junk).is_none());
    assert!(takes(&mut filter(Wanted::default()), &junk));
    let near = |network: &str| Wanted { network: Some(network.parse().unwrap()), ..Wanted::default() };
    assert!(takes(&mut filter(near("198.51.100.7/32")), &junk));
    assert!(!takes(&mut filter(near("198.51.100.8/32")), &junk));
    assert!(!takes(&mut of_tenant(ACME), &junk));
}

#[test]
fn so_many_calls_are_followed_and_the_first_is_let_go() {
    let mut filter = filter(Wanted { number: Some("102".into()), ..Wanted::default() });
    for number in 0..=MAX_FOLLOWED {
        assert!(takes(&mut filter, &message(&request("INVITE", BOB, ALICE, BOB, &number.to_string()))));
    }
    assert_eq!(filter.followed(), MAX_FOLLOWED);
    let bare = |number: usize| message(&response(200, "INVITE", "sip:a@b", "sip:b@b", &number.to_string()));
    assert!(!takes(&mut filter, &bare(0)));
    assert!(takes(&mut filter, &bare(1)));
    assert!(takes(&mut filter, &bare(MAX_FOLLOWED)));
}
