//! Two phones, and a server that the test plays.

use std::io::Write as _;

use crate::agent::{Phones, Setting, Stream};
use crate::endpoint::{Endpoint, Transport};
use crate::identity::Run;
use crate::message::scan::Scanner;
use crate::operation::Kind;
use crate::pace::{Pace, Turns};
use crate::report::Operations;
use crate::users::Users;

/// Nanoseconds of a millisecond.
pub(super) const MILLISECOND: u64 = 1_000_000;

/// 101 speaks on endpoint 0, 102 on endpoint 1.
pub(super) struct Scene {
    pub(super) phones: Phones,
    scanner: Scanner,
    pub(super) now: u64,
}

impl Scene {
    /// One operation of that kind, of 101, to be started by [`Scene::sent`].
    pub(super) fn new(kind: Kind) -> Self {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"extension_number,auth_name,extension_password\n101,alice,p1\n102,bob,p2\n").unwrap();
        let mut users = Users::default();
        users.add(file.path(), Some("acme.example"), usize::MAX).unwrap();
        users.user_mut(1).endpoint = 1;
        let run = Run::new(42);
        let endpoint = |port: u16| Endpoint::new(([192, 0, 2, 1], port).into(), Transport::Udp, run);
        let setting = Setting { run, random: 7, expires: 600, transport: Transport::Udp, is_echo: false };
        let mut phones = Phones::new(users, vec![endpoint(4001), endpoint(4002)], setting);
        let stream = Stream::new(kind, Turns::new(0, 1), Pace::Closed(1));
        phones.streams = vec![Stream { left: Some(1), callee_distance: 1, ..stream }];
        Self { phones, scanner: Scanner::default(), now: 1_000 * MILLISECOND }
    }

    /// Starts what is due and returns what was sent since the last time: endpoint and text.
    pub(super) fn sent(&mut self) -> Vec<(u16, String)> {
        self.phones.start_due(self.now);
        let mut sent = Vec::new();
        self.phones.outbox.flush(|endpoint, queue| {
            let mut begin = 0;
            for end in &queue.ends {
                sent.push((endpoint, String::from_utf8(queue.bytes[begin..*end].to_vec()).unwrap()));
                begin = *end;
            }
            true
        });
        sent
    }

    /// The only message that was sent.
    #[track_caller]
    pub(super) fn sent_one(&mut self) -> String {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:#?}");
        sent.remove(0).1
    }

    /// A message comes to an endpoint.
    pub(super) fn hear(&mut self, endpoint: u16, text: &str) {
        self.phones.handle(&mut self.scanner, endpoint, text.as_bytes(), self.now);
    }

    /// Moves the clock to the next timer and fires it; the milliseconds since `from`. `None` when nothing is due any more.
    pub(super) fn fire(&mut self, from: u64) -> Option<u64> {
        self.now = self.phones.timers.next()?;
        self.phones.fire(self.now);
        Some((self.now - from) / MILLISECOND)
    }

    /// Fires all timers up to an instant.
    pub(super) fn advance(&mut self, to: u64) {
        while self.phones.timers.next().is_some_and(|next| next <= to) {
            self.now = self.phones.timers.next().unwrap();
            self.phones.fire(self.now);
        }
        self.now = to;
    }

    pub(super) fn operations(&self) -> Operations {
        self.phones.recorder.operations()
    }

    /// The operation has succeeded, and nothing else has happened.
    #[track_caller]
    pub(super) fn expect_success(&mut self) {
        let operations = self.operations();
        assert_eq!((operations.succeeded, operations.failed, operations.unfinished), (1, 0, 0), "{operations:?}");
        assert_eq!(self.sent(), []);
        assert_eq!(self.phones.curiosities, [""; 0]);
    }

    /// The operation has failed, for this reason.
    #[track_caller]
    pub(super) fn expect_failure(&self, reason: &str) {
        let operations = self.operations();
        assert_eq!(operations.failures.keys().collect::<Vec<_>>(), [reason]);
        assert_eq!((operations.succeeded, operations.failed, operations.unfinished), (0, 1, 0));
    }
}

/// The value of a header line.
#[track_caller]
pub(super) fn field<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {message}"))
}

/// A server's own response to a request: its header fields, a To tag, and whatever else.
pub(super) fn response(request: &str, status: &str, further: &str) -> String {
    let line = |name: &str| format!("{name}: {}\r\n", field(request, name));
    let to = field(request, "To");
    let tag = if to.contains(";tag=") || status.starts_with("100") { "" } else { ";tag=server" };
    let (via, from, call_id, cseq) = (line("Via"), line("From"), line("Call-ID"), line("CSeq"));
    format!("SIP/2.0 {status}\r\n{via}{from}To: {to}{tag}\r\n{call_id}{cseq}{further}Content-Length: 0\r\n\r\n")
}

/// A request as a proxy forwards it to the Contact of 102.
pub(super) fn forwarded(request: &str) -> String {
    let (start, rest) = request.split_once("\r\n").unwrap();
    let method = start.split(' ').next().unwrap();
    let route = if method == "INVITE" { "Record-Route: <sip:192.0.2.9;lr>\r\n" } else { "" };
    let rest: String = rest.split_inclusive("\r\n").filter(|line| !line.starts_with("Route: ")).collect();
    let rest = rest.replace("Max-Forwards: 70", "Max-Forwards: 69");
    let branch = field(request, "Via").rsplit('=').next().unwrap();
    format!(
        "{method} sip:102@192.0.2.1:4002 SIP/2.0\r\n{route}Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKproxy-{branch}\r\n{rest}"
    )
}

/// A response as a proxy hands it back: without its own Via.
pub(super) fn handed_back(response: &str) -> String {
    let (start, rest) = response.split_once("\r\n").unwrap();
    let (_, rest) = rest.split_once("\r\n").unwrap();
    format!("{start}\r\n{rest}")
}
