//! Between the journal, which knows keys and blobs, and the location, which knows tenants and bindings.
//!
//! A key is the tenant's main domain, a NUL, and the number: a tenant's number in the database may differ on another
//! node or after a restore, its domain does not.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringway_directory::Snapshot;
use ringway_edge::Location;
use ringway_edge::location::Aor;
use ringway_net::Clock;
use ringway_sip::Now;
use ringway_store::journal::{Journal, JournalError, Options, Record, Replay, Source};

/// The separator of a key's two parts; no domain holds it.
const SEPARATOR: u8 = 0;

/// What came back from the journal.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    /// What the journal found in its files.
    pub(crate) replay: Replay,
    /// Records whose tenant is no longer there.
    pub(crate) of_no_tenant: u64,
    /// Records that can't be read.
    pub(crate) unreadable: u64,
}

/// Opens the journal and puts every binding that lives back in its place.
///
/// # Errors
/// When a file of the journal can't be read or repaired.
pub(crate) fn restore(
    directory: &Path,
    options: Options,
    now: Now,
    snapshot: &Snapshot,
    location: &Location,
) -> Result<(Journal, Restored), JournalError> {
    let mut restored = Restored::default();
    let seconds = u32::try_from(now.wall.as_seconds()).unwrap_or(u32::MAX);
    let (journal, replay) = Journal::open(directory, options, seconds, |record| {
        let Some((domain, number)) = split(record.key) else {
            restored.unreadable += 1;
            return;
        };
        let Some(tenant) = snapshot.tenant_by_host(domain) else {
            restored.of_no_tenant += 1;
            return;
        };
        let aor = Aor { tenant: tenant.id, number };
        if location.restore(now.wall, &aor, record.version, record.blob).is_err() {
            restored.unreadable += 1;
        }
    })?;
    restored.replay = replay;
    Ok((journal, restored))
}

fn split(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = key.iter().position(|byte| *byte == SEPARATOR)?;
    Some((&key[..at], &key[at + 1..]))
}

/// The location, as the journal's compaction reads it.
pub(crate) struct LiveBindings {
    location: Arc<Location>,
    directory: Arc<ArcSwap<Snapshot>>,
    clock: Clock,
}

impl LiveBindings {
    /// The bindings of `location`, with the domains that `directory` has at the time.
    pub(crate) fn new(location: Arc<Location>, directory: Arc<ArcSwap<Snapshot>>, clock: Clock) -> Self {
        Self { location, directory, clock }
    }
}

impl Source for LiveBindings {
    fn chunks(&self) -> usize {
        Location::STRIPES
    }

    fn visit(&self, chunk: usize, each: &mut dyn FnMut(Record<'_>)) {
        let directory = self.directory.load();
        let mut key = Vec::new();
        self.location.visit(self.clock.now().wall, chunk, |aor, version, expires, blob| {
            let Some(tenant) = directory.tenant(aor.tenant) else { return };
            key.clear();
            key.extend_from_slice(tenant.domain.as_bytes());
            key.push(SEPARATOR);
            key.extend_from_slice(aor.number);
            each(Record { key: &key, version, expires, blob });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_domain_and_the_number() {
        assert_eq!(split(b"acme.example\x00101"), Some((&b"acme.example"[..], &b"101"[..])));
        assert_eq!(split(b"acme.example"), None);
    }
}
