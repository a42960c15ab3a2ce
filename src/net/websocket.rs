//! SIP over WebSocket (RFC 7118): each WebSocket message is one SIP message, or a keep-alive.

use std::io::{self, Read, Write};

use ringway_sip::Problem;
use ringway_sip::frame::{DatagramKind, FrameLimits, datagram_kind};
use tokio::io::{AsyncRead, AsyncWrite};
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

/// Bytes that a connection's reader is given at a time, and keeps room for while it is idle.
const READ: usize = 4096;

/// Waits for the opening handshake and answers it.
///
/// # Errors
/// Why it is refused; the client has been told.
pub(crate) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(stream: S, path: &str) -> Result<S, String> {
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
    let config = config(usize::MAX);
    let socket = accept_hdr_async_with_config(stream, check, Some(config)).await.map_err(|error| error.to_string())?;
    // The client waits for our answer, so nothing of it has been read beyond its request.
    Ok(socket.into_inner())
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
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unwrapped {
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
#[derive(Debug)]
pub(crate) struct Unwrapper {
    socket: WebSocket<Pipe>,
    message: Bytes,
    /// Bytes since the last whole message.
    unfinished: usize,
    is_over: bool,
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
        let longest = limits.head.saturating_add(limits.body);
        Self {
            socket: WebSocket::from_raw_socket(Pipe::default(), Role::Server, Some(config(longest))),
            message: Bytes::new(),
            unfinished: 0,
            is_over: false,
        }
    }

    /// Takes what was read from the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !self.is_over {
            self.unfinished = self.unfinished.saturating_add(bytes.len());
            self.socket.get_mut().incoming.extend_from_slice(bytes);
        }
    }

    /// The next piece that is whole; `None` asks for more bytes.
    pub(crate) fn next(&mut self) -> Option<Unwrapped> {
        if self.is_over {
            return None;
        }
        let unwrapped = match self.socket.read() {
            Ok(Message::Text(text)) => self.hold(text.into()),
            Ok(Message::Binary(bytes)) => self.hold(bytes),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Unwrapped::Alive,
            Ok(Message::Close(_)) => self.end(Unwrapped::Close),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.get_mut().give_back();
                return None;
            }
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => self.end(Unwrapped::Close),
            Err(error) => {
                let (code, problem) = match &error {
                    Error::Capacity(_) => (CloseCode::Size, Problem::BodyTooLarge),
                    Error::Utf8(_) => (CloseCode::Invalid, Problem::WebSocket),
                    _ => (CloseCode::Protocol, Problem::WebSocket),
                };
                let reason = Utf8Bytes::from_static("");
                // That it can't be said is no news for a connection that is being closed.
                let _ = self.socket.close(Some(CloseFrame { code, reason }));
                self.end(Unwrapped::Error(problem))
            }
        };
        // Answers to pings and goodbyes are queued by reading; this writes them into the pipe.
        let _ = self.socket.flush();
        self.unfinished = 0;
        Some(unwrapped)
    }

    /// The message that [`Unwrapped::Message`] announced.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Bytes of a message that has begun and is not whole.
    pub(crate) const fn buffered(&self) -> usize {
        self.unfinished
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

    fn end(&mut self, last: Unwrapped) -> Unwrapped {
        self.is_over = true;
        last
    }
}

impl Pipe {
    fn give_back(&mut self) {
        self.incoming = Vec::new();
        self.read = 0;
    }
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
