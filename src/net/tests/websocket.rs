//! SIP over WebSocket (RFC 7118), with a client that we did not write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ringway_net::{Preamble, SocketOptions, StreamOptions};
use ringway_sip::{Flow, Problem, Transport};
use support::{Event, Shard, connect, echo, options_request};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

type Client = WebSocket<TcpStream>;

fn listen(streams: StreamOptions) -> Shard {
    let options = SocketOptions { streams, ..SocketOptions::default() };
    Shard::greet(Transport::Ws, &options, Preamble { tls: None, websocket: Some("/sip".into()) })
}

fn open(address: SocketAddr, path: &str, protocol: Option<&'static str>) -> Result<Client, Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
    }
    match client(request, connect(address)) {
        Ok((client, response)) => {
            assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
            Ok(client)
        }
        Err(HandshakeError::Failure(error)) => Err(error),
        Err(HandshakeError::Interrupted(_)) => panic!("the client's socket blocks"),
    }
}

/// Lets a client that blocks do its work while the shard echoes.
async fn beside<T: Send + 'static>(shard: &mut Shard, work: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
    let address = shard.address;
    let mut client = tokio::task::spawn_blocking(move || work(address));
    loop {
        tokio::select! {
            biased;
            done = &mut client => return done.unwrap(),
            _ = shard.turn(256, echo) => {}
        }
    }
}

#[tokio::test]
async fn each_websocket_message_is_one_sip_message_text_or_binary() {
    let mut shard = listen(StreamOptions::default());
    beside(&mut shard, |address| {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        let text = String::from_utf8(options_request(1, "body")).unwrap();
        client.send(Message::text(text.clone())).unwrap();
        assert_eq!(client.read().unwrap(), Message::text(text));
        let mut latin = options_request(2, "");
        latin.extend_from_slice(b"caf\xe9");
        client.send(Message::binary(latin.clone())).unwrap();
        assert_eq!(client.read().unwrap(), Message::binary(latin), "what is no UTF-8 is never sent as text");
        let long = options_request(3, &"x".repeat(100_000));
        client.send(Message::binary(long.clone())).unwrap();
        assert_eq!(client.read().unwrap().into_data(), long);
    })
    .await;
    assert_eq!(shard.counters().stream_messages_received, 3);
}

#[tokio::test]
async fn a_client_keeps_its_connection_alive_by_ping_or_by_double_crlf() {
    let mut shard = listen(StreamOptions::default());
    beside(&mut shard, |address| {
        let mut client = open(address, "/sip", Some("mqtt, sip")).unwrap();
        client.send(Message::Ping(b"there?".as_slice().into())).unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(b"there?".as_slice().into()));
        client.send(Message::text("\r\n\r\n")).unwrap();
        assert_eq!(client.read().unwrap(), Message::text("\r\n"));
        client.send(Message::text("\r\n")).unwrap();
        client.send(Message::text("")).unwrap();
        client.close(None).unwrap();
        assert!(matches!(client.read().unwrap(), Message::Close(_)), "a goodbye is answered");
        assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    })
    .await;
    let counters = shard.counters();
    assert_eq!((counters.pings_answered, counters.frame_errors), (1, 0));
}

#[tokio::test]
async fn who_does_not_come_for_sip_is_told_what_to_ask_for() {
    let mut shard = listen(StreamOptions::default());
    beside(&mut shard, |address| {
        for (path, protocol, status, hint) in [
            ("/other", Some("sip"), 404, "/sip"),
            ("/sip", Some("mqtt"), 400, "Sec-WebSocket-Protocol: sip"),
            ("/sip", None, 400, "Sec-WebSocket-Protocol: sip"),
        ] {
            let Err(Error::Http(response)) = open(address, path, protocol) else { panic!("{path} was taken") };
            let body = String::from_utf8(response.body().clone().unwrap_or_default()).unwrap();
            assert_eq!(response.status(), status);
            assert!(body.contains(hint), "{body}");
        }
    })
    .await;
    shard.until(|counters| counters.handshakes_failed_websocket == 3).await;
}

#[tokio::test]
async fn broken_frames_end_the_connection_with_a_reason() {
    let mut shard = listen(StreamOptions::default());
    // An unmasked frame, a reserved opcode, text that is no UTF-8, a frame of 2^62 bytes.
    let cases: [(&[u8], CloseCode); 4] = [
        (b"\x81\x02hi", CloseCode::Protocol),
        (b"\x83\x80\0\0\0\0", CloseCode::Protocol),
        (b"\x81\x81\0\0\0\0\xff", CloseCode::Invalid),
        (b"\x82\xff\x40\0\0\0\0\0\0\0\0\0\0\0", CloseCode::Size),
    ];
    for (bytes, code) in cases {
        beside(&mut shard, move |address| {
            let mut client = open(address, "/sip", Some("sip")).unwrap();
            client.get_mut().write_all(bytes).unwrap();
            match client.read().unwrap() {
                Message::Close(Some(frame)) => assert_eq!(frame.code, code, "{bytes:?}"),
                other => panic!("{bytes:?}: {other:?}"),
            }
        })
        .await;
    }
    assert_eq!(shard.counters().frame_errors, 4);
}

#[tokio::test]
async fn a_message_that_is_never_finished_is_cut_off() {
    let streams = StreamOptions { message_timeout: Duration::from_millis(200), ..StreamOptions::default() };
    let mut shard = listen(streams);
    let mut client = beside(&mut shard, |address| {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        // The first fragment of a message.
        client.get_mut().write_all(b"\x01\x84\0\0\0\0OPTI").unwrap();
        client
    })
    .await;
    shard.until(|counters| counters.closed_slow == 1).await;
    assert_eq!(client.get_mut().read(&mut [0; 1]).unwrap(), 0);
}

#[tokio::test]
async fn pings_give_no_more_time_for_a_message() {
    let streams = StreamOptions { message_timeout: Duration::from_millis(200), ..StreamOptions::default() };
    let mut shard = listen(streams);
    let mut client = beside(&mut shard, |address| {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        client.get_mut().write_all(b"\x01\x84\0\0\0\0OPTI").unwrap();
        client
    })
    .await;
    let pings = tokio::task::spawn_blocking(move || {
        // Until we are hung up on.
        while client.send(Message::Ping(b"".as_slice().into())).is_ok() && client.read().is_ok() {}
    });
    shard.until(|counters| counters.closed_slow == 1).await;
    pings.await.unwrap();
}

#[tokio::test]
async fn answers_come_before_the_goodbye() {
    let mut shard = listen(StreamOptions::default());
    beside(&mut shard, |address| {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        // A message and a goodbye in one write.
        let question = b"OPTIONS sip:a SIP/2.0";
        let bytes = [&[0x81, 0x80 | question.len() as u8, 0, 0, 0, 0][..], question, b"\x88\x80\0\0\0\0"].concat();
        client.get_mut().write_all(&bytes).unwrap();
        assert_eq!(client.read().unwrap().into_data().as_ref(), question);
        assert!(matches!(client.read().unwrap(), Message::Close(_)));
    })
    .await;
}

#[tokio::test]
async fn who_does_not_speak_websocket_is_told_so_in_http() {
    let mut shard = listen(StreamOptions::default());
    for (request, status) in [
        ("GET /sip HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "),
        ("POST /sip HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 4"),
        ("OPTIONS sip:a SIP/2.0\r\n\r\n", "HTTP/1.1 4"),
    ] {
        let answer = beside(&mut shard, move |address| {
            let mut client = connect(address);
            client.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        })
        .await;
        assert!(answer.starts_with(status) && answer.contains("Sec-WebSocket-Version: 13"), "{request}: {answer}");
    }
}

#[tokio::test]
async fn a_frame_error_is_told_to_the_shard() {
    let mut shard = listen(StreamOptions::default());
    let address = shard.address;
    let client = tokio::task::spawn_blocking(move || {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        client.get_mut().write_all(b"\x81\x02hi").unwrap();
        client
    });
    let event = shard.event().await;
    assert!(matches!(event, Event::FrameError(flow, Problem::WebSocket, None) if flow.transport == Transport::Ws));
    drop(client.await.unwrap());
}

/// A browser that has registered a flow on a connection that is watched: it says nothing by itself.
async fn registered_browser(shard: &mut Shard) -> (Client, Flow) {
    let address = shard.address;
    let client = tokio::task::spawn_blocking(move || {
        let mut client = open(address, "/sip", Some("sip")).unwrap();
        client.send(Message::text("REGISTER sip:a SIP/2.0")).unwrap();
        client
    });
    let flow = shard.event().await.flow();
    shard.sockets.expect(&flow, FLOW_TIMER, FLOW_TIMER + FLOW_TIMER / 4);
    (client.await.unwrap(), flow)
}

const FLOW_TIMER: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_browser_that_sends_no_keep_alives_is_asked_for_them_and_keeps_its_connection() {
    let mut shard = listen(StreamOptions::default());
    let (mut client, _) = registered_browser(&mut shard).await;
    let begun = Instant::now();
    let mut browser = tokio::task::spawn_blocking(move || {
        for _ in 0..5 {
            // To read is all that it does; the answer goes out by itself.
            assert_eq!(client.read().unwrap(), Message::Ping(b"".as_slice().into()));
            client.flush().unwrap();
        }
        client.send(Message::text("INVITE sip:b SIP/2.0")).unwrap();
        client
    });
    let mut events = Vec::new();
    let client = loop {
        tokio::select! {
            biased;
            client = &mut browser => break client.unwrap(),
            more = shard.turn(256, |_, _| ()) => events.extend(more),
        }
    };
    while events.is_empty() {
        events.extend(shard.turn(256, |_, _| ()).await);
    }
    assert_eq!(events.first().unwrap().bytes(), b"INVITE sip:b SIP/2.0", "{events:?}");
    assert!(begun.elapsed() >= FLOW_TIMER * 5 && shard.counters().closed_idle == 0);
    drop(client);
}

#[tokio::test]
async fn a_browser_that_has_died_is_found_dead() {
    let mut shard = listen(StreamOptions::default());
    let (client, flow) = registered_browser(&mut shard).await;
    let begun = Instant::now();
    // It reads nothing any more, and so answers nothing.
    assert_eq!(shard.event().await, Event::Closed(flow));
    assert!(begun.elapsed() >= FLOW_TIMER && begun.elapsed() < FLOW_TIMER * 4, "{:?}", begun.elapsed());
    assert_eq!(shard.counters().closed_idle, 1);
    drop(client);
}
