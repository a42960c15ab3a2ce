use super::*;

#[test]
fn a_saved_contact_is_found_until_it_expires() {
    let location = Location::new(1);
    let saved = save(&location, 0, aor("101"), (7, 1), &[contact("sip:101@198.51.100.7", 0, 60)]).unwrap();
    assert_eq!(saved.expires, START + 60);
    assert_eq!(saved.version, Some(u64::from(START) * 1000));
    assert_eq!(lookup(&location, 59, aor("101")), ["sip:101@198.51.100.7"]);
    assert!(lookup(&location, 60, aor("101")).is_empty());
    assert!(lookup(&location, 0, aor("102")).is_empty());
    assert!(lookup(&location, 0, Aor { tenant: TenantId(2), number: b"101" }).is_empty());
}

#[test]
fn a_sweep_removes_what_has_expired_and_nothing_else() {
    let location = Location::new(1);
    let contacts = [contact("sip:a@198.51.100.7", 0, 60), contact("sip:b@198.51.100.7", 0, 90)];
    save(&location, 0, aor("101"), (7, 1), &contacts).unwrap();
    save(&location, 0, aor("102"), (8, 1), &contacts[..1]).unwrap();
    assert_eq!((sweep(&location, 59), count(&location, TenantId(1))), (0, 3));
    assert_eq!((sweep(&location, 60), count(&location, TenantId(1))), (2, 1));
    check_invariants(&location);
    assert_eq!(lookup(&location, 60, aor("101")), ["sip:b@198.51.100.7"]);
    assert_eq!((sweep(&location, 90), count(&location, TenantId(1))), (1, 0));
    check_invariants(&location);
    assert!(location.stripes.iter().all(|stripe| stripe.lock().iter().next().is_none()));
}

#[test]
fn many_that_expire_give_their_memory_back() {
    let location = Location::new(1);
    let numbers: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    for number in &numbers {
        save(&location, 0, aor(number), (7, 1), &[contact("sip:a@198.51.100.7", 0, 60)]).unwrap();
    }
    assert_eq!(sweep(&location, 60), 20_000);
    check_invariants(&location);
    assert!(location.stripes.iter().all(|stripe| stripe.lock().capacity() == 0));
}

#[test]
fn a_version_is_higher_than_every_one_before_it_even_when_the_clock_goes_back() {
    let location = Location::new(1);
    let contacts = [contact("sip:a@198.51.100.7", 100, 60)];
    let first = save(&location, 100, aor("101"), (7, 1), &contacts).unwrap().version;
    let second = save(&location, 50, aor("101"), (7, 2), &contacts).unwrap().version;
    let removed = save_all_removed(&location, 50, aor("101"), (7, 3)).unwrap();
    let fourth = save(&location, 10, aor("101"), (7, 1), &contacts).unwrap().version;
    assert!(first < second && second < removed.version && removed.version < fourth);
    assert_eq!(removed.expires, 0);
}

#[test]
fn the_same_request_again_changes_nothing() {
    let location = Location::new(1);
    let contacts = [contact("sip:a@198.51.100.7", 0, 60)];
    let saved = save(&location, 0, aor("101"), (7, 1), &contacts).unwrap();
    let later = [contact("sip:a@198.51.100.7", 20, 60)];
    assert_eq!(save(&location, 20, aor("101"), (7, 1), &later), Ok(Saved { version: None, ..saved }));
    assert!(lookup(&location, 60, aor("101")).is_empty(), "the retransmission has not made it longer");
    let other = [contact("sip:a@198.51.100.7", 0, 61)];
    assert_eq!(save(&location, 0, aor("101"), (7, 1), &other), Err(Reject::OutOfOrder));
}

#[test]
fn a_removal_of_what_is_not_there_changes_nothing() {
    let location = Location::new(1);
    let unchanged = Ok(Saved { version: None, expires: 0, is_shared: false, is_news: false });
    assert_eq!(save(&location, 0, aor("101"), (7, 1), &[contact("sip:a@h", 0, 0)]), unchanged);
    assert_eq!(save_all_removed(&location, 0, aor("101"), (7, 1)), unchanged);
}

#[test]
fn the_ceiling_counts_what_is_there_after_the_request() {
    let location = Location::new(1);
    let all = ["sip:a@h", "sip:b@h", "sip:c@h", "sip:d@h"].map(|uri| contact(uri, 0, 60));
    assert_eq!(save(&location, 0, aor("101"), (7, 1), &all), Err(Reject::TooManyBindings));
    assert!(listed(&location, 0, aor("101")).is_empty());
    save(&location, 0, aor("101"), (7, 1), &all[..3]).unwrap();
    assert_eq!(save(&location, 0, aor("101"), (8, 1), &all[3..]), Err(Reject::TooManyBindings));
    let exchange = [contact("sip:d@h", 0, 60), contact("sip:a@h", 0, 0)];
    save(&location, 0, aor("101"), (8, 1), &exchange).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:b@h", "sip:c@h", "sip:d@h"]);
    // What has expired counts no longer, swept or not.
    save(&location, 60, aor("101"), (9, 1), &[contact("sip:e@h", 60, 60)]).unwrap();
    assert_eq!(listed(&location, 60, aor("101")), ["sip:e@h"]);
    check_invariants(&location);
}

#[test]
fn a_lowered_ceiling_lets_a_device_refresh_what_it_has_and_the_newest_stay() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (7, 1), &["sip:a@h", "sip:b@h"].map(|uri| contact(uri, 0, 60))).unwrap();
    let contacts = [Binding { call_id: 7, cseq: 2, ..contact("sip:b@h", 0, 90) }];
    let update = Update { call_id: 7, cseq: 2, contacts: Contacts::Some(&contacts), limits: of_each(1) };
    let mut record = Vec::new();
    assert_eq!(location.save(at(0), &aor("101"), &update, &mut record, &mut Vec::new()).unwrap().expires, START + 90);
    let left = unpack(&record).unwrap();
    assert_eq!(left.iter().map(|binding| binding.uri).collect::<Vec<_>>(), [b"sip:b@h"]);
}

#[test]
fn one_uri_that_is_equivalent_to_two_replaces_both() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (7, 1), &["sip:a@h;x=1", "sip:b@h", "sip:a@h;x=2"].map(|uri| contact(uri, 0, 60)))
        .unwrap();
    save(&location, 0, aor("101"), (7, 2), &[contact("sip:a@h", 0, 60)]).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h", "sip:b@h"]);
}

#[test]
fn a_device_that_registers_as_rfc_5626_has_it_is_known_by_instance_and_reg_id() {
    let location = Location::new(1);
    let flow =
        |uri, instance, reg_id| Binding { instance: Some(instance), reg_id: Some(reg_id), ..contact(uri, 0, 60) };
    save(&location, 0, aor("101"), (7, 1), &[flow("sip:a@h:1", 5, 1), flow("sip:a@h:1", 5, 2)]).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:1", "sip:a@h:1"]);
    save(&location, 0, aor("101"), (8, 1), &[flow("sip:a@h:2", 5, 1)]).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:2", "sip:a@h:1"]);
    save(&location, 0, aor("101"), (9, 1), &[flow("sip:a@h:2", 6, 1)]).unwrap();
    assert_eq!(listed(&location, 0, aor("101")), ["sip:a@h:2", "sip:a@h:1", "sip:a@h:2"]);
}

#[test]
fn a_refused_save_leaves_nothing_in_its_buffer() {
    let location = Location::new(1);
    save(&location, 0, aor("101"), (7, 2), &[contact("sip:a@h", 0, 60)]).unwrap();
    let mut record = b"left over".to_vec();
    let update = Update { call_id: 7, cseq: 1, contacts: Contacts::All, limits: of_each(3) };
    assert_eq!(location.save(at(0), &aor("101"), &update, &mut record, &mut Vec::new()), Err(Reject::OutOfOrder));
    assert!(record.is_empty());
    let number = "1".repeat(256);
    let update = Update { call_id: 7, cseq: 1, contacts: Contacts::All, limits: of_each(3) };
    assert_eq!(location.save(at(0), &aor(&number), &update, &mut record, &mut Vec::new()), Err(Reject::UnknownNumber));
}

#[test]
fn a_search_ahead_reads_the_slot_and_the_record_and_holds_no_lock_between() {
    let location = Location::new(1);
    assert_eq!(location.ahead(&aor("101")).count(), 0);
    save(&location, 0, aor("101"), (1, 1), &[contact("sip:101@192.0.2.9", 0, 60)]).unwrap();
    let mut ahead = location.ahead(&aor("101"));
    assert!(ahead.next().is_some());
    assert_eq!(lookup(&location, 1, aor("101")).len(), 1);
    assert!(ahead.next().is_some());
    assert!(ahead.next().is_none());
}
