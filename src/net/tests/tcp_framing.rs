//! TCP over loopback: what a stream carries, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::Shutdown;

use ringway_net::{Counters, SocketOptions};
use ringway_sip::{Flow, ListenerId, Problem, Transport};
use support::{Event, Shard, connect, echo, has_ipv6, options_request};

fn listen(address: &str) -> Shard {
    Shard::listen(Transport::Tcp, address, &SocketOptions::default())
}

async fn a_message_cut_everywhere(loopback: &str) {
    let mut shard = listen(loopback);
    let mut client = connect(shard.address);
    let message = options_request(1, "body");
    for cut in 1..message.len() {
        let (first, second) = message.split_at(cut);
        client.write_all(first).unwrap();
        let early = shard.turn(256, echo).await;
        assert_eq!(early, []);
        client.write_all(second).unwrap();
        let event = shard.answered_events(1, echo).await.remove(0);
        assert_eq!(event.bytes(), message, "cut at {cut}");
        let flow = event.flow();
        let expected = Flow {
            transport: Transport::Tcp,
            listener: ListenerId(3),
            local: shard.address,
            remote: client.local_addr().unwrap(),
            connection: flow.connection,
        };
        assert!(flow.connection.is_some());
        assert_eq!(flow, expected);
        let mut answer = vec![0; message.len()];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, message);
    }
}

#[tokio::test]
async fn a_message_may_be_cut_anywhere() {
    a_message_cut_everywhere("127.0.0.1:0").await;
}

#[tokio::test]
async fn a_message_over_ipv6_may_be_cut_anywhere() {
    if has_ipv6() {
        a_message_cut_everywhere("[::1]:0").await;
    }
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    let message = options_request(1, "");
    let (last, before) = message.split_last().unwrap();
    for byte in before {
        client.write_all(&[*byte]).unwrap();
        assert_eq!(shard.turn(256, echo).await, []);
    }
    client.write_all(&[*last]).unwrap();
    assert_eq!(shard.event().await.bytes(), message);
}

#[tokio::test]
async fn pipelined_messages_are_handled_in_order_and_no_more_at_a_time_than_asked() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    let messages: Vec<Vec<u8>> = (0..100).map(|number| options_request(number, "body")).collect();
    client.write_all(&messages.concat()).unwrap();
    let mut received = Vec::new();
    while received.len() < 100 {
        let events = shard.turn(7, echo).await;
        assert!(events.len() <= 7);
        received.extend(events.iter().map(|event| event.bytes().to_vec()));
    }
    assert_eq!(received, messages);
    let mut answers = vec![0; messages.concat().len()];
    client.read_exact(&mut answers).unwrap();
    assert_eq!(answers, messages.concat());
    let counters = shard.counters();
    assert_eq!((counters.stream_messages_received, counters.stream_messages_sent), (100, 100));
}

#[tokio::test]
async fn a_long_body_comes_whole() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    let message = options_request(1, &"x".repeat(200_000));
    let copy = message.clone();
    let writer = std::thread::spawn(move || {
        client.write_all(&copy).unwrap();
        client
    });
    assert_eq!(shard.event().await.bytes(), message);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_keep_alive_is_answered_and_a_lone_line_end_is_not() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    client.write_all(b"\r\n").unwrap();
    client.write_all(&options_request(1, "")).unwrap();
    client.write_all(b"\r\n\r\n").unwrap();
    let events = shard.until(|counters| counters.pings_answered == 1).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].bytes(), options_request(1, ""));
    shard.sockets.outgoing().close(&events[0].flow());
    shard.sockets.flush();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).unwrap();
    assert_eq!(answers, b"\r\n");
}

#[tokio::test]
async fn a_peer_that_has_closed_its_direction_still_gets_its_answers() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    let messages = [options_request(1, ""), options_request(2, "")].concat();
    client.write_all(&messages).unwrap();
    client.write_all(b"OPTIONS sip:half").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let events = shard.answered_events(3, echo).await;
    assert_eq!(events[0].bytes(), options_request(1, ""));
    assert_eq!(events[1].bytes(), options_request(2, ""));
    assert_eq!(events[2], Event::Closed(events[0].flow()));
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).unwrap();
    assert_eq!(answers, messages);
    assert_eq!(shard.counters().connections_open, 0);
}

#[tokio::test]
async fn a_stream_that_cannot_be_framed_is_answered_and_closed() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    let head = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n";
    client.write_all(head).unwrap();
    // What follows is never read as a message; that it is not read at all must not lose the answer.
    client.write_all(&options_request(2, &"x".repeat(1000))).unwrap();
    let events = shard
        .answered_events(2, |event, outgoing| {
            if let Event::FrameError(flow, ..) = event {
                outgoing.send(flow, 0, b"SIP/2.0 400 Bad Request\r\n\r\n");
            }
        })
        .await;
    let flow = events[0].flow();
    assert_eq!(
        events,
        [Event::FrameError(flow, Problem::ContentLengthsDiffer, Some(head.to_vec())), Event::Closed(flow)]
    );
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"SIP/2.0 400 Bad Request\r\n\r\n");
    drop(client);
    assert_eq!(shard.until(|counters| counters.connections_open == 0).await, []);
    let counters =
        Counters { connections_accepted: 1, frame_errors: 1, stream_messages_sent: 1, ..Counters::default() };
    assert_eq!(shard.counters(), counters);
}

#[tokio::test]
async fn a_stream_of_something_else_is_closed_without_an_answer() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    client.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let events = shard.events(2).await;
    let flow = events[0].flow();
    assert_eq!(events, [Event::FrameError(flow, Problem::StartLine, None), Event::Closed(flow)]);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, []);
}

#[tokio::test]
async fn messages_behind_one_that_closes_the_flow_are_not_handled() {
    let mut shard = listen("127.0.0.1:0");
    let mut client = connect(shard.address);
    client.write_all(&[options_request(1, ""), options_request(2, "")].concat()).unwrap();
    let events = shard
        .answered_events(2, |event, outgoing| {
            if let Event::Message(flow, bytes) = event {
                outgoing.send(flow, 0, bytes);
                outgoing.close(flow);
            }
        })
        .await;
    assert_eq!(events[0].bytes(), options_request(1, ""));
    assert_eq!(events[1], Event::Closed(events[0].flow()));
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, options_request(1, ""));
}
