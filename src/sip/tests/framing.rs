//! Framing: what a stream carries is the same wherever its segments end.

use ringway_sip::frame::{DatagramKind, Frame, FrameLimits, Framer, datagram_kind};
use ringway_sip::message::Problem;

const LIMITS: FrameLimits = FrameLimits { head: 200, body: 50 };

#[test]
fn a_pipeline_gives_the_same_frames_wherever_it_is_cut() {
    let first = message("Content-Length: 5\r\n", "hello");
    let second = message("l:0\r\n", "");
    let third = message("CONTENT-length \t:\r\n 0011\r\nX: y\r\n", "\r\n\r\nSIP/2.0");
    let stream = [b"\r\n\r\n", &first[..], &second, b"\r\n", &third, b"\r\n\r\n\r\n"].concat();
    let expected = vec![
        Seen::Pong,
        Seen::Ping,
        Seen::Message(first),
        Seen::Message(second),
        Seen::Pong,
        Seen::Message(third),
        Seen::Pong,
        Seen::Ping,
        Seen::Pong,
    ];
    assert_eq!(frames([&stream[..]]), expected);
    assert_eq!(frames(stream.chunks(1)), expected);
    for at in 0..=stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(frames([head, tail]), expected, "cut at {at}");
    }
}

#[test]
fn a_short_pipeline_gives_the_same_frames_at_every_pair_of_cuts() {
    let message = b"A b\r\nl:2\r\n\r\nhi".to_vec();
    let stream = [b"\r\n\r\n", &message[..], &message, b"\r\n"].concat();
    let expected = vec![Seen::Pong, Seen::Ping, Seen::Message(message.clone()), Seen::Message(message), Seen::Pong];
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let cuts = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(frames(cuts), expected, "cut at {first} and {second}");
        }
    }
}

#[test]
fn an_error_ends_the_stream_and_is_the_same_wherever_it_is_cut() {
    let long = "x".repeat(200);
    let refused: &[(&str, Problem, bool)] = &[
        ("A b\r\nTo: c\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nX:\r\n l: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nll: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nl\0: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nl\u{c}: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nl l: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nl\r: 5\r\n\r\n", Problem::ContentLengthMissing, true),
        ("A b\r\nl: 5\r\nContent-Length: 6\r\n\r\n", Problem::ContentLengthsDiffer, true),
        ("A b\r\nl:\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: -1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: +1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 0x1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 1 1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 1\r\n 1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 1, 1\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 1\r\nl: x\r\n\r\n", Problem::ContentLength, true),
        ("A b\r\nl: 51\r\n\r\n", Problem::BodyTooLarge, true),
        ("A b\r\nl: 4294967297\r\n\r\n", Problem::BodyTooLarge, true),
        ("A b\r\nl: 99999999999999999999999999\r\n\r\n", Problem::BodyTooLarge, true),
        ("A b\nl: 0\n\n", Problem::LineEnd, false),
        ("A b\r\nX: y\nl: 0\r\n\r\n", Problem::LineEnd, false),
        (" A b\r\nl: 0\r\n\r\n", Problem::StartLine, false),
        ("\0\0\0\0", Problem::StartLine, false),
        ("\r\r\n", Problem::StartLine, false),
        ("\n", Problem::StartLine, false),
        (&long, Problem::HeadTooLarge, false),
        ("\u{16}\u{3}\u{1}", Problem::StartLine, false),
    ];
    for (bytes, problem, has_head) in refused {
        let good = message("l: 1\r\n", "x");
        let stream = [&good[..], bytes.as_bytes(), &good].concat();
        let head = has_head.then(|| bytes.as_bytes().to_vec());
        let expected = vec![Seen::Message(good), Seen::Error(*problem, head)];
        for at in 0..=stream.len() {
            let (first, second) = stream.split_at(at);
            assert_eq!(frames([first, second]), expected, "{bytes:?} cut at {at}");
        }
    }
}

#[test]
fn content_lengths_that_agree_are_one() {
    let twice = message("Content-Length: 2\r\nl: 02\r\n", "ab");
    assert_eq!(frames([&twice[..]]), [Seen::Message(twice)]);
}

#[test]
fn a_head_or_a_body_as_long_as_its_limit_passes_and_one_byte_more_does_not() {
    let fixed = message("l: 50\r\nX: \r\n", "").len();
    let fitting =
        |more: usize| message(&format!("l: 50\r\nX: {}\r\n", "x".repeat(LIMITS.head - fixed + more)), &"b".repeat(50));
    assert_eq!(frames(fitting(0).chunks(7)), [Seen::Message(fitting(0))]);
    assert_eq!(frames(fitting(1).chunks(7)), [Seen::Error(Problem::HeadTooLarge, None)]);
}

#[test]
fn an_unfinished_message_is_waited_for_and_counted() {
    let mut framer = Framer::new(LIMITS);
    assert_eq!(framer.buffered(), 0);
    framer.push(b"\r\nA b\r\nl: 3\r\n\r\nab");
    assert_eq!(framer.next(), Some(Ok(Frame::Pong)));
    assert_eq!(framer.next(), None);
    assert_eq!(framer.buffered(), b"A b\r\nl: 3\r\n\r\nab".len());
    framer.push(b"c\r");
    assert_eq!(framer.next(), Some(Ok(Frame::Message(b"A b\r\nl: 3\r\n\r\nabc"))));
    assert_eq!(framer.buffered(), 1);
    framer.push(b"\n");
    assert_eq!(framer.next(), Some(Ok(Frame::Pong)));
    assert_eq!(framer.next(), None);
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn a_stream_that_failed_takes_nothing_more_and_holds_nothing() {
    let mut framer = Framer::new(LIMITS);
    framer.push(b"A b\r\n\r\nA b\r\nl: 0\r\n\r\n");
    let error = framer.next().unwrap().unwrap_err();
    assert_eq!(error.problem(), Problem::ContentLengthMissing);
    assert_eq!(error.head(), Some(b"A b\r\n\r\n".as_slice()));
    framer.push(b"A b\r\nl: 0\r\n\r\n");
    assert_eq!(framer.next(), None);
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn keep_alives_pings_and_stun_are_told_from_messages_in_datagrams() {
    let stun_request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let stun_response = [&[1, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42][..], &[7; 16]].concat();
    let classic_stun = [&[0, 1, 0, 0][..], &[9; 16]].concat();
    for (bytes, kind) in [
        (b"".as_slice(), DatagramKind::KeepAlive),
        (b"\r\n", DatagramKind::KeepAlive),
        (b"\r\n\r\n", DatagramKind::KeepAlive),
        (b"\0\0\0\0", DatagramKind::KeepAlive),
        (b"jaK\0", DatagramKind::KeepAlive),
        (b"ping", DatagramKind::KeepAlive),
        (&[0; 400], DatagramKind::KeepAlive),
        (b"\r\n\r\n\r\n\0", DatagramKind::KeepAlive),
        (&stun_request, DatagramKind::Stun),
        (&stun_response, DatagramKind::Stun),
        (&classic_stun, DatagramKind::Stun),
        (&stun_request[..19], DatagramKind::Message),
        (b"hello", DatagramKind::Message),
        (b"\r\nOPTIONS sip:a SIP/2.0\r\n\r\n", DatagramKind::Message),
        (b"OPTIONS sip:a SIP/2.0\r\n\r\n", DatagramKind::Message),
    ] {
        assert_eq!(datagram_kind(bytes), kind, "{}", bytes.escape_ascii());
    }
}

/// A frame or an error with bytes of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>),
    Ping,
    Pong,
    Error(Problem, Option<Vec<u8>>),
}

/// What a framer gives out when these segments arrive one after the other.
fn frames<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut framer = Framer::new(LIMITS);
    let mut seen = Vec::new();
    for segment in segments {
        framer.push(segment);
        while let Some(frame) = framer.next() {
            seen.push(match frame {
                Ok(Frame::Message(bytes)) => Seen::Message(bytes.to_vec()),
                Ok(Frame::Ping) => Seen::Ping,
                Ok(Frame::Pong) => Seen::Pong,
                Err(error) => Seen::Error(error.problem(), error.head().map(<[u8]>::to_vec)),
            });
        }
    }
    seen
}

fn message(headers: &str, body: &str) -> Vec<u8> {
    format!("MESSAGE sip:bob@biloxi.com SIP/2.0\r\nTo: <sip:bob@biloxi.com>\r\n{headers}\r\n{body}").into_bytes()
}
