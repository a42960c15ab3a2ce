//! TCP connections: opened, used again, refused, lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use ringway_net::{SendError, SocketOptions, StreamOptions};
use ringway_sip::{ConnectionId, Flow, ListenerId, ShardId, Transport};
use support::{Event, Shard, connect, full_listener, options_request};

fn listen(address: &str, streams: StreamOptions) -> Shard {
    Shard::listen(Transport::Tcp, address, &SocketOptions { streams, ..SocketOptions::default() })
}

/// A flow to `remote` on whatever connection there is.
fn towards(shard: &Shard, remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Tcp, listener: ListenerId(3), local: shard.address, remote, connection: None }
}

#[tokio::test]
async fn a_connection_is_opened_once_used_again_and_its_answers_come_by_it() {
    for address in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut shard = listen(address, StreamOptions::default());
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let flow = towards(&shard, peer.local_addr().unwrap());
        shard.sockets.send(&flow, 0, b"one ");
        shard.sockets.send(&flow, 0, b"two ");
        shard.sockets.flush();
        shard.until(|counters| counters.connections_opened == 1).await;
        shard.sockets.send(&flow, 0, b"three");
        shard.sockets.flush();
        let (mut accepted, from) = peer.accept().unwrap();
        let mut received = [0; 13];
        accepted.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"one two three");

        accepted.write_all(&options_request(1, "")).unwrap();
        let event = shard.event().await;
        assert_eq!(event.bytes(), options_request(1, ""));
        let local = SocketAddr::new(from.ip(), shard.address.port());
        let expected = Flow { local, connection: event.flow().connection, ..flow };
        assert_eq!(event.flow(), expected, "our end is named by the port that others can reach");
        assert!(event.flow().connection.is_some());
        let counters = shard.counters();
        assert_eq!((counters.connections_open, counters.connections_opened), (1, 1));
    }
}

#[tokio::test]
async fn what_a_connection_is_not_asked_for_in_its_turn_waits_since_the_connection_was_found_to_have_something() {
    let mut shard = listen("127.0.0.1:0", StreamOptions::default());
    let mut client = connect(shard.address);
    shard.until(|counters| counters.connections_accepted == 1).await;
    shard.turn(256, |_, _| ()).await;
    client.write_all(&options_request(1, "").repeat(3)).unwrap();
    for _ in 0..3 {
        assert_eq!(shard.turn(1, |_, _| ()).await.len(), 1);
    }
    assert_eq!(shard.turn(256, |_, _| ()).await, [], "nothing is left");
    client.write_all(&options_request(2, "")).unwrap();
    shard.event().await;
    let [first, second, third, next] = shard.waits_since[..] else { panic!("{:?}", shard.waits_since) };
    assert_eq!([second, third], [first; 2]);
    assert!(first <= shard.arrivals[0] && shard.arrivals[2] <= next, "who was served has not waited before");
}

#[tokio::test]
async fn a_connection_that_the_peer_opened_is_used_for_its_address_too() {
    let mut shard = listen("127.0.0.1:0", StreamOptions::default());
    let mut client = connect(shard.address);
    shard.until(|counters| counters.connections_accepted == 1).await;
    let flow = towards(&shard, client.local_addr().unwrap());
    shard.sockets.send(&flow, 0, b"hello");
    shard.sockets.flush();
    let mut received = [0; 5];
    client.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"hello");
    assert_eq!(shard.counters().connections_opened, 0);
}

#[tokio::test]
async fn a_refused_connection_is_reported_once_for_each_flow() {
    let mut shard = listen("0.0.0.0:0", StreamOptions::default());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let first = towards(&shard, closed);
    let second = Flow { local: SocketAddr::from(([127, 0, 0, 1], shard.address.port())), ..first };
    shard.sockets.send(&first, 0, b"one");
    shard.sockets.send(&second, 0, b"two");
    shard.sockets.send(&first, 0, b"three");
    shard.sockets.flush();
    let refused = SendError::System(libc::ECONNREFUSED);
    let events = shard.events(2).await;
    assert_eq!(events, [Event::SendFailed(first, refused), Event::SendFailed(second, refused)]);
    let counters = shard.counters();
    assert_eq!((counters.connections_open, counters.connections_failed), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_open_in_time_is_reported() {
    let mut shard = listen("127.0.0.1:0", StreamOptions::default());
    let (peer, _held) = full_listener();
    let flow = towards(&shard, peer);
    shard.sockets.send(&flow, 0, b"hello");
    shard.sockets.flush();
    let begun = tokio::time::Instant::now();
    assert_eq!(shard.event().await, Event::SendFailed(flow, SendError::ConnectTimeout));
    assert_eq!(begun.elapsed().as_secs(), StreamOptions::default().connect_timeout.as_secs());
    let counters = shard.counters();
    assert_eq!((counters.connections_open, counters.connections_failed), (0, 1));
}

#[tokio::test]
async fn what_waits_for_a_connection_to_open_is_bounded() {
    let mut shard = listen("127.0.0.1:0", StreamOptions { write_queue: 100, ..StreamOptions::default() });
    let (peer, _held) = full_listener();
    let flow = towards(&shard, peer);
    shard.sockets.send(&flow, 0, &[b'x'; 60]);
    shard.sockets.send(&flow, 0, &[b'x'; 60]);
    assert_eq!(shard.event().await, Event::SendFailed(flow, SendError::Unread));
    assert_eq!(shard.counters().connections_open, 1);
}

#[tokio::test]
async fn a_connection_of_the_past_of_another_peer_or_of_another_shard_is_not_used() {
    let mut shard = listen("127.0.0.1:0", StreamOptions::default());
    let mut client = connect(shard.address);
    client.write_all(&options_request(1, "")).unwrap();
    let flow = shard.event().await.flow();
    let id = flow.connection.unwrap();
    let other_peer = Flow { remote: SocketAddr::from(([127, 0, 0, 1], 9)), ..flow };
    let other_shard = Flow { connection: Some(ConnectionId { shard: ShardId(7), ..id }), ..flow };
    for wrong in [other_peer, other_shard] {
        shard.sockets.send(&wrong, 0, b"hello");
        assert_eq!(shard.event().await, Event::SendFailed(wrong, SendError::NoConnection));
    }
    drop(client);
    assert_eq!(shard.event().await, Event::Closed(flow));
    let mut newer = connect(shard.address);
    newer.write_all(&options_request(2, "")).unwrap();
    assert_ne!(shard.event().await.flow().connection, flow.connection);
    shard.sockets.send(&flow, 0, b"hello");
    assert_eq!(shard.event().await, Event::SendFailed(flow, SendError::NoConnection));
}

#[tokio::test]
async fn a_connection_that_breaks_is_told() {
    let mut shard = listen("127.0.0.1:0", StreamOptions::default());
    let mut client = connect(shard.address);
    client.write_all(&options_request(1, "")).unwrap();
    let flow = shard.event().await.flow();
    socket2::SockRef::from(&client).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert_eq!(shard.counters().connections_open, 0);
}

#[tokio::test]
async fn each_source_has_its_share_of_connections_and_all_together_theirs() {
    let options = StreamOptions { connections: 3, connections_by_source: 2, ..StreamOptions::default() };
    let mut shard = listen("0.0.0.0:0", options);
    let port = shard.address.port();
    let from = |source: [u8; 4]| support::connect_from(source, SocketAddr::from(([127, 0, 0, 1], port)));
    let mut held = vec![from([127, 0, 0, 5]), from([127, 0, 0, 5])];
    shard.until(|counters| counters.connections_accepted == 2).await;
    let mut third = from([127, 0, 0, 5]);
    shard.until(|counters| counters.refused_by_source == 1).await;
    assert!(third.read(&mut [0; 1]).is_err(), "it is reset");
    held.push(from([127, 0, 0, 6]));
    shard.until(|counters| counters.connections_accepted == 3).await;
    let mut fourth = from([127, 0, 0, 7]);
    shard.until(|counters| counters.refused_in_all == 1).await;
    assert!(fourth.read(&mut [0; 1]).is_err(), "it is reset");
    let flow = towards(&shard, SocketAddr::from(([127, 0, 0, 1], 9)));
    shard.sockets.send(&flow, 0, b"hello");
    assert_eq!(shard.event().await, Event::SendFailed(flow, SendError::TooManyConnections));

    held.remove(0);
    shard.until(|counters| counters.connections_open == 2).await;
    held.push(from([127, 0, 0, 5]));
    shard.until(|counters| counters.connections_accepted == 4).await;
}

#[tokio::test]
async fn two_thousand_connections_come_and_go() {
    const COUNT: u64 = 2_000;
    let options = StreamOptions { connections_by_source: 10_000, ..StreamOptions::default() };
    let mut shard = listen("127.0.0.1:0", options);
    let mut clients = Vec::new();
    for number in 0..COUNT {
        let mut client = connect(shard.address);
        client.write_all(&options_request(0, "")).unwrap();
        clients.push(client);
        if number % 500 == 499 {
            shard.until(|counters| counters.stream_messages_received == number + 1).await;
        }
    }
    assert_eq!(shard.counters().connections_open, COUNT);
    drop(clients);
    let events = shard.until(|counters| counters.connections_open == 0).await;
    assert!(events.iter().all(|event| matches!(event, Event::Closed(_))));
}
