//! How many devices there may be, and who gives way.

use super::*;

const PUSH: &str = ";pn-provider=acme;pn-prid=x";

/// One REGISTER with one Contact, under limits of 2 phones, 1 app and 3 devices at all.
fn register(
    location: &Location,
    when_full: WhenFull,
    seconds: u32,
    (call_id, cseq): (u64, u32),
    wanted: Binding<'_>,
) -> Result<Saved, Reject> {
    let contacts = [Binding { call_id, cseq, ..wanted }];
    let limits = Limits { phones: 2, apps: 1, total: 3, when_full };
    let update = Update { call_id, cseq, contacts: Contacts::Some(&contacts), limits };
    location.save(at(seconds), &aor("101"), &update, &mut Vec::new(), &mut Vec::new())
}

fn app(user: &str) -> String {
    format!("sip:{user}@h{PUSH}")
}

#[test]
fn phones_and_apps_have_limits_of_their_own() {
    let location = Location::new(1);
    let (one, two) = (app("x"), app("y"));
    let save = |device, uri| register(&location, WhenFull::Reject, 0, (device, 1), contact(uri, 0, 60));
    save(1, "sip:a@h").unwrap();
    save(2, "sip:b@h").unwrap();
    assert_eq!(save(3, "sip:c@h"), Err(Reject::TooManyBindings), "a third phone");
    save(4, &one).unwrap();
    assert_eq!(save(5, &two), Err(Reject::TooManyBindings), "a second app");
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h", "sip:b@h", one.as_str()]);
    check_invariants(&location);
}

#[test]
fn both_together_keep_below_the_ceiling_of_the_node() {
    let location = Location::new(1);
    let limits = Limits { phones: 2, apps: 2, total: 3, when_full: WhenFull::Reject };
    let (one, two) = (app("x"), app("y"));
    let contacts = ["sip:a@h", "sip:b@h", &one, &two].map(|uri| contact(uri, 0, 60));
    let save = |contacts| {
        let update = Update { call_id: 0, cseq: 0, contacts: Contacts::Some(contacts), limits };
        location.save(at(0), &aor("101"), &update, &mut Vec::new(), &mut Vec::new())
    };
    assert_eq!(save(&contacts), Err(Reject::TooManyBindings));
    assert!(save(&contacts[..3]).is_ok());
}

#[test]
fn a_refresh_never_counts() {
    let location = Location::new(1);
    let save = |device, cseq, contact| register(&location, WhenFull::Reject, 0, (device, cseq), contact);
    save(1, 1, contact("sip:a@h", 0, 60)).unwrap();
    save(2, 1, Binding { instance: Some(7), reg_id: Some(1), ..contact("sip:b@h", 0, 60) }).unwrap();
    // By its Contact, under another Call-ID even: the phone was restarted.
    save(3, 1, contact("sip:a@h", 0, 60)).unwrap();
    // By instance and reg-id, from another address.
    save(4, 1, Binding { instance: Some(7), reg_id: Some(1), ..contact("sip:b@elsewhere", 0, 60) }).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h", "sip:b@elsewhere"]);
}

#[test]
fn a_phone_whose_contact_has_changed_takes_its_own_place_at_the_limit() {
    let location = Location::new(1);
    let save = |device, cseq, uri| register(&location, WhenFull::Reject, 0, (device, cseq), contact(uri, 0, 60));
    save(1, 1, "sip:a@h:1").unwrap();
    save(1, 2, "sip:a@h:2").unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:1", "sip:a@h:2"], "there is room for both");
    save(1, 3, "sip:a@h:3").unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:2", "sip:a@h:3"], "not locked out by what it has left");
    save(2, 1, "sip:b@h").unwrap();
    assert_eq!(save(3, 1, "sip:c@h"), Err(Reject::TooManyBindings), "and nobody else's place is taken");
    check_invariants(&location);
}

#[test]
fn what_a_phone_has_left_counts_as_no_device_when_another_phone_comes() {
    let location = Location::new(1);
    let save = |device, cseq, uri| register(&location, WhenFull::Reject, 0, (device, cseq), contact(uri, 0, 60));
    save(1, 1, "sip:a@h:1").unwrap();
    save(1, 2, "sip:a@h:2").unwrap();
    save(2, 1, "sip:b@h").unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:2", "sip:b@h"]);
    assert_eq!(save(3, 1, "sip:c@h"), Err(Reject::TooManyBindings), "those two are there");
    check_invariants(&location);
}

#[test]
fn a_contact_that_came_with_others_is_none_that_was_left_though_the_others_are_refreshed_alone() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (1, 1), &["sip:a@h", "sip:b@h"].map(|uri| contact(uri, 0, 60))).unwrap();
    register(&location, WhenFull::Reject, 0, (1, 2), contact("sip:a@h", 0, 60)).unwrap();
    let third = register(&location, WhenFull::Reject, 0, (1, 3), contact("sip:c@h", 0, 60));
    assert_eq!(third, Err(Reject::TooManyBindings));
    // A retransmission of what was refreshed alone is one.
    register(&location, WhenFull::Reject, 0, (1, 2), contact("sip:a@h", 0, 60)).unwrap();
}

#[test]
fn what_a_phone_has_left_makes_no_room_for_an_app() {
    let location = Location::new(1);
    let (one, two, three) = (app("x"), app("y"), app("z"));
    let save = |when_full, seconds, device, cseq, uri| {
        register(&location, when_full, seconds, (device, cseq), contact(uri, seconds, 60))
    };
    save(WhenFull::Reject, 0, 1, 1, "sip:a@h").unwrap();
    save(WhenFull::Reject, 1, 2, 1, &one).unwrap();
    assert_eq!(save(WhenFull::Reject, 2, 1, 2, &two), Err(Reject::TooManyBindings));
    save(WhenFull::ReplaceOldest, 3, 1, 2, &three).unwrap();
    assert_eq!(listed(&location, 3, aor("101")), ["sip:a@h", three.as_str()], "the app gave way, the phone did not");
}

#[test]
fn contacts_that_came_together_are_places_on_purpose() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (1, 1), &["sip:a@h:1", "sip:a@h:2"].map(|uri| contact(uri, 0, 60))).unwrap();
    let third = register(&location, WhenFull::Reject, 0, (1, 2), contact("sip:a@h:3", 0, 60));
    assert_eq!(third, Err(Reject::TooManyBindings));
}

#[test]
fn two_flows_of_one_device_do_not_push_each_other_out() {
    let location = Location::new(1);
    let flow = |reg_id, uri| Binding { instance: Some(7), reg_id: Some(reg_id), ..contact(uri, 0, 60) };
    let save = |device, cseq, contact| register(&location, WhenFull::Reject, 0, (device, cseq), contact);
    save(1, 1, flow(1, "sip:a@h:1")).unwrap();
    save(2, 1, contact("sip:b@h", 0, 60)).unwrap();
    assert_eq!(save(1, 2, flow(2, "sip:a@h:2")), Err(Reject::TooManyBindings));
}

#[test]
fn a_phone_whose_connection_is_closed_gives_way_before_anybody_is_refused() {
    let location = Location::new(1);
    let tcp = |serial, uri| Binding { flow: stream(Transport::Tcp, serial), ..contact(uri, 0, 60) };
    let save = |device, contact| register(&location, WhenFull::Reject, 0, (device, 1), contact);
    save(1, tcp(1, "sip:a@198.51.100.7:5062")).unwrap();
    save(2, tcp(2, "sip:b@198.51.100.8:5062")).unwrap();
    location.connection_closed(at(0), connection(1));
    assert_eq!(listed(&location, 0, aor("101")).len(), 2, "its Contact can still be tried");
    save(3, tcp(3, "sip:a@198.51.100.7:5070")).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:b@198.51.100.8:5062", "sip:a@198.51.100.7:5070"]);
    assert_eq!(save(4, contact("sip:c@h", 0, 60)), Err(Reject::TooManyBindings));
    check_invariants(&location);
}

#[test]
fn a_device_that_is_of_another_kind_now_is_refreshed_all_the_same() {
    let location = Location::new(1);
    let one = app("x");
    let save = |seconds, device, cseq, uri| {
        register(&location, WhenFull::Reject, seconds, (device, cseq), contact(uri, seconds, 60))
    };
    save(0, 1, 1, &one).unwrap();
    save(1, 2, 1, "sip:a@h").unwrap();
    save(2, 3, 1, "sip:b@h").unwrap();
    // It gives up being woken, and is a third phone: the one that registered longest ago goes.
    let no_longer = "sip:x@h;pn-provider=acme";
    save(3, 1, 2, no_longer).unwrap();
    assert_eq!(listed(&location, 3, aor("101")), [no_longer, "sip:b@h"]);
}

#[test]
fn where_a_limit_was_lowered_those_stay_that_registered_last() {
    let location = Location::new(1);
    for (seconds, uri) in [(0, "sip:a@h"), (1, "sip:b@h"), (2, "sip:c@h")] {
        save(&location, seconds, aor("101"), (u64::from(seconds) + 1, 1), &[contact(uri, seconds, 60)]).unwrap();
    }
    // Two phones are left to it now. A stranger is refused, and who is there refreshes.
    let save = |device, cseq, uri| register(&location, WhenFull::Reject, 3, (device, cseq), contact(uri, 3, 60));
    assert_eq!(save(9, 1, "sip:d@h"), Err(Reject::TooManyBindings));
    save(1, 2, "sip:a@h").unwrap();
    assert_eq!(listed(&location, 3, aor("101")), ["sip:a@h", "sip:c@h"]);
    check_invariants(&location);
}

#[test]
fn a_call_id_does_not_make_two_instances_one_device() {
    let location = Location::new(1);
    let device = |instance, uri| Binding { instance: Some(instance), ..contact(uri, 0, 60) };
    let save = |call_id, cseq, contact| register(&location, WhenFull::Reject, 0, (call_id, cseq), contact);
    save(1, 1, device(7, "sip:a@h:1")).unwrap();
    save(2, 1, device(8, "sip:b@h")).unwrap();
    assert_eq!(save(1, 2, device(9, "sip:a@h:2")), Err(Reject::TooManyBindings));
}

#[test]
fn what_cannot_be_reached_any_more_makes_room() {
    let location = Location::new(1);
    let tls = |serial| Binding { flow: stream(Transport::Tls, serial), ..contact("sip:a@phone.example", 0, 60) };
    let save = |device, contact| register(&location, WhenFull::Reject, 0, (device, 1), contact);
    save(1, tls(1)).unwrap();
    save(2, contact("sip:b@h", 0, 60)).unwrap();
    assert_eq!(save(3, contact("sip:c@h", 0, 60)), Err(Reject::TooManyBindings));
    location.connection_closed(at(0), connection(1));
    save(3, contact("sip:c@h", 0, 60)).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:b@h", "sip:c@h"]);
}

#[test]
fn where_the_oldest_gives_way_it_is_the_oldest_of_its_kind() {
    let location = Location::new(1);
    let one = app("x");
    let save = |seconds, device, uri| {
        register(&location, WhenFull::ReplaceOldest, seconds, (device, 1), contact(uri, seconds, 600)).unwrap()
    };
    save(0, 1, &one);
    save(1, 2, "sip:a@h");
    save(2, 3, "sip:b@h");
    save(3, 4, "sip:c@h");
    assert_eq!(listed(&location, 3, aor("101")), [one.as_str(), "sip:b@h", "sip:c@h"]);
    let two = app("y");
    save(4, 5, &two);
    assert_eq!(listed(&location, 4, aor("101")), ["sip:b@h", "sip:c@h", two.as_str()]);
    check_invariants(&location);
}

#[test]
fn one_request_with_too_many_contacts_is_refused_whoever_gives_way() {
    let location = Location::new(1);
    register(&location, WhenFull::ReplaceOldest, 0, (1, 1), contact("sip:old@h", 0, 60)).unwrap();
    let contacts = ["sip:a@h", "sip:b@h", "sip:c@h"].map(|uri| Binding { call_id: 2, cseq: 1, ..contact(uri, 0, 60) });
    let limits = Limits { phones: 2, apps: 1, total: 3, when_full: WhenFull::ReplaceOldest };
    let update = Update { call_id: 2, cseq: 1, contacts: Contacts::Some(&contacts), limits };
    assert_eq!(
        location.save(at(0), &aor("101"), &update, &mut Vec::new(), &mut Vec::new()),
        Err(Reject::TooManyBindings)
    );
    assert_eq!(listed(&location, 0, aor("101")), ["sip:old@h"], "nothing has changed");
}
