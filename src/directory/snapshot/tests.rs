use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::Snapshot;
use super::ahead::Stretch;
use super::buckets::{Branch, Bucket, Buckets, FAN_OUT, Slot, Tag, position_of};
use crate::{Acknowledge, Extension, Hashes, MediaPolicy, Tenant, TenantId, WhenFull};

const ACME: TenantId = TenantId(1);
const GLOBEX: TenantId = TenantId(2);

#[test]
fn an_empty_snapshot_knows_nobody() {
    let snapshot = Snapshot::empty();
    assert_eq!(snapshot.version(), 0);
    assert_eq!(snapshot.tenants().count(), 0);
    assert_eq!(snapshot.tenant_by_host(b"acme.example"), None);
    assert_eq!(snapshot.extension(ACME, b"101"), None);
    assert_eq!(snapshot.extension_count(ACME), 0);
}

#[test]
fn a_tenant_is_found_by_domain_and_alias_in_any_case_and_with_the_dot_of_the_root() {
    let snapshot = two_tenants();
    for host in ["acme.example", "ACME.example", "acme.example.", "Phones.Acme.Example", "phones.acme.example."] {
        assert_eq!(snapshot.tenant_by_host(host.as_bytes()).map(|tenant| tenant.id), Some(ACME), "{host}");
    }
    for host in ["", ".", "acme.example..", "example", "acme", "192.0.2.1", "acme.example\0"] {
        assert_eq!(snapshot.tenant_by_host(host.as_bytes()), None, "{host:?}");
    }
    assert_eq!(snapshot.tenant_by_host(&[b'a'; 70_000]), None);
    assert_eq!(snapshot.tenant_by_host(b"globex.example").map(|tenant| tenant.id), Some(GLOBEX));
}

#[test]
fn a_tenant_is_found_by_its_mark_whatever_its_number_is_as_long_as_that_is_its_main_domain() {
    let marked = |snapshot: &Snapshot, mark| snapshot.tenant_by_mark(mark).map(|tenant| tenant.id);
    let snapshot = two_tenants();
    let acme = snapshot.tenant(ACME).unwrap();
    let (mark, other) = (acme.mark(), snapshot.tenant(GLOBEX).unwrap().mark());
    assert_eq!((marked(&snapshot, mark), marked(&snapshot, other)), (Some(ACME), Some(GLOBEX)));
    assert_eq!(marked(&snapshot, mark ^ 1), None);
    // The mark goes from node to node and from version to version.
    assert_eq!(mark, 15_790_341_371_185_811_683);
    let mut edit = snapshot.edit();
    edit.remove_tenant(ACME);
    edit.put_tenant(Tenant { id: TenantId(77), ..(**acme).clone() });
    let imported = edit.finish();
    assert_eq!(marked(&imported, mark), Some(TenantId(77)));
    let mut edit = imported.edit();
    edit.put_tenant(Tenant { id: TenantId(77), domain: "acme.test".into(), ..(**acme).clone() });
    let renamed = edit.finish();
    assert_eq!(marked(&renamed, mark), None);
    let mut edit = renamed.edit();
    edit.remove_tenant(TenantId(77));
    assert_eq!(marked(&edit.finish(), renamed.tenant(TenantId(77)).unwrap().mark()), None);
}

#[test]
fn the_same_number_in_two_tenants_is_two_extensions() {
    let mut edit = two_tenants().edit();
    assert!(edit.put_extension(ACME, extension("101", "alice")));
    assert!(edit.put_extension(GLOBEX, extension("101", "bob")));
    let snapshot = edit.finish();
    assert_eq!(auth_name(&snapshot, ACME, "101"), Some("alice".to_owned()));
    assert_eq!(auth_name(&snapshot, GLOBEX, "101"), Some("bob".to_owned()));
    assert_eq!(number(&snapshot, ACME, "alice"), Some("101".to_owned()));
    assert_eq!(number(&snapshot, ACME, "bob"), None);
    assert_eq!(number(&snapshot, ACME, "Alice"), None);
    assert_eq!((snapshot.extension_count(ACME), snapshot.extension_count(GLOBEX)), (1, 1));
}

#[test]
fn a_search_ahead_ends_at_what_is_found() {
    let mut edit = two_tenants().edit();
    for number in 0..2000 {
        edit.put_extension(ACME, extension(&format!("{number}"), &format!("phone-{number}")));
    }
    let snapshot = edit.finish();
    for number in 0..2000 {
        let found = snapshot.extension(ACME, format!("{number}").as_bytes()).unwrap();
        let by_number = snapshot.ahead_of_extension(ACME, format!("{number}").as_bytes());
        assert_eq!(by_number.last().map(|last| last.begin), Some(Arc::as_ptr(found).cast()));
    }
    let acme = snapshot.tenant(ACME).unwrap();
    assert!(snapshot.ahead_of_tenant(b"ACME.example").any(|step| step.begin == Arc::as_ptr(acme).cast()));
    assert!(Snapshot::empty().ahead_of_extension(ACME, b"1").next().is_none());
    assert!(snapshot.ahead_of_tenant(&[b'a'; 1000]).count() <= 6, "what is no host leads nowhere, in few steps");
}

#[derive(Clone)]
struct Tagged(Tag);

impl Slot for Tagged {
    fn tag(&self) -> Tag {
        self.0
    }

    fn reads(&self, _: usize) -> Option<Stretch> {
        None
    }
}

proptest! {
    #[test]
    fn tags_are_found_however_they_are_spread(
        mut tags in prop::collection::vec(prop_oneof![0..9_u64, any::<u32>().prop_map(u64::from)], 0..40),
        other in any::<u32>(),
    ) {
        tags.sort_unstable();
        let bucket: Bucket<Tagged> = tags.iter().map(|tag| Tagged(Tag::of(*tag))).collect();
        for tag in tags.iter().copied().chain([0, u64::from(other), u64::from(u32::MAX)]) {
            prop_assert_eq!(position_of(&bucket, Tag::of(tag)), tags.partition_point(|other| *other < tag));
        }
    }
}

#[test]
fn an_extension_of_an_unknown_tenant_is_not_taken() {
    let mut edit = two_tenants().edit();
    assert!(!edit.put_extension(TenantId(9), extension("101", "alice")));
    let snapshot = edit.finish();
    assert_eq!(snapshot.extension(TenantId(9), b"101"), None);
    assert_eq!(snapshot.extension_count(TenantId(9)), 0);
}

#[test]
fn a_changed_auth_name_leaves_the_old_one_free() {
    let mut edit = two_tenants().edit();
    edit.put_extension(ACME, extension("101", "alice"));
    edit.put_extension(ACME, extension("101", "alicia"));
    let snapshot = edit.finish();
    assert_eq!(number(&snapshot, ACME, "alice"), None);
    assert_eq!(number(&snapshot, ACME, "alicia"), Some("101".to_owned()));
    assert_eq!(snapshot.extension_count(ACME), 1);
}

#[test]
fn two_extensions_that_swap_auth_names_keep_both() {
    let mut edit = two_tenants().edit();
    edit.put_extension(ACME, extension("101", "alice"));
    edit.put_extension(ACME, extension("102", "bob"));
    edit.put_extension(ACME, extension("101", "bob"));
    edit.put_extension(ACME, extension("102", "alice"));
    let snapshot = edit.finish();
    assert_eq!(number(&snapshot, ACME, "bob"), Some("101".to_owned()));
    assert_eq!(number(&snapshot, ACME, "alice"), Some("102".to_owned()));
}

#[test]
fn a_name_that_is_anothers_number_leads_where_it_was_given_to() {
    let mut edit = two_tenants().edit();
    edit.put_extension(ACME, extension("101", "102"));
    edit.put_extension(ACME, extension("102", "101"));
    edit.put_extension(ACME, extension("103", "103"));
    let snapshot = edit.finish();
    let numbers = ["101", "102", "103"].map(|auth_name| number(&snapshot, ACME, auth_name).unwrap());
    assert_eq!(numbers, ["102", "101", "103"]);
}

#[test]
fn a_removed_extension_is_gone_under_both_keys() {
    let mut edit = two_tenants().edit();
    edit.put_extension(ACME, extension("101", "alice"));
    assert!(edit.remove_extension(ACME, b"101"));
    assert!(!edit.remove_extension(ACME, b"101"));
    let snapshot = edit.finish();
    assert_eq!(snapshot.extension(ACME, b"101"), None);
    assert_eq!(snapshot.extension_by_auth_name(ACME, b"alice"), None);
    assert_eq!(snapshot.extension_count(ACME), 0);
}

#[test]
fn a_removed_tenant_takes_its_hosts_and_extensions_along_and_nobody_elses() {
    let mut edit = two_tenants().edit();
    for number in 100..200 {
        edit.put_extension(ACME, extension(&number.to_string(), &format!("phone-{number}")));
        edit.put_extension(GLOBEX, extension(&number.to_string(), &format!("phone-{number}")));
    }
    edit.remove_tenant(ACME);
    let snapshot = edit.finish();
    assert_eq!(snapshot.tenant(ACME), None);
    assert_eq!(snapshot.tenant_by_host(b"acme.example"), None);
    assert_eq!(snapshot.tenant_by_host(b"phones.acme.example"), None);
    for number in 100..200 {
        assert_eq!(snapshot.extension(ACME, number.to_string().as_bytes()), None);
        assert!(snapshot.extension(GLOBEX, number.to_string().as_bytes()).is_some());
    }
    assert_eq!(snapshot.extension_count(GLOBEX), 100);
    assert_eq!(snapshot.extension_by_number.len(), 100);
    assert_eq!(snapshot.extension_by_auth_name.len(), 100);
}

#[test]
fn a_replaced_tenant_keeps_its_extensions_and_loses_the_aliases_it_gave_up() {
    let mut edit = two_tenants().edit();
    edit.put_extension(ACME, extension("101", "alice"));
    edit.put_tenant(tenant(ACME, "acme.example", &["voice.acme.example"]));
    let snapshot = edit.finish();
    assert_eq!(snapshot.tenant_by_host(b"phones.acme.example"), None);
    assert_eq!(snapshot.tenant_by_host(b"voice.acme.example").map(|tenant| tenant.id), Some(ACME));
    assert_eq!(snapshot.extension_count(ACME), 1);
    assert_eq!(snapshot.tenants().count(), 2);
}

#[test]
fn an_alias_that_moves_to_another_tenant_stays_there() {
    let mut edit = two_tenants().edit();
    edit.put_tenant(tenant(GLOBEX, "globex.example", &["phones.acme.example"]));
    edit.put_tenant(tenant(ACME, "acme.example", &[]));
    let snapshot = edit.finish();
    assert_eq!(snapshot.tenant_by_host(b"phones.acme.example").map(|tenant| tenant.id), Some(GLOBEX));
}

#[test]
fn an_edit_grows_the_version_and_leaves_the_old_snapshot_as_it_was() {
    let before = two_tenants();
    let mut edit = before.edit();
    edit.put_extension(ACME, extension("101", "alice"));
    let after = edit.finish();
    assert_eq!(after.version(), before.version() + 1);
    assert_eq!(before.extension(ACME, b"101"), None);
    assert!(after.extension(ACME, b"101").is_some());
    let mut edit = after.edit();
    edit.set_version(70);
    assert_eq!(edit.finish().version(), 70);
}

#[test]
fn one_change_among_a_hundred_thousand_extensions_copies_one_bucket_of_each_index() {
    let before = tenant_with_extensions(100_000);
    let mut edit = before.edit();
    edit.put_extension(ACME, extension("050000", "phone-050000"));
    let after = edit.finish();
    for (old, new) in [
        (&before.extension_by_number, &after.extension_by_number),
        (&before.extension_by_auth_name, &after.extension_by_auth_name),
    ] {
        let cost = cost_of_change(old, new);
        assert_eq!(cost, Cost { branches: 1, buckets: 1, slots: cost.slots });
        assert!(cost.slots <= 32, "{cost:?}");
    }
    assert_eq!(cost_of_change(&before.tenants, &after.tenants), Cost::default());
    assert_eq!(cost_of_change(&before.tenant_by_host, &after.tenant_by_host), Cost::default());
}

#[test]
fn one_more_extension_among_a_hundred_thousand_copies_its_tenants_bucket_too() {
    let before = tenant_with_extensions(100_000);
    let mut edit = before.edit();
    edit.put_extension(ACME, extension("200000", "phone-200000"));
    let after = edit.finish();
    assert_eq!(after.extension_count(ACME), 100_001);
    assert_eq!(cost_of_change(&before.extension_by_number, &after.extension_by_number).buckets, 1);
    assert_eq!(cost_of_change(&before.extension_by_auth_name, &after.extension_by_auth_name).buckets, 1);
    assert_eq!(cost_of_change(&before.tenants, &after.tenants), Cost { branches: 1, buckets: 1, slots: 1 });
}

#[test]
fn an_edit_without_changes_shares_everything() {
    let before = tenant_with_extensions(1000);
    let after = before.edit().finish();
    assert!(Arc::ptr_eq(&before.extension_by_number.trunk, &after.extension_by_number.trunk));
    assert!(Arc::ptr_eq(&before.extension_by_auth_name.trunk, &after.extension_by_auth_name.trunk));
    assert!(Arc::ptr_eq(&before.tenants.trunk, &after.tenants.trunk));
}

#[test]
fn buckets_fill_evenly() {
    let snapshot = tenant_with_extensions(100_000);
    let longest = snapshot.extension_by_number.trunk.branches.iter().flatten();
    let longest = longest.flat_map(|branch| branch.buckets.iter().flatten()).map(|bucket| bucket.len()).max();
    assert!(longest.unwrap() <= 16, "{longest:?} of 1.5 on average");
}

proptest! {
    #[test]
    fn a_snapshot_agrees_with_a_plain_map_after_any_changes(
        seed: u64,
        changes in prop::collection::vec((any::<bool>(), 1u32..3, 100u32..120, 100u32..120), 0..200),
    ) {
        let mut edit = Snapshot::with_seed(seed).edit();
        edit.put_tenant(tenant(ACME, "acme.example", &[]));
        edit.put_tenant(tenant(GLOBEX, "globex.example", &[]));
        let mut model: BTreeMap<(TenantId, String), u32> = BTreeMap::new();
        for (is_put, tenant, number, auth_name) in changes {
            let key = (TenantId(tenant), number.to_string());
            let is_taken = model.iter().any(|(other, name)| *other != key && other.0 == key.0 && *name == auth_name);
            if !is_put {
                prop_assert_eq!(edit.remove_extension(key.0, key.1.as_bytes()), model.remove(&key).is_some());
            } else if !is_taken {
                edit.put_extension(key.0, extension(&key.1, &auth_name.to_string()));
                model.insert(key, auth_name);
            }
        }
        let snapshot = edit.finish();
        for tenant in [ACME, GLOBEX] {
            prop_assert_eq!(snapshot.extension_count(tenant), model.keys().filter(|key| key.0 == tenant).count());
            for name in 100..120 {
                let expected = model.get(&(tenant, name.to_string())).map(u32::to_string);
                prop_assert_eq!(auth_name(&snapshot, tenant, &name.to_string()), expected);
                let expected = model.iter().find(|(key, auth_name)| key.0 == tenant && **auth_name == name);
                prop_assert_eq!(number(&snapshot, tenant, &name.to_string()), expected.map(|(key, _)| key.1.clone()));
            }
        }
        prop_assert_eq!(snapshot.extension_by_number.iter().count(), model.len());
        let others = model.iter().filter(|(key, auth_name)| key.1 != auth_name.to_string()).count();
        prop_assert_eq!(snapshot.extension_by_auth_name.iter().count(), others);
    }
}

/// What a change copied.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cost {
    branches: usize,
    buckets: usize,
    slots: usize,
}

/// Counts what `new` does not share with `old`.
fn cost_of_change<T: Slot>(old: &Buckets<T>, new: &Buckets<T>) -> Cost {
    let mut cost = Cost::default();
    for (old, new) in old.trunk.branches.iter().zip(&new.trunk.branches).filter(|(old, new)| differ(old, new)) {
        cost.branches += 1;
        let buckets = |branch: &Option<Arc<Branch<T>>>| -> Vec<Option<Arc<Bucket<T>>>> {
            branch.as_ref().map_or_else(|| vec![None; FAN_OUT], |branch| branch.buckets.to_vec())
        };
        let (old, new) = (buckets(old), buckets(new));
        for (_, new) in old.iter().zip(&new).filter(|(old, new)| differ(old, new)) {
            cost.buckets += 1;
            cost.slots += new.as_ref().map_or(0, |bucket| bucket.len());
        }
    }
    cost
}

fn differ<T>(old: &Option<Arc<T>>, new: &Option<Arc<T>>) -> bool {
    old.as_ref().map(Arc::as_ptr) != new.as_ref().map(Arc::as_ptr)
}

fn two_tenants() -> Snapshot {
    let mut edit = Snapshot::with_seed(7).edit();
    edit.put_tenant(tenant(ACME, "acme.example", &["phones.acme.example"]));
    edit.put_tenant(tenant(GLOBEX, "globex.example", &[]));
    edit.finish()
}

fn tenant_with_extensions(count: u32) -> Snapshot {
    let mut edit = two_tenants().edit();
    for number in 0..count {
        let number = format!("{number:06}");
        edit.put_extension(ACME, extension(&number, &format!("phone-{number}")));
    }
    edit.finish()
}

fn tenant(id: TenantId, domain: &str, aliases: &[&str]) -> Tenant {
    Tenant {
        id,
        domain: domain.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect(),
        name: domain.into(),
        trust: Box::default(),
        max_extensions: None,
        max_calls: None,
        budgets: crate::Budgets::default(),
        when_full: WhenFull::Reject,
        media: MediaPolicy::Auto,
        max_media: None,
        max_call_seconds: None,
        acknowledge: Acknowledge::Memory,
        enabled: true,
        auth_name_equals_number: false,
    }
}

fn extension(number: &str, auth_name: &str) -> Extension {
    Extension {
        number: number.into(),
        auth_name: auth_name.into(),
        display_name: number.into(),
        enabled: true,
        max_phones: 3,
        max_apps: 5,
        hashes: Hashes::default(),
    }
}

fn auth_name(snapshot: &Snapshot, tenant: TenantId, number: &str) -> Option<String> {
    snapshot.extension(tenant, number.as_bytes()).map(|extension| extension.auth_name.to_string())
}

fn number(snapshot: &Snapshot, tenant: TenantId, auth_name: &str) -> Option<String> {
    snapshot.extension_by_auth_name(tenant, auth_name.as_bytes()).map(|extension| extension.number.to_string())
}
