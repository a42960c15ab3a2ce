//! Peers that are slow, deaf or silent cost a bounded amount, and nobody else anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringway_net::{SendError, SocketOptions, StreamOptions};
use ringway_sip::{Flow, Transport};
use support::{Event, Shard, connect, echo, options_request};
use tokio::time::Instant;

fn listen(streams: StreamOptions) -> Shard {
    Shard::listen(Transport::Tcp, "127.0.0.1:0", &SocketOptions { streams, ..SocketOptions::default() })
}

/// A client that has sent one message, and its flow.
async fn known_client(shard: &mut Shard) -> (TcpStream, Flow) {
    let mut client = connect(shard.address);
    client.write_all(&options_request(0, "")).unwrap();
    let flow = shard.event().await.flow();
    (client, flow)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_brings_a_message_is_closed() {
    let mut shard = listen(StreamOptions::default());
    let mut client = connect(shard.address);
    shard.until(|counters| counters.connections_accepted == 1).await;
    let begun = Instant::now();
    shard.patience = Duration::from_secs(60);
    assert!(matches!(shard.event().await, Event::Closed(_)));
    assert_eq!(begun.elapsed().as_secs(), StreamOptions::default().first_message_timeout.as_secs());
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(shard.counters().closed_slow, 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_loris_is_cut_off_however_regularly_it_sends() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, flow) = known_client(&mut shard).await;
    client.write_all(b"OPTIONS ").unwrap();
    assert_eq!(shard.turn(256, |_, _| ()).await, []);
    let begun = Instant::now();
    let mut events = Vec::new();
    while events.is_empty() {
        tokio::time::advance(Duration::from_secs(1)).await;
        client.write_all(b"x").unwrap();
        events.extend(shard.turn(256, |_, _| ()).await);
    }
    assert_eq!(events, [Event::Closed(flow)]);
    let limit = StreamOptions::default().message_timeout;
    assert!(begun.elapsed() >= limit - Duration::from_secs(1) && begun.elapsed() <= limit + Duration::from_secs(2));
    assert_eq!(shard.counters().closed_slow, 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_finishes_its_messages_is_not_a_slow_loris() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, _) = known_client(&mut shard).await;
    let message = options_request(1, "body");
    let (first, rest) = message.split_at(10);
    client.write_all(first).unwrap();
    assert_eq!(shard.turn(256, |_, _| ()).await, []);
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(5)).await;
        client.write_all(&[rest, first].concat()).unwrap();
        assert_eq!(shard.event().await.bytes(), message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_the_idle_time_which_every_keep_alive_begins_anew() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, flow) = known_client(&mut shard).await;
    let idle = StreamOptions::default().idle_timeout;
    tokio::time::advance(idle - Duration::from_secs(1)).await;
    client.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(shard.until(|counters| counters.pings_answered == 1).await, []);
    shard.patience = idle * 2;
    let begun = Instant::now();
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert_eq!(begun.elapsed().as_secs(), idle.as_secs());
    assert_eq!(shard.counters().closed_idle, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_which_keep_alives_are_expected_is_closed_when_they_stay_away() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, flow) = known_client(&mut shard).await;
    let (every, within) = (Duration::from_secs(120), Duration::from_secs(150));
    shard.sockets.expect(&flow, every, within);
    for _ in 0..3 {
        tokio::time::advance(within - Duration::from_secs(1)).await;
        client.write_all(b"\r\n\r\n").unwrap();
        let pings = shard.counters().pings_answered;
        assert_eq!(shard.until(|counters| counters.pings_answered > pings).await, []);
    }
    shard.patience = within * 2;
    let begun = Instant::now();
    // What we write shows nothing of the other end.
    tokio::time::advance(Duration::from_secs(100)).await;
    shard.sockets.send(&flow, 0, &options_request(1, ""));
    shard.sockets.flush();
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert_eq!(begun.elapsed().as_secs(), within.as_secs());
    // A flow without a connection, or one that is gone, is nobody's to watch.
    shard.sockets.expect(&flow, every, within);
    assert_eq!(shard.counters().closed_idle, 1);
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_never_sends_keep_alives_is_not_cut_off_for_their_lack() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, flow) = known_client(&mut shard).await;
    let idle = StreamOptions::default().idle_timeout;
    shard.sockets.expect(&flow, Duration::from_secs(120), Duration::from_secs(150));
    tokio::time::advance(idle - Duration::from_secs(1)).await;
    client.write_all(&options_request(1, "")).unwrap();
    assert_eq!(shard.event().await.bytes(), options_request(1, ""));
    shard.patience = idle * 2;
    let begun = Instant::now();
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert_eq!(begun.elapsed().as_secs(), idle.as_secs());
}

#[tokio::test]
async fn a_peer_that_never_reads_is_cut_off_when_its_queue_is_full() {
    let mut shard = listen(StreamOptions::default());
    let (_client, flow) = known_client(&mut shard).await;
    let message = vec![b'x'; 60_000];
    let mut sent = 0;
    while shard.counters().closed_unread == 0 {
        shard.sockets.send(&flow, 0, &message);
        shard.sockets.flush();
        sent += message.len();
        assert!(sent < 64 << 20, "the kernel's buffers and our queue are bounded");
    }
    assert_eq!(shard.events(2).await, [Event::SendFailed(flow, SendError::Unread), Event::Closed(flow)]);
    assert_eq!(shard.counters().connections_open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_cut_off_in_time_though_its_queue_has_room() {
    let mut shard = listen(StreamOptions { write_queue: 64 << 20, ..StreamOptions::default() });
    let (_client, flow) = known_client(&mut shard).await;
    // More than the kernel's buffers hold.
    shard.sockets.send(&flow, 0, &vec![b'x'; 40 << 20]);
    shard.sockets.flush();
    let begun = Instant::now();
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert_eq!(begun.elapsed().as_secs(), StreamOptions::default().write_timeout.as_secs());
    assert_eq!(shard.counters().closed_unread, 1);
}

#[tokio::test]
async fn a_peer_that_does_not_read_its_answers_is_not_read_either_and_loses_none() {
    let mut shard = listen(StreamOptions { write_queue: 256 << 10, ..StreamOptions::default() });
    let mut client = connect(shard.address);
    client.set_nonblocking(true).unwrap();
    let message = options_request(7, &"x".repeat(8000));
    let (mut written, mut answered) = (0, 0);
    let mut stalls = 0;
    // Writes until nobody takes any more: neither the kernel's buffers nor the shard.
    while stalls < 3 {
        let part = &message[written % message.len()..];
        match client.write(part) {
            Ok(count) => {
                written += count;
                stalls = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let turn = tokio::time::timeout(Duration::from_millis(200), shard.turn(256, echo));
                answered += turn.await.map_or(0, |events| events.len());
                stalls += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert!(written < 256 << 20, "what is held is bounded");
    }
    let whole = written / message.len();
    assert!(answered < whole, "the shard has stopped reading");
    // Now it reads, and every answer is there.
    let expected = message.repeat(whole);
    let reader = std::thread::spawn(move || {
        client.set_nonblocking(false).unwrap();
        let mut received = vec![0; expected.len()];
        client.read_exact(&mut received).unwrap();
        assert!(received == expected);
        client
    });
    while answered < whole {
        answered += shard.turn(256, echo).await.len();
    }
    while !reader.is_finished() {
        let _ = tokio::time::timeout(Duration::from_millis(1), shard.turn(256, echo)).await;
    }
    reader.join().unwrap();
    assert_eq!(answered, whole);
    assert_eq!(shard.counters().closed_unread, 0);
}

#[tokio::test]
async fn one_peer_that_floods_does_not_keep_another_waiting() {
    let mut shard = listen(StreamOptions::default());
    let mut flooder = connect(shard.address);
    let flood = options_request(1, "").repeat(4000);
    let writer = std::thread::spawn(move || {
        flooder.write_all(&flood).unwrap();
        flooder
    });
    let mut flooded = shard.turn(256, |_, _| ()).await.len();
    let mut client = connect(shard.address);
    client.write_all(&options_request(2, "")).unwrap();
    let mut served_after = None;
    while flooded < 4000 || served_after.is_none() {
        for event in shard.turn(64, |_, _| ()).await {
            if event.bytes() == options_request(2, "") {
                served_after = Some(flooded);
            } else {
                flooded += 1;
            }
        }
    }
    assert!(served_after.unwrap() < 4000, "served in the middle of the flood");
    writer.join().unwrap();
}
