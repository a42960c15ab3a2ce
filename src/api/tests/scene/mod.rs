//! A server of the API on a real database, and short words for asking it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ringway_api::{Answer, Audience, Control, Live, Readiness, Registration, hash_password, role, serve};
use ringway_store::directory::Directory;
use ringway_store::directory::accounts::NewAccount;
use ringway_store::directory::audit::unlogged;
use ringway_store::keys::MasterKey;
use ringway_telemetry::{Metrics, Scrape};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub const ADMIN_PASSWORD: &str = "Correct-9-horse";

/// Permits of the gate before a publication; whoever holds all holds them up.
pub const GATE: u32 = 1000;

pub struct Running {
    pub directory: Directory,
    metrics: Metrics,
    pub published: AtomicUsize,
    pub gate: Semaphore,
    /// Whether nothing can be brought into force.
    pub is_broken: AtomicBool,
    pub trusted: Mutex<Vec<IpAddr>>,
    pub unregistered: Mutex<Vec<String>>,
}

impl Control for Running {
    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn scrape(&self) -> Answer<'_, Scrape> {
        Box::pin(async { Scrape::default() })
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn directory(&self) -> Option<Directory> {
        Some(self.directory.clone())
    }

    fn publish(&self) -> Answer<'_, Result<(), String>> {
        Box::pin(async {
            let _open = self.gate.acquire().await;
            if self.is_broken.load(Ordering::Relaxed) {
                return Err("no shard answers".to_owned());
            }
            self.published.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    fn unregister(&self, _: &str, number: &str, device: Option<u64>) -> bool {
        let device = device.map(|device| format!(":{device:x}")).unwrap_or_default();
        self.unregistered.lock().unwrap().push(format!("{number}{device}"));
        true
    }

    fn live(&self, _: &str, _: &str) -> Live {
        Live { state: "ONLINE", phones: 1, apps: 0, has_push_token: false, calls: 0 }
    }

    fn unregister_all(&self, domain: &str) {
        self.unregistered.lock().unwrap().push(format!("all of {domain}"));
    }

    fn trusts(&self, source: IpAddr) -> bool {
        self.trusted.lock().unwrap().contains(&source)
    }

    fn registrations(&self, _: &str, number: &str) -> Vec<Registration> {
        vec![Registration {
            id: "00000000000000a7".to_owned(),
            node: None,
            kind: "phone".to_owned(),
            has_push_token: false,
            is_secure: false,
            unanswered_pings: 0,
            contact: format!("sip:{number}@198.51.100.7"),
            user_agent: "Phone".to_owned(),
            source: "198.51.100.7:5060".to_owned(),
            transport: "udp".to_owned(),
            reached_by: "contact".to_owned(),
            registered_at: "2026-01-01T00:00:00Z".to_owned(),
            expires_at: "2026-01-01T00:05:00Z".to_owned(),
            is_natted: false,
            last_ping: None,
            round_trip_ms: None,
        }]
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub running: Arc<Running>,
    pub folder: tempfile::TempDir,
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of the first thing that is wrong.
    pub fn code(&self) -> String {
        self.faults().swap_remove(0).0
    }

    /// The text of a member.
    pub fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member}: {}", self.body)).to_owned()
    }

    /// Code and pointer of everything that is wrong.
    pub fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let errors = self.json()["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| (text(&error["code"]), text(&error["pointer"]))).collect()
    }
}

impl Server {
    /// With the system admin, and the tenants a.example and b.example.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(&folder.path().join("ringway.db"), &MasterKey::from_bytes([7; 32])).await;
        let directory = directory.unwrap();
        let password = hash_password(ADMIN_PASSWORD).unwrap();
        let admin = NewAccount {
            tenant: None,
            username: "admin",
            role: role::SYSTEM_ADMIN,
            password: Some(&password),
            must_change: false,
        };
        directory.add_account(&admin, unlogged).await.unwrap();
        let running = Arc::new(Running {
            directory,
            metrics: Metrics::new("0").unwrap(),
            published: AtomicUsize::new(0),
            gate: Semaphore::new(GATE as usize),
            is_broken: AtomicBool::new(false),
            trusted: Mutex::default(),
            unregistered: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let control: Arc<dyn Control> = Arc::<Running>::clone(&running);
        tokio::spawn(serve(listener, control, Audience::Management, std::future::pending()));
        let server = Self { address, running, folder };
        let token = server.admin().await;
        for domain in ["a.example", "b.example"] {
            let reply = server.ask("POST", "/api/v1/tenants", &token, Some(json!({"domain": domain}))).await;
            assert_eq!(reply.status, 201, "{}", reply.body);
        }
        server
    }

    pub async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub async fn ask_with(&self, method: &str, path: &str, token: &str, further: &str, body: Option<Value>) -> Reply {
        let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        let kind = if body.is_some() { "content-type: application/json\r\n" } else { "" };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(method, path, &format!("{bearer}{kind}{further}"), &body).await
    }

    pub async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Reply {
        self.ask_with(method, path, token, "", body).await
    }

    pub async fn sign_in(&self, domain: Option<&str>, username: &str, password: &str) -> Reply {
        let body = json!({"domain": domain, "username": username, "password": password});
        self.ask("POST", "/api/v1/auth/token", "", Some(body)).await
    }

    pub async fn admin(&self) -> String {
        let reply = self.sign_in(None, "admin", ADMIN_PASSWORD).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// The token of the system admin in this tenant.
    pub async fn enter(&self, domain: &str) -> String {
        let path = format!("/api/v1/tenants/{domain}/enter");
        self.ask("POST", &path, &self.admin().await, None).await.text("access_token")
    }

    /// The token of a user of this tenant, who has this role.
    pub async fn user(&self, domain: &str, username: &str, role: &str) -> String {
        let body = json!({"username": username, "role": role, "password": "Other-7-horses"});
        let path = format!("/api/v1/tenants/{domain}/users");
        assert_eq!(self.ask("POST", &path, &self.admin().await, Some(body)).await.status, 201);
        let reply = self.sign_in(Some(domain), username, "Other-7-horses").await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a file to be imported; `query` is what stands behind the path.
    pub async fn import(&self, query: &str, token: &str, file: &str) -> Reply {
        let headers = format!("authorization: Bearer {token}\r\ncontent-type: text/csv\r\n");
        self.send("POST", &format!("/api/v1/tenants/a.example/extensions:import{query}"), &headers, file).await
    }

    /// The job of an answer, once it is over.
    pub async fn finished(&self, accepted: &Reply, token: &str) -> Value {
        assert_eq!(accepted.status, 202, "{}", accepted.body);
        let path = format!("/api/v1/jobs/{}", accepted.json()["id"].as_str().unwrap());
        assert!(accepted.head.contains(&format!("location: {}", path.to_lowercase())), "{}", accepted.head);
        for _ in 0..600 {
            let job = self.ask("GET", &path, token, None).await.json();
            if matches!(job["state"].as_str(), Some("done" | "failed")) {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the job does not end")
    }
}
