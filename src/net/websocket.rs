//! SIP over WebSocket (RFC 7118): each WebSocket message is one SIP message, or a keep-alive.

use std::io::{self, Read, Write};

use ringway_sip::Problem;
use ringway_sip::frame::{DatagramKind, FrameLimits, datagram_kind};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};

/// The subprotocol (RFC 7118 section 4.1).
const SIP: &str = "sip";

/// What somebody reads who comes with something else than WebSocket.
const HINT: &str = "SIP is spoken here over WebSocket (RFC 7118).\n";

/// A ping without a payload, as a server sends it (RFC 6455 section 5.5.2).
pub(crate) const PING: &[u8] = b"\x89\x00";

/// Bytes that a connection's reader is given at a time, and keeps room for while it is idle.
const READ: usize = 4096;

/// Waits for the opening handshake and answers it. The client waits for our answer, so nothing that it says afterwards has
/// been read.
///
/// # Errors
/// Why it is refused; the client has been told.
pub(crate) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> Result<(), String> {
    #[expect(clippy::result_large_err, reason = "the library wants its answer by value")]
    let check = |request: &Request, mut response: Response| {
        if request.uri().path() != path {
            return Err(refusal(StatusCode::NOT_FOUND, format!("SIP is spoken at {path} only")));
        }
        let offers_sip = request
            .headers()
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|protocol| protocol.trim().eq_ignore_ascii_case(SIP));
        if !offers_sip {
            return Err(refusal(
                StatusCode::BAD_REQUEST,
                "offer the subprotocol of SIP: Sec-WebSocket-Protocol: sip".into(),
            ));
        }
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
        Ok(response)
    };
    let error = match accept_hdr_async_with_config(&mut *stream, check, Some(config(usize::MAX))).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    // The library answers what our check refuses, and nothing else.
    let status = match &error {
        Error::Http(_) | Error::Io(_) => None,
        Error::Protocol(_) => Some("426 Upgrade Required"),
        _ => Some("400 Bad Request"),
    };
    if let Some(status) = status {
        let answer = format!(
            "HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{HINT}",
            HINT.len()
        );
        // Whether it arrives is the client's concern.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
    Err(error.to_string())
}

fn refusal(status: StatusCode, text: String) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text));
    *response.status_mut() = status;
    response
}

fn config(longest: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ)
        .write_buffer_size(0)
        .max_message_size(Some(longest))
        .max_frame_size(Some(longest))
}

/// What a connection's messages consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwrapped {
    /// A SIP message.
    Message,
    /// A double CRLF: the other end asks for a CRLF (RFC 7118 section 6).
    Ping,
    /// Any other sign of life, which WebSocket itself answers if need be.
    Alive,
    /// The other end says goodbye.
    Close,
    /// It can't be read further.
    Error(Problem),
}

/// Unwraps the messages of one WebSocket connection from the bytes of its stream. It does no I/O: bytes go in by
/// [`Self::push`], and what is to be written comes out by [`Self::take_replies`].
///
/// The library is fed whole frames only. So it is known at every moment whether a message has begun, and an idle connection
/// holds no memory of the messages that it had.
#[derive(Debug)]
pub(crate) struct Unwrapper {
    limits: FrameLimits,
    socket: WebSocket<Pipe>,
    /// What came and is not a whole frame yet.
    incoming: Vec<u8>,
    /// Whether the last data frame was not the last of its message.
    is_fragmented: bool,
    message: Bytes,
    is_over: bool,
}

/// Unwraps what a client sends, read in these pieces: what it consists of, each with its message if it is one, and what
/// WebSocket itself answers. A connection does the same as its bytes come; how they are cut makes no difference.
pub fn unwrap_websocket<'b>(
    limits: FrameLimits,
    pieces: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<(Unwrapped, Vec<u8>)>, Vec<u8>) {
    let mut unwrapper = Unwrapper::new(limits);
    let mut unwrapped = Vec::new();
    for piece in pieces {
        unwrapper.push(piece);
        while let Some(next) = unwrapper.next() {
            let is_message = next == Unwrapped::Message;
            unwrapped.push((next, if is_message { unwrapper.message().to_vec() } else { Vec::new() }));
        }
    }
    (unwrapped, unwrapper.take_replies())
}

/// Both directions of a stream, in memory.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    read: usize,
    outgoing: Vec<u8>,
}

impl Unwrapper {
    pub(crate) fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            socket: socket(limits),
            incoming: Vec::new(),
            is_fragmented: false,
            message: Bytes::new(),
            is_over: false,
        }
    }

    /// Takes what was read from the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.incoming.extend_from_slice(bytes);
        }
    }

    /// The next piece that is whole; `None` asks for more bytes.
    pub(crate) fn next(&mut self) -> Option<Unwrapped> {
        let mut is_idle = false;
        while !self.is_over {
            let unwrapped = match self.socket.read() {
                Ok(Message::Text(text)) => self.hold(text.into()),
                Ok(Message::Binary(bytes)) => self.hold(bytes),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Unwrapped::Alive,
                Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    self.end(Unwrapped::Close)
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.feed() {
                        continue;
                    }
                    is_idle = true;
                    break;
                }
                Err(error) => self.fail(&error),
            };
            // Answers to pings and goodbyes are queued by reading; this writes them into the pipe.
            let _ = self.socket.flush();
            return Some(unwrapped);
        }
        if is_idle && !self.is_fragmented && !self.message.is_empty() {
            // The library keeps the buffer of the largest message that there was.
            if self.message.len() > READ {
                let outgoing = self.take_replies();
                self.socket = socket(self.limits);
                self.socket.get_mut().outgoing = outgoing;
            }
            self.message = Bytes::new();
        }
        None
    }

    /// Gives the library its next frame, or the head of one that it must refuse. False when there is no whole one.
    fn feed(&mut self) -> bool {
        let mut cursor = io::Cursor::new(&self.incoming);
        let header = FrameHeader::parse(&mut cursor);
        let head = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let end = match &header {
            Ok(None) => return false,
            Ok(Some((_, length))) if *length <= longest(self.limits) as u64 => {
                head + usize::try_from(*length).unwrap_or(usize::MAX)
            }
            // What is malformed or too long is told by its head.
            _ => self.incoming.len(),
        };
        if self.incoming.len() < end {
            return false;
        }
        if let Ok(Some((FrameHeader { is_final, opcode: OpCode::Data(_), .. }, _))) = header {
            self.is_fragmented = !is_final;
        }
        let rest = self.incoming.split_off(end);
        let frame = std::mem::replace(&mut self.incoming, rest);
        let pipe = self.socket.get_mut();
        (pipe.incoming, pipe.read) = (frame, 0);
        true
    }

    /// The message that [`Unwrapped::Message`] announced.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Whether a message has begun and is not whole: bytes of it that wait, and one more when fragments of it were taken.
    pub(crate) fn buffered(&self) -> usize {
        self.incoming.len() + usize::from(self.is_fragmented)
    }

    /// What WebSocket itself has to say.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.socket.get_mut().outgoing)
    }

    fn hold(&mut self, bytes: Bytes) -> Unwrapped {
        let kind = datagram_kind(&bytes);
        self.message = bytes;
        match kind {
            DatagramKind::Message => Unwrapped::Message,
            _ if &*self.message == b"\r\n\r\n" => Unwrapped::Ping,
            _ => Unwrapped::Alive,
        }
    }

    fn fail(&mut self, error: &Error) -> Unwrapped {
        let (code, problem) = match error {
            Error::Capacity(_) => (CloseCode::Size, Problem::BodyTooLarge),
            Error::Utf8(_) => (CloseCode::Invalid, Problem::WebSocket),
            _ => (CloseCode::Protocol, Problem::WebSocket),
        };
        // That it can't be said is no news for a connection that is being closed.
        let _ = self.socket.close(Some(CloseFrame { code, reason: Utf8Bytes::from_static("") }));
        self.end(Unwrapped::Error(problem))
    }

    fn end(&mut self, last: Unwrapped) -> Unwrapped {
        self.is_over = true;
        self.is_fragmented = false;
        self.incoming = Vec::new();
        last
    }
}

fn socket(limits: FrameLimits) -> WebSocket<Pipe> {
    WebSocket::from_raw_socket(Pipe::default(), Role::Server, Some(config(longest(limits))))
}

const fn longest(limits: FrameLimits) -> usize {
    limits.head.saturating_add(limits.body)
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = self.incoming.get(self.read..).unwrap_or_default();
        if waiting.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = waiting.len().min(buffer.len());
        buffer[..count].copy_from_slice(&waiting[..count]);
        self.read += count;
        if self.read == self.incoming.len() {
            (self.incoming, self.read) = (Vec::new(), 0);
        }
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes that carry a message to a client: never masked, and text when it is text (RFC 7118 section 5 wants text to be
/// UTF-8, and SIP needs not be).
pub(crate) fn write_header(message: &[u8], write: impl FnOnce(&[u8])) {
    let data = if std::str::from_utf8(message).is_ok() { Data::Text } else { Data::Binary };
    let header = FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() };
    let mut bytes = Vec::with_capacity(10);
    // Writing into memory doesn't fail.
    if header.format(message.len() as u64, &mut bytes).is_ok() {
        write(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FrameLimits = FrameLimits { head: 100, body: 20_000 };

    /// A frame as a client sends it, masked with zeros.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn pieces(unwrapper: &mut Unwrapper) -> Vec<(Unwrapped, Vec<u8>)> {
        let mut pieces = Vec::new();
        while let Some(piece) = unwrapper.next() {
            let is_message = matches!(piece, Unwrapped::Message);
            pieces.push((piece, if is_message { unwrapper.message().to_vec() } else { Vec::new() }));
        }
        pieces
    }

    #[test]
    fn whatever_the_cuts_the_pieces_are_the_same() {
        let long = [b'x'; 200];
        let bytes = [
            frame(0x01, b"OPTIONS"),
            frame(0x89, b"?"),
            frame(0x80, b" sip:a SIP/2.0"),
            frame(0x81, b"\r\n\r\n"),
            frame(0x82, &long),
            frame(0x88, b""),
        ]
        .concat();
        let (expected, replies) = unwrap_websocket(LIMITS, [&bytes[..]]);
        let kinds: Vec<_> = expected.iter().map(|(piece, _)| piece).collect();
        assert!(matches!(
            kinds[..],
            [Unwrapped::Alive, Unwrapped::Message, Unwrapped::Ping, Unwrapped::Message, Unwrapped::Close]
        ));
        assert_eq!(expected[1].1, b"OPTIONS sip:a SIP/2.0");
        for cut in 1..bytes.len() {
            let cut_once = unwrap_websocket(LIMITS, [&bytes[..cut], &bytes[cut..]]);
            assert_eq!(cut_once, (expected.clone(), replies.clone()), "cut at {cut}");
        }
    }

    #[test]
    fn a_message_has_begun_until_its_last_fragment_whatever_pings_come_between() {
        let mut unwrapper = Unwrapper::new(LIMITS);
        unwrapper.push(&frame(0x01, b"OPTI"));
        assert_eq!(pieces(&mut unwrapper), []);
        assert_ne!(unwrapper.buffered(), 0);
        unwrapper.push(&frame(0x89, b""));
        assert_eq!(pieces(&mut unwrapper).len(), 1);
        assert_ne!(unwrapper.buffered(), 0, "a ping finishes no message");
        unwrapper.push(&frame(0x80, b"ONS"));
        assert_eq!(pieces(&mut unwrapper).len(), 1);
        assert_eq!(unwrapper.buffered(), 0);
        // A whole message, and the beginning of another one.
        unwrapper.push(&[frame(0x81, b"OPTIONS"), vec![0x81]].concat());
        assert_eq!(pieces(&mut unwrapper).len(), 1);
        assert_ne!(unwrapper.buffered(), 0);
    }

    #[test]
    fn an_idle_connection_keeps_nothing_of_a_large_message() {
        let mut unwrapper = Unwrapper::new(LIMITS);
        unwrapper.push(&frame(0x82, &vec![b'x'; 15_000]));
        assert_eq!(pieces(&mut unwrapper).len(), 1);
        assert!(unwrapper.message().is_empty() && unwrapper.incoming.capacity() <= 64);
        unwrapper.push(&frame(0x81, b"OPTIONS"));
        assert_eq!(pieces(&mut unwrapper).len(), 1, "it goes on");
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_head() {
        let mut unwrapper = Unwrapper::new(LIMITS);
        unwrapper.push(&[&[0x82, 0x80 | 127][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat());
        assert_eq!(unwrapper.next(), Some(Unwrapped::Error(Problem::BodyTooLarge)));
        assert_eq!(unwrapper.next(), None);
        assert!(unwrapper.take_replies().starts_with(&[0x88]));
    }
}
