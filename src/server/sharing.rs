//! Sharing registrations with other nodes: what the cluster floor needs of this node, and its numbers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ringway_cluster::{Address, Counters, Sharer, World, node_number};
use ringway_directory::{Snapshot, TenantId};
use ringway_edge::Location;
use ringway_net::Clock;
use ringway_sip::Wall;
use ringway_telemetry::{Scrape, names};
use tokio::task::JoinHandle;

/// A node that shares, as the rest of it sees that.
#[derive(Debug)]
pub(crate) struct Sharing {
    counters: Arc<Counters>,
    location: Arc<Location>,
    clock: Clock,
    task: JoinHandle<()>,
}

struct Around {
    directory: Arc<ArcSwap<Snapshot>>,
    clock: Clock,
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
}

/// An empty location: of a node that shares when there is an address of Redis.
pub(crate) fn location(redis: Option<&Address>, node: &str) -> Location {
    match redis {
        Some(_) => Location::shared(rand::random(), node_number(node)),
        None => Location::new(rand::random()),
    }
}

impl Sharing {
    /// Begins to share.
    pub(crate) fn start(
        address: &Address,
        node: &str,
        location: &Arc<Location>,
        directory: &Arc<ArcSwap<Snapshot>>,
        clock: Clock,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let sharer = Sharer {
            address: address.clone(),
            here: node_number(node),
            location: Arc::clone(location),
            world: Arc::new(Around { directory: Arc::clone(directory), clock }),
            counters: Arc::clone(&counters),
        };
        let task = tokio::spawn(sharer.run());
        Self { counters, location: Arc::clone(location), clock, task }
    }

    /// Adds its numbers.
    pub(crate) fn report(&self, scrape: &mut Scrape) {
        let now = self.clock.now().wall;
        let waiting = self.location.unpublished(now);
        let lag = waiting.overdue_since.map_or(0, |since| now.as_millis().saturating_sub(since) / 1000);
        scrape.add(&names::REDIS_QUEUE_DEPTH, &[], waiting.count as u64);
        scrape.add(&names::REDIS_LAG, &[], lag);
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
        scrape.add(&names::REDIS_RECONCILIATIONS, &[], self.counters.reconciled.get());
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        self.task.abort();
    }
}
