use super::*;

/// The journal's word on one address-of-record: version and record.
fn record_of(contacts: &[Binding<'_>]) -> Vec<u8> {
    let mut record = Vec::new();
    pack(contacts, &mut record);
    record
}

#[test]
fn what_was_saved_is_there_after_a_restart_with_its_remaining_lifetime() {
    let before = Location::new(1);
    let phone = Binding { parameters: b";x=y", user_agent: b"Phone", q: Some(300), ..contact("sip:a@h", 0, 60) };
    save(&before, 0, aor("101"), (7, 1), &[phone, contact("sip:b@h", 0, 90)]).unwrap();
    save(&before, 0, aor("102"), (8, 1), &[contact("sip:c@h", 0, 60)]).unwrap();
    let journal = visited(&before, 0);
    assert_eq!(journal.len(), 2);

    let after = Location::new(2);
    for (tenant, number, version, _, record) in &journal {
        after.restore(at(30), &listeners(), &Aor { tenant: *tenant, number }, *version, record).unwrap();
    }
    assert_eq!(visited(&after, 30), journal);
    assert_eq!(count(&after, TenantId(1)), 3);
    check_invariants(&after);
    assert_eq!(lookup(&after, 59, aor("101")), ["sip:a@h", "sip:b@h"]);
    assert_eq!(lookup(&after, 60, aor("101")), ["sip:b@h"]);
    // The order of its CSeqs goes on too.
    assert_eq!(save(&after, 30, aor("102"), (8, 0), &[contact("sip:c@h", 30, 60)]), Err(Reject::OutOfOrder));
}

#[test]
fn of_two_states_the_one_with_the_higher_version_holds_in_either_order() {
    let (old, new) = (record_of(&[contact("sip:old@h", 0, 90)]), record_of(&[contact("sip:new@h", 0, 60)]));
    for states in [[(1, &old), (2, &new)], [(2, &new), (1, &old)]] {
        let location = Location::new(1);
        for (version, record) in states {
            location.restore(at(0), &listeners(), &aor("101"), version, record).unwrap();
        }
        assert_eq!(listed(&location, 0, aor("101")), ["sip:new@h"]);
        check_invariants(&location);
    }
}

#[test]
fn a_removal_holds_against_an_older_state_that_is_read_after_it() {
    let record = record_of(&[contact("sip:a@h", 0, 90)]);
    let expired = record_of(&[contact("sip:b@h", 0, 10)]);
    for gone in [&[][..], &expired] {
        let location = Location::new(1);
        location.restore(at(20), &listeners(), &aor("101"), 2, gone).unwrap();
        location.restore(at(20), &listeners(), &aor("101"), 1, &record).unwrap();
        assert!(listed(&location, 20, aor("101")).is_empty());
        assert!(visited(&location, 20).is_empty());
        sweep(&location, 20);
        assert!(location.stripes.iter().all(|stripe| stripe.lock().iter().next().is_none()), "no trace is left");
        check_invariants(&location);
    }
}

#[test]
fn versions_go_on_above_what_was_restored() {
    let location = Location::new(1);
    let future = u64::from(START + 1000) * 1000;
    location.restore(at(0), &listeners(), &aor("101"), future, &[]).unwrap();
    sweep(&location, 0);
    let saved = save(&location, 0, aor("101"), (7, 1), &[contact("sip:a@h", 0, 60)]).unwrap();
    assert_eq!(saved.version, Some(future + 1));
}

#[test]
fn connections_of_before_a_restart_are_closed() {
    let tcp = Binding { flow: stream(Transport::Tcp, 5), ..contact("sip:a@198.51.100.7:5062", 0, 60) };
    let tls = Binding { flow: stream(Transport::Tls, 6), ..contact("sip:b@198.51.100.7", 0, 60) };
    let location = Location::new(1);
    location.restore(at(0), &listeners(), &aor("101"), 1, &record_of(&[tcp, tls])).unwrap();
    check_invariants(&location);
    assert_eq!(listed(&location, 0, aor("101")).len(), 2, "both are still registered");
    let mut reached = Vec::new();
    location.lookup(at(0), &aor("101"), |binding| reached.push(binding.reach(&Settings::default())));
    let remote = "198.51.100.7:5062".parse().unwrap();
    assert_eq!(reached, [Some(Flow { remote, connection: None, ..tcp.flow })]);
    // A connection that has the same number now is somebody else's.
    assert_eq!(location.tenant_on_flow(&tls.flow), None);
    assert_eq!(location.connection_closed(at(0), connection(6)), 0);
    // The device comes back; what can't be reached makes room.
    let fresh = Binding { flow: stream(Transport::Tls, 1), ..contact("sip:b@198.51.100.7:2", 0, 60) };
    save(&location, 0, aor("101"), (9, 1), &[fresh]).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@198.51.100.7:5062", "sip:b@198.51.100.7:2"]);
    check_invariants(&location);
}

#[test]
fn garbage_is_refused_and_changes_nothing() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (7, 1), &[contact("sip:a@h", 0, 60)]).unwrap();
    let mut record = record_of(&[contact("sip:b@h", 0, 60)]);
    record.pop();
    assert_eq!(location.restore(at(0), &listeners(), &aor("101"), u64::MAX, &record), Err(Garbage));
    assert_eq!(location.restore(at(0), &listeners(), &aor("101"), u64::MAX, b"\xff\xff"), Err(Garbage));
    assert_eq!(location.restore(at(0), &listeners(), &aor(&"1".repeat(256)), 1, b""), Err(Garbage));
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h"]);
}
