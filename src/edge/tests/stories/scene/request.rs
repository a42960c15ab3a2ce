//! A request that a phone makes, before it is sent.

use super::{Heard, Phone, Scene, digest};

/// The parts of a request. A story changes what it is about and leaves the rest.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub uri: String,
    pub via: String,
    pub branch: String,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub max_forwards: Option<u32>,
    pub contact: Option<String>,
    /// Further header lines, in their order, without CRLF.
    pub headers: Vec<String>,
    pub body: String,
}

impl Request {
    pub(super) fn new(scene: &Scene, phone: Phone, method: &str, uri: &str, serial: u32) -> Self {
        let state = &scene.phones[phone.0];
        let aor = scene.uri(phone);
        let transport = state.flow.transport.via_token();
        Self {
            method: method.into(),
            uri: uri.into(),
            via: format!("SIP/2.0/{transport} {}", state.flow.remote),
            branch: format!("z9hG4bK-{serial}"),
            from: format!("<{aor}>;tag=from-{serial}"),
            to: format!("<{}>", if method == "REGISTER" { &aor } else { uri }),
            call_id: format!("call-{serial}@phone"),
            cseq: 1,
            max_forwards: Some(70),
            contact: Some(format!("<{}>", scene.contact(phone))),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// With one more header line.
    pub fn header(mut self, line: &str) -> Self {
        self.headers.push(line.into());
        self
    }

    /// With another Contact value.
    pub fn contact(mut self, value: &str) -> Self {
        self.contact = Some(value.into());
        self
    }

    pub fn body(mut self, content_type: &str, body: &str) -> Self {
        self.headers.push(format!("Content-Type: {content_type}"));
        self.body = body.into();
        self
    }

    /// The same request again with credentials: next CSeq, new branch (RFC 3261 section 22.2).
    pub fn with_credentials(mut self, challenge: &Heard, user: &str, password: &str, serial: u32) -> Self {
        let (asks, answers) = match challenge.status() {
            Some(401) => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        self.headers.retain(|line| !line.starts_with(answers));
        let value = digest::answer(&challenge.header(asks), &self.method, &self.uri, user, password, 1);
        self.headers.push(format!("{answers}: {value}"));
        self.cseq += 1;
        self.branch = format!("z9hG4bK-{serial}");
        self
    }

    pub fn text(&self) -> String {
        let mut text = format!("{} {} SIP/2.0\r\nVia: {};branch={}\r\n", self.method, self.uri, self.via, self.branch);
        if let Some(left) = self.max_forwards {
            text += &format!("Max-Forwards: {left}\r\n");
        }
        text += &format!("From: {}\r\nTo: {}\r\nCall-ID: {}\r\n", self.from, self.to, self.call_id);
        text += &format!("CSeq: {} {}\r\n", self.cseq, self.method);
        if let Some(contact) = &self.contact {
            text += &format!("Contact: {contact}\r\n");
        }
        for line in &self.headers {
            text += &format!("{line}\r\n");
        }
        text + &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)
    }

    /// The CANCEL of this INVITE (RFC 3261 section 9.1).
    pub fn cancel(&self) -> String {
        Self {
            method: "CANCEL".into(),
            contact: None,
            headers: self.headers.iter().filter(|line| line.starts_with("Route")).cloned().collect(),
            body: String::new(),
            ..self.clone()
        }
        .text()
    }
}
