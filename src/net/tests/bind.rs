//! Listeners: who may share an address, and what is said when it can't be had.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::net::{SocketAddr, TcpListener, UdpSocket};

use ringway_net::{Bound, Listener, bind};
use ringway_sip::{ListenerId, Transport};
use support::has_ipv6;

const RECEIVE_BUFFER: usize = 65_536;

fn listener(transport: Transport, address: SocketAddr) -> Listener {
    Listener { id: ListenerId(0), transport, address }
}

fn try_bind(transport: Transport, address: SocketAddr, shards: usize) -> Result<Vec<Bound>, String> {
    bind(&[listener(transport, address)], shards, RECEIVE_BUFFER).map_err(|error| error.to_string())
}

fn address_of(bound: &Bound) -> SocketAddr {
    bound.listeners().unwrap()[0].0.address
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[test]
fn a_port_of_another_program_is_refused_with_advice() {
    let other = UdpSocket::bind(LOOPBACK).unwrap();
    let address = other.local_addr().unwrap();
    let advice = "is in use by another program; stop it or choose another port with --listen";
    for shards in [1, 2] {
        assert_eq!(try_bind(Transport::Udp, address, shards).unwrap_err(), format!("udp {address} {advice}"));
    }
    let other = TcpListener::bind(LOOPBACK).unwrap();
    let address = other.local_addr().unwrap();
    for shards in [1, 2] {
        assert_eq!(try_bind(Transport::Tcp, address, shards).unwrap_err(), format!("tcp {address} {advice}"));
    }
}

#[test]
fn shards_share_an_address_and_a_second_program_that_would_share_too_is_refused() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let bound = try_bind(transport, LOOPBACK, 3).unwrap();
        let address = address_of(&bound[0]);
        assert!(bound.iter().all(|bound| address_of(bound) == address));
        for shards in [1, 3] {
            let refused = try_bind(transport, address, shards).unwrap_err();
            assert!(refused.contains("in use by another program"), "{refused}");
            let wildcard = SocketAddr::from(([0, 0, 0, 0], address.port()));
            assert!(try_bind(transport, wildcard, shards).is_err(), "the wildcard takes the same packets");
        }
    }
}

#[test]
fn an_address_is_free_again_at_once_when_its_program_ends() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let bound = try_bind(transport, LOOPBACK, 2).unwrap();
        let address = address_of(&bound[0]);
        drop(bound);
        assert!(try_bind(transport, address, 2).is_ok());
    }
}

#[test]
fn ipv4_and_ipv6_wildcards_both_listen_on_one_port() {
    if !has_ipv6() {
        return;
    }
    for transport in [Transport::Udp, Transport::Tcp] {
        let both = || {
            let first = try_bind(transport, SocketAddr::from(([0, 0, 0, 0], 0)), 2).ok()?;
            let port = address_of(&first[0]).port();
            try_bind(transport, SocketAddr::from(([0_u16; 8], port)), 2).ok()
        };
        // Another program may happen to have the IPv6 port that the kernel chose for IPv4: hence several attempts.
        assert!((0..5).any(|_| both().is_some()));
    }
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named() {
    let elsewhere = SocketAddr::from(([192, 0, 2, 1], 5060));
    let expected = "udp 192.0.2.1:5060 can't be bound: this machine has no address 192.0.2.1";
    assert_eq!(try_bind(Transport::Udp, elsewhere, 1).unwrap_err(), expected);
}

#[test]
fn an_address_listed_twice_and_a_transport_that_is_not_spoken_are_refused() {
    let free = address_of(&try_bind(Transport::Udp, LOOPBACK, 1).unwrap()[0]);
    // TCP comes last: somebody else may have this port there.
    let twice = [listener(Transport::Udp, free), listener(Transport::Udp, free), listener(Transport::Tcp, free)];
    let error = bind(&twice, 1, RECEIVE_BUFFER).unwrap_err().to_string();
    assert_eq!(error, format!("udp {free} is listed twice; remove one of the two"));
    let error = try_bind(Transport::Quic, free, 1).unwrap_err();
    assert_eq!(error, format!("quic {free} can't be listened on: use udp, tcp, tls, ws or wss"));
}

#[test]
fn the_receive_buffer_that_was_granted_is_told() {
    let bound = try_bind(Transport::Udp, LOOPBACK, 1).unwrap();
    let granted = bound[0].listeners().unwrap()[0].1.unwrap();
    assert!(granted >= RECEIVE_BUFFER, "{granted}");
}
