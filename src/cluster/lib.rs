//! Registrations that several nodes share by Redis.
//!
//! Memory is what a node decides by, and no phone ever waits for Redis. What a node's phones register is published a moment
//! later; what other nodes publish is followed, and learned into the same memory. When something was missed, for Redis was
//! away, was restarted empty, failed over or has trimmed a stream, everything is compared and set right, both ways.
//!
//! See `blob` for what lies in Redis, `keys` for where, and `ringway_edge::location` for what holds when nodes disagree.

mod address;
pub mod blob;
mod changes;
mod counters;
mod keys;
mod lookups;
mod presence;
mod publish;
mod recent;
mod reconcile;
mod store;
mod wire;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use ringway_edge::Location;
use ringway_edge::location::{NodeNumber, TenantId};
use ringway_edge::settings::Listener;
use ringway_sip::Wall;
use tokio::sync::Mutex;

pub use address::Address;
pub use counters::{Count, Counters};
pub use presence::{Beat, Presence};

use changes::Positions;
use presence::Others;
use recent::{Last, Recent};
use store::Store;

/// How long a node waits before it tries to connect again: twice as long after each failure, up to the most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the rest of the node supplies.
pub trait World: Send + Sync + 'static {
    /// The main domain of a tenant.
    fn domain(&self, tenant: TenantId) -> Option<Box<str>>;
    /// The tenant whose main domain this is.
    fn tenant(&self, domain: &str) -> Option<TenantId>;
    /// The time.
    fn now(&self) -> Wall;
    /// Another node has fallen silent. It may be dead, or not reach Redis.
    fn node_is_silent(&self, address: SocketAddr);
    /// Another node has been silent for so long that nothing comes any more of what it was sent.
    fn node_is_gone(&self, address: SocketAddr);
    /// A section of this version is in Redis.
    fn published(&self, tenant: TenantId, number: &[u8], version: u64);
    /// This node's bindings of a number have given way to another node's.
    fn gave_way(&self, tenant: TenantId, number: &[u8]);
    /// This node's listeners.
    fn listeners(&self) -> &[Listener];
    /// What others have of a number that was asked for is in the location now, if they have any.
    fn looked_up(&self, tenant: TenantId, number: &[u8]);
}

/// A node that shares.
pub struct Sharer {
    /// Where Redis is.
    pub address: Address,
    /// This node's number.
    pub here: NodeNumber,
    /// What others are to know of it.
    pub presence: Presence,
    /// Its bindings.
    pub location: Arc<Location>,
    /// Everything else.
    pub world: Arc<dyn World>,
    /// What is counted.
    pub counters: Arc<Counters>,
}

impl std::fmt::Debug for Sharer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Sharer({:?} at {})", self.here, self.address)
    }
}

/// The number of the node with this name: the same on all nodes.
pub fn node_number(name: &str) -> NodeNumber {
    use std::hash::Hasher as _;
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(name.as_bytes());
    NodeNumber(hasher.finish() as u32)
}

impl Sharer {
    /// Shares for ever. When Redis can't be reached it tries again, and again.
    pub async fn run(self) {
        let (mut positions, recent) = (Positions::default(), Recent::default());
        let mut others = Others::default();
        let turn = Arc::new(Mutex::new(()));
        let mut pause = FIRST_PAUSE;
        let mut was_told = false;
        // More than one is built in, and redis asks for the one of the process. Another may have been chosen before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // Who is called in the first moment is asked for as soon as there is a connection.
        self.location.set_cold(true);
        loop {
            match Store::connect(&self.address).await {
                Ok(store) => {
                    tracing::info!(redis = %self.address, "connected to Redis");
                    (pause, was_told) = (FIRST_PAUSE, false);
                    self.counters.set_connected(true);
                    let error = self.session(store, &mut positions, &recent, &mut others, &turn).await;
                    self.counters.set_connected(false);
                    self.counters.set_current(false);
                    self.counters.disconnects.add(1);
                    self.end_look_ups();
                    tracing::warn!(
                        redis = %self.address,
                        %error,
                        "Redis is lost. Phones go on registering; other nodes hear of it when Redis is back"
                    );
                }
                Err(error) if !was_told => {
                    was_told = true;
                    self.end_look_ups();
                    tracing::error!(
                        redis = %self.address,
                        %error,
                        "Redis can't be reached (redis.url); it is tried again. Until then this node knows its own phones only"
                    );
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, until it fails.
    async fn session(
        &self,
        store: Store,
        positions: &mut Positions,
        recent: &Recent,
        others: &mut Others,
        turn: &Arc<Mutex<()>>,
    ) -> RedisError {
        let mut last = recent.take();
        let follow = async {
            let mut store = store.clone();
            self.make_good(&mut store, positions, last.as_mut()).await?;
            last = Some(Last::default());
            self.follow(&mut store, positions).await
        };
        let publish = self.publish(store.clone(), recent, turn);
        let beat = self.beat(others);
        let look_up = self.look_up(store.clone());
        let error = match tokio::try_join!(follow, publish, beat, look_up) {
            Err(error) => error,
            Ok((never, ..)) => match never {},
        };
        // Whatever was published last and was not looked at is to be still.
        recent.put_back(tokio::time::Instant::now(), last);
        error
    }
}
