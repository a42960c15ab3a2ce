//! A command's way through the socket of a running node, with a shard that answers as the real ones do.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringway_capture::Way;
use ringway_directory::{MediaPolicy, Snapshot, WhenFull};
use ringway_edge::location::{Aor, Binding, pack};
use ringway_edge::settings::Listener;
use ringway_edge::{Bans, Location, Settings};
use ringway_net::Clock;
use ringway_sip::digest::Algorithm;
use ringway_sip::{Flow, ListenerId, Monotonic, Transport, Wall};
use ringway_store::directory::Directory;
use ringway_store::keys::MasterKey;
use ringway_telemetry::{Format, Metrics, Scrape};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::client::Client;
use super::protocol::{
    BansRequest, CaptureEnd, ModeWord, NewCapture, NewExtension, NewExtensions, NewTenant, TenantSettings,
};
use super::socket::{Commands, ControlSocket};
use super::{Event, Request};
use crate::bans::BanOffice;
use crate::capture::{Captures, Tap, tap};
use crate::publication::{Hasher, Publication, load};
use crate::registrations::Registrations;
use crate::shard::{Mail, mailboxes};
use crate::shards::Shards;

/// A node as far as commands see it.
struct Node {
    folder: TempDir,
    /// What its shard judges by.
    in_shard: Arc<ArcSwap<Snapshot>>,
    tap: Arc<Tap>,
    captures: Arc<Captures>,
    location: Arc<Location>,
    serving: tokio::task::JoinHandle<()>,
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::from_bytes([1; 32]);
        let directory = Directory::open(&folder.path().join("ringway.db"), &key).await.unwrap();
        let hasher = Hasher::new(&[Algorithm::Md5]);
        let snapshot = load(&directory, &hasher).await.unwrap();
        let in_shard = Arc::new(ArcSwap::new(Arc::clone(&snapshot)));
        let (mailboxes, mut mails) = mailboxes(1);
        let (mut mail, judged) = (mails.remove(0), Arc::clone(&in_shard));
        tokio::spawn(async move {
            while let Some(letter) = mail.recv().await {
                if let Mail::Directory(directory, taken) = letter {
                    judged.store(directory);
                    let _ = taken.send(());
                }
            }
        });
        let in_force = Arc::new(ArcSwap::new(snapshot));
        let location = Arc::new(Location::new(1));
        let (tap, outlet) = tap(Clock::start(), Arc::clone(&location));
        let settings = Arc::new(Settings::default());
        let captures = Captures::start(Arc::clone(&tap), outlet, Arc::clone(&in_force), settings).unwrap();
        let registrations = Registrations::new(Arc::clone(&location), Clock::start());
        let publication = Publication::new(directory, Shards::new(mailboxes), in_force, hasher, registrations);
        let socket = ControlSocket::bind(folder.path()).unwrap();
        let trusted = vec!["192.0.2.0/24".parse().unwrap()];
        let limits = ringway_edge::settings::Limits { trusted, ..Default::default() };
        let settings = Settings { limits, ..Settings::default() };
        let bans = BanOffice::new(Arc::new(Bans::new(1)), Clock::start(), &settings);
        let bans = Arc::new(bans);
        let commands = Commands { publication: Arc::new(publication), captures: Arc::clone(&captures), bans };
        let serving = tokio::spawn(socket.serve(commands));
        Self { folder, in_shard, tap, captures, location, serving }
    }

    async fn ask(&self, request: Request, mut file: &[u8]) -> (Result<(), String>, Vec<Event>) {
        let client = Client::connect(self.folder.path()).await.unwrap().expect("a node runs");
        let (events, mut told) = mpsc::channel(1000);
        let outcome = client.ask(&request, &mut file, &events).await;
        drop(events);
        let mut all = Vec::new();
        while let Some(event) = told.recv().await {
            all.push(event);
        }
        (outcome, all)
    }

    async fn add_tenant(&self, domain: &str) -> Result<(), String> {
        let new = NewTenant { domain: domain.to_owned(), ..NewTenant::default() };
        self.ask(Request::TenantAdd(new), b"").await.0
    }

    fn import(&self, bytes: usize) -> Request {
        let tenant = "acme.example".to_owned();
        Request::ExtensionImport(NewExtensions {
            tenant,
            mode: ModeWord::Create,
            is_dry_run: false,
            keeps_good: false,
            bytes: bytes as u64,
        })
    }

    /// Whether the shard knows this extension.
    fn knows(&self, number: &str) -> bool {
        let snapshot = self.in_shard.load();
        let tenant = snapshot.tenant_by_host(b"acme.example");
        tenant.is_some_and(|tenant| snapshot.extension(tenant.id, number.as_bytes()).is_some())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_command_is_done_every_shard_judges_by_it() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    assert!(node.in_shard.load().tenant_by_host(b"acme.example").is_some());

    let new = NewExtension {
        tenant: "acme.example".to_owned(),
        number: "101".to_owned(),
        email: "a@acme.example".to_owned(),
        ..NewExtension::default()
    };
    let (outcome, events) = node.ask(Request::ExtensionAdd(new), b"").await;
    outcome.unwrap();
    assert!(node.knows("101"));
    let [Event::Extension(added)] = &events[..] else { panic!("one event") };
    assert!(added.password.is_some(), "a generated password is told, once");

    let file = b"extension_number,auth_name,extension_password,email\n102,,pw-1000001,b@acme.example\n";
    let (outcome, events) = node.ask(node.import(file.len()), file).await;
    outcome.unwrap();
    assert!(node.knows("102"));
    let [Event::Imported(report)] = &events[..] else { panic!("one event") };
    assert!(report.is_applied && report.created == 1);
}

/// A binding that lives as long as the test.
fn binding(uri: &str) -> Vec<u8> {
    let now = u32::try_from(Clock::start().now().wall.as_seconds()).unwrap();
    let binding = Binding {
        uri: uri.as_bytes(),
        parameters: b"",
        path: b"",
        user_agent: b"Desk phone",
        q: None,
        registered_at: now,
        expires_at: now + 300,
        cseq: 1,
        call_id: 2,
        flow: Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5062".parse().unwrap()),
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
    let mut record = Vec::new();
    pack(&[binding], &mut record);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_registered_is_shown_by_number_or_for_the_whole_tenant() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    node.add_tenant("other.example").await.unwrap();
    let file = b"extension_number,email\n1001,a@acme.example\n101,b@acme.example\n102,c@acme.example\n";
    node.ask(node.import(file.len()), file).await.0.unwrap();
    let tenant = node.in_shard.load().tenant_by_host(b"acme.example").unwrap().id;
    for number in ["101", "1001"] {
        let aor = Aor { tenant, number: number.as_bytes() };
        let record = binding(&format!("sip:{number}@192.0.2.9:5062"));
        let listeners =
            [Listener { transport: Transport::Udp, bound: "192.0.2.1:5060".parse().unwrap(), advertise: None }];
        node.location.restore(Wall::from_seconds(0), &listeners, &aor, 1, &record).unwrap();
    }
    let show = async |tenant: &str, number: Option<&str>| {
        let (tenant, number) = (tenant.to_owned(), number.map(str::to_owned));
        let (outcome, events) = node.ask(Request::ExtensionRegistrations { tenant, number }, b"").await;
        let rows = events.into_iter().map(|event| match event {
            Event::Registration(row) => row.contact,
            _ => panic!("another event"),
        });
        outcome.map(|()| rows.collect::<Vec<_>>())
    };
    assert_eq!(
        show("acme.example", None).await.unwrap(),
        ["sip:101@192.0.2.9:5062", "sip:1001@192.0.2.9:5062"],
        "by number, shorter ones first"
    );
    assert_eq!(show("acme.example", Some("101")).await.unwrap(), ["sip:101@192.0.2.9:5062"]);
    assert_eq!(show("acme.example", Some("102")).await.unwrap(), Vec::<String>::new());
    assert_eq!(show("other.example", None).await.unwrap(), Vec::<String>::new());
    assert!(show("acme.example", Some("103")).await.unwrap_err().contains("acme.example has no extension 103"));
    assert!(show("nobody.example", None).await.unwrap_err().contains("ringway tenant list"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_a_tenant_is_changed_while_it_runs() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let set = async |domain: &str, policy: &str| {
        let (domain, when_full) = (domain.to_owned(), policy.to_owned());
        let settings = TenantSettings { domain, when_full, ..TenantSettings::default() };
        node.ask(Request::TenantSet(settings), b"").await.0
    };
    let policy = || node.in_shard.load().tenant_by_host(b"acme.example").unwrap().when_full;
    for (word, expected) in [("replace_oldest", WhenFull::ReplaceOldest), ("reject", WhenFull::Reject)] {
        set("acme.example", word).await.unwrap();
        assert_eq!(policy(), expected);
    }
    assert!(set("acme.example", "oldest").await.unwrap_err().contains("replace_oldest"));
    assert!(set("nobody.example", "reject").await.unwrap_err().contains("nobody.example"));
    assert_eq!(policy(), WhenFull::Reject);
    let set = async |max_call_seconds| {
        let (domain, max_call_seconds) = ("acme.example".to_owned(), Some(max_call_seconds));
        let settings = TenantSettings { domain, max_call_seconds, ..TenantSettings::default() };
        node.ask(Request::TenantSet(settings), b"").await.0
    };
    let most = || node.in_shard.load().tenant_by_host(b"acme.example").unwrap().max_call_seconds;
    set(600).await.unwrap();
    assert_eq!((most(), policy()), (Some(600), WhenFull::Reject));
    assert!(set(5).await.unwrap_err().contains("10"));
    set(0).await.unwrap();
    assert_eq!(most(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_of_a_tenant_are_changed_while_it_runs_and_taken_back() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let set = async |rps: &str, connections: &str, weight| {
        let (domain, rps, connections) = ("acme.example".to_owned(), rps.to_owned(), connections.to_owned());
        let settings = TenantSettings { domain, rps, connections, weight, ..TenantSettings::default() };
        node.ask(Request::TenantSet(settings), b"").await.0
    };
    let now = || {
        let budgets = node.in_shard.load().tenant_by_host(b"acme.example").unwrap().budgets;
        (budgets.requests, budgets.connections, budgets.weight)
    };
    set("60", "", Some(3)).await.unwrap();
    assert_eq!(now(), (Some(60), None, Some(3)));
    set("none", "20", None).await.unwrap();
    assert_eq!(now(), (None, Some(20), Some(3)));
    assert!(set("1", "", Some(0)).await.unwrap_err().contains("from 1 to 1000"));
    assert!(set("many", "", None).await.unwrap_err().contains("neither a number nor none"));
    assert_eq!(now(), (None, Some(20), Some(3)), "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_has_relayed_is_changed_while_it_runs_and_the_rest_stays() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let set = async |media: &str, max_media: &str| {
        let (domain, media, max_media) = ("acme.example".to_owned(), media.to_owned(), max_media.to_owned());
        let settings = TenantSettings { domain, media, max_media, ..TenantSettings::default() };
        node.ask(Request::TenantSet(settings), b"").await.0
    };
    let now = || {
        let tenant = Arc::clone(node.in_shard.load().tenant_by_host(b"acme.example").unwrap());
        (tenant.media, tenant.max_media, tenant.when_full)
    };
    for (media, max_media, expected) in [
        ("always", "7", (MediaPolicy::Always, Some(7), WhenFull::Reject)),
        ("never", "", (MediaPolicy::Never, Some(7), WhenFull::Reject)),
        ("", "0", (MediaPolicy::Never, Some(0), WhenFull::Reject)),
        ("auto", "none", (MediaPolicy::Auto, None, WhenFull::Reject)),
    ] {
        set(media, max_media).await.unwrap();
        assert_eq!(now(), expected);
    }
    assert!(set("sometimes", "").await.unwrap_err().contains("always"));
    assert!(set("always", "many").await.unwrap_err().contains("neither a number nor none"));
    assert_eq!(now(), (MediaPolicy::Auto, None, WhenFull::Reject), "all or nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_and_changes_nothing() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let version = node.in_shard.load().version();
    let refusal = node.add_tenant("acme.example").await.unwrap_err();
    assert!(refusal.contains("acme.example"), "{refusal}");

    // A file that ends before its announced end is no file.
    let file = b"extension_number,auth_name,extension_password,email\n102,,pw-1000001,b@acme.example\n";
    let (outcome, _) = node.ask(node.import(file.len() + 1), file).await;
    assert_eq!(outcome.unwrap_err(), "the file ended too early; nothing was imported");
    assert!(!node.knows("102"));
    assert_eq!(node.in_shard.load().version(), version);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_comes_in_pieces_and_whole() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let mut file = "extension_number,auth_name,extension_password,email\n".to_owned();
    for number in 1000..4000 {
        file += &format!("{number},{number},p00000{number},u{number}@acme.example\n");
    }
    let (outcome, events) = node.ask(node.import(file.len()), file.as_bytes()).await;
    outcome.unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::Progress { .. })), "an import tells how far it is");

    let (outcome, events) = node.ask(Request::ExtensionExport { tenant: "acme.example".to_owned() }, b"").await;
    outcome.unwrap();
    assert!(events.len() > 1, "3,000 rows are more than one piece");
    let mut text = String::new();
    for event in &events {
        let Event::Text { text: piece } = event else { panic!("only text") };
        assert!(piece.ends_with("\r\n"), "a piece ends with a row");
        text += piece;
    }
    assert_eq!(text.lines().count(), 3001);
    assert!(!text.contains("p000001000"), "no password is exported");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_its_owner_s_alone_and_goes_with_the_node() {
    let node = Node::start().await;
    let path = node.folder.path().join("control.sock");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    node.serving.abort();
    let _ = node.serving.await;
    assert!(!path.exists());
    assert!(Client::connect(node.folder.path()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_a_killed_node_left_behind_is_nobody() {
    let folder = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("control.sock")).unwrap());
    assert!(Client::connect(folder.path()).await.unwrap().is_none());
    ControlSocket::bind(folder.path()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_may_lie_deeper_than_a_socket_s_address_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(100)).join("e".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let _socket = ControlSocket::bind(&deep).unwrap();
    assert!(Client::connect(&deep).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_told_so() {
    let node = Node::start().await;
    for (line, answered) in [
        (&b"{\"verb\":\"fly\"}\n"[..], "does not understand the command"),
        (b"nonsense\n", "does not understand the command"),
        (b"no end of line", "does not understand the command"),
    ] {
        let answer = raw(&node, line).await.unwrap();
        assert!(answer.contains("\"failed\"") && answer.contains(answered), "{answer}");
    }
    let endless = vec![b'a'; 70_000];
    let answer = raw(&node, &endless).await.unwrap();
    assert!(answer.contains("too long"), "{answer}");
    assert_eq!(raw(&node, b"").await.unwrap(), "");
}

async fn raw(node: &Node, line: &[u8]) -> io::Result<String> {
    let path = node.folder.path().join("control.sock");
    let mut stream = tokio::net::UnixStream::connect(path).await?;
    // A node that has heard enough ends the connection; what it said is there all the same.
    let _ = stream.write_all(line).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What a capture of this tenant shows.
fn captured(tenant: &str) -> NewCapture {
    NewCapture { tenant: Some(tenant.to_owned()), seconds: 3600, max_messages: 1000, ..NewCapture::default() }
}

impl Node {
    /// Begins a capture: where its events come, what ends it, and how it ended.
    async fn capture(&self, new: NewCapture) -> Capture {
        let client = Client::connect(self.folder.path()).await.unwrap().expect("a node runs");
        let (stop, stopped) = oneshot::channel::<()>();
        let (events, told) = mpsc::channel(10_000);
        let following = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            client.follow(&Request::Capture(new), stop, &events).await
        });
        Capture { told, stop, following }
    }

    /// Begins one, and waits until it runs.
    async fn running_capture(&self, new: NewCapture) -> Capture {
        let before = self.running();
        let capture = self.capture(new).await;
        while self.running() == before {
            tokio::task::yield_now().await;
        }
        capture
    }

    fn running(&self) -> f64 {
        self.number("ringway_captures")
    }

    fn number(&self, series: &str) -> f64 {
        let mut scrape = Scrape::default();
        self.captures.collect(&mut scrape);
        let text = Metrics::new("0").unwrap().render(scrape, Format::Text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series} is not in {text}")).parse().unwrap()
    }

    /// A request of a tenant passes a shard.
    fn pass(&self, tenant: &str, call_id: &str) {
        self.pass_method("REGISTER", "198.51.100.7:5060", tenant, call_id);
    }

    fn pass_method(&self, method: &str, remote: &str, tenant: &str, call_id: &str) {
        let uri = format!("sip:101@{tenant}");
        let text = format!(
            "{method} sip:{tenant} SIP/2.0\r\nFrom: <{uri}>;tag=1\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n\
             Authorization: Digest username=\"101\", response=\"0123\"\r\n\r\n"
        );
        let flow = Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), remote.parse().unwrap());
        if let Some(tap) = self.tap.open() {
            tap.note(&flow, Way::Received, Monotonic::START, text.as_bytes());
        }
    }
}

struct Capture {
    told: mpsc::Receiver<Event>,
    stop: oneshot::Sender<()>,
    following: tokio::task::JoinHandle<Result<(), String>>,
}

impl Capture {
    /// The next message, as text.
    async fn next(&mut self) -> String {
        match self.told.recv().await {
            Some(Event::Seen(row)) => String::from_utf8(row.seen().unwrap().bytes).unwrap(),
            Some(Event::CaptureEnded(end)) => panic!("it ended: {end:?}"),
            _ => panic!("the capture is over"),
        }
    }

    /// Stops it: what is still told.
    async fn stop(mut self) -> (usize, CaptureEnd) {
        let _ = self.stop.send(());
        let mut messages = 0;
        loop {
            match self.told.recv().await {
                Some(Event::Seen(_)) => messages += 1,
                Some(Event::CaptureEnded(end)) => {
                    self.following.await.unwrap().unwrap();
                    return (messages, end);
                }
                _ => panic!("a capture says how it ended"),
            }
        }
    }
}

#[tokio::test]
async fn a_capture_shows_one_tenant_s_messages_without_their_secrets_until_it_is_stopped() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    node.add_tenant("globex.example").await.unwrap();
    node.pass("acme.example", "before");
    let mut capture = node.running_capture(captured("acme.example")).await;
    node.pass("globex.example", "1");
    node.pass("acme.example", "2");
    let message = capture.next().await;
    assert!(message.contains("Call-ID: 2\r\n"), "{message}");
    assert!(message.contains("response=\"****\""), "{message}");
    let (more, end) = capture.stop().await;
    assert_eq!((more, end), (0, CaptureEnd { messages: 1, dropped: 0, reason: "stopped".to_owned() }));
    assert!(node.tap.open().is_none(), "nothing is copied any more");
    assert_eq!(node.number("ringway_captured_messages_total{to=\"command\"}"), 1.0);
    assert_eq!(node.running(), 0.0);
}

#[tokio::test]
async fn what_a_tenant_s_phone_says_to_our_address_is_never_shown_as_the_default_tenant_s() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    node.add_tenant("globex.example").await.unwrap();
    let bound = "192.0.2.1:5060".parse().unwrap();
    let listener = Listener { transport: Transport::Udp, bound, advertise: None };
    let default_tenant = Some("acme.example".into());
    let listeners = vec![listener];
    node.captures.set_settings(Arc::new(Settings {
        listeners: listeners.clone(),
        default_tenant,
        ..Settings::default()
    }));
    let tenant = node.in_shard.load().tenant_by_host(b"globex.example").unwrap().id;
    let aor = Aor { tenant, number: b"101" };
    node.location.restore(Wall::from_seconds(0), &listeners, &aor, 1, &binding("sip:101@192.0.2.9:5062")).unwrap();
    let mut acme = node.running_capture(captured("acme.example")).await;
    let mut globex = node.running_capture(captured("globex.example")).await;
    node.pass_method("INVITE", "192.0.2.9:5062", "192.0.2.1", "globex's");
    node.pass_method("INVITE", "198.51.100.7:5060", "192.0.2.1", "anybody's");
    let message = acme.next().await;
    assert!(message.contains("Call-ID: anybody's"), "{message}");
    let message = globex.next().await;
    assert!(message.contains("Call-ID: globex's"), "{message}");
}

#[tokio::test]
async fn a_capture_ends_by_itself_when_it_has_what_it_may_have() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let capture = node.running_capture(NewCapture { max_messages: 2, ..captured("acme.example") }).await;
    for number in 0..3 {
        node.pass("acme.example", &number.to_string());
    }
    let Capture { mut told, following, .. } = capture;
    assert_eq!(following.await.unwrap(), Ok(()));
    let mut seen = 0;
    let end = loop {
        match told.recv().await {
            Some(Event::Seen(_)) => seen += 1,
            Some(Event::CaptureEnded(end)) => break end,
            _ => panic!("a capture says how it ended"),
        }
    };
    assert_eq!((seen, end.messages, end.reason.as_str()), (2, 2, "messages"));
}

#[tokio::test]
async fn a_capture_whose_command_was_killed_is_over() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let capture = node.running_capture(captured("acme.example")).await;
    capture.following.abort();
    while node.running() > 0.0 {
        tokio::task::yield_now().await;
    }
    assert!(node.tap.open().is_none());
}

#[tokio::test]
async fn there_are_so_many_captures_and_no_more_and_other_commands_have_room_beside_them() {
    let node = Node::start().await;
    node.add_tenant("acme.example").await.unwrap();
    let mut running = Vec::new();
    for _ in 0..4 {
        running.push(node.running_capture(captured("acme.example")).await);
    }
    let refused = node.capture(captured("acme.example")).await.following.await.unwrap().unwrap_err();
    assert!(refused.contains("4 captures are running"), "{refused}");
    node.add_tenant("globex.example").await.unwrap();
    let (_, end) = running.pop().unwrap().stop().await;
    assert_eq!(end.messages, 0);
    node.running_capture(captured("acme.example")).await;
}

#[tokio::test]
async fn a_capture_of_what_is_not_there_is_refused_with_what_to_do() {
    let node = Node::start().await;
    let refused = node.capture(captured("nobody.example")).await.following.await.unwrap().unwrap_err();
    assert!(refused.contains("there is no tenant nobody.example; `ringway tenant list`"), "{refused}");
    let new = NewCapture { source: Some("198.51.100.7/24".to_owned()), ..NewCapture::default() };
    let refused = node.capture(new).await.following.await.unwrap().unwrap_err();
    assert!(refused.contains("write 198.51.100.0/24"), "{refused}");
    assert_eq!(node.running(), 0.0);
}

#[tokio::test]
async fn a_person_bans_sees_and_frees_an_address_but_never_a_trusted_one() {
    let node = Node::start().await;
    let add = |source: &str| {
        let (source, reason) = (source.to_owned(), "abuse".to_owned());
        Request::Bans(BansRequest::Add { source, seconds: 60, reason })
    };
    let remove = |source: &str| Request::Bans(BansRequest::Remove { source: source.to_owned() });
    assert_eq!(node.ask(add("203.0.113.7"), b"").await.0, Ok(()));
    let refusal = node.ask(add("192.0.2.7"), b"").await.0.unwrap_err();
    assert!(refusal.contains("limits.trusted"), "{refusal}");
    let refusal = node.ask(add("all"), b"").await.0.unwrap_err();
    assert!(refusal.contains("write an address"), "{refusal}");
    let (outcome, events) = node.ask(Request::Bans(BansRequest::List), b"").await;
    assert_eq!(outcome, Ok(()));
    let [Event::Ban(ban)] = &events[..] else { panic!("one ban") };
    assert_eq!((&*ban.source, &*ban.reason, &*ban.detail, ban.hits), ("203.0.113.7", "manual", "abuse", 0));
    assert!(node.ask(remove("203.0.113.7"), b"").await == (Ok(()), vec![Event::BansRemoved { count: 1 }]));
    let refusal = node.ask(remove("203.0.113.7"), b"").await.0.unwrap_err();
    assert!(refusal.contains("is not banned"), "{refusal}");
}
