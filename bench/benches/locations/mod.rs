//! Three stores of the same bindings.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::{TenantId, WhenFull};
use ringway_edge::Location;
use ringway_edge::location::{Aor, Binding, Contacts, Limits, Update, pack, unpack};
use ringway_sip::{Flow, ListenerId, Transport, Wall};

const NOW: Wall = Wall::from_seconds(1_800_000_000);
const SECONDS: u32 = 1_800_000_000;
const LIMITS: Limits = Limits { phones: 3, apps: 5, total: 10, when_full: WhenFull::Reject };
/// Extensions a tenant.
const TENANT: u32 = 100;

/// What is measured of a store.
pub trait Store: Sized {
    /// With nothing in it.
    fn empty() -> Self;

    /// Looks one address-of-record up and reads its bindings.
    fn lookup(&self, aor: u32);
    /// Registers its contact again; the CSeq grows with each.
    fn refresh(&self, aor: u32, cseq: u32);
}

/// The texts of one phone.
struct Text {
    number: [u8; 7],
    uri: [u8; 39],
}

impl Text {
    const fn new() -> Self {
        Self { number: [0; 7], uri: *b"sip:0000000@10.1.2.3:5060;transport=udp" }
    }

    fn write(&mut self, aor: u32) {
        let mut rest = 1_000_000 + aor / TENANT;
        for digit in self.number.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.uri[4..11].copy_from_slice(&self.number);
    }
}

fn tenant(aor: u32) -> TenantId {
    TenantId(aor % TENANT + 1)
}

fn binding<'a>(uri: &'a [u8], aor: u32, cseq: u32) -> Binding<'a> {
    Binding {
        uri,
        parameters: b"",
        path: b"",
        user_agent: b"Bench phone 1.0",
        q: None,
        registered_at: SECONDS,
        expires_at: SECONDS + 3600,
        cseq,
        call_id: u64::from(aor),
        flow: Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: ([192, 0, 2, 1], 5060).into(),
            remote: (std::net::Ipv4Addr::from(10 << 24 | aor), 5060).into(),
            connection: None,
        },
        is_natted: false,
        is_connection_lost: false,
        instance: None,
        reg_id: None,
        has_push_token: false,
        pulse: None,
        home: None,
        came_with_others: false,
        is_removed: false,
    }
}

thread_local! {
    static SCRATCH: RefCell<(Text, Vec<u8>)> = const { RefCell::new((Text::new(), Vec::new())) };
}

/// Gives a phone's text and a buffer that is used again.
fn with_scratch<R>(aor: u32, work: impl FnOnce(&Text, &mut Vec<u8>) -> R) -> R {
    SCRATCH.with_borrow_mut(|(text, record)| {
        text.write(aor);
        record.clear();
        work(text, record)
    })
}

/// The location service.
pub struct Ringway(Location);

impl Store for Ringway {
    fn empty() -> Self {
        Self(Location::new(7))
    }

    fn lookup(&self, aor: u32) {
        with_scratch(aor, |text, _| {
            self.0.lookup(NOW, &Aor { tenant: tenant(aor), number: &text.number }, |binding| {
                black_box(binding);
            });
        });
    }

    fn refresh(&self, aor: u32, cseq: u32) {
        with_scratch(aor, |text, record| {
            let contacts = [binding(&text.uri, aor, cseq)];
            let contacts = Contacts::Some(&contacts);
            let update = Update { call_id: u64::from(aor), cseq, contacts, limits: LIMITS };
            let aor = Aor { tenant: tenant(aor), number: &text.number };
            let saved = self.0.save(NOW, &aor, &update, record, &mut Vec::new());
            assert!(saved.is_ok(), "{saved:?}");
        });
    }
}

/// The key of the maps: short enough not to need the heap, which favours them.
type Key = (TenantId, [u8; 7]);

fn show(record: &[u8]) {
    for binding in unpack(record).unwrap_or_default() {
        black_box(binding);
    }
}

/// Packs the new state where the old one was.
fn replace(record: &mut Vec<u8>, uri: &[u8], aor: u32, cseq: u32) {
    black_box(unpack(record).unwrap_or_default());
    record.clear();
    pack(&[binding(uri, aor, cseq)], record);
}

/// `dashmap`, with as many shards as the location has stripes.
pub struct Dashmap(DashMap<Key, Vec<u8>, FixedState>);

impl Store for Dashmap {
    fn empty() -> Self {
        let hasher = FixedState::with_seed(7);
        Self(DashMap::with_capacity_and_hasher_and_shard_amount(0, hasher, Location::STRIPES))
    }

    fn lookup(&self, aor: u32) {
        with_scratch(aor, |text, _| {
            if let Some(record) = self.0.get(&(tenant(aor), text.number)) {
                show(&record);
            }
        });
    }

    fn refresh(&self, aor: u32, cseq: u32) {
        with_scratch(aor, |text, _| {
            let mut record = self.0.entry((tenant(aor), text.number)).or_default();
            replace(&mut record, &text.uri, aor, cseq);
        });
    }
}

/// The standard library's map, owned by one thread.
pub struct StdMap(RefCell<HashMap<Key, Vec<u8>, FixedState>>);

impl Store for StdMap {
    fn empty() -> Self {
        Self(RefCell::new(HashMap::with_hasher(FixedState::with_seed(7))))
    }

    fn lookup(&self, aor: u32) {
        with_scratch(aor, |text, _| {
            if let Some(record) = self.0.borrow().get(&(tenant(aor), text.number)) {
                show(record);
            }
        });
    }

    fn refresh(&self, aor: u32, cseq: u32) {
        with_scratch(aor, |text, _| {
            let mut records = self.0.borrow_mut();
            replace(records.entry((tenant(aor), text.number)).or_default(), &text.uri, aor, cseq);
        });
    }
}
