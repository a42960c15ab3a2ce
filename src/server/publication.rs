//! From the database into force: a change is done when every shard judges by it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ringway_api::Registration;
use ringway_directory::{HashSecret, Hashes, Snapshot};
use ringway_edge::Settings;
use ringway_sip::digest::{Algorithm, ha1};
use ringway_store::directory::{Directory, Error};
use tokio::io::AsyncRead;
use tokio::sync::Mutex;

use crate::control::protocol::RegistrationRow;
use crate::control::{Event, Request};
use crate::operations::{self, Events};
use crate::registrations::Registrations;
use crate::settings::look_at_default_tenant;
use crate::shard::Mail;
use crate::shards::Shards;

/// How long a shard may take until it judges by a new snapshot. It does so between two batches.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database, and the snapshot of it that is in force.
pub(crate) struct Publication {
    directory: Directory,
    shards: Shards,
    in_force: Arc<ArcSwap<Snapshot>>,
    // Held over a whole publication, so that no older snapshot follows a newer one.
    hasher: Mutex<Hasher>,
    registrations: Registrations,
}

/// Loads all tenants and extensions.
///
/// # Errors
/// When the database can't be read.
pub(crate) async fn load(directory: &Directory, hasher: &Hasher) -> Result<Arc<Snapshot>, Error> {
    directory.load_snapshot(rand::random(), hasher).await.map(Arc::new)
}

impl Publication {
    /// A publication of what these shards have started with: the snapshot in `in_force`, made by `hasher`.
    pub(crate) fn new(
        directory: Directory,
        shards: Shards,
        in_force: Arc<ArcSwap<Snapshot>>,
        hasher: Hasher,
        registrations: Registrations,
    ) -> Self {
        Self { directory, shards, in_force, hasher: Mutex::new(hasher), registrations }
    }

    /// Warns in the log when the default tenant of these settings is none.
    pub(crate) fn look_at_default_tenant(&self, settings: &Settings) {
        look_at_default_tenant(settings, &self.in_force.load());
    }

    /// Does what a command asks, and brings it into force.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn execute(
        &self,
        request: Request,
        file: &mut (impl AsyncRead + Unpin),
        events: &Events,
    ) -> Result<(), String> {
        if let Request::ExtensionRegistrations { tenant, number } = &request {
            for row in self.registrations.of(&self.in_force.load(), tenant, number.as_deref())? {
                let _ = events.send(Event::Registration(row)).await;
            }
            return Ok(());
        }
        operations::execute(&self.directory, request, file, events).await?;
        self.publish().await
    }

    /// Brings whatever was committed since the last time into force.
    ///
    /// # Errors
    /// When the database can't be read, or a shard does not answer.
    pub(crate) async fn publish(&self) -> Result<(), String> {
        let hasher = self.hasher.lock().await;
        let in_force = self.in_force.load_full();
        let snapshot = self.directory.refresh_snapshot(&in_force, &*hasher).await;
        let snapshot = snapshot.map_err(|error| format!("it is stored, and not in force yet: {error}"))?;
        if snapshot.version() == in_force.version() {
            return Ok(());
        }
        self.hand_out(Arc::new(snapshot)).await
    }

    /// The database.
    pub(crate) fn directory(&self) -> Directory {
        self.directory.clone()
    }

    /// The devices of an extension that are registered now.
    pub(crate) fn registered(&self, domain: &str, number: &str) -> Vec<Registration> {
        // One that was removed this moment has none.
        let rows = self.registrations.of(&self.in_force.load(), domain, Some(number)).unwrap_or_default();
        let shown = |row: RegistrationRow| Registration {
            id: format!("{:016x}", row.mark),
            node: row.node.map(|node| format!("{node:08x}")),
            kind: if row.is_app { "app" } else { "phone" }.to_owned(),
            has_push_token: row.has_push_token,
            is_secure: matches!(row.transport.as_str(), "tls" | "wss"),
            unanswered_pings: row.unanswered_pings,
            source: format!("{}:{}", bracketed(&row.source), row.port),
            contact: row.contact,
            user_agent: row.user_agent,
            transport: row.transport,
            reached_by: row.reached_by,
            registered_at: row.registered_at,
            expires_at: row.expires_at,
            is_natted: row.is_natted,
            last_ping: row.last_ping,
            round_trip_ms: row.round_trip_ms,
        };
        rows.into_iter().map(shown).collect()
    }

    /// The extensions of a tenant that have devices registered now.
    pub(crate) fn registered_numbers(&self, domain: &str) -> BTreeSet<String> {
        let rows = self.registrations.of(&self.in_force.load(), domain, None).unwrap_or_default();
        rows.into_iter().map(|row| row.number).collect()
    }

    /// Makes the hashes of other algorithms, when those that are offered have changed.
    ///
    /// # Errors
    /// When the database can't be read, or a shard does not answer.
    pub(crate) async fn offer(&self, algorithms: &[Algorithm]) -> Result<(), String> {
        let mut hasher = self.hasher.lock().await;
        if *hasher.algorithms == *algorithms {
            return Ok(());
        }
        let other = Hasher::new(algorithms);
        let snapshot = load(&self.directory, &other).await.map_err(|error| error.to_string())?;
        *hasher = other;
        self.hand_out(snapshot).await
    }

    /// Writes everything to the disk.
    pub(crate) async fn close(&self) {
        self.directory.close().await;
    }

    async fn hand_out(&self, snapshot: Arc<Snapshot>) -> Result<(), String> {
        // Before the shards have it: they may save a binding of a new tenant at once, and a compaction must know it.
        self.in_force.store(Arc::clone(&snapshot));
        let taken = self.shards.ask(|taken| Mail::Directory(Arc::clone(&snapshot), taken), PATIENCE).await;
        tracing::debug!(version = snapshot.version(), "the directory has changed");
        if taken.iter().all(Option::is_some) {
            Ok(())
        } else {
            Err("it is stored, but not every shard has taken it over yet; the log says why".to_owned())
        }
    }
}

/// An IPv6 address in brackets, as it stands before a port.
fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Makes the hashes of the algorithms that are offered.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    algorithms: Box<[Algorithm]>,
}

impl Hasher {
    pub(crate) fn new(algorithms: &[Algorithm]) -> Self {
        Self { algorithms: algorithms.into() }
    }
}

impl HashSecret for Hasher {
    fn hash_secret(&self, auth_name: &str, realm: &str, password: &str) -> Hashes {
        let mut hashes = Hashes::default();
        for algorithm in &self.algorithms {
            let hash = ha1(*algorithm, auth_name.as_bytes(), realm.as_bytes(), password.as_bytes());
            match algorithm {
                Algorithm::Md5 => hashes.md5 = hash.as_bytes().try_into().ok(),
                Algorithm::Sha256 => hashes.sha256 = hash.as_bytes().try_into().ok().map(Box::new),
                Algorithm::Sha512_256 => hashes.sha512_256 = hash.as_bytes().try_into().ok().map(Box::new),
            }
        }
        hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_algorithm_has_its_hash_and_no_other() {
        let hashes = Hasher::new(&[Algorithm::Sha256, Algorithm::Md5]).hash_secret(
            "Mufasa",
            "http-auth@example.org",
            "Circle of Life",
        );
        // RFC 7616 section 3.9.1 gives the responses; the MD5 HA1 behind them is this.
        let md5 = hashes.md5.unwrap().map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(md5, "3d78807defe7de2157e2b0b6573a855f");
        assert!(hashes.sha256.is_some());
        assert!(hashes.sha512_256.is_none());
    }
}
