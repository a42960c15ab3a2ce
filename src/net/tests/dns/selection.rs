//! Which transport, which host, which port: RFC 3263 section 4, rule by rule.

use std::collections::BTreeSet;

use hickory_resolver::proto::rr::RecordType;
use ringway_net::dns::{Failure, Families, LocateError, Resolver, ResolverOptions};

use super::server::{Reply, Server, a, aaaa, naptr, srv};
use super::{locate, options, targets};

/// carrier.example has everything: NAPTR for TLS, TCP and UDP, SRV for each, and hosts.
async fn carrier() -> (Server, Resolver) {
    let server = Server::start().await;
    let records = vec![
        naptr("carrier.example", 50, 50, "SIPS+D2T", "_sips._tcp.carrier.example"),
        naptr("carrier.example", 90, 50, "SIP+D2T", "_sip._tcp.carrier.example"),
        naptr("carrier.example", 100, 50, "SIP+D2U", "_sip._udp.carrier.example"),
    ];
    server.says("carrier.example", RecordType::NAPTR, Reply::Records(records));
    for (service, port) in [("_sips._tcp", 5061), ("_sip._tcp", 5070), ("_sip._udp", 5080)] {
        let name = format!("{service}.carrier.example");
        let records =
            vec![srv(&name, 20, 0, port + 1, "b.carrier.example"), srv(&name, 10, 0, port, "a.carrier.example")];
        server.says(&name, RecordType::SRV, Reply::Records(records));
    }
    for (host, address) in [("a", "192.0.2.1"), ("b", "192.0.2.2"), ("", "192.0.2.9")] {
        let name = format!("{host}.carrier.example");
        let name = name.trim_start_matches('.');
        server.says(name, RecordType::A, Reply::Records(vec![a(name, 60, address)]));
    }
    let resolver = Resolver::start(&options(&server)).unwrap();
    (server, resolver)
}

#[tokio::test]
async fn a_literal_address_is_asked_of_nobody() {
    let (server, resolver) = carrier().await;
    assert_eq!(targets(&resolver, "sip:192.0.2.7").await, ["udp 192.0.2.7:5060"]);
    assert_eq!(targets(&resolver, "sips:192.0.2.7").await, ["tls 192.0.2.7:5061"]);
    assert_eq!(targets(&resolver, "sip:192.0.2.7:5070").await, ["udp 192.0.2.7:5070"]);
    assert_eq!(targets(&resolver, "sip:[2001:db8::7];transport=tcp").await, ["tcp [2001:db8::7]:5060"]);
    assert_eq!(targets(&resolver, "sip:carrier.example;maddr=192.0.2.8").await, ["udp 192.0.2.8:5060"]);
    assert_eq!(server.asked_in_all(), 0);
}

#[tokio::test]
async fn a_port_says_that_the_host_itself_is_meant_and_no_service_is_looked_up() {
    let (server, resolver) = carrier().await;
    assert_eq!(targets(&resolver, "sip:carrier.example:5090").await, ["udp 192.0.2.9:5090"]);
    assert_eq!(targets(&resolver, "sip:carrier.example:5090;transport=tcp").await, ["tcp 192.0.2.9:5090"]);
    assert_eq!(targets(&resolver, "sips:carrier.example:5090").await, ["tls 192.0.2.9:5090"]);
    assert_eq!(server.asked("carrier.example", "udp"), 1, "its address, and that once");
    assert_eq!(server.asked_in_all(), 1);
}

#[tokio::test]
async fn naptr_records_choose_the_transport_and_srv_records_hosts_and_ports() {
    let (_server, resolver) = carrier().await;
    assert_eq!(
        targets(&resolver, "sip:carrier.example").await,
        [
            "tls 192.0.2.1:5061",
            "tls 192.0.2.2:5062",
            "tcp 192.0.2.1:5070",
            "tcp 192.0.2.2:5071",
            "udp 192.0.2.1:5080",
            "udp 192.0.2.2:5081"
        ]
    );
}

#[tokio::test]
async fn a_sips_uri_is_never_led_to_a_transport_without_tls() {
    let (_server, resolver) = carrier().await;
    assert_eq!(targets(&resolver, "sips:carrier.example").await, ["tls 192.0.2.1:5061", "tls 192.0.2.2:5062"]);
}

#[tokio::test]
async fn a_sips_uri_whose_domain_has_no_tls_service_goes_to_the_host_by_tls() {
    let (server, resolver) = carrier().await;
    let records = vec![naptr("carrier.example", 1, 1, "SIP+D2U", "_sip._udp.carrier.example")];
    server.says("carrier.example", RecordType::NAPTR, Reply::Records(records));
    server.says("_sips._tcp.carrier.example", RecordType::SRV, Reply::Missing(60));
    assert_eq!(targets(&resolver, "sips:carrier.example").await, ["tls 192.0.2.9:5061"]);
}

#[tokio::test]
async fn a_transport_that_the_domain_chose_is_kept_when_its_services_are_not_found() {
    let (server, resolver) = carrier().await;
    let tls = naptr("carrier.example", 1, 1, "SIPS+D2T", "_sips._tcp.carrier.example");
    let tcp = naptr("carrier.example", 2, 1, "SIP+D2T", "_sip._tcp.carrier.example");
    server.says("carrier.example", RecordType::NAPTR, Reply::Records(vec![tls.clone()]));
    server.says("_sips._tcp.carrier.example", RecordType::SRV, Reply::Failure);
    assert_eq!(targets(&resolver, "sip:carrier.example").await, ["tls 192.0.2.9:5061"], "never in clear");

    let (server, resolver) = carrier().await;
    server.says("carrier.example", RecordType::NAPTR, Reply::Records(vec![tcp, tls]));
    for name in ["_sips._tcp.carrier.example", "_sip._tcp.carrier.example"] {
        server.says(name, RecordType::SRV, Reply::Missing(60));
    }
    assert_eq!(targets(&resolver, "sip:carrier.example").await, ["tls 192.0.2.9:5061", "tcp 192.0.2.9:5060"]);

    server.says_of_all_others(Reply::Failure);
    for kind in [RecordType::NAPTR, RecordType::A] {
        server.says("all.example", kind, Reply::Failure);
    }
    let error = locate(&resolver, "sip:all.example").await.unwrap_err();
    assert!(matches!(error, LocateError::Dns(_, Failure::Server(_))), "{error}");
}

#[tokio::test]
async fn addresses_that_no_single_host_has_and_port_0_are_never_targets() {
    let server = Server::start().await;
    let resolver = Resolver::start(&options(&server)).unwrap();
    for (number, address) in
        ["0.0.0.0", "0.1.2.3", "224.0.1.75", "255.255.255.255", "127.0.0.1", "127.8.9.10"].iter().enumerate()
    {
        let host = format!("h{number}.example");
        server.says(&host, RecordType::A, Reply::Records(vec![a(&host, 60, address)]));
        let error = locate(&resolver, &format!("sip:{host}:5060")).await.unwrap_err();
        assert_eq!(error, LocateError::Unusable(host), "{address}");
    }
    let name = "_sip._udp.zero.example";
    server.says(name, RecordType::SRV, Reply::Records(vec![srv(name, 1, 1, 0, "good.example")]));
    let records = ["255.255.255.255", "192.0.2.7"].map(|address| a("good.example", 60, address)).to_vec();
    server.says("good.example", RecordType::A, Reply::Records(records));
    let error = locate(&resolver, "sip:zero.example;transport=udp").await.unwrap_err();
    assert_eq!(error, LocateError::Unusable("zero.example".to_owned()));
    assert_eq!(targets(&resolver, "sip:good.example:5060").await, ["udp 192.0.2.7:5060"], "what is good is left");

    // Who writes an address means it, but there is nobody at these.
    assert_eq!(targets(&resolver, "sip:127.0.0.1").await, ["udp 127.0.0.1:5060"]);
    for uri in ["sip:0.0.0.0", "sip:[::]", "sip:[ff02::1]", "sip:[::ffff:224.0.0.1]", "sip:224.0.0.1"] {
        assert!(matches!(locate(&resolver, uri).await, Err(LocateError::Unusable(_))), "{uri}");
    }
}

#[tokio::test]
async fn in_a_laboratory_dns_may_lead_to_this_machine_itself() {
    let server = Server::start().await;
    let records = ["127.0.0.1", "0.0.0.0"].map(|address| a("h.example", 60, address)).to_vec();
    server.says("h.example", RecordType::A, Reply::Records(records));
    let resolver = Resolver::start(&ResolverOptions { loopback: true, ..options(&server) }).unwrap();
    assert_eq!(targets(&resolver, "sip:h.example:5060").await, ["udp 127.0.0.1:5060"]);
}

#[tokio::test]
async fn a_transport_in_the_uri_goes_straight_to_its_srv_records() {
    let (server, resolver) = carrier().await;
    let tcp = targets(&resolver, "sip:carrier.example;transport=tcp").await;
    assert_eq!(tcp, ["tcp 192.0.2.1:5070", "tcp 192.0.2.2:5071"]);
    assert_eq!(server.asked("carrier.example", "udp"), 0, "no NAPTR is asked for");
    assert_eq!(server.asked("_sip._tcp.carrier.example", "udp"), 1);
}

#[tokio::test]
async fn without_naptr_records_the_srv_records_of_each_transport_are_looked_up() {
    let (server, resolver) = carrier().await;
    server.says("carrier.example", RecordType::NAPTR, Reply::Missing(60));
    server.says("_sip._udp.carrier.example", RecordType::SRV, Reply::Missing(60));
    assert_eq!(
        targets(&resolver, "sip:carrier.example").await,
        ["tcp 192.0.2.1:5070", "tcp 192.0.2.2:5071", "tls 192.0.2.1:5061", "tls 192.0.2.2:5062"]
    );
}

#[tokio::test]
async fn without_any_service_the_host_s_address_and_the_default_port_are_taken() {
    let server = Server::start().await;
    let resolver = Resolver::start(&options(&server)).unwrap();
    server.says("pbx.example", RecordType::A, Reply::Records(vec![a("pbx.example", 60, "192.0.2.3")]));
    assert_eq!(targets(&resolver, "sip:pbx.example").await, ["udp 192.0.2.3:5060"]);
    assert_eq!(targets(&resolver, "sip:pbx.example;transport=tcp").await, ["tcp 192.0.2.3:5060"]);
    assert_eq!(targets(&resolver, "sips:pbx.example").await, ["tls 192.0.2.3:5061"]);
}

#[tokio::test]
async fn a_service_whose_target_is_the_root_is_not_offered_and_the_host_is_not_tried() {
    let (server, resolver) = carrier().await;
    let name = "_sip._tcp.carrier.example";
    server.says(name, RecordType::SRV, Reply::Records(vec![srv(name, 0, 0, 0, ".")]));
    let error = locate(&resolver, "sip:carrier.example;transport=tcp").await.unwrap_err();
    assert_eq!(error, LocateError::NotOffered("carrier.example".to_owned()));
}

#[tokio::test]
async fn one_dead_name_among_srv_records_costs_its_own_target_alone() {
    let (server, resolver) = carrier().await;
    server.says("a.carrier.example", RecordType::A, Reply::Failure);
    assert_eq!(targets(&resolver, "sip:carrier.example;transport=udp").await, ["udp 192.0.2.2:5081"]);
}

#[tokio::test]
async fn of_a_host_with_both_families_ipv6_comes_first_and_an_unwanted_family_is_not_asked_for() {
    let server = Server::start().await;
    server.says("h.example", RecordType::A, Reply::Records(vec![a("h.example", 60, "192.0.2.3")]));
    server.says("h.example", RecordType::AAAA, Reply::Records(vec![aaaa("h.example", 60, "2001:db8::3")]));
    let both = ResolverOptions { families: Families::default(), ..options(&server) };
    let resolver = Resolver::start(&both).unwrap();
    assert_eq!(targets(&resolver, "sip:h.example:5060").await, ["udp [2001:db8::3]:5060", "udp 192.0.2.3:5060"]);
    let before = server.asked("h.example", "udp");
    let resolver = Resolver::start(&options(&server)).unwrap();
    assert_eq!(targets(&resolver, "sip:h.example:5060").await, ["udp 192.0.2.3:5060"]);
    assert_eq!(server.asked("h.example", "udp"), before + 1);
}

#[tokio::test]
async fn equal_priorities_are_drawn_anew_each_time() {
    let server = Server::start().await;
    let name = "_sip._udp.lot.example";
    let records = vec![srv(name, 1, 50, 5060, "a.lot.example"), srv(name, 1, 50, 5060, "b.lot.example")];
    server.says(name, RecordType::SRV, Reply::Records(records));
    for (host, address) in [("a.lot.example", "192.0.2.1"), ("b.lot.example", "192.0.2.2")] {
        server.says(host, RecordType::A, Reply::Records(vec![a(host, 60, address)]));
    }
    let resolver = Resolver::start(&options(&server)).unwrap();
    let mut firsts = BTreeSet::new();
    // That one of two is never first in so many draws has a chance of 1 to 2^200.
    for _ in 0..200 {
        firsts.insert(targets(&resolver, "sip:lot.example;transport=udp").await.swap_remove(0));
    }
    assert_eq!(firsts.len(), 2, "{firsts:?}");
    assert_eq!(server.asked(name, "udp"), 1, "the records are kept, and drawn from each time");
}

#[tokio::test]
async fn a_failed_target_comes_last_and_nobody_is_left_out() {
    let (_server, resolver) = carrier().await;
    let located = locate(&resolver, "sips:carrier.example").await.unwrap();
    resolver.has_failed(&located.targets[0]);
    assert_eq!(targets(&resolver, "sips:carrier.example").await, ["tls 192.0.2.2:5062", "tls 192.0.2.1:5061"]);
    resolver.has_answered(&located.targets[0]);
    assert_eq!(targets(&resolver, "sips:carrier.example").await, ["tls 192.0.2.1:5061", "tls 192.0.2.2:5062"]);
}
