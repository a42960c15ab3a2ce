//! Sharing registrations with other nodes: what the cluster floor needs of this node, and its numbers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringway_cluster::{Address, Counters, Presence, Sharer, World, node_number};
use ringway_directory::{Acknowledge, Snapshot, Tenant, TenantId};
use ringway_edge::keys::{Keys, Purpose};
use ringway_edge::settings::Listener;
use ringway_edge::{Location, Settings};
use ringway_net::Clock;
use ringway_sip::{Transport, Wall};
use ringway_telemetry::{Scrape, names};
use tokio::task::JoinHandle;

use crate::shard::Mail;
use crate::shards::Shards;

/// A node that shares, as the rest of it sees that.
#[derive(Debug)]
pub(crate) struct Sharing {
    counters: Arc<Counters>,
    location: Arc<Location>,
    clock: Clock,
    /// Unix milliseconds.
    started_at: u64,
    task: JoinHandle<()>,
}

/// What sharing needs of the node.
pub(crate) struct Around {
    pub(crate) directory: Arc<ArcSwap<Snapshot>>,
    /// Its listeners never change.
    pub(crate) settings: Arc<Settings>,
    pub(crate) shards: Shards,
    pub(crate) clock: Clock,
}

impl World for Around {
    fn domain(&self, tenant: TenantId) -> Option<Box<str>> {
        self.directory.load().tenant(tenant).map(|tenant| tenant.domain.clone())
    }

    fn tenant(&self, domain: &str) -> Option<TenantId> {
        // Aliases are another name of the same numbers: nothing is kept under them.
        let directory = self.directory.load();
        let tenant = directory.tenant_by_host(domain.as_bytes())?;
        (*tenant.domain == *domain).then_some(tenant.id)
    }

    fn now(&self) -> Wall {
        self.clock.now().wall
    }

    fn published(&self, tenant: TenantId, number: &[u8], version: u64) {
        // Nobody else waits for it.
        let waits = |tenant: &Tenant| tenant.acknowledge == Acknowledge::Redis;
        if self.directory.load().tenant(tenant).is_some_and(|tenant| waits(tenant)) {
            self.shards.post(|| Mail::Published { tenant, number: number.into(), version });
        }
    }

    fn gave_way(&self, tenant: TenantId, number: &[u8]) {
        if !self.shards.post_to_one(|| Mail::GaveWay { tenant, number: number.into() }) {
            tracing::debug!("no shard has room: a binding that has moved is kept until it expires");
        }
    }

    fn listeners(&self) -> &[Listener] {
        &self.settings.listeners
    }

    fn looked_up(&self, tenant: TenantId, number: &[u8]) {
        self.shards.post(|| Mail::LookedUp { tenant, number: number.into() });
    }

    fn node_is_silent(&self, address: SocketAddr) {
        if let Some(flow) = self.settings.way_to_node(address) {
            self.shards.post(|| Mail::NodeSilent(flow));
        }
    }

    fn node_is_gone(&self, address: SocketAddr) {
        if let Some(flow) = self.settings.way_to_node(address) {
            self.shards.post(|| Mail::NodeGone(flow));
        }
    }
}

/// An empty location: of a node that shares when there is an address of Redis.
pub(crate) fn location(redis: Option<&Address>, node: &str) -> Location {
    match redis {
        Some(_) => Location::shared(rand::random(), node_number(node)),
        None => Location::new(rand::random()),
    }
}

/// What other nodes are to know of this one. `address` is where they are to hand it calls, when that is not its first UDP
/// listener.
pub(crate) fn presence(name: &str, address: Option<SocketAddr>, settings: &Settings, secret: &[u8; 32]) -> Presence {
    let [a, b, c, d, ..] = Keys::new(*secret).mac(Purpose::Voucher, 0, &[b"which secret"]);
    let first_listener = || {
        let bound = settings.listeners.iter().find(|listener| listener.transport == Transport::Udp)?.bound;
        let of_family = |address: &&IpAddr| address.is_ipv4() == bound.is_ipv4();
        let own =
            || settings.local_addresses.iter().filter(of_family).min_by_key(|address| address.is_loopback()).copied();
        let ip = if bound.ip().is_unspecified() { own()? } else { bound.ip() };
        Some(SocketAddr::new(ip, bound.port()))
    };
    let address = address.or_else(first_listener);
    Presence { name: name.into(), boot: rand::random(), keys: u32::from_be_bytes([a, b, c, d]), address }
}

impl Sharing {
    /// Begins to share.
    pub(crate) fn start(address: &Address, presence: Presence, location: &Arc<Location>, around: Around) -> Self {
        let counters = Arc::new(Counters::default());
        let clock = around.clock;
        let sharer = Sharer {
            address: address.clone(),
            here: node_number(&presence.name),
            presence,
            location: Arc::clone(location),
            world: Arc::new(around),
            counters: Arc::clone(&counters),
        };
        let task = tokio::spawn(sharer.run());
        Self { counters, location: Arc::clone(location), clock, started_at: clock.now().wall.as_millis(), task }
    }

    /// Adds its numbers.
    pub(crate) fn report(&self, scrape: &mut Scrape) {
        let now = self.clock.now().wall;
        let waiting = self.location.unpublished(now);
        let (under_way, under_way_since) = self.counters.under_way();
        let seconds_since = |moment: u64| now.as_millis().saturating_sub(moment) / 1000;
        let oldest = waiting.overdue_since.into_iter().chain(under_way_since).min();
        scrape.add(&names::REDIS_QUEUE_DEPTH, &[], (waiting.count + under_way) as u64);
        scrape.add(&names::REDIS_LAG, &[], oldest.map_or(0, seconds_since));
        let known_until = self.counters.caught_up_at().unwrap_or(self.started_at);
        scrape.add(&names::REDIS_BEHIND, &[], seconds_since(known_until));
        scrape.add(&names::REDIS_CONNECTED, &[], self.counters.is_connected().into());
        scrape.add(&names::REDIS_CURRENT, &[], self.counters.is_current().into());
        for (direction, count) in [("published", &self.counters.published), ("learned", &self.counters.learned)] {
            scrape.add(&names::REDIS_SECTIONS, &[direction], count.get());
        }
        for (kind, count) in [
            ("refused", &self.counters.failed),
            ("disconnect", &self.counters.disconnects),
            ("garbage", &self.counters.garbage),
            ("newer", &self.counters.newer),
        ] {
            scrape.add(&names::REDIS_ERRORS, &[kind], count.get());
        }
        scrape.add(&names::REDIS_LOOK_UPS, &[], self.counters.looked_up.get());
        scrape.add(&names::NODES, &[], self.counters.nodes() as u64);
        scrape.add(&names::REDIS_RECONCILIATIONS, &[], self.counters.reconciled.get());
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.task.abort();
    }
}
