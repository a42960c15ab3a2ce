//! Who is asking: the stories of RFC 3261 section 22, of nonces and of their counts.

mod answering;
mod challenging;
mod identifying;
mod replaying;
mod trusting;

use std::net::SocketAddr;
use std::time::Duration;

use ringway_directory::{Acknowledge, Budgets, Hashes, MediaPolicy, TenantId, WhenFull};
use ringway_sip::digest::ha1;
use ringway_sip::{ConnectionId, ListenerId, NameAddr};

use super::*;
use crate::settings::Listener;

const ACME: TenantId = TenantId(1);
const OTHER: TenantId = TenantId(2);

/// An authenticator, the world that it knows, and the phone that talks to it.
struct Gate {
    authenticator: Authenticator,
    directory: Snapshot,
    settings: Settings,
    counters: Counters,
    now: Now,
    flow: Flow,
}

/// A verdict in words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Verified(String),
    Trusted(String),
    Challenge,
    Stale,
    Refused(Reject),
}

impl Gate {
    fn new() -> Self {
        let mut edit = Snapshot::empty().edit();
        edit.put_tenant(tenant(ACME, "acme.example", &["sip.acme.example"]));
        edit.put_tenant(tenant(OTHER, "other.example", &[]));
        for (tenant, number, auth_name, password) in [
            (ACME, "101", "101", "secret101"),
            (ACME, "102", "alice", "secret102"),
            (ACME, "103", "103", "secret103"),
            (OTHER, "101", "101", "secret101"),
        ] {
            edit.put_extension(tenant, extension(tenant, number, auth_name, password));
        }
        let mut imported = extension(ACME, "104", "104", "secret104");
        imported.hashes.sha256 = None;
        edit.put_extension(ACME, imported);
        let settings = Settings {
            listeners: vec![Listener { transport: Transport::Udp, bound: address("192.0.2.1:5060"), advertise: None }],
            default_tenant: Some("acme.example".into()),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            ..Settings::default()
        };
        Self {
            authenticator: Authenticator::new(ShardId(2), Keys::new([1; 32]), 42),
            directory: edit.finish(),
            settings,
            counters: Counters::default(),
            now: at(0),
            flow: Flow::udp(ListenerId(0), address("192.0.2.1:5060"), address("198.51.100.7:5060")),
        }
    }

    fn tenant(&self, id: TenantId) -> Arc<Tenant> {
        Arc::clone(self.directory.tenant(id).unwrap())
    }

    /// Changes the directory.
    fn put(&mut self, tenant: TenantId, number: &str, change: impl FnOnce(&mut Extension)) {
        let mut extension = Extension::clone(self.directory.extension(tenant, number.as_bytes()).unwrap());
        change(&mut extension);
        let mut edit = self.directory.edit();
        edit.put_extension(tenant, extension);
        self.directory = edit.finish();
    }

    fn trust(&mut self, tenant: TenantId, network: &str) {
        let trust = Box::new([network.parse().unwrap()]);
        let tenant = Tenant { trust, ..Tenant::clone(&self.tenant(tenant)) };
        let mut edit = self.directory.edit();
        edit.put_tenant(tenant);
        self.directory = edit.finish();
    }

    /// The headers that a request is challenged with.
    fn challenge_headers(&mut self, tenant: TenantId, role: Role, stale: bool) -> Vec<String> {
        let text = request("OPTIONS", "sip:acme.example", "101@acme.example", &[]);
        let message = Message::parse(text.as_bytes()).unwrap();
        let essentials = message.essentials().unwrap();
        let mut out = Vec::new();
        let response =
            ResponseWriter::begin(&message, &essentials, self.flow.remote, 401, "Unauthorized", None, &mut out);
        let tenant = self.tenant(tenant);
        let challenge = Challenge { role, stale, source: self.flow.source() };
        self.authenticator.write_challenge(self.now, challenge, &tenant, &self.settings, response).finish();
        let out = String::from_utf8(out).unwrap();
        out.lines().filter(|line| line.contains("Authenticate")).map(str::to_owned).collect()
    }

    fn nonce(&mut self, tenant: TenantId) -> String {
        let headers = self.challenge_headers(tenant, Role::Server, false);
        headers[0].split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// What is said about this request for that tenant, in the role that its method asks for.
    fn ask(&mut self, tenant: TenantId, text: &str) -> Said {
        let message = Message::parse(text.as_bytes()).unwrap();
        let essentials = message.essentials().unwrap();
        let tenant = self.tenant(tenant);
        let role = Role::of(message.method());
        let question = Question { request: &message, essentials: &essentials, flow: &self.flow, tenant: &tenant, role };
        match self.authenticator.authenticate(self.now, &question, &self.directory, &self.settings, &mut self.counters)
        {
            Verdict::Verified(extension) => Said::Verified(extension.number.to_string()),
            Verdict::Trusted(extension) => Said::Trusted(extension.number.to_string()),
            Verdict::Challenge { stale: false } => Said::Challenge,
            Verdict::Challenge { stale: true } => Said::Stale,
            Verdict::Refused(reject) => Said::Refused(reject),
        }
    }

    /// What is said about a REGISTER with these credentials.
    fn register(&mut self, answer: &Answer) -> Said {
        let from = format!("{}@acme.example", answer.username);
        self.ask(ACME, &request("REGISTER", "sip:acme.example", &from, &[("Authorization", answer.to_string())]))
    }

    fn failures(&self, tenant: TenantId) -> u64 {
        self.counters.auth_failures.get(&tenant).copied().unwrap_or_default()
    }
}

/// A client's answer to a challenge.
#[derive(Clone, Debug)]
struct Answer {
    algorithm: Algorithm,
    method: String,
    username: String,
    password: String,
    realm: String,
    nonce: String,
    uri: String,
    /// `qop` and `nc`; clients of RFC 2069 have neither.
    count: Option<(&'static str, u32)>,
    body: String,
}

impl Answer {
    /// 101's, to a REGISTER.
    fn new(nonce: &str) -> Self {
        Self {
            algorithm: Algorithm::Md5,
            method: "REGISTER".into(),
            username: "101".into(),
            password: "secret101".into(),
            realm: "acme.example".into(),
            nonce: nonce.into(),
            uri: "sip:acme.example".into(),
            count: Some(("auth", 1)),
            body: String::new(),
        }
    }

    fn count(self, count: u32) -> Self {
        Self { count: Some(("auth", count)), ..self }
    }

    fn of(self, username: &str, password: &str) -> Self {
        Self { username: username.into(), password: password.into(), ..self }
    }

    /// RFC 7616 section 3.4.1. What the library calls HA1 is the hash of three words with colons between them, and so can
    /// be any of these hashes.
    fn response(&self) -> String {
        let hash = |first: &str, second: &str, third: &str| {
            hex(ha1(self.algorithm, first.as_bytes(), second.as_bytes(), third.as_bytes()).as_bytes())
        };
        let secret = hash(&self.username, &self.realm, &self.password);
        let (scheme, rest) = self.uri.split_once(':').unwrap();
        let request = match self.count {
            Some(("auth-int", _)) => {
                // The tests' bodies have two colons.
                let [first, second, third] = self.body.split(':').collect::<Vec<_>>()[..] else {
                    panic!("{}", self.body)
                };
                hash(&self.method, scheme, &format!("{rest}:{}", hash(first, second, third)))
            }
            _ => hash(&self.method, scheme, rest),
        };
        match self.count {
            None => hash(&secret, &self.nonce, &request),
            Some((qop, count)) => hash(&secret, &self.nonce, &format!("{count:08x}:cafe:{qop}:{request}")),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { algorithm, username, realm, nonce, uri, .. } = self;
        write!(formatter, "Digest username=\"{username}\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",")?;
        write!(formatter, "response=\"{}\",algorithm={}", self.response(), algorithm.as_str())?;
        match self.count {
            Some((qop, count)) => write!(formatter, ",qop={qop},nc={count:08x},cnonce=\"cafe\""),
            None => Ok(()),
        }
    }
}

fn request(method: &str, uri: &str, from: &str, headers: &[(&str, String)]) -> String {
    request_with_body(method, uri, from, headers, "")
}

fn request_with_body(method: &str, uri: &str, from: &str, headers: &[(&str, String)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\nFrom: <sip:{from}>;tag=1\r\n\
         To: <sip:{from}>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn tenant(id: TenantId, domain: &str, aliases: &[&str]) -> Tenant {
    Tenant {
        id,
        domain: domain.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect(),
        name: domain.into(),
        trust: Box::default(),
        max_extensions: None,
        max_calls: None,
        budgets: Budgets::default(),
        when_full: WhenFull::Reject,
        media: MediaPolicy::Auto,
        max_media: None,
        max_call_seconds: None,
        acknowledge: Acknowledge::Memory,
        enabled: true,
        auth_name_equals_number: true,
    }
}

fn extension(tenant: TenantId, number: &str, auth_name: &str, password: &str) -> Extension {
    let realm = if tenant == ACME { "acme.example" } else { "other.example" };
    let hash = |algorithm| ha1(algorithm, auth_name.as_bytes(), realm.as_bytes(), password.as_bytes());
    Extension {
        number: number.into(),
        auth_name: auth_name.into(),
        display_name: number.into(),
        enabled: number != "103",
        max_phones: 3,
        max_apps: 5,
        hashes: Hashes {
            md5: hash(Algorithm::Md5).as_bytes().try_into().ok(),
            sha256: hash(Algorithm::Sha256).as_bytes().try_into().ok().map(Box::new),
            sha512_256: hash(Algorithm::Sha512_256).as_bytes().try_into().ok().map(Box::new),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// So many milliseconds after the tests' beginning.
fn at(millis: u64) -> Now {
    Now { wall: Wall::from_millis(1_700_000_000_000 + millis), ..Now::default() }
}
