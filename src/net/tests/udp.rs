//! UDP over loopback: order, addresses, bounds and what is counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use ringway_net::{Counters, SendError, SocketOptions};
use ringway_sip::{Flow, ListenerId, Transport};
use support::{Event, Shard, echo, has_ipv6};

fn listen(address: &str) -> Shard {
    Shard::listen(Transport::Udp, address, &SocketOptions::default())
}

/// A client whose receiving fails in the end, instead of waiting for ever.
fn client(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_535];
    let (length, from) = socket.recv_from(&mut buffer).unwrap();
    buffer.truncate(length);
    (buffer, from)
}

async fn a_thousand_datagrams(loopback: &str) {
    let mut shard = listen(loopback);
    let client = client(loopback);
    for number in 0..1000 {
        client.send_to(format!("request {number}").as_bytes(), shard.address).unwrap();
    }
    let events = shard.answered_events(1000, echo).await;
    let received_at = shard.clock.monotonic();
    let flow = Flow::udp(ListenerId(3), shard.address, client.local_addr().unwrap());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(*event, Event::Message(flow, format!("request {number}").into_bytes()));
        assert_eq!(receive(&client), (format!("request {number}").into_bytes(), shard.address));
    }
    let batch = &shard.arrivals[..64];
    assert!(batch.iter().any(|arrived| *arrived != batch[0]), "each has the time at which the kernel received it");
    assert!(shard.arrivals.iter().all(|arrived| *arrived <= received_at));
    assert_eq!(shard.waits_since, shard.arrivals, "since then it waits for its turn");
    let shown: Vec<_> = events.iter().map(Event::bytes).collect();
    assert_eq!(shard.ahead, shown, "each is shown ahead once, in the same order");
    let counters = Counters { datagrams_received: 1000, datagrams_sent: 1000, ..Counters::default() };
    assert_eq!(shard.counters(), counters);
}

#[tokio::test]
async fn a_thousand_datagrams_are_received_and_answered_in_order() {
    a_thousand_datagrams("127.0.0.1:0").await;
}

#[tokio::test]
async fn a_thousand_datagrams_over_ipv6_are_received_and_answered_in_order() {
    if has_ipv6() {
        a_thousand_datagrams("[::1]:0").await;
    }
}

#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    let mut shard = listen("0.0.0.0:0");
    let client = client("127.0.0.1:0");
    for asked in [[127, 0, 0, 2], [127, 0, 0, 1], [127, 9, 9, 9]] {
        let asked = SocketAddr::from((asked, shard.address.port()));
        // Two, which leave together.
        for _ in 0..2 {
            client.send_to(b"hello", asked).unwrap();
        }
        let events = shard.answered_events(2, echo).await;
        assert_eq!(events[0].flow().local, asked);
        for _ in 0..2 {
            assert_eq!(receive(&client), (b"hello".to_vec(), asked));
        }
    }
}

#[tokio::test]
async fn an_ipv6_answer_leaves_from_the_address_that_was_asked() {
    if !has_ipv6() {
        return;
    }
    let mut shard = listen("[::]:0");
    let client = client("[::1]:0");
    let asked = SocketAddr::new("::1".parse().unwrap(), shard.address.port());
    for _ in 0..2 {
        client.send_to(b"hello", asked).unwrap();
    }
    let events = shard.answered_events(2, echo).await;
    assert_eq!(events[0].flow().local, asked);
    for _ in 0..2 {
        assert_eq!(receive(&client), (b"hello".to_vec(), asked));
    }
}

#[tokio::test]
async fn the_longest_datagram_comes_whole_and_one_past_the_limit_is_dropped_and_counted() {
    let mut shard = listen("127.0.0.1:0");
    let client = client("127.0.0.1:0");
    let longest = vec![b'x'; 65_507];
    client.send_to(&longest, shard.address).unwrap();
    assert_eq!(shard.event().await.bytes(), longest);

    let options = SocketOptions { largest_datagram: 1000, ..SocketOptions::default() };
    let mut shard = Shard::listen(Transport::Udp, "127.0.0.1:0", &options);
    client.send_to(&[b'x'; 1001], shard.address).unwrap();
    client.send_to(&[b'x'; 1000], shard.address).unwrap();
    assert_eq!(shard.event().await.bytes(), [b'x'; 1000]);
    let counters = Counters { datagrams_received: 1, datagrams_truncated: 1, ..Counters::default() };
    assert_eq!(shard.counters(), counters);
}

#[tokio::test]
async fn each_of_four_shards_gets_some_of_many_sources() {
    let mut shards = Shard::listen_many(4, Transport::Udp, "127.0.0.1:0", &SocketOptions::default());
    let address = shards[0].address;
    let clients: Vec<UdpSocket> = (0..64).map(|_| client("127.0.0.1:0")).collect();
    for client in &clients {
        client.send_to(b"hello", address).unwrap();
    }
    let mut received = 0;
    for shard in &mut shards {
        let events = shard.until(|counters| counters.datagrams_received > 0).await;
        assert!(!events.is_empty());
        received += events.len();
    }
    assert_eq!(received, 64);
}

#[tokio::test]
async fn what_the_kernel_drops_is_counted_when_the_next_datagram_comes() {
    let options = SocketOptions { receive_buffer: 8192, ..SocketOptions::default() };
    let mut shard = Shard::listen(Transport::Udp, "127.0.0.1:0", &options);
    let client = client("127.0.0.1:0");
    for _ in 0..200 {
        client.send_to(&[b'x'; 1000], shard.address).unwrap();
    }
    let waiting = shard.turn(256, |_, _| ()).await.len();
    client.send_to(b"after", shard.address).unwrap();
    assert_eq!(shard.event().await.bytes(), b"after");
    assert!(waiting < 200);
    assert_eq!(shard.counters().kernel_drops, 200 - waiting as u64);
}

#[tokio::test]
async fn a_datagram_that_the_kernel_refuses_is_reported_and_the_others_go_out_in_order() {
    let mut shard = listen("127.0.0.1:0");
    let client = client("127.0.0.1:0");
    let flow = Flow::udp(ListenerId(3), shard.address, client.local_addr().unwrap());
    let nowhere = Flow { remote: SocketAddr::from(([127, 0, 0, 1], 0)), ..flow };
    shard.sockets.send(&flow, 0, b"first");
    shard.sockets.send(&nowhere, 0, b"to port 0");
    shard.sockets.send(&flow, 0, &[b'x'; 65_508]);
    shard.sockets.send(&flow, 0, b"last");
    shard.sockets.flush();
    let events = shard.events(2).await;
    let failed = |flow, number| Event::SendFailed(flow, SendError::System(number));
    assert_eq!(events, [failed(nowhere, libc::EINVAL), failed(flow, libc::EMSGSIZE)]);
    assert_eq!(receive(&client).0, b"first");
    assert_eq!(receive(&client).0, b"last");
    assert_eq!(shard.counters(), Counters { datagrams_sent: 2, send_errors: 2, ..Counters::default() });
}

#[tokio::test]
async fn datagrams_of_one_length_to_one_address_arrive_each_by_itself_and_in_order() {
    for loopback in ["127.0.0.1", "[::1]"] {
        if loopback == "[::1]" && !has_ipv6() {
            continue;
        }
        let mut shard = listen(&format!("{loopback}:0"));
        let clients = [client(&format!("{loopback}:0")), client(&format!("{loopback}:0"))];
        let text = |number: usize| format!("{:>1$}", number, [300, 300, 300, 200, 1300][number % 5]);
        for number in 0..100 {
            let remote = clients[number % 2].local_addr().unwrap();
            let flow = Flow::udp(ListenerId(3), shard.address, remote);
            shard.sockets.send(&flow, 1 + (number % 2) as u16, text(number).as_bytes());
        }
        shard.sockets.flush();
        shard.turn(1, |_, _| ()).await;
        for number in 0..100 {
            assert_eq!(receive(&clients[number % 2]), (text(number).into_bytes(), shard.address));
        }
        assert_eq!(shard.counters(), Counters { datagrams_sent: 100, ..Counters::default() });
    }
}

#[tokio::test]
async fn of_datagrams_that_are_refused_together_each_is_reported_and_the_next_go_out() {
    let mut shard = listen("127.0.0.1:0");
    let client = client("127.0.0.1:0");
    let flow = Flow::udp(ListenerId(3), shard.address, client.local_addr().unwrap());
    let nowhere = Flow { remote: SocketAddr::from(([127, 0, 0, 1], 0)), ..flow };
    for (conversation, flow, text) in
        [(1, &nowhere, b"one"), (2, &flow, b"two"), (3, &nowhere, b"3rd"), (4, &flow, b"4th")]
    {
        shard.sockets.send(flow, conversation, text);
    }
    shard.sockets.flush();
    let failed = Event::SendFailed(nowhere, SendError::System(libc::EINVAL));
    assert_eq!(shard.events(2).await, [failed.clone(), failed]);
    assert_eq!([receive(&client).0, receive(&client).0], [b"two", b"4th"]);
    assert_eq!(shard.counters(), Counters { datagrams_sent: 2, send_errors: 2, ..Counters::default() });
}

#[tokio::test]
async fn a_flow_of_no_socket_is_reported() {
    let mut shard = listen("127.0.0.1:0");
    let remote = SocketAddr::from(([127, 0, 0, 1], 9));
    let flow = Flow::udp(ListenerId(3), shard.address, remote);
    let wrong = [
        Flow { listener: ListenerId(4), ..flow },
        Flow { remote: "[::1]:9".parse().unwrap(), ..flow },
        Flow { transport: Transport::Tcp, ..flow },
        Flow { transport: Transport::Ws, ..flow },
    ];
    for flow in wrong {
        shard.sockets.send(&flow, 0, b"hello");
        assert_eq!(shard.event().await, Event::SendFailed(flow, SendError::NoSocket));
    }
}

#[tokio::test]
async fn a_listener_on_a_wildcard_address_is_known_by_the_address_that_the_route_has() {
    let mut shard = listen("0.0.0.0:0");
    let port = shard.address.port();
    let mut known = |listener, remote: &str| {
        shard.sockets.outgoing().local_address(Transport::Udp, ListenerId(listener), remote.parse().unwrap())
    };
    assert_eq!(known(3, "127.0.0.2"), Some(SocketAddr::from(([127, 0, 0, 1], port))));
    assert_eq!(known(3, "::1"), None);
    assert_eq!(known(9, "127.0.0.2"), None);
    let mut shard = listen("127.0.0.7:0");
    let address = shard.address;
    let known = shard.sockets.outgoing().local_address(Transport::Udp, ListenerId(3), "127.0.0.2".parse().unwrap());
    assert_eq!(known, Some(address));
}
