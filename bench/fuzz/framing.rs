//! A stream gives the same frames whole, byte by byte, and cut in any way; and the parser sees every message as
//! long as the framer.
use ringway_sip::frame::{Frame, FrameLimits, Framer, datagram_kind};
use ringway_sip::{Message, Problem};

const LIMITS: FrameLimits = FrameLimits { head: 300, body: 100 };

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>),
    Ping,
    Pong,
    Error(Problem, Option<Vec<u8>>),
}

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(stream: &[u8]) {
    let _ = datagram_kind(stream);
    let whole = frames([stream]);
    assert_eq!(frames(stream.chunks(1)), whole, "byte by byte");
    // The stream's own bytes say where it is cut.
    let mut rest = stream;
    let mut segments = Vec::new();
    for cut in stream {
        let (segment, behind) = rest.split_at(usize::from(*cut).min(rest.len()));
        segments.push(segment);
        rest = behind;
    }
    segments.push(rest);
    assert_eq!(frames(segments), whole, "cut");
    for frame in &whole {
        if let Seen::Message(bytes) = frame
            && let Ok(message) = Message::parse(bytes)
            && message.problem().is_none()
        {
            assert_eq!(message.bytes(), bytes, "two lengths");
        }
    }
    let taken: usize = whole.iter().map(length).sum();
    assert!(taken <= stream.len());
}

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
        assert!(framer.buffered() < LIMITS.head + LIMITS.body, "it holds more than a message");
    }
    seen
}

fn length(seen: &Seen) -> usize {
    match seen {
        Seen::Message(bytes) => bytes.len(),
        Seen::Ping | Seen::Pong => 2,
        Seen::Error(_, head) => head.as_ref().map_or(0, Vec::len),
    }
}
