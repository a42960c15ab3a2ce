//! Between the journal, which knows keys and blobs, and the location, which knows tenants and bindings.
//!
//! A key is the tenant's main domain, a NUL, and the number: a tenant's number in the database may differ on another
//! node or after a restore, its domain does not.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringway_directory::Snapshot;
use ringway_edge::Location;
use ringway_edge::location::{Aor, pack};
use ringway_edge::settings::Listener;
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
    listeners: &[Listener],
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
        if location.restore(now.wall, listeners, &aor, record.version, record.blob).is_err() {
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
        let (mut key, mut own) = (Vec::new(), Vec::new());
        self.location.visit(self.clock.now().wall, chunk, |aor, version, bindings, record| {
            let Some(tenant) = directory.tenant(aor.tenant) else { return };
            // What other nodes have is theirs to keep.
            let ours = || bindings.iter().filter(|binding| binding.home.is_none());
            let Some(expires) = ours().map(|binding| binding.expires_at).max() else { return };
            let blob = if ours().count() == bindings.len() {
                record
            } else {
                own.clear();
                pack(&ours().copied().collect::<Vec<_>>(), &mut own);
                &own
            };
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
    use ringway_directory::{Acknowledge, Budgets, MediaPolicy, Tenant, TenantId, WhenFull};
    use ringway_edge::location::Binding;
    use ringway_sip::Wall;

    use super::*;

    /// In the year 2100, so that nothing here expires by the real clock.
    const NOW: u64 = 4_102_444_800;

    fn now() -> Now {
        Now { wall: Wall::from_seconds(NOW), ..Now::default() }
    }

    fn directory() -> Snapshot {
        let tenant = Tenant {
            id: TenantId(7),
            domain: "acme.example".into(),
            aliases: Box::default(),
            name: "Acme".into(),
            trust: Box::default(),
            max_extensions: None,
            max_calls: None,
            budgets: Budgets::default(),
            when_full: WhenFull::Reject,
            media: MediaPolicy::Auto,
            max_media: None,
            max_call_seconds: None,
            acknowledge: Acknowledge::Memory,
            enabled: true,
            auth_name_equals_number: false,
        };
        let mut edit = Snapshot::empty().edit();
        edit.put_tenant(tenant);
        edit.finish()
    }

    fn listeners() -> [Listener; 1] {
        [Listener { transport: ringway_sip::Transport::Udp, bound: "192.0.2.1:5060".parse().unwrap(), advertise: None }]
    }

    fn record() -> Vec<u8> {
        let remote = "192.0.2.9:5060".parse().unwrap();
        let binding = Binding {
            uri: b"sip:101@192.0.2.9",
            parameters: b"",
            path: b"",
            user_agent: b"phone",
            q: None,
            registered_at: NOW as u32,
            expires_at: NOW as u32 + 300,
            cseq: 1,
            call_id: 2,
            flow: ringway_sip::Flow::udp(ringway_sip::ListenerId(0), "192.0.2.1:5060".parse().unwrap(), remote),
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
        let mut packed = Vec::new();
        pack(&[binding], &mut packed);
        packed
    }

    fn write(folder: &Path, keys: &[&[u8]], blob: &[u8]) {
        let (journal, _) = Journal::open(folder, Options::default(), NOW as u32, |_| {}).unwrap();
        let mut writer = journal.writer(0);
        for key in keys {
            writer.push(Record { key, version: 5, expires: NOW as u32 + 300, blob }).unwrap();
        }
        writer.commit().unwrap();
        journal.shutdown().unwrap();
    }

    #[test]
    fn what_was_registered_before_a_restart_is_in_its_place_after_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[b"acme.example\x00101"], &record());
        let (directory, location) = (directory(), Location::new(1));
        let (_journal, restored) =
            restore(folder.path(), Options::default(), now(), &directory, &listeners(), &location).unwrap();
        assert_eq!((restored.replay.records, restored.of_no_tenant, restored.unreadable), (1, 0, 0));

        let mut found = Vec::new();
        let aor = Aor { tenant: TenantId(7), number: b"101" };
        location.lookup(now().wall, &aor, |binding| found.push((binding.uri.to_vec(), binding.expires_at)));
        assert_eq!(found, [(b"sip:101@192.0.2.9".to_vec(), NOW as u32 + 300)]);
    }

    #[test]
    fn a_record_without_its_tenant_or_without_sense_is_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[b"gone.example\x00101", b"no separator"], &record());
        write(folder.path(), &[b"acme.example\x00102"], b"\xffgarbage");
        let location = Location::new(1);
        let (_journal, restored) =
            restore(folder.path(), Options::default(), now(), &directory(), &listeners(), &location).unwrap();
        assert_eq!((restored.replay.records, restored.of_no_tenant, restored.unreadable), (3, 1, 2));
    }

    #[test]
    fn a_compaction_sees_every_live_binding_under_the_key_that_it_is_restored_by() {
        let location = Arc::new(Location::new(1));
        let packed = record();
        let aor = Aor { tenant: TenantId(7), number: b"101" };
        location.restore(now().wall, &listeners(), &aor, 5, &packed).unwrap();
        let directory = Arc::new(ArcSwap::from_pointee(directory()));
        let live = LiveBindings::new(Arc::clone(&location), directory, Clock::start());
        let mut seen = Vec::new();
        for chunk in 0..live.chunks() {
            live.visit(chunk, &mut |record| seen.push((record.key.to_vec(), record.version, record.blob.to_vec())));
        }
        assert_eq!(seen, [(b"acme.example\x00101".to_vec(), 5, packed)]);
    }

    #[test]
    fn a_key_is_the_domain_and_the_number() {
        assert_eq!(split(b"acme.example\x00101"), Some((&b"acme.example"[..], &b"101"[..])));
        assert_eq!(split(b"acme.example"), None);
    }
}
