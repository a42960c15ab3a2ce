//! What the listeners answer, asked over real connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use ringway_api::{Answer, Audience, Control, Live, Readiness, Registration, serve};
use ringway_store::directory::Directory;
use ringway_telemetry::{Metrics, Scrape, names};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

#[tokio::test]
async fn a_process_that_runs_is_healthy_and_says_why_it_is_not_ready_yet() {
    let server = Server::start("127.0.0.1:0", Audience::Management).await;
    assert_eq!(server.get("/healthz").await.body, r#"{"status":"ok"}"#);

    server.control.become_unready("the journal is being read");
    let answer = server.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, r#"{"errors":[{"code":"NOT_READY","message":"the journal is being read"}]}"#);

    server.control.become_ready();
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, &*answer.body), (200, r#"{"status":"ready"}"#));
}

#[tokio::test]
async fn metrics_are_text_or_openmetrics_as_accept_asks() {
    let server = Server::start("127.0.0.1:0", Audience::Management).await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", answer.head);
    assert!(answer.body.contains("ringway_shard_handovers_total 3\n"), "{}", answer.body);

    let answer = server.ask("GET /metrics", "accept: application/openmetrics-text\r\n").await;
    let open_metrics = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(answer.head.contains(open_metrics), "{}", answer.head);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[tokio::test]
async fn metrics_on_the_management_listener_are_for_loopback_peers_only() {
    // 127.0.0.1 that comes by an IPv6 socket is loopback; an address of the machine's network is not.
    let wildcard = if TcpListener::bind("[::]:0").await.is_ok() { "[::]:0" } else { "0.0.0.0:0" };
    let server = Server::start(wildcard, Audience::Management).await;
    assert_eq!(server.get("/metrics").await.status, 200);
    // A machine that has loopback alone shows only this half; which peers are meant is a test of its own.
    if let Some(address) = address_beside_loopback() {
        let address = SocketAddr::new(address, server.address.port());
        let answer = ask(address, "GET /metrics", "").await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.starts_with(r#"{"errors":[{"code":"FORBIDDEN","message":"metrics are read"#));
        assert_eq!(ask(address, "GET /healthz", "").await.status, 200);

        let open = Server::start(wildcard, Audience::Scraper).await;
        let address = SocketAddr::new(address.ip(), open.address.port());
        assert_eq!(ask(address, "GET /metrics", "").await.status, 200);
    }
}

#[tokio::test]
async fn the_scraper_s_listener_has_metrics_and_nothing_else() {
    let server = Server::start("127.0.0.1:0", Audience::Scraper).await;
    assert_eq!(server.get("/metrics").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_is_answered_in_the_shape_of_every_error() {
    let server = Server::start("127.0.0.1:0", Audience::Management).await;
    let answer = server.get("/nowhere?x=1").await;
    assert_eq!(answer.status, 404);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    assert_eq!(answer.body, r#"{"errors":[{"code":"NOT_FOUND","message":"there is nothing at /nowhere"}]}"#);

    let answer = server.ask("DELETE /healthz", "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(
        answer.body,
        r#"{"errors":[{"code":"METHOD_NOT_ALLOWED","message":"/healthz can't be asked with DELETE"}]}"#
    );
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let mut server = Server::start("127.0.0.1:0", Audience::Management).await;
    drop(server.stop.take());
    server.task.take().unwrap().await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

struct Server {
    address: SocketAddr,
    control: Arc<Fixed>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

impl Server {
    async fn start(address: &str, audience: Audience) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let control = Arc::new(Fixed { readiness: Mutex::new(Readiness::Ready), metrics: Metrics::new("0").unwrap() });
        let (stop, stopped) = oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let asked: Arc<dyn Control> = Arc::<Fixed>::clone(&control);
        let task = tokio::spawn(serve(listener, asked, audience, stopped));
        Self { address: SocketAddr::from(([127, 0, 0, 1], port)), control, stop: Some(stop), task: Some(task) }
    }

    async fn get(&self, path: &str) -> HttpAnswer {
        self.ask(&format!("GET {path}"), "").await
    }

    async fn ask(&self, line: &str, headers: &str) -> HttpAnswer {
        ask(self.address, line, headers).await
    }
}

struct HttpAnswer {
    status: u16,
    head: String,
    body: String,
}

async fn ask(address: SocketAddr, line: &str, headers: &str) -> HttpAnswer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    HttpAnswer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// An address of this machine that is not loopback, if it has one.
fn address_beside_loopback() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the kernel only picks the address that it would send from.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

/// A server whose answers are fixed.
struct Fixed {
    readiness: Mutex<Readiness>,
    metrics: Metrics,
}

impl Fixed {
    fn become_ready(&self) {
        *self.readiness.lock().unwrap() = Readiness::Ready;
    }

    fn become_unready(&self, reason: &str) {
        *self.readiness.lock().unwrap() = Readiness::NotReady(reason.to_owned());
    }
}

impl Control for Fixed {
    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap().clone()
    }

    fn scrape(&self) -> Answer<'_, Scrape> {
        let mut scrape = Scrape::default();
        scrape.add(&names::SHARD_HANDOVERS, &[], 3);
        Box::pin(async move { scrape })
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn directory(&self) -> Option<Directory> {
        None
    }

    fn publish(&self) -> Answer<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn unregister(&self, _: &str, _: &str, _: Option<u64>) -> bool {
        true
    }

    fn live(&self, _: &str, _: &str) -> Live {
        Live::default()
    }

    fn unregister_all(&self, _: &str) {}

    fn trusts(&self, _: std::net::IpAddr) -> bool {
        false
    }

    fn registrations(&self, _: &str, _: &str) -> Vec<Registration> {
        Vec::new()
    }
}
