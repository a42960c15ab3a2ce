//! A message that a phone has heard.

use std::fmt;

/// One message, with what a story asks of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Heard {
    pub bytes: Vec<u8>,
}

impl fmt::Display for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n{}", String::from_utf8_lossy(&self.bytes))
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Heard {
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec() }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn head(&self) -> String {
        let text = self.text();
        text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
    }

    pub fn body(&self) -> String {
        let text = self.text();
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    pub fn start_line(&self) -> String {
        self.head().lines().next().unwrap_or_default().to_owned()
    }

    /// The method of a request.
    pub fn method(&self) -> Option<String> {
        let line = self.start_line();
        (!line.starts_with("SIP/2.0 ")).then(|| line.split(' ').next().unwrap_or_default().to_owned())
    }

    pub fn request_uri(&self) -> String {
        self.start_line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// Every value of a header, one a line, as it stands.
    pub fn headers(&self, name: &str) -> Vec<String> {
        self.head()
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(found, _)| found.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    }

    /// The first value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> String {
        self.headers(name).into_iter().next().unwrap_or_default()
    }

    pub fn has(&self, name: &str) -> bool {
        !self.headers(name).is_empty()
    }

    /// The reason code in the Warning.
    pub fn reason_code(&self) -> String {
        let warning = self.header("Warning");
        warning.split('"').nth(1).and_then(|text| text.split(':').next()).unwrap_or_default().to_owned()
    }

    /// Whether it is a refusal that this node has told the reason of.
    pub fn is_refusal_of(&self, node: &str) -> bool {
        self.status().is_some() && self.header("Warning").starts_with(&format!("399 {node} "))
    }

    /// The tag of To.
    pub fn to_tag(&self) -> String {
        tag(&self.header("To"))
    }

    /// The branch of the top Via.
    pub fn branch(&self) -> String {
        parameter(&self.header("Via"), "branch")
    }

    /// The response that a phone gives to this request.
    pub fn response(&self, status: u16, to_tag: &str, contact: &str) -> String {
        let mut text = format!("SIP/2.0 {status} Whatever\r\n");
        for name in ["Via", "Record-Route"] {
            for value in self.headers(name) {
                text += &format!("{name}: {value}\r\n");
            }
        }
        let to = self.header("To");
        let to = if status > 100 && tag(&to).is_empty() { format!("{to};tag={to_tag}") } else { to };
        text += &format!("From: {}\r\nTo: {to}\r\n", self.header("From"));
        text += &format!("Call-ID: {}\r\nCSeq: {}\r\n", self.header("Call-ID"), self.header("CSeq"));
        text + &format!("Contact: <{contact}>\r\nContent-Length: 0\r\n\r\n")
    }

    /// The ACK to this failure, as the phone that sent `invite` makes it (RFC 3261 section 17.1.1.3).
    pub fn ack(&self, invite: &str) -> String {
        let invite = Self::new(invite.as_bytes());
        let mut text = format!("ACK {} SIP/2.0\r\nVia: {}\r\n", invite.request_uri(), invite.header("Via"));
        for route in invite.headers("Route") {
            text += &format!("Route: {route}\r\n");
        }
        let number = invite.header("CSeq").split(' ').next().unwrap_or_default().to_owned();
        text += &format!("Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\n", invite.header("From"), self.header("To"));
        text + &format!("Call-ID: {}\r\nCSeq: {number} ACK\r\nContent-Length: 0\r\n\r\n", invite.header("Call-ID"))
    }
}

/// The tag of a From or To.
pub fn tag(value: &str) -> String {
    parameter(value.rsplit('>').next().unwrap_or_default(), "tag")
}

/// A header parameter; empty when there is none.
pub fn parameter(value: &str, name: &str) -> String {
    value
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
