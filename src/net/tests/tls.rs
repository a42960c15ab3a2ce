//! TLS: handshakes beside the shard, certificates by name, certificates of clients, reload, and what TLS must not change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use ringway_net::{Preamble, SocketOptions, StreamOptions, TlsFiles, TlsServer};
use ringway_sip::Transport;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use support::{Event, Shard, connect, echo, options_request};

type Client = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and a folder of what it signed.
struct World {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl World {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let world = Self { folder: tempfile::tempdir().unwrap(), authority };
        std::fs::write(world.path("authority.crt"), world.authority.pem()).unwrap();
        std::fs::create_dir(world.path("more")).unwrap();
        world.issue("own", "edge.example");
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `file.crt` and `file.key` for a host name.
    fn issue(&self, file: &str, host: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        std::fs::write(self.path(&format!("{file}.crt")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("own.crt"),
            key: self.path("own.key"),
            more: Some(self.path("more")),
            client_ca: None,
        }
    }

    fn server(&self) -> Arc<TlsServer> {
        Arc::new(TlsServer::load(self.files()).unwrap())
    }

    /// What a client trusts and shows.
    fn config(&self, identity: Option<&str>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(file) => {
                use rustls::pki_types::pem::PemObject as _;
                let certificate = CertificateDer::from_pem_file(self.path(&format!("{file}.crt"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        })
    }
}

fn listen(server: &Arc<TlsServer>, streams: StreamOptions) -> Shard {
    let options = SocketOptions { streams, ..SocketOptions::default() };
    Shard::greet(Transport::Tls, &options, Preamble { tls: Some(Arc::clone(server)), websocket: None })
}

/// A client that asks for `host`, with nothing said yet.
fn client(address: SocketAddr, config: &Arc<ClientConfig>, host: &str) -> Client {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), connect(address))
}

/// Lets a client that blocks do its work while the shard does its own.
async fn beside<T: Send + 'static>(shard: &mut Shard, work: impl FnOnce() -> T + Send + 'static) -> T {
    let mut client = tokio::task::spawn_blocking(work);
    loop {
        tokio::select! {
            biased;
            done = &mut client => return done.unwrap(),
            _ = shard.turn(256, echo) => {}
        }
    }
}

/// Asks, reads the echo, and returns the client with the certificate that it was shown.
fn ask(mut client: Client, number: usize) -> std::io::Result<(Client, CertificateDer<'static>)> {
    let question = options_request(number, &"x".repeat(number));
    client.write_all(&question)?;
    let mut answer = vec![0; question.len()];
    client.read_exact(&mut answer)?;
    assert_eq!(answer, question);
    let shown = client.conn.peer_certificates().unwrap()[0].clone();
    Ok((client, shown))
}

#[tokio::test]
async fn a_message_comes_and_goes_through_tls_however_long_it_is() {
    let world = World::new();
    let mut shard = listen(&world.server(), StreamOptions::default());
    let mut client = client(shard.address, &world.config(None), "edge.example");
    for number in [0, 1, 5_000, 16_384, 200_000] {
        (client, _) = beside(&mut shard, move || ask(client, number)).await.unwrap();
    }
    let counters = shard.counters();
    assert_eq!((counters.handshakes_done, counters.connections_open), (1, 1));
    drop(client);
    let events = shard.events(1).await;
    assert!(matches!(events[..], [Event::Closed(flow)] if flow.transport == Transport::Tls), "{events:?}");
    assert_eq!(shard.counters().connections_open, 0);
}

#[tokio::test]
async fn the_certificate_is_the_one_of_the_name_that_the_client_asks_for() {
    let world = World::new();
    world.issue("more/acme", "sip.acme.example");
    world.issue("more/wide", "*.wide.example");
    let server = world.server();
    let mut shard = listen(&server, StreamOptions::default());
    let config = world.config(None);
    // A client checks the name itself: a wrong certificate fails its handshake.
    for host in ["edge.example", "sip.acme.example", "SIP.ACME.example", "a.wide.example"] {
        let client = client(shard.address, &config, host);
        beside(&mut shard, move || ask(client, 3)).await.unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    for host in ["unknown.example", "wide.example", "a.b.wide.example"] {
        let client = client(shard.address, &config, host);
        let error = beside(&mut shard, move || ask(client, 3)).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{host}: {error}");
    }
}

#[tokio::test]
async fn new_certificates_are_used_after_a_reload_and_old_connections_live_on() {
    let world = World::new();
    let server = world.server();
    let mut shard = listen(&server, StreamOptions::default());
    let config = world.config(None);
    let early = client(shard.address, &config, "edge.example");
    let (early, before) = beside(&mut shard, move || ask(early, 1)).await.unwrap();

    world.issue("own", "edge.example");
    world.issue("more/late", "late.example");
    server.reload().unwrap();
    let late = client(shard.address, &world.config(None), "edge.example");
    let (_late, after) = beside(&mut shard, move || ask(late, 1)).await.unwrap();
    assert_ne!(before, after);
    let late = client(shard.address, &config, "late.example");
    beside(&mut shard, move || ask(late, 1)).await.unwrap();
    beside(&mut shard, move || ask(early, 2)).await.expect("the old connection was not dropped");
}

#[tokio::test]
async fn a_reload_of_files_that_are_wrong_changes_nothing() {
    let world = World::new();
    let server = world.server();
    let mut shard = listen(&server, StreamOptions::default());
    std::fs::write(world.path("own.key"), "no key").unwrap();
    assert!(server.reload().unwrap_err().to_string().contains("own.key"));
    let client = client(shard.address, &world.config(None), "edge.example");
    beside(&mut shard, move || ask(client, 1)).await.unwrap();
}

#[tokio::test]
async fn a_client_without_a_certificate_of_the_authority_is_kept_out() {
    let world = World::new();
    let files = TlsFiles { client_ca: Some(world.path("authority.crt")), ..world.files() };
    let mut shard = listen(&Arc::new(TlsServer::load(files).unwrap()), StreamOptions::default());
    world.issue("carrier", "carrier.example");
    let known = client(shard.address, &world.config(Some("carrier")), "edge.example");
    beside(&mut shard, move || ask(known, 1)).await.unwrap();

    let stranger = World::new();
    stranger.issue("carrier", "carrier.example");
    let mut roots = RootCertStore::empty();
    roots.add(world.authority.der().clone()).unwrap();
    let mut forged = ClientConfig::clone(&stranger.config(Some("carrier")));
    forged.dangerous().set_certificate_verifier(
        rustls::client::WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(aws_lc_rs::default_provider()),
        )
        .build()
        .unwrap(),
    );
    for config in [world.config(None), Arc::new(forged)] {
        let client = client(shard.address, &config, "edge.example");
        beside(&mut shard, move || ask(client, 1)).await.unwrap_err();
    }
    shard.until(|counters| counters.handshakes_failed_tls == 2).await;
}

#[tokio::test]
async fn who_was_let_in_by_an_authority_is_not_let_in_again_when_that_is_gone() {
    let world = World::new();
    let files = TlsFiles { client_ca: Some(world.path("authority.crt")), ..world.files() };
    let server = Arc::new(TlsServer::load(files).unwrap());
    let mut shard = listen(&server, StreamOptions::default());
    world.issue("carrier", "carrier.example");
    // The same configuration remembers sessions and would resume one.
    let config = world.config(Some("carrier"));
    for _ in 0..2 {
        let known = client(shard.address, &config, "edge.example");
        beside(&mut shard, move || ask(known, 1)).await.unwrap();
    }
    let other = World::new();
    std::fs::copy(other.path("authority.crt"), world.path("authority.crt")).unwrap();
    server.reload().unwrap();
    let known = client(shard.address, &config, "edge.example");
    beside(&mut shard, move || ask(known, 1)).await.unwrap_err();
}

#[tokio::test]
async fn who_never_finishes_a_handshake_is_hung_up_on_and_delays_nobody() {
    let world = World::new();
    let streams = StreamOptions { handshake_timeout: Duration::from_secs(2), ..StreamOptions::default() };
    let mut shard = listen(&world.server(), streams);
    let mut silent = connect(shard.address);
    let mut plain = connect(shard.address);
    plain.write_all(&options_request(1, "")).unwrap();
    let client = client(shard.address, &world.config(None), "edge.example");
    let (_client, _) = beside(&mut shard, move || ask(client, 1)).await.unwrap();
    shard.until(|counters| counters.handshakes_slow == 1 && counters.handshakes_failed_tls == 1).await;
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0, "the silent one is hung up on");
    let mut rest = Vec::new();
    // An alert comes, and then the end or a reset.
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"SIP"));
    assert_eq!(shard.counters().connections_open, 1);
}

#[tokio::test]
async fn one_source_takes_no_more_than_its_share_of_handshakes() {
    let world = World::new();
    let mut shard = listen(&world.server(), StreamOptions { handshakes_by_source: 70, ..StreamOptions::default() });
    // More than are accepted at a time.
    let silent: Vec<_> = (0..78).map(|_| connect(shard.address)).collect();
    shard.until(|counters| counters.handshakes_refused == 8).await;
    let other = support::connect_from([127, 0, 0, 2], shard.address);
    let name = ServerName::try_from("edge.example").unwrap();
    let other = StreamOwned::new(ClientConnection::new(world.config(None), name).unwrap(), other);
    beside(&mut shard, move || ask(other, 1)).await.expect("a client of another source gets in");
    drop(silent);
}

#[tokio::test]
async fn a_trusted_network_has_as_many_handshakes_as_it_likes() {
    let world = World::new();
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let mut shard =
        listen(&world.server(), StreamOptions { trusted, handshakes_by_source: 5, ..StreamOptions::default() });
    let silent: Vec<_> = (0..8).map(|_| connect(shard.address)).collect();
    shard.until(|counters| counters.connections_accepted == 8).await;
    let client = client(shard.address, &world.config(None), "edge.example");
    beside(&mut shard, move || ask(client, 1)).await.unwrap();
    assert_eq!(shard.counters().handshakes_refused, 0);
    drop(silent);
}

#[test]
fn files_that_can_not_be_used_are_named_with_what_is_wrong() {
    let world = World::new();
    let told = |files: TlsFiles| {
        let text = TlsServer::load(files).unwrap_err().to_string();
        text.replace(&world.folder.path().display().to_string(), "F")
    };
    let write = |name: &str, text: &str| std::fs::write(world.path(name), text).unwrap();
    let files = world.files();
    assert_eq!(told(TlsFiles { certificate: world.path("none"), ..files.clone() }), "F/none: there is no such file");
    write("empty.crt", "");
    assert!(
        told(TlsFiles { certificate: world.path("empty.crt"), ..files.clone() }).starts_with("F/empty.crt: holds no")
    );
    world.issue("other", "other.example");
    let other = told(TlsFiles { key: world.path("other.key"), ..files.clone() });
    assert_eq!(other, "F/other.key: is not the key of F/own.crt; give the two that belong together");
    assert_eq!(
        told(TlsFiles { key: world.path("own.crt"), ..files.clone() }),
        "F/own.crt: holds nothing in PEM of the kind that is wanted"
    );
    write("locked.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let locked = told(TlsFiles { key: world.path("locked.key"), ..files.clone() });
    assert!(locked.starts_with("F/locked.key: has a passphrase"), "{locked}");
    write("more/lonely.crt", "");
    assert_eq!(told(files), "F/more/lonely.crt: has no key beside it; put its private key into F/more/lonely.key");
}

#[test]
fn the_end_that_is_told_is_that_of_the_certificate_that_ends_first() {
    let world = World::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["short.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2030, 1, 2);
    let certificate = params.signed_by(&key, &world.authority).unwrap();
    std::fs::write(world.path("more/short.pem"), certificate.pem()).unwrap();
    std::fs::write(world.path("more/short.key"), key.serialize_pem()).unwrap();
    let ends = world.server().expires().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(ends, 1_893_542_400);
}
