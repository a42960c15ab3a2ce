//! What can be wrong with a message.

use std::fmt;

use crate::Name;

/// The bytes are no SIP message, and nobody can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSip;

impl fmt::Display for NotSip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a SIP message")
    }
}

impl std::error::Error for NotSip {}

/// What is wrong with a message. A request is answered with [`Problem::status`]; a response is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The start line is not three parts with one space between them.
    StartLine,
    /// The method is no token.
    Method,
    /// The Request-URI is empty or has characters that no URI has.
    RequestUri,
    /// A SIP version other than 2.0.
    Version,
    /// The status code is not 100 to 699.
    StatusCode,
    /// More than [`super::MAX_FIELDS`] header fields.
    TooManyHeaders,
    /// More than [`super::MAX_HEAD`] bytes before the body.
    HeadTooLarge,
    /// More bytes in the body than the limit of the stream.
    BodyTooLarge,
    /// A line of the head has no colon, or what stands before it is no header name.
    HeaderName,
    /// A CR or LF stands alone, so that two readers could see different lines.
    LineEnd,
    /// A control character stands beside a header's colon.
    ControlCharacter,
    /// A header field that may stand once stands twice.
    Repeated(Name),
    /// Content-Length is not a number.
    ContentLength,
    /// Two Content-Lengths that differ.
    ContentLengthsDiffer,
    /// Content-Length is larger than the body.
    ContentLengthTooLarge,
    /// A message on a stream without Content-Length.
    ContentLengthMissing,
    /// What came on a WebSocket connection breaks the rules of WebSocket (RFC 6455).
    WebSocket,
    /// A header field that every message has is not there.
    Missing(Name),
    /// A header field cannot be read.
    Malformed(Name),
    /// The CSeq's number is 2^31 or more.
    CSeqNumber,
    /// The CSeq's method is not that of the request line.
    CSeqMethod,
    /// From or To has more than one tag, or an empty one.
    Tag(Name),
}

impl Problem {
    /// The status code that answers a request with this problem.
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooManyHeaders | Self::HeadTooLarge => 513,
            Self::BodyTooLarge => 413,
            _ => 400,
        }
    }

    /// A short text for the reason phrase and for logs (section 21.4.1: the phrase should say what is wrong).
    pub const fn text(self) -> &'static str {
        match self {
            Self::StartLine => "Malformed start line",
            Self::Method => "Malformed method",
            Self::RequestUri => "Malformed Request-URI",
            Self::Version => "Version Not Supported",
            Self::StatusCode => "Malformed status code",
            Self::TooManyHeaders => "Too many header fields",
            Self::HeadTooLarge => "Message head too large",
            Self::BodyTooLarge => "Message body too large",
            Self::HeaderName => "Malformed header name",
            Self::LineEnd => "CR or LF alone in the message head",
            Self::ControlCharacter => "Control character beside a header's colon",
            Self::Repeated(name) => repeated(name),
            Self::ContentLength => "Malformed Content-Length",
            Self::ContentLengthsDiffer => "Content-Length stands twice and differs",
            Self::ContentLengthTooLarge => "Content-Length is larger than the body",
            Self::ContentLengthMissing => "Missing Content-Length",
            Self::WebSocket => "Malformed WebSocket frame",
            Self::Missing(name) => missing(name),
            Self::Malformed(name) => malformed(name),
            Self::CSeqNumber => "CSeq number too large",
            Self::CSeqMethod => "CSeq method is not the request's",
            Self::Tag(Name::From) => "From has an empty tag or several",
            Self::Tag(_) => "To has an empty tag or several",
        }
    }
}

const fn repeated(name: Name) -> &'static str {
    match name {
        Name::From => "From stands twice",
        Name::To => "To stands twice",
        Name::CallId => "Call-ID stands twice",
        Name::CSeq => "CSeq stands twice",
        Name::MaxForwards => "Max-Forwards stands twice",
        Name::ContentLength => "Content-Length stands twice",
        Name::Expires => "Expires stands twice",
        _ => "A header field that may stand once stands twice",
    }
}

const fn missing(name: Name) -> &'static str {
    match name {
        Name::Via => "Missing Via",
        Name::From => "Missing From",
        Name::To => "Missing To",
        Name::CallId => "Missing Call-ID",
        Name::CSeq => "Missing CSeq",
        Name::Contact => "Missing Contact",
        _ => "Missing header field",
    }
}

const fn malformed(name: Name) -> &'static str {
    match name {
        Name::Via => "Malformed Via",
        Name::From => "Malformed From",
        Name::To => "Malformed To",
        Name::CallId => "Malformed Call-ID",
        Name::CSeq => "Malformed CSeq",
        Name::MaxForwards => "Max-Forwards is not 0 to 255",
        Name::Contact => "Malformed Contact",
        Name::Route => "Malformed Route",
        Name::RecordRoute => "Malformed Record-Route",
        Name::Path => "Malformed Path",
        _ => "Malformed header field",
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

impl std::error::Error for Problem {}
