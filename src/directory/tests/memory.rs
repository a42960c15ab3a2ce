//! What a snapshot costs: bytes an extension, and nothing at all for a lookup.
//!
//! `cargo test --release -p ringway-directory --test memory -- --ignored --nocapture` measures a million extensions.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringway_directory::{Acknowledge, Budgets, Extension, Hashes, MediaPolicy, Snapshot, Tenant, TenantId, WhenFull};

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The counters are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(cost(layout), Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(cost(layout), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What glibc's malloc takes for a layout: eight bytes more, in steps of sixteen, at least 32.
fn cost(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16).max(32)
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_extension_costs_a_few_hundred_bytes_and_a_lookup_allocates_nothing() {
    measure(100_000, 400);
}

#[test]
#[ignore = "a million extensions take a while without optimisation"]
fn a_million_extensions_cost_a_few_hundred_bytes_each() {
    measure(1_000_000, 350);
}

fn measure(count: u32, most: usize) {
    let _alone = ALONE.lock().unwrap();
    let before = BYTES.load(Ordering::Relaxed);
    let snapshot = snapshot(count);
    let each = (BYTES.load(Ordering::Relaxed) - before) / count as usize;
    println!("{count} extensions with MD5 and SHA-256 hashes: {each} bytes each");
    assert!(each <= most, "{each} bytes an extension");

    let allocations = ALLOCATIONS.load(Ordering::Relaxed);
    let mut found = 0;
    for number in [&b"10000001"[..], b"10000002", b"10099999", b"99"] {
        let tenant = snapshot.tenant_by_host(b"ACME.Example.").map(|tenant| tenant.id).unwrap_or_default();
        found += usize::from(snapshot.extension(tenant, number).is_some());
        found += usize::from(snapshot.extension_by_auth_name(tenant, number).is_some());
    }
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
    assert_eq!((found, allocated), (6, 0));
}

fn snapshot(count: u32) -> Snapshot {
    let tenant = TenantId(1);
    let mut edit = Snapshot::with_seed(1).edit();
    edit.put_tenant(Tenant {
        id: tenant,
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
    });
    for number in 0..count {
        let number = format!("1{number:07}");
        edit.put_extension(
            tenant,
            Extension {
                auth_name: number.as_str().into(),
                display_name: format!("Extension {number}").into(),
                number: number.into(),
                enabled: true,
                max_phones: 3,
                max_apps: 5,
                hashes: Hashes { md5: Some([1; 16]), sha256: Some(Box::new([2; 32])), sha512_256: None },
            },
        );
    }
    edit.finish()
}
