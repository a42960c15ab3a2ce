//! A real Redis, a link to it that can be broken, and nodes without anything but a location.

#![allow(dead_code, reason = "not every test breaks everything")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::aio::MultiplexedConnection;
use ringway_cluster::{Address, Counters, Presence, Sharer, World, node_number};
use ringway_edge::Location;
use ringway_edge::location::{Aor, Binding, Contacts, Limits, TenantId, Update, WhenFull};
use ringway_edge::settings::Listener;
use ringway_sip::{Flow, ListenerId, Transport, Wall};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// How long something may take until it is so.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it is so.
pub async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it is not so after {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A server of its own, that keeps nothing on the disk.
pub struct Redis {
    pub port: u16,
    options: Vec<String>,
    child: Child,
    /// What a replica is sent at first goes through a file.
    folder: tempfile::TempDir,
    /// The certificate that signs its own, in PEM, when it speaks TLS.
    pub authority: String,
}

impl Redis {
    pub async fn start(options: &[&str]) -> Self {
        let port = free_port();
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let redis =
            Self { port, child: spawn(port, folder.path(), &options), options, folder, authority: String::new() };
        redis.wait().await;
        redis
    }

    /// One that speaks TLS and nothing else.
    pub async fn by_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(path("certificate"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        let port = free_port();
        // The usual port is off: an option that comes later holds.
        let options: Vec<_> = ["--tls-port", &port.to_string(), "--port", "0", "--tls-auth-clients", "no"]
            .into_iter()
            .map(str::to_owned)
            .chain(["--tls-cert-file".to_owned(), path("certificate"), "--tls-key-file".to_owned(), path("key")])
            .chain(["--tls-ca-cert-file".to_owned(), path("certificate")])
            .collect();
        let redis =
            Self { port, child: spawn(port, folder.path(), &options), options, folder, authority: authority.pem() };
        redis.wait().await;
        redis
    }

    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    /// A node that trusts its authority.
    pub fn node(&self, name: &str) -> Node {
        Node::with_authorities(name, &self.tls_url(), Some(self.authority.clone().into_bytes()))
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn restart(&mut self) {
        self.child = spawn(self.port, self.folder.path(), &self.options);
        self.wait().await;
    }

    async fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_err() {
            assert!(Instant::now() < until, "redis-server does not start");
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn connection(&self) -> MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Waits until what it says to a command has this in it.
    async fn wait_until(&self, command: &str, argument: &str, told: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut connection = self.connection().await;
            let text: String = redis::cmd(command).arg(argument).query_async(&mut connection).await.unwrap();
            if text.contains(told) {
                return;
            }
            assert!(Instant::now() < until, "{command} {argument} never has {told}: {text}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many keys there are of this pattern.
    pub async fn keys(&self, pattern: &str) -> usize {
        let found: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(pattern).query_async(&mut self.connection().await).await.unwrap();
        found.len()
    }

    async fn key_of(&self, number: &str) -> Vec<u8> {
        let pattern = format!("rw:{{b*}}:acme.example:{number}");
        let found: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(pattern).query_async(&mut self.connection().await).await.unwrap();
        found.into_iter().next().unwrap()
    }

    pub async fn get(&self, number: &str) -> Vec<u8> {
        let key = self.key_of(number).await;
        redis::cmd("GET").arg(key).query_async(&mut self.connection().await).await.unwrap()
    }

    pub async fn put(&self, number: &str, blob: &[u8]) {
        let key = self.key_of(number).await;
        let () = redis::cmd("SET").arg(key).arg(blob).query_async(&mut self.connection().await).await.unwrap();
    }

    pub async fn put_list(&self, number: &str) {
        let key = self.key_of(number).await;
        let mut connection = self.connection().await;
        let () = redis::cmd("DEL").arg(&key).query_async(&mut connection).await.unwrap();
        let () = redis::cmd("RPUSH").arg(&key).arg("x").query_async(&mut connection).await.unwrap();
    }

    pub async fn set(&self, key: &str, value: &str) {
        let mut connection = self.connection().await;
        let () = redis::cmd("CONFIG").arg("SET").arg(key).arg(value).query_async(&mut connection).await.unwrap();
    }

    /// Fills the streams that there are with so many changes of somebody else that what was there is trimmed.
    pub async fn fill_streams(&self) {
        let mut connection = self.connection().await;
        let found: Vec<String> = redis::cmd("KEYS").arg("rw:{b*}:changes").query_async(&mut connection).await.unwrap();
        for stream in found {
            let mut changes = redis::pipe();
            for _ in 0..2048 {
                changes
                    .cmd("XADD")
                    .arg(&stream)
                    .arg("MAXLEN")
                    .arg(2048)
                    .arg("*")
                    .arg("n")
                    .arg("else")
                    .arg("k")
                    .arg("b.example:1");
            }
            let _: redis::Value = changes.query_async(&mut connection).await.unwrap();
        }
    }

    /// Puts what is no stream in place of one.
    pub async fn spoil_stream(&self, partition: u8) {
        let stream = format!("rw:{{b{partition}}}:changes");
        let () =
            redis::cmd("SET").arg(stream).arg("no stream").query_async(&mut self.connection().await).await.unwrap();
    }

    /// Runs the script that nodes publish by, and gives what it says of each number.
    pub async fn publish(&self, sections: &[(&str, Vec<u8>)]) -> String {
        let mut command = redis::cmd("EVAL");
        command.arg(include_str!("../../publish.lua")).arg(1 + sections.len()).arg("rw:{b0}:changes");
        for (number, _) in sections {
            command.arg(format!("rw:{{b0}}:acme.example:{number}"));
        }
        command.arg(b"node").arg(1_800_000_000).arg(60).arg(2048);
        for (_, section) in sections {
            command.arg(section.as_slice());
        }
        command.query_async(&mut self.connection().await).await.unwrap()
    }

    /// Cuts everybody off for a moment.
    pub async fn disconnect_all(&self) {
        let mut kill = redis::cmd("CLIENT");
        let () = kill.arg("KILL").arg("TYPE").arg("normal").query_async(&mut self.connection().await).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that was killed is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &Path, options: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.arg("--dir").arg(folder);
    let child = command.args(options).stdout(Stdio::null()).spawn();
    child.unwrap_or_else(|error| panic!("redis-server can't be started ({error}); scripts/test installs it"))
}

/// Whoever is silent for half a second is taken for dead.
const OF_A_CLUSTER: [&str; 4] = ["--cluster-enabled", "yes", "--cluster-node-timeout", "500"];

/// Three masters that are one Redis Cluster, and perhaps a replica of the first.
pub struct Cluster {
    servers: Vec<Redis>,
}

impl Cluster {
    pub async fn start() -> Self {
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(Redis::start(&OF_A_CLUSTER).await);
        }
        let hosts = servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(hosts).args(["--cluster-yes"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let cluster = Self { servers };
        for server in &cluster.servers {
            server.wait_until("CLUSTER", "INFO", "cluster_state:ok").await;
        }
        cluster
    }

    /// Adds a replica of the first master.
    pub async fn add_replica(&mut self) {
        let [first, ..] = self.servers.as_slice() else { panic!("there is no master") };
        let id: String = redis::cmd("CLUSTER").arg("MYID").query_async(&mut first.connection().await).await.unwrap();
        let replica = Redis::start(&OF_A_CLUSTER).await;
        let to = |server: &Redis| format!("127.0.0.1:{}", server.port);
        let mut command = Command::new("redis-cli");
        command.args([
            "--cluster",
            "add-node",
            &to(&replica),
            &to(first),
            "--cluster-slave",
            "--cluster-master-id",
            &id,
        ]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        replica.wait_until("INFO", "replication", "master_link_status:up").await;
        // The other masters vote for it when they know it.
        for server in &self.servers {
            server.wait_until("CLUSTER", "NODES", &format!(" slave {id} ")).await;
        }
        self.servers.push(replica);
    }

    pub fn kill_first_master(&mut self) {
        self.servers.first_mut().unwrap().kill();
    }

    /// Whether the last server is a master now.
    pub async fn wait_for_promotion(&self) {
        self.servers.last().unwrap().wait_until("INFO", "replication", "role:master").await;
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }
}

/// A master, a replica, and a sentinel that watches them.
pub struct Sentinels {
    master: Redis,
    replica: Redis,
    port: u16,
    sentinel: Child,
    folder: tempfile::TempDir,
}

impl Sentinels {
    pub async fn start() -> Self {
        let master = Redis::start(&[]).await;
        let replica = Redis::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]).await;
        replica.wait_until("INFO", "replication", "master_link_status:up").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let port = free_port();
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor calls 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds calls 500\nsentinel failover-timeout calls 2000\n",
            master.port
        );
        std::fs::write(&file, text).unwrap();
        let sentinel = Command::new("redis-server").arg(&file).arg("--sentinel").stdout(Stdio::null()).spawn().unwrap();
        let sentinels = Self { master, replica, port, sentinel, folder };
        // It finds the replica by asking the master every ten seconds, and at once when it begins.
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(client) = redis::Client::open(format!("redis://127.0.0.1:{port}"))
                && let Ok(mut connection) = client.get_multiplexed_async_connection().await
            {
                let mut command = redis::cmd("SENTINEL");
                let found: Result<Vec<redis::Value>, _> =
                    command.arg("REPLICAS").arg("calls").query_async(&mut connection).await;
                if found.is_ok_and(|found| !found.is_empty()) {
                    return sentinels;
                }
            }
            assert!(Instant::now() < until, "the sentinel finds no replica");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn kill_master(&mut self) {
        self.master.kill();
    }

    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/calls", self.port)
    }
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Cut,
    BlackHole,
}

/// A way to a port that can be cut, made slow, or swallow everything.
pub struct Link {
    port: u16,
    state: Arc<Mutex<(Mode, Duration)>>,
}

impl Link {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new((Mode::Open, Duration::ZERO)));
        let of_task = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if of_task.lock().unwrap().0 == Mode::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                let one = tokio::spawn(pass(near_read, far_write, Arc::clone(&of_task)));
                let other = tokio::spawn(pass(far_read, near_write, Arc::clone(&of_task)));
                tokio::spawn(end_together(one, other));
            }
        });
        Self { port: own, state }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.state.lock().unwrap().0 = Mode::Cut;
    }

    pub fn black_hole(&self) {
        self.state.lock().unwrap().0 = Mode::BlackHole;
    }

    pub fn mend(&self) {
        self.state.lock().unwrap().0 = Mode::Open;
    }

    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().1 = delay;
    }
}

async fn end_together(mut one: JoinHandle<()>, mut other: JoinHandle<()>) {
    tokio::select! { _ = &mut one => {}, _ = &mut other => {} }
    one.abort();
    other.abort();
}

/// Passes one direction on, each piece after the delay of the moment.
async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: Arc<Mutex<(Mode, Duration)>>,
) {
    let (pieces, mut waiting) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let (of_reader, of_watch) = (Arc::clone(&state), Arc::clone(&state));
    let read = async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let delay = of_reader.lock().unwrap().1;
            if pieces.send((Instant::now() + delay, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((at, piece)) = waiting.recv().await {
            sleep_until(at).await;
            while state.lock().unwrap().0 == Mode::BlackHole {
                sleep(Duration::from_millis(10)).await;
            }
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    let is_cut = async {
        loop {
            sleep(Duration::from_millis(5)).await;
            if of_watch.lock().unwrap().0 == Mode::Cut {
                return;
            }
        }
    };
    tokio::select! { () = read => {}, () = write => {}, () = is_cut => {} }
}

#[derive(Default)]
struct Tenants {
    has_another: AtomicBool,
    gave_way: AtomicUsize,
    gone: Mutex<Vec<SocketAddr>>,
    looked_up: Mutex<Vec<String>>,
}

fn now() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Wall::from_millis(u64::try_from(since.as_millis()).unwrap())
}

const TENANT: TenantId = TenantId(1);
/// Which not every node has from the beginning.
const ANOTHER: TenantId = TenantId(2);

impl World for Tenants {
    fn domain(&self, tenant: TenantId) -> Option<Box<str>> {
        match tenant {
            TENANT => Some("acme.example".into()),
            ANOTHER => Some("another.example".into()),
            _ => None,
        }
    }

    fn tenant(&self, domain: &str) -> Option<TenantId> {
        match domain {
            "acme.example" => Some(TENANT),
            "another.example" => self.has_another.load(Ordering::Relaxed).then_some(ANOTHER),
            _ => None,
        }
    }

    fn now(&self) -> Wall {
        now()
    }

    fn published(&self, _: TenantId, _: &[u8], _: u64) {}

    fn gave_way(&self, _: TenantId, _: &[u8]) {
        self.gave_way.fetch_add(1, Ordering::Relaxed);
    }

    fn listeners(&self) -> &[Listener] {
        static UDP: OnceLock<Vec<Listener>> = OnceLock::new();
        UDP.get_or_init(|| {
            let bound = "192.0.2.1:5060".parse().unwrap();
            vec![Listener { transport: Transport::Udp, bound, advertise: None }]
        })
    }

    fn looked_up(&self, _: TenantId, number: &[u8]) {
        self.looked_up.lock().unwrap().push(String::from_utf8(number.to_vec()).unwrap());
    }

    fn node_is_gone(&self, _: SocketAddr) {}

    fn node_is_silent(&self, address: SocketAddr) {
        self.gone.lock().unwrap().push(address);
    }
}

/// Each start has its own.
static BOOTS: AtomicU32 = AtomicU32::new(1);

fn address_of(name: &str) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, name.as_bytes()[0]], 5060))
}

pub struct Node {
    name: String,
    location: Arc<Location>,
    pub counters: Arc<Counters>,
    tenants: Arc<Tenants>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    pub fn start(name: &str, url: &str) -> Self {
        Self::with_secret(name, url, 1)
    }

    pub fn with_authorities(name: &str, url: &str, authorities: Option<Vec<u8>>) -> Self {
        Self::with(name, Address::parse(url, authorities).unwrap(), 1)
    }

    pub fn with_secret(name: &str, url: &str, keys: u32) -> Self {
        Self::with(name, Address::parse(url, None).unwrap(), keys)
    }

    fn with(name: &str, address_of_redis: Address, keys: u32) -> Self {
        let tenants = Arc::new(Tenants::default());
        let presence = Presence {
            name: name.into(),
            boot: BOOTS.fetch_add(1, Ordering::Relaxed),
            keys,
            address: Some(address_of(name)),
        };
        let here = node_number(name);
        let location = Arc::new(Location::shared(1, here));
        let counters = Arc::new(Counters::default());
        let sharer = Sharer {
            address: address_of_redis,
            here,
            presence,
            location: Arc::clone(&location),
            world: Arc::<Tenants>::clone(&tenants),
            counters: Arc::clone(&counters),
        };
        Self { name: name.into(), location, counters, tenants, task: tokio::spawn(sharer.run()) }
    }

    /// Where this node would hand another one a call.
    pub fn asks(&self, other: &Self) -> Option<SocketAddr> {
        self.location.node(node_number(&other.name)).filter(|node| node.is_alive).map(|node| node.address)
    }

    pub fn address(&self) -> Option<SocketAddr> {
        Some(address_of(&self.name))
    }

    /// Whether it knows of another with its name.
    pub fn has_namesake(&self) -> bool {
        self.counters.has_namesake()
    }

    /// A tenant is added that it did not have.
    pub fn add_tenant(&self) {
        self.tenants.has_another.store(true, Ordering::Relaxed);
    }

    /// How often bindings of it have given way.
    pub fn gave_way(&self) -> usize {
        self.tenants.gave_way.load(Ordering::Relaxed)
    }

    /// It beats no more.
    pub fn stop(&self) {
        self.task.abort();
    }

    /// Asks for a number that it does not know. False when that makes no sense.
    pub fn ask(&self, number: &str) -> bool {
        self.location.ask_others(&Aor { tenant: TENANT, number: number.as_bytes() })
    }

    /// The numbers that were asked for and have been answered.
    pub fn looked_up(&self) -> Vec<String> {
        self.tenants.looked_up.lock().unwrap().clone()
    }

    /// Nodes that were told to be gone.
    pub fn gone(&self) -> usize {
        self.tenants.gone.lock().unwrap().len()
    }

    /// Registers a phone of this number for so many seconds; unregisters it when that is 0.
    pub fn register(&self, number: &str, cseq: u32, interval: u32) {
        self.save(TENANT, number, &format!("sip:{number}@198.51.100.7"), 7, cseq, interval);
    }

    /// Another device of the number.
    pub fn register_elsewhere(&self, number: &str, cseq: u32, interval: u32) {
        self.save(TENANT, number, &format!("sip:{number}@203.0.113.9"), 8, cseq, interval);
    }

    /// A phone of the other tenant.
    pub fn register_with_another(&self, number: &str) {
        self.save(ANOTHER, number, &format!("sip:{number}@198.51.100.7"), 7, 1, 300);
    }

    fn save(&self, tenant: TenantId, number: &str, uri: &str, call_id: u64, cseq: u32, interval: u32) {
        let now = now();
        let seconds = u32::try_from(now.as_seconds()).unwrap();
        let local = "192.0.2.1:5060".parse().unwrap();
        let remote = "198.51.100.7:5060".parse().unwrap();
        let binding = Binding {
            uri: uri.as_bytes(),
            parameters: b"",
            path: b"",
            user_agent: b"Phone",
            q: None,
            registered_at: seconds,
            expires_at: seconds + interval,
            cseq,
            call_id,
            flow: Flow::udp(ListenerId(0), local, remote),
            is_natted: false,
            is_connection_lost: false,
            instance: None,
            reg_id: None,
            has_push_token: false,
            pulse: None,
            home: None,
            came_with_others: false,
            is_removed: false,
        };
        let limits = Limits { phones: 3, apps: 3, total: 3, when_full: WhenFull::Reject };
        let update = Update { call_id, cseq, contacts: Contacts::Some(&[binding]), limits };
        let aor = Aor { tenant, number: number.as_bytes() };
        self.location.save(now, &aor, &update, &mut Vec::new(), &mut Vec::new()).unwrap();
    }

    /// Where calls for this number go.
    pub fn found(&self, number: &str) -> Vec<String> {
        self.found_of(TENANT, number)
    }

    /// Where calls for this number of the other tenant go.
    pub fn found_with_another(&self, number: &str) -> Vec<String> {
        self.found_of(ANOTHER, number)
    }

    fn found_of(&self, tenant: TenantId, number: &str) -> Vec<String> {
        let mut found = Vec::new();
        let aor = Aor { tenant, number: number.as_bytes() };
        self.location.lookup(now(), &aor, |binding| found.push(String::from_utf8(binding.uri.to_vec()).unwrap()));
        found
    }

    pub fn unpublished(&self) -> usize {
        self.location.unpublished(now()).count
    }
}
