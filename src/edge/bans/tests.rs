use ringway_sip::{ListenerId, Monotonic};

use super::suspects::Added;
use super::*;

fn at(seconds: u64) -> Wall {
    Wall::from_seconds(1_800_000_000 + seconds)
}

fn source(text: &str) -> Barred {
    Barred::Source(network_of(text.parse().unwrap()))
}

fn ban(barred: Barred, seconds: u64) -> NewBan {
    NewBan { barred, reason: BanReason::Scanner, detail: "".into(), lasts: Duration::from_secs(seconds) }
}

fn flow(remote: &str) -> Flow {
    Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap())
}

#[test]
fn a_ban_holds_for_its_time_and_counts_what_it_kept_out() {
    let bans = Bans::new(1);
    assert!(bans.is_empty());
    bans.add(at(0), ban(source("198.51.100.1"), 60), 10);
    assert_eq!(bans.holds(at(59), &flow("198.51.100.1:5060")), Some(BanReason::Scanner));
    assert_eq!(bans.holds(at(59), &flow("198.51.100.1:9")), Some(BanReason::Scanner));
    assert_eq!(bans.holds(at(59), &flow("198.51.100.2:5060")), None);
    assert_eq!(bans.holds(at(60), &flow("198.51.100.1:5060")), None);
    for remote in ["198.51.100.1:5060", "198.51.100.1:9", "198.51.100.2:5060"] {
        bans.count_hit(at(59), &flow(remote));
    }
    let listed = bans.list(at(59));
    assert_eq!((listed.len(), listed[0].hits, listed[0].until), (1, 2, at(60)));
    assert!(bans.list(at(60)).is_empty());
    bans.sweep(at(60));
    assert!(bans.is_empty());
}

#[test]
fn an_address_is_one_port_and_a_network_of_ipv6_is_one_source() {
    let bans = Bans::new(1);
    bans.add(at(0), ban(Barred::Address("198.51.100.1:5060".parse().unwrap()), 60), 10);
    bans.add(at(0), ban(source("2001:db8:0:1::5"), 60), 10);
    assert!(bans.holds(at(1), &flow("198.51.100.1:5060")).is_some());
    assert!(bans.holds(at(1), &flow("198.51.100.1:5061")).is_none());
    assert!(bans.holds_source(at(1), "2001:db8:0:1:ffff::".parse().unwrap()));
    assert!(!bans.holds_source(at(1), "2001:db8:0:2::5".parse().unwrap()));
    assert!(!bans.holds_source(at(1), "198.51.100.1".parse().unwrap()), "another device there may connect");
}

#[test]
fn when_there_is_no_room_the_ban_that_ends_first_gives_way() {
    let bans = Bans::new(1);
    for (last, seconds) in [(1, 60), (2, 30), (3, 90)] {
        bans.add(at(0), ban(source(&format!("198.51.100.{last}")), seconds), 3);
    }
    bans.add(at(1), ban(source("198.51.100.4"), 60), 3);
    let mut left: Vec<_> = bans.list(at(1)).iter().map(|listed| format!("{:?}", listed.barred)).collect();
    left.sort();
    assert_eq!(left, ["Source(198.51.100.1)", "Source(198.51.100.3)", "Source(198.51.100.4)"]);
    // Whoever is banned already takes no further place.
    bans.add(at(2), ban(source("198.51.100.1"), 60), 3);
    assert_eq!(bans.list(at(2)).len(), 3);
}

#[test]
fn moments_of_forged_addresses_end_nobodys_ban() {
    let bans = Bans::new(1);
    for last in 0..100 {
        bans.add(at(0), ban(source(&format!("198.51.100.{last}")), 600), 100);
    }
    for port in 1..1000 {
        let holds = bans.add(at(1), ban(Barred::Address(format!("203.0.113.1:{port}").parse().unwrap()), 30), 100);
        assert!(!holds);
    }
    assert_eq!((bans.without_room(), bans.made_in_all()), (999, 100));
    let listed = bans.list(at(1));
    assert!(listed.len() == 100 && listed.iter().all(|listed| matches!(listed.barred, Barred::Source(_))));
    // One that lasts takes a place, also of one that has been over for some seconds.
    assert!(bans.add(at(601), ban(source("198.51.101.1"), 600), 100));
    assert_eq!(bans.list(at(601)).len(), 1);
}

#[test]
fn the_ban_that_ends_first_is_found_among_many_that_last() {
    let bans = Bans::new(1);
    for number in 0..1000_u32 {
        bans.add(at(0), ban(Barred::Source(IpAddr::V4(number.into())), 86_400), 1001);
    }
    bans.add(at(0), ban(source("203.0.113.1"), 30), 1001);
    assert!(bans.add(at(1), ban(source("203.0.113.2"), 600), 1001));
    assert!(!bans.list(at(1)).iter().any(|listed| listed.barred == source("203.0.113.1")));
    assert_eq!((bans.len(), bans.without_room()), (1001, 0));
    // Whoever is banned anew has one end, and it is the new one.
    bans.add(at(1), ban(source("203.0.113.2"), 86_401), 1001);
    assert!(!bans.add(at(1), ban(source("203.0.113.3"), 600), 1001));
    bans.sweep(at(601));
    assert_eq!(bans.len(), 1001);
    bans.sweep(at(86_402));
    assert!(bans.is_empty() && bans.list(at(0)).is_empty());
}

#[test]
fn after_a_flood_the_tables_give_their_memory_back() {
    let bans = Bans::new(1);
    let moment = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
    for number in 0..50_000_u32 {
        let address = Barred::Address((IpAddr::V4(number.into()), 5060).into());
        bans.add(at(0), ban(address, 30), 100_000);
        bans.suspects.add(moment(1), address, 1);
    }
    assert!(bans.table.capacity() >= 50_000 && bans.suspects.places() >= 50_000);
    bans.sweep(at(30));
    bans.suspects.sweep(moment(60));
    assert!(bans.is_empty() && bans.suspects.is_empty());
    assert!(bans.table.capacity() < 4096 && bans.suspects.places() < 4096);
}

#[test]
fn a_flood_of_forged_addresses_leaves_room_for_suspects_that_are_real() {
    let suspects = Bans::new(1).suspects;
    let now = Monotonic::from_micros(1_000_000);
    for number in 0..200_000_u32 {
        suspects.add(now, Barred::Address((IpAddr::V4(number.into()), 5060).into()), 2);
    }
    assert_eq!(suspects.len(), 50_000);
    let real = source("198.51.100.1");
    assert!(!suspects.add(now, real, 20).is_enough);
    assert!(suspects.add(now, real, 20).is_enough);
    // What is forgotten makes room again.
    let later = Monotonic::from_micros(61_000_000);
    suspects.sweep(later);
    suspects.add(later, Barred::Address("203.0.113.1:5060".parse().unwrap()), 2);
    assert_eq!(suspects.len(), 1);
}

#[test]
fn to_free_a_source_frees_all_that_is_of_it() {
    let bans = Bans::new(1);
    let address = "198.51.100.1".parse().unwrap();
    for barred in [
        source("198.51.100.1"),
        Barred::Address("198.51.100.1:5060".parse().unwrap()),
        Barred::Account(address, bans.account(TenantId(1), b"101")),
        source("198.51.100.2"),
    ] {
        bans.add(at(0), ban(barred, 60), 10);
    }
    assert!(bans.has_accounts());
    assert!(bans.holds_account(at(1), address, bans.account(TenantId(1), b"101")));
    assert!(!bans.holds_account(at(1), address, bans.account(TenantId(2), b"101")));
    assert_eq!(bans.remove(Barred::Source(address)), 3);
    assert!(!bans.has_accounts() && !bans.is_empty());
    assert_eq!((bans.clear(), bans.is_empty(), bans.made_in_all()), (1, true, 4));
}

#[test]
fn points_leak_away_are_taken_back_and_come_to_enough() {
    let suspects = Bans::new(1).suspects;
    let address: IpAddr = "198.51.100.1".parse().unwrap();
    let moment = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
    let barred = Barred::Source(address);
    let fine = Added { is_new: false, is_enough: false };
    assert_eq!(suspects.add(moment(10), barred, 39), Added { is_new: true, ..fine });
    assert_eq!(suspects.add(moment(13), barred, 1), fine, "one has leaked away");
    suspects.credit(moment(13), address, 7, 4);
    assert_eq!(suspects.add(moment(13), barred, 4), fine);
    assert_eq!(suspects.add(moment(13), barred, 1), Added { is_enough: true, ..fine });
    assert!(suspects.is_empty(), "it begins anew");
    suspects.add(moment(20), barred, 3);
    suspects.sweep(moment(28));
    assert!(!suspects.is_empty());
    suspects.sweep(moment(29));
    assert!(suspects.is_empty());
}
