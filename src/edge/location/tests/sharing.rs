//! Nodes that share their bindings, without anything between them but the sections themselves.

use std::collections::BTreeMap;

use super::*;

/// What all nodes can see: the sections of each number, with their versions.
#[derive(Default)]
struct Between {
    sections: BTreeMap<String, BTreeMap<NodeNumber, (u64, Vec<u8>)>>,
}

struct Node {
    number: NodeNumber,
    location: Location,
}

fn node(number: u32) -> Node {
    Node { number: NodeNumber(number), location: Location::shared(number.into(), NodeNumber(number)) }
}

impl Between {
    /// Publishes what is due of a node, and tells how much that was.
    fn publish(&mut self, node: &Node, seconds: u32) -> usize {
        let mut published = 0;
        node.location.take_unpublished(at(seconds), usize::MAX, |section| {
            published += 1;
            let sections = self.sections.entry(String::from_utf8(section.aor.number.to_vec()).unwrap()).or_default();
            if sections.get(&node.number).is_none_or(|(version, _)| *version <= section.version) {
                if section.record.is_empty() {
                    sections.remove(&node.number);
                } else {
                    sections.insert(node.number, (section.version, section.record.to_vec()));
                }
            }
        });
        published
    }

    fn tell(&self, node: &Node, seconds: u32, number: &str) -> Learned {
        let empty = BTreeMap::new();
        let sections = self.sections.get(number).unwrap_or(&empty);
        let others = sections.iter().filter(|(other, _)| **other != node.number);
        let others: Vec<_> = others.map(|(other, (_, record))| (*other, record.as_slice())).collect();
        let own = sections.get(&node.number).map(|(version, _)| *version);
        node.location.learn(at(seconds), &aor(number), &others, own).unwrap()
    }

    /// Lets all nodes publish and learn until none has anything to say.
    fn converge(&mut self, nodes: &[&Node], seconds: u32) {
        for _ in 0..10 {
            let published: usize = nodes.iter().map(|node| self.publish(node, seconds)).sum();
            let numbers: Vec<_> = self.sections.keys().cloned().collect();
            for node in nodes {
                for number in &numbers {
                    self.tell(node, seconds, number);
                }
            }
            if published == 0 {
                return;
            }
        }
        panic!("they never agree");
    }
}

fn sweep(location: &Location, seconds: u32) {
    for stripe in 0..Location::STRIPES {
        location.sweep(at(seconds), stripe, 0, |_| {});
    }
}

fn count(location: &Location) -> u64 {
    let mut all = 0;
    location.count(|_, count| all += count);
    all
}

#[test]
fn a_phone_of_one_node_is_found_by_the_other_and_counted_by_its_own() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@198.51.100.7", 0, 60)]).unwrap();
    assert_eq!(lookup(&b.location, 0, aor("101")), [""; 0]);
    between.converge(&[&a, &b], 0);
    assert_eq!(lookup(&b.location, 0, aor("101")), ["sip:101@198.51.100.7"]);
    assert_eq!((count(&a.location), count(&b.location)), (1, 0));
    check_invariants(&a.location);
    // It lives as long as its own node said.
    assert_eq!(lookup(&b.location, 60, aor("101")), [""; 0]);
    sweep(&b.location, 61);
    assert_eq!(listed(&b.location, 0, aor("101")), [""; 0]);
}

#[test]
fn devices_of_one_extension_on_two_nodes_ring_from_both_and_count_against_one_limit() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (1, 1), &[contact("sip:1@h", 0, 60)]).unwrap();
    save(&b.location, 0, aor("101"), (2, 1), &[contact("sip:2@h", 0, 60)]).unwrap();
    save(&b.location, 0, aor("101"), (3, 1), &[contact("sip:3@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b], 0);
    for node in [&a, &b] {
        let mut found = lookup(&node.location, 1, aor("101"));
        found.sort();
        assert_eq!(found, ["sip:1@h", "sip:2@h", "sip:3@h"]);
        let fourth = save(&node.location, 1, aor("101"), (4, 1), &[contact("sip:4@h", 1, 60)]);
        assert_eq!(fourth, Err(Reject::TooManyBindings));
    }
}

#[test]
fn a_phone_that_moves_to_another_node_leaves_the_first_whatever_the_order_of_the_news() {
    for news_first in [false, true] {
        let (a, b, mut between) = (node(1), node(2), Between::default());
        save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
        if news_first {
            between.converge(&[&a, &b], 0);
        }
        save(&b.location, 5, aor("101"), (7, 2), &[contact("sip:101@h", 5, 60)]).unwrap();
        between.converge(&[&a, &b], 6);
        assert_eq!((count(&a.location), count(&b.location)), (0, 1), "{news_first}");
        assert_eq!(lookup(&a.location, 6, aor("101")), ["sip:101@h"]);
        assert_eq!(lookup(&b.location, 6, aor("101")), ["sip:101@h"]);
        // What it said to the first node before is out of order with either.
        for node in [&a, &b] {
            let late = save(&node.location, 7, aor("101"), (7, 1), &[contact("sip:101@h", 7, 60)]);
            assert_eq!(late, Err(Reject::OutOfOrder));
        }
    }
}

#[test]
fn a_phone_that_restarts_at_another_node_under_a_new_call_id_is_there_from_then_on() {
    let (a, b, mut between) = (node(2), node(1), Between::default());
    save(&a.location, 0, aor("101"), (7, 900), &[contact("sip:101@h", 0, 60)]).unwrap();
    save(&b.location, 5, aor("101"), (8, 1), &[contact("sip:101@h", 5, 60)]).unwrap();
    between.converge(&[&a, &b], 6);
    assert_eq!((count(&a.location), count(&b.location)), (0, 1));
}

#[test]
fn what_is_unregistered_by_way_of_another_node_is_gone_everywhere_and_stays_so() {
    let (a, b, c, mut between) = (node(1), node(2), node(3), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    save(&a.location, 0, aor("101"), (8, 1), &[contact("sip:other@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b, &c], 0);
    save(&b.location, 5, aor("101"), (7, 2), &[contact("sip:101@h", 5, 0)]).unwrap();
    assert_eq!(lookup(&b.location, 5, aor("101")), ["sip:other@h"]);
    between.converge(&[&a, &b, &c], 6);
    for node in [&a, &b, &c] {
        assert_eq!(lookup(&node.location, 6, aor("101")), ["sip:other@h"]);
    }
    assert_eq!((count(&a.location), count(&b.location)), (1, 0));
    // It comes back when it registers again, with any of them.
    save(&c.location, 9, aor("101"), (7, 3), &[contact("sip:101@h", 9, 60)]).unwrap();
    between.converge(&[&a, &b, &c], 10);
    for node in [&a, &b, &c] {
        assert_eq!(lookup(&node.location, 10, aor("101")).len(), 2);
    }
    save_all_removed(&b.location, 11, aor("101"), (9, 1)).unwrap();
    between.converge(&[&a, &b, &c], 12);
    for node in [&a, &b, &c] {
        assert_eq!(lookup(&node.location, 12, aor("101")), [""; 0]);
        assert_eq!(count(&node.location), 0);
        check_invariants(&node.location);
    }
    // When nothing of it could live any more, nothing is left of it.
    for node in [&a, &b, &c] {
        sweep(&node.location, 80);
        assert_eq!(listed(&node.location, 0, aor("101")), [""; 0]);
    }
}

#[test]
fn refreshes_wait_and_go_as_one_and_everything_else_goes_at_once() {
    let (a, mut between) = (node(1), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    assert_eq!(between.publish(&a, 0), 1);
    for second in 1..9 {
        save(&a.location, second, aor("101"), (7, 1 + second), &[contact("sip:101@h", second, 60)]).unwrap();
        assert_eq!(between.publish(&a, second), 0);
    }
    assert_eq!(a.location.unpublished(at(8)), Unpublished { count: 1, overdue_since: None });
    assert_eq!(between.publish(&a, 11), 1);
    save(&a.location, 12, aor("101"), (7, 30), &[contact("sip:101@h", 12, 60)]).unwrap();
    let elsewhere = Binding { flow: udp(9), ..contact("sip:101@h", 13, 60) };
    save(&a.location, 13, aor("101"), (7, 31), &[elsewhere]).unwrap();
    assert_eq!(between.publish(&a, 13), 1, "the phone has another port");
    save_all_removed(&a.location, 14, aor("101"), (7, 32)).unwrap();
    assert_eq!(between.publish(&a, 14), 1);
    assert!(between.sections["101"].is_empty());
    assert_eq!(between.publish(&a, 100), 0);
}

#[test]
fn three_nodes_whose_clocks_disagree_settle_on_one_place_and_lose_no_phone() {
    let (a, b, c, mut between) = (node(1), node(2), node(3), Between::default());
    // The first holds against the second by its CSeq, the third against the first and the second against the third by time.
    save(&a.location, 10, aor("101"), (7, 5), &[contact("sip:101@h", 10, 60)]).unwrap();
    save(&b.location, 20, aor("101"), (7, 4), &[contact("sip:101@h", 20, 60)]).unwrap();
    save(&c.location, 15, aor("101"), (8, 1), &[contact("sip:101@h", 15, 60)]).unwrap();
    for node in [&a, &b, &c] {
        assert_eq!(between.publish(node, 20), 1);
    }
    for node in [&a, &b, &c] {
        between.tell(node, 20, "101");
        assert_eq!(lookup(&node.location, 20, aor("101")), ["sip:101@h"]);
    }
    between.converge(&[&a, &b, &c], 20);
    assert_eq!(count(&a.location) + count(&b.location) + count(&c.location), 1);
}

#[test]
fn a_refresh_for_a_shorter_time_waits_unless_its_end_would_come_before_the_news_of_it() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 300)]).unwrap();
    between.converge(&[&a, &b], 0);
    save(&a.location, 1, aor("101"), (7, 2), &[contact("sip:101@h", 1, 280)]).unwrap();
    assert_eq!(between.publish(&a, 1), 0);
    save(&a.location, 2, aor("101"), (7, 3), &[contact("sip:101@h", 2, 10)]).unwrap();
    assert_eq!(between.publish(&a, 2), 1);
}

#[test]
fn a_refresh_that_comes_late_is_told_before_others_let_the_phone_go() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b], 0);
    save(&a.location, 55, aor("101"), (7, 2), &[contact("sip:101@h", 55, 60)]).unwrap();
    assert_eq!(between.publish(&a, 55), 1);
    between.tell(&b, 55, "101");
    assert_eq!(lookup(&b.location, 61, aor("101")), ["sip:101@h"]);
}

#[test]
fn who_registers_now_holds_against_a_node_whose_clock_is_ahead() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    // The clock of b is a minute ahead; the phone restarts between its nodes, so each order is its own.
    save(&b.location, 60, aor("101"), (8, 1), &[contact("sip:101@h", 60, 300)]).unwrap();
    between.converge(&[&b, &a], 60);
    save(&a.location, 5, aor("101"), (9, 1), &[contact("sip:101@h", 5, 300)]).unwrap();
    between.converge(&[&a, &b], 5);
    assert_eq!((count(&a.location), count(&b.location)), (1, 0));
}

#[test]
fn marks_of_what_was_removed_are_few_however_often_a_phone_moves() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    for round in 0..60 {
        let uri = format!("sip:{round}@h");
        save(&a.location, round, aor("101"), (7, 1 + round), &[contact(&uri, round, 3600)]).unwrap();
        between.converge(&[&a], round);
        between.tell(&b, round, "101");
        save_all_removed(&b.location, round, aor("101"), (1000, 1 + round)).unwrap();
    }
    let mut record = Vec::new();
    b.location.fetch(&aor("101"), &mut record);
    assert_eq!(unpack(&record).unwrap().len(), 16);
}

#[test]
fn what_changes_by_turns_in_time_and_place_stands_in_the_outbox_twice_at_most() {
    let (a, mut between) = (node(1), Between::default());
    for round in 0..50 {
        let (time, place) = (4 * round + 1, 4 * round + 3);
        save(&a.location, 1, aor("101"), (7, time), &[contact("sip:101@h", 1, 60)]).unwrap();
        let elsewhere = Binding { flow: udp(9), ..contact("sip:101@h", 1, 60) };
        save(&a.location, 1, aor("101"), (7, place), &[elsewhere]).unwrap();
        between.publish(&a, 1);
    }
    save(&a.location, 1, aor("101"), (7, 300), &[Binding { flow: udp(9), ..contact("sip:101@h", 1, 60) }]).unwrap();
    assert_eq!(a.location.unpublished(at(1)).count, 1);
    save_all_removed(&a.location, 2, aor("101"), (7, 301)).unwrap();
    assert_eq!(between.publish(&a, 2), 1);
    assert_eq!(a.location.unpublished(at(2)).count, 1, "it stands there still, with nothing to tell");
    assert_eq!(between.publish(&a, 12), 0);
    assert_eq!(a.location.unpublished(at(12)), Unpublished::default());
    assert_eq!(listed(&a.location, 12, aor("101")), [""; 0]);
}

#[test]
fn however_long_nobody_can_be_told_an_address_of_record_waits_once_and_once_as_it_was_when_it_was_new() {
    let a = node(1);
    for round in 0..100 {
        save(&a.location, round, aor("101"), (7, 2 * round + 1), &[contact("sip:101@h", round, 60)]).unwrap();
        save_all_removed(&a.location, round, aor("101"), (7, 2 * round + 2)).unwrap();
    }
    let unpublished = a.location.unpublished(at(100));
    assert_eq!(unpublished, Unpublished { count: 2, overdue_since: Some(at(0).as_millis()) });
}

#[test]
fn a_section_that_could_not_be_published_is_taken_again_also_when_it_says_that_nothing_is_left() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b], 0);
    save_all_removed(&a.location, 1, aor("101"), (7, 2)).unwrap();
    let mut version = 0;
    assert_eq!(a.location.take_unpublished(at(1), 10, |section| version = section.version), 1);
    a.location.publish_again(at(1).as_millis(), &aor("101"), version);
    assert_eq!(a.location.unpublished(at(9)).overdue_since, Some(at(1).as_millis()), "it waits as long as it did");
    between.converge(&[&a, &b], 3);
    assert_eq!(lookup(&b.location, 3, aor("101")), [""; 0]);
}

#[test]
fn what_others_do_not_see_as_it_is_is_published_again() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b], 0);
    // What was between them is lost, or went back to an older state.
    between.sections.clear();
    between.tell(&a, 1, "101");
    assert_eq!(between.publish(&a, 1), 1);
    assert_eq!(between.tell(&a, 1, "101"), Learned::Nothing);
    // A section of ours that we know nothing of, from before our data was lost.
    let fresh = node(1);
    between.tell(&fresh, 2, "101");
    assert_eq!(between.publish(&fresh, 2), 1);
    assert!(between.sections["101"].is_empty());
}

#[test]
fn a_connection_that_closes_is_told_of_and_so_is_one_that_a_restart_has_lost() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    let tls = Binding { flow: stream(Transport::Tls, 6), ..contact("sip:101@198.51.100.7", 0, 60) };
    save(&a.location, 0, aor("101"), (7, 1), &[tls]).unwrap();
    between.converge(&[&a, &b], 0);
    assert_eq!(lookup(&b.location, 1, aor("101")).len(), 1);
    let mut kept = visited(&a.location, 1);
    a.location.connection_closed(at(1), connection(6));
    between.converge(&[&a, &b], 1);
    assert_eq!(lookup(&b.location, 1, aor("101")).len(), 0);

    save(&a.location, 2, aor("101"), (7, 2), &[Binding { registered_at: START + 2, ..tls }]).unwrap();
    between.converge(&[&a, &b], 2);
    let (_, number, version, _, record) = kept.remove(0);
    let restarted = node(1);
    let aor = Aor { tenant: TenantId(1), number: &number };
    restarted.location.restore(at(3), &listeners(), &aor, version, &record).unwrap();
    between.converge(&[&restarted, &b], 3);
    assert_eq!(lookup(&b.location, 3, aor).len(), 0);
}

#[test]
fn a_section_that_cannot_be_read_changes_nothing() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    save(&a.location, 0, aor("101"), (7, 1), &[contact("sip:101@h", 0, 60)]).unwrap();
    between.converge(&[&a, &b], 0);
    let mut of_a_third = Vec::new();
    pack(&[Binding { home: Some(NodeNumber(9)), ..contact("sip:x@h", 0, 60) }], &mut of_a_third);
    for garbage in [&b"\x02\x01garbage"[..], &of_a_third] {
        let sections = [(NodeNumber(1), garbage)];
        assert_eq!(b.location.learn(at(1), &aor("101"), &sections, None), Err(Garbage));
    }
    assert_eq!(lookup(&b.location, 1, aor("101")), ["sip:101@h"]);
}

#[test]
fn a_device_is_pinged_by_the_node_that_it_has_registered_with_and_by_no_other() {
    let (a, b, mut between) = (node(1), node(2), Between::default());
    let pulse = Some(Pulse::first(START, 10, 0));
    save(&a.location, 0, aor("101"), (7, 1), &[Binding { pulse, ..contact("sip:101@h", 0, 300) }]).unwrap();
    between.converge(&[&a, &b], 0);
    let pings = |of: &Node| {
        let sweep = |stripe| of.location.sweep(at(20), stripe, 10, |_| {}).pinged;
        (0..Location::STRIPES).map(sweep).sum::<usize>()
    };
    assert_eq!((pings(&a), pings(&b)), (1, 0));
}

#[test]
fn what_is_new_is_told_as_it_was_written_and_before_whatever_has_followed_it() {
    let a = node(1);
    let mut has_come = false;
    let mut told = |most: usize| {
        let mut told = Vec::new();
        let taken = a.location.take_unpublished(at(1), most, |section| {
            let number = String::from_utf8(section.aor.number.to_vec()).unwrap();
            let uris = unpack(section.record).unwrap().iter().map(|binding| binding.uri.len()).collect::<Vec<_>>();
            if !std::mem::replace(&mut has_come, true) {
                // Nobody has the record meanwhile; this waits for the outbox, which comes next.
                save(&a.location, 1, aor("102"), (7, 1), &[contact("sip:102@h", 1, 60)]).unwrap();
            }
            told.push((number, uris));
        });
        assert_eq!(taken, told.len());
        told
    };
    let one = |number: &str, uris: &[usize]| (number.to_owned(), uris.to_vec());
    save(&a.location, 1, aor("101"), (7, 1), &[contact("sip:101@h", 1, 60)]).unwrap();
    save(&a.location, 1, aor("101"), (7, 2), &[contact("sip:101@host", 1, 60)]).unwrap();
    save(&a.location, 1, aor("103"), (7, 1), &[contact("sip:103@h", 1, 60)]).unwrap();
    save_all_removed(&a.location, 1, aor("101"), (7, 3)).unwrap();
    assert_eq!(a.location.unpublished(at(1)), Unpublished { count: 3, overdue_since: Some(at(1).as_millis()) });
    assert_eq!(told(1), [one("101", &[9])], "the outbox is not looked into before the copies have gone");
    let mut rest = told(usize::MAX);
    rest[1..].sort();
    assert_eq!(rest, [one("103", &[9]), one("101", &[]), one("102", &[9])]);
    assert_eq!((told(usize::MAX), a.location.unpublished(at(1))), (Vec::new(), Unpublished::default()));
}
