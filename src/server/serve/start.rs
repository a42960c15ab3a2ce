//! The start: bind, open, load, restore, and only then take calls.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use ringway_api::Audience;
use ringway_directory::Snapshot;
use ringway_edge::{Activity, Bans, Location, Settings};
use ringway_net::{Admission, Bound, Clock, Handshakes, SocketOptions};
use ringway_sip::{ShardId, Transport};
use ringway_store::directory::Directory;
use ringway_store::journal::Journal;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};

use super::{Wishes, listeners};
use crate::admin;
use crate::bans::BanOffice;
use crate::bindings::{self, LiveBindings, Restored};
use crate::capture::{Captures, Tap, tap};
use crate::config::Config;
use crate::console::say;
use crate::control::socket::{Commands, ControlSocket};
use crate::data_directory::{self, DataDirectory};
use crate::failure::Failure;
use crate::local_addresses::local_addresses;
use crate::media::Media;
use crate::publication::{self, Hasher, Publication};
use crate::registrations::Registrations;
use crate::security::{TlsListeners, start_handshakes};
use crate::settings::{Fixed, look_at_default_tenant, settings};
use crate::shard;
use crate::shards::Shards;
use crate::sharing::{self, Around, Sharing};
use crate::status::{Running, Status};
use crate::{demo, node_id};

/// A running node.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) fixed: Fixed,
    pub(super) settings: Arc<Settings>,
    pub(super) status: Arc<Status>,
    pub(super) publication: Arc<Publication>,
    pub(super) bans: Arc<BanOffice>,
    pub(super) shards: Shards,
    pub(super) media: Option<Media>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) journal: Arc<Journal>,
    pub(super) tls: TlsListeners,
    pub(super) captures: Arc<Captures>,
    /// HTTP and commands. They end when `stopping` says so, or are dropped.
    pub(super) http: JoinSet<()>,
    pub(super) commands: tokio::task::JoinHandle<()>,
    pub(super) stopping: watch::Sender<bool>,
}

impl Node {
    /// Starts a node: when it returns, calls are taken.
    ///
    /// # Errors
    /// Why it can't start, and what to do.
    pub(super) async fn start(
        wishes: &Wishes,
        config: Config,
        data: &DataDirectory,
        status: &Arc<Status>,
    ) -> Result<Self, Failure> {
        // Every port first: a mistake there is told before anything is loaded.
        let (bound, sip_listeners) = listeners::bind_sip(&config)?;
        let (tls, preambles) = TlsListeners::load(&config, data)?;
        let (stopping, stopped) = watch::channel(false);
        let (http, http_address) = start_http(&config, status, &stopped).await?;

        status.become_unready("the directory is being loaded");
        let (node, is_first_start) = node_id::read_or_create(data).map_err(Failure::of)?;
        let key = data_directory::master_key(&config)?;
        let directory = Directory::open(config.database.path(), &key).await.map_err(Failure::of)?;
        // At once: should the start fail later on, nobody could sign in.
        if let Some(password) = admin::ensure(&directory, &config).await? {
            say(format_args!("admin={} password={password}", admin::NAME));
            say("Sign in with it at /api/v1/auth/token, and choose another. It is shown this once.");
        }
        if wishes.is_demo {
            demo::add(&directory, &key).await.map_err(Failure::of)?;
        }
        let hasher = Hasher::new(&config.auth.algorithms);
        let snapshot = publication::load(&directory, &hasher).await.map_err(Failure::of)?;

        status.become_unready("the journal is being read");
        let clock = Clock::start();
        let name = config.node.id.clone().unwrap_or_else(|| node.clone());
        let location = Arc::new(sharing::location(config.redis.address.as_ref(), &name));
        let restored = block_in_place(|| {
            let options = config.journal.clone();
            bindings::restore(&data.journal(), options, clock.now(), &snapshot, &sip_listeners, &location)
        });
        let (mut journal, restored) = restored.map_err(Failure::of)?;
        tell_restored(&restored);
        let in_force = Arc::new(ArcSwap::new(snapshot));
        let live = LiveBindings::new(Arc::clone(&location), Arc::clone(&in_force), clock);
        journal.start(Arc::new(live)).map_err(Failure::of)?;
        let journal = Arc::new(journal);

        let default_tenant = wishes.is_demo.then(|| demo::DOMAIN.into());
        let fixed = Fixed { listeners: sip_listeners, node, default_tenant };
        let addresses = local_addresses().map_err(Failure::of)?;
        let settings = Arc::new(settings(&config, &fixed, addresses));
        look_at_default_tenant(&settings, &in_force.load());
        let activity = Arc::new(Activity::new(rand::random()));
        let (tap, outlet) = tap(clock, Arc::clone(&location));
        let captures = Captures::start(Arc::clone(&tap), outlet, Arc::clone(&in_force), Arc::clone(&settings))
            .map_err(|error| Failure::Failed(format!("the thread of the captures can't be started: {error}")))?;
        captures.configure(&config.capture);
        let bans = Arc::new(Bans::new(rand::random()));
        let world = World {
            secret: *key.derive("edge", 0),
            settings: Arc::clone(&settings),
            directory: in_force.load_full(),
            location: Arc::clone(&location),
            activity: Arc::clone(&activity),
            bans: Arc::clone(&bans),
            clock,
            tap,
        };
        let (handshakes, handshaker) = start_handshakes(preambles, &config.limits.streams())?;
        let Started { shards, mut threads, media } = start_shards(&config, bound, &journal, &world, &handshakes)?;
        threads.push(handshaker);
        drop(handshakes);
        let sharing = config.redis.address.as_ref().map(|redis| {
            let presence = sharing::presence(&name, config.node.address, &settings, &world.secret);
            let around = Around {
                directory: Arc::clone(&in_force),
                settings: Arc::clone(&settings),
                shards: shards.clone(),
                clock,
            };
            Sharing::start(redis, presence, &location, around)
        });
        let registrations = Registrations::new(Arc::clone(&location), clock);
        let publication =
            Arc::new(Publication::new(directory, shards.clone(), Arc::clone(&in_force), hasher, registrations));
        let socket = ControlSocket::bind(data.path())
            .map_err(|error| Failure::Failed(format!("{}: commands can't be taken: {error}", data.path().display())))?;
        let office = Arc::new(BanOffice::new(Arc::clone(&bans), clock, &settings));
        let commands = Commands {
            publication: Arc::clone(&publication),
            captures: Arc::clone(&captures),
            bans: Arc::clone(&office),
        };
        let commands = tokio::spawn(socket.serve(commands));

        let running = Running {
            shards: shards.clone(),
            directory: Arc::clone(&in_force),
            location,
            activity,
            bans,
            bans_office: Arc::clone(&office),
            journal: Arc::clone(&journal),
            tls: tls.clone(),
            captures: Arc::clone(&captures),
            media: media.clone(),
            sharing,
            publication: Arc::clone(&publication),
            last: Mutex::default(),
        };
        for listener in &fixed.listeners {
            tracing::info!(transport = %listener.transport, address = %listener.bound, "listening");
        }
        if is_first_start {
            let has_tenants = in_force.load().tenants().next().is_some();
            greet(&fixed, http_address, data.path(), next_step(wishes.is_demo, has_tenants));
        }
        if wishes.is_demo
            && let Some(proxy) = listeners::reachable(&fixed.listeners)
        {
            demo::announce(&in_force.load(), &key, proxy);
            if !fixed.listeners.iter().any(|listener| listener.transport == Transport::Udp) {
                say("There is no UDP listener: choose TCP as the phones' transport.");
            }
        }
        // Last: whoever waited for it finds everything above told.
        status.become_ready(running);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            node = %settings.node,
            shards = config.shards,
            http = %http_address,
            data = %data.path().display(),
            "ready"
        );
        let status = Arc::clone(status);
        Ok(Self {
            config,
            fixed,
            settings,
            status,
            publication,
            bans: office,
            shards,
            media,
            threads,
            journal,
            tls,
            captures,
            http,
            commands,
            stopping,
        })
    }
}

/// What all shards share.
struct World {
    secret: [u8; 32],
    settings: Arc<Settings>,
    directory: Arc<Snapshot>,
    location: Arc<Location>,
    activity: Arc<Activity>,
    bans: Arc<Bans>,
    clock: Clock,
    tap: Arc<Tap>,
}

/// The shards' threads, and what tells them something.
struct Started {
    shards: Shards,
    threads: Vec<JoinHandle<()>>,
    media: Option<Media>,
}

fn start_shards(
    config: &Config,
    bound: Vec<Bound>,
    journal: &Journal,
    world: &World,
    handshakes: &Handshakes,
) -> Result<Started, Failure> {
    let (mailboxes, mails) = shard::mailboxes(bound.len());
    let media = Media::start(&config.media, &mailboxes, bound.len());
    let media = media.map_err(|error| Failure::Failed(format!("the media relay can't be started: {error}")))?;
    let streams = config.limits.streams();
    let (bans, clock) = (Arc::clone(&world.bans), world.clock);
    let admission = Admission::guarded(&streams, move |source| bans.holds_source(clock.now().wall, source));
    let boot = rand::random();
    let options =
        SocketOptions { receive_buffer: config.limits.udp_receive_buffer, streams, ..SocketOptions::default() };
    let mut threads = Vec::with_capacity(bound.len());
    for ((bound, mail), number) in bound.into_iter().zip(mails).zip(0..) {
        let engine = ringway_edge::Parts {
            shard: ShardId(number),
            boot,
            secret: world.secret,
            seed: rand::random(),
            location: Arc::clone(&world.location),
            activity: Arc::clone(&world.activity),
            bans: Arc::clone(&world.bans),
            settings: Arc::clone(&world.settings),
            directory: Arc::clone(&world.directory),
            now: world.clock.now(),
        };
        let parts = shard::Parts {
            engine,
            bound,
            options: options.clone(),
            admission: Arc::clone(&admission),
            handshakes: handshakes.clone(),
            clock: world.clock,
            journal: journal.writer(number.into()),
            tap: Arc::clone(&world.tap),
            media: media.clone(),
            mailboxes: mailboxes.clone(),
            mail,
        };
        let thread = shard::spawn(parts);
        threads.push(thread.map_err(|error| Failure::Failed(format!("shard {number} can't be started: {error}")))?);
    }
    Ok(Started { shards: Shards::new(mailboxes), threads, media })
}

async fn start_http(
    config: &Config,
    status: &Arc<Status>,
    stopped: &watch::Receiver<bool>,
) -> Result<(JoinSet<()>, std::net::SocketAddr), Failure> {
    let management = listeners::bind_http(config.http.address, "http.address", "--http").await?;
    let address = management.local_addr().map_err(Failure::of)?;
    let mut http = JoinSet::new();
    serve_http(&mut http, management, status, Audience::Management, stopped);
    if let Some(address) = config.http.metrics {
        let scraper = listeners::bind_http(address, "metrics.address", "metrics.address").await?;
        serve_http(&mut http, scraper, status, Audience::Scraper, stopped);
    }
    Ok((http, address))
}

fn serve_http(
    http: &mut JoinSet<()>,
    listener: TcpListener,
    status: &Arc<Status>,
    audience: Audience,
    stopped: &watch::Receiver<bool>,
) {
    let status = Arc::clone(status);
    let mut stopped = stopped.clone();
    let stop = async move {
        // Without its sender the node is gone, which is the end too.
        let _ = stopped.wait_for(|is_stopping| *is_stopping).await;
    };
    http.spawn(async move {
        if let Err(error) = ringway_api::serve(listener, status, audience, stop).await {
            tracing::error!(%error, "an HTTP listener has ended");
        }
    });
}

fn tell_restored(restored: &Restored) {
    for damage in &restored.replay.damage {
        tracing::warn!(%damage, "the journal was damaged");
    }
    let Restored { replay, of_no_tenant, unreadable } = restored;
    if of_no_tenant + unreadable > 0 {
        tracing::warn!(of_no_tenant, unreadable, "registrations of the journal were left out");
    }
    tracing::info!(records = replay.records, bytes = replay.bytes, took = ?replay.elapsed, "the journal was read");
}

/// What the first start says, once.
fn greet(fixed: &Fixed, http: std::net::SocketAddr, data: &Path, next_step: Option<&str>) {
    let data = data.canonicalize().unwrap_or_else(|_| PathBuf::from(data));
    let listeners: Vec<_> =
        fixed.listeners.iter().map(|listener| format!("{} {}", listener.transport, listener.bound)).collect();
    say(format_args!("Ringway {} has started for the first time.", env!("CARGO_PKG_VERSION")));
    say(format_args!("  SIP   {}", listeners.join(", ")));
    say(format_args!("  HTTP  http://{http} (API, health and metrics)"));
    say(format_args!("  data  {}", data.display()));
    if let Some(next_step) = next_step {
        say(next_step);
    }
}

/// What is to be done before anybody can call. Tenants may be there at a first start: from a database that is shared or restored.
fn next_step(is_demo: bool, has_tenants: bool) -> Option<&'static str> {
    if is_demo {
        Some("Next: set up two phones, each with one of the lines below, and call one from the other.")
    } else if has_tenants {
        None
    } else {
        Some("Next: ringway tenant add DOMAIN, then ringway extension add --tenant DOMAIN NUMBER --email ADDRESS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_asks_for_a_tenant_when_there_is_none() {
        assert!(next_step(false, false).is_some_and(|step| step.contains("tenant add")));
        assert_eq!(next_step(false, true), None);
        assert!(next_step(true, true).is_some_and(|step| step.contains("two phones")));
    }
}
