use super::*;

#[test]
fn a_binding_on_a_stream_is_reached_by_its_connection() {
    let location = Location::new(1);
    let flow = stream(Transport::Tcp, 5);
    save(&location, 0, aor("101"), (7, 1), &[Binding { flow, ..contact("sip:a@198.51.100.7:5062", 0, 60) }]).unwrap();
    let mut reached = None;
    location.lookup(at(0), &aor("101"), |binding| reached = binding.reach(&Settings::default()));
    assert_eq!(reached, Some(flow));
}

#[test]
fn when_its_connection_closes_a_plain_tcp_contact_waits_to_be_called() {
    let location = Location::new(1);
    let flow = stream(Transport::Tcp, 5);
    save(&location, 0, aor("101"), (7, 1), &[Binding { flow, ..contact("sip:a@198.51.100.7:5062", 0, 60) }]).unwrap();
    assert_eq!(location.connection_closed(at(0), connection(5)), 0);
    let mut reached = None;
    location.lookup(at(0), &aor("101"), |binding| reached = binding.reach(&Settings::default()));
    let remote = "198.51.100.7:5062".parse().unwrap();
    assert_eq!(reached, Some(Flow { remote, connection: None, ..flow }));
    assert!(!location.is_registered_on(&flow));
    check_invariants(&location);
    // A second word of the same end finds nothing.
    assert_eq!(location.connection_closed(at(0), connection(5)), 0);
}

#[test]
fn when_its_connection_closes_a_contact_that_only_the_device_can_connect_is_gone_at_once() {
    let lost = |change: fn(Binding<'static>) -> Binding<'static>| {
        let location = Location::new(1);
        let binding = Binding { flow: stream(Transport::Tcp, 5), ..contact("sip:a@198.51.100.7:5062", 0, 60) };
        save(&location, 0, aor("101"), (7, 1), &[change(binding), contact("sip:b@198.51.100.7", 0, 60)]).unwrap();
        save(&location, 0, aor("102"), (8, 1), &[change(binding)]).unwrap();
        let removed = location.connection_closed(at(0), connection(5));
        assert_eq!(count(&location, TenantId(1)), 3 - removed as u64);
        assert_eq!(listed(&location, 0, aor("102")).len(), 2 - removed.max(1));
        check_invariants(&location);
        removed
    };
    assert_eq!(lost(|binding| Binding { is_natted: true, ..binding }), 2);
    assert_eq!(lost(|binding| Binding { reg_id: Some(1), instance: Some(1), ..binding }), 2);
    assert_eq!(lost(|binding| Binding { uri: b"sip:a@phone.example", ..binding }), 2);
    for transport in [Transport::Tls, Transport::Ws, Transport::Wss, Transport::Quic] {
        let location = Location::new(1);
        let flow = stream(transport, 5);
        save(&location, 0, aor("101"), (7, 1), &[Binding { flow, ..contact("sip:a@198.51.100.7", 0, 60) }]).unwrap();
        assert_eq!(location.connection_closed(at(0), connection(5)), 1, "{transport}");
        assert!(listed(&location, 0, aor("101")).is_empty());
        check_invariants(&location);
    }
}

#[test]
fn another_connection_of_the_record_lives_on() {
    let location = Location::new(1);
    let on = |serial, uri| Binding { flow: stream(Transport::Tls, serial), ..contact(uri, 0, 60) };
    save(&location, 0, aor("101"), (7, 1), &[on(5, "sip:a@h"), on(6, "sip:b@h")]).unwrap();
    assert_eq!(location.connection_closed(at(0), connection(5)), 1);
    assert_eq!(lookup(&location, 0, aor("101")), ["sip:b@h"]);
    // A device that moved to another connection has left the first.
    save(&location, 0, aor("101"), (7, 2), &[on(7, "sip:b@h")]).unwrap();
    assert_eq!(location.connection_closed(at(0), connection(6)), 0);
    assert_eq!(lookup(&location, 0, aor("101")), ["sip:b@h"]);
    check_invariants(&location);
}

#[test]
fn a_flow_tells_whose_extensions_are_registered_on_it() {
    let location = Location::new(1);
    assert_eq!((location.tenant_on_flow(&udp(1)), location.is_registered_on(&udp(1))), (None, false));
    let binding = Binding { flow: udp(1), ..contact("sip:a@h", 0, 60) };
    save(&location, 0, aor("101"), (7, 1), &[binding]).unwrap();
    save(&location, 0, aor("102"), (8, 1), &[binding]).unwrap();
    assert_eq!((location.tenant_on_flow(&udp(1)), location.is_registered_on(&udp(1))), (Some(TenantId(1)), true));
    assert_eq!(location.tenant_on_flow(&udp(2)), None);
    let other = Aor { tenant: TenantId(2), number: b"101" };
    save(&location, 0, other, (9, 1), &[binding]).unwrap();
    assert_eq!((location.tenant_on_flow(&udp(1)), location.is_registered_on(&udp(1))), (None, true));
    let of_tenants = |flow| [1, 2, 3].map(|tenant| location.has_registration_of(TenantId(tenant), &udp(flow)));
    assert_eq!((of_tenants(1), of_tenants(2)), ([true, true, false], [false; 3]));
    save_all_removed(&location, 0, other, (9, 2)).unwrap();
    save_all_removed(&location, 0, aor("101"), (7, 2)).unwrap();
    assert_eq!(location.tenant_on_flow(&udp(1)), Some(TenantId(1)));
    sweep(&location, 60);
    assert_eq!((location.tenant_on_flow(&udp(1)), location.is_registered_on(&udp(1))), (None, false));
    check_invariants(&location);
}

#[test]
fn a_udp_device_is_reached_at_its_contact_unless_it_is_behind_a_nat() {
    let reach =
        |uri, is_natted| Binding { is_natted, flow: udp(1024), ..contact(uri, 0, 60) }.reach(&Settings::default());
    assert_eq!(reach("sip:a@198.51.100.7:1024", false), Some(udp(1024)));
    assert_eq!(reach("sip:a@198.51.100.7:5070", false), Some(udp(5070)));
    assert_eq!(reach("sip:a@198.51.100.7", false), Some(udp(5060)));
    assert_eq!(reach("sip:a@10.0.0.7:5070", true), Some(udp(1024)));
    assert_eq!(reach("sip:a@phone.example", true), Some(udp(1024)));
}
