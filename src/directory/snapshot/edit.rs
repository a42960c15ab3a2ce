//! A snapshot in the making.

use std::sync::Arc;

use super::Snapshot;
use super::buckets::Tag;
use super::slots::{ExtensionSlot, HostSlot, TenantSlot};
use crate::{Extension, Tenant, TenantId};

/// A changed copy of a snapshot, until it is finished.
pub struct SnapshotEdit {
    snapshot: Snapshot,
    version: u64,
}

impl SnapshotEdit {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        let version = snapshot.version.saturating_add(1);
        Self { snapshot, version }
    }

    /// The version that the finished snapshot will have, instead of one more than before.
    pub fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// Adds a tenant, or replaces the one with the same number and keeps its extensions.
    pub fn put_tenant(&mut self, tenant: Tenant) {
        let tenant = Arc::new(tenant);
        let id = tenant.id;
        let hash = self.snapshot.hashing.tenant(id);
        let extensions = self.snapshot.extension_count(id);
        let slot = TenantSlot { tag: Tag::of(hash), tenant: Arc::clone(&tenant), extensions };
        if let Some(old) = self.snapshot.tenants.put(hash, slot, |other| other.tenant.id == id) {
            self.remove_hosts(&old.tenant);
        }
        let mark = tenant.mark();
        let slot = HostSlot { tag: Tag::of(mark), tenant: Arc::clone(&tenant) };
        self.snapshot.tenant_by_mark.put(mark, slot, |other| other.tenant.mark() == mark);
        for host in tenant.hosts() {
            let hash = self.snapshot.hashing.host(host.as_bytes());
            let slot = HostSlot { tag: Tag::of(hash), tenant: Arc::clone(&tenant) };
            self.snapshot.tenant_by_host.put(hash, slot, |other| other.is_for(host.as_bytes()));
        }
    }

    /// Removes a tenant with all its extensions.
    pub fn remove_tenant(&mut self, id: TenantId) {
        let hash = self.snapshot.hashing.tenant(id);
        if let Some(old) = self.snapshot.tenants.remove(hash, |slot| slot.tenant.id == id) {
            self.remove_hosts(&old.tenant);
            if old.extensions > 0 {
                self.snapshot.extension_by_number.remove_all(|slot| slot.tenant == id);
                self.snapshot.extension_by_auth_name.remove_all(|slot| slot.tenant == id);
            }
        }
    }

    /// Adds an extension, or replaces the one with the same number. Of several with one auth name, it leads to the one whose
    /// number it is, otherwise to the one that was put last. False, and nothing done, when there is no such tenant.
    pub fn put_extension(&mut self, tenant: TenantId, extension: Extension) -> bool {
        if self.snapshot.tenant(tenant).is_none() {
            return false;
        }
        let extension = Arc::new(extension);
        let (number, auth_name) = (extension.number.as_bytes(), extension.auth_name.as_bytes());
        let hash = self.snapshot.hashing.of_tenant(tenant, number);
        let slot = ExtensionSlot { tag: Tag::of(hash), tenant, extension: Arc::clone(&extension) };
        match self.snapshot.extension_by_number.put(hash, slot, |other| other.has_number(tenant, number)) {
            Some(old) if *old.extension.auth_name != *extension.auth_name => {
                self.remove_auth_name(tenant, &old.extension);
            }
            Some(_) => {}
            None => self.count(tenant, |extensions| extensions + 1),
        }
        if auth_name != number {
            let hash = self.snapshot.hashing.of_tenant(tenant, auth_name);
            let slot = ExtensionSlot { tag: Tag::of(hash), tenant, extension: Arc::clone(&extension) };
            self.snapshot.extension_by_auth_name.put(hash, slot, |other| other.has_auth_name(tenant, auth_name));
        }
        true
    }

    /// Removes an extension. False when there is none with this number.
    pub fn remove_extension(&mut self, tenant: TenantId, number: &[u8]) -> bool {
        let hash = self.snapshot.hashing.of_tenant(tenant, number);
        let removed = self.snapshot.extension_by_number.remove(hash, |slot| slot.has_number(tenant, number));
        if let Some(old) = &removed {
            self.remove_auth_name(tenant, &old.extension);
            self.count(tenant, |extensions| extensions.saturating_sub(1));
        }
        removed.is_some()
    }

    /// The finished snapshot.
    pub fn finish(self) -> Snapshot {
        Snapshot { version: self.version, ..self.snapshot }
    }

    /// Takes a tenant's hosts and its mark out, except those that lead to another tenant by now.
    fn remove_hosts(&mut self, tenant: &Tenant) {
        self.snapshot.tenant_by_mark.remove(tenant.mark(), |slot| slot.tenant.id == tenant.id);
        for host in tenant.hosts() {
            let hash = self.snapshot.hashing.host(host.as_bytes());
            let is_it = |slot: &HostSlot| slot.tenant.id == tenant.id && slot.is_for(host.as_bytes());
            self.snapshot.tenant_by_host.remove(hash, is_it);
        }
    }

    /// Takes an extension's auth name out, unless it leads to another extension by now.
    fn remove_auth_name(&mut self, tenant: TenantId, extension: &Extension) {
        let (number, auth_name) = (extension.number.as_bytes(), extension.auth_name.as_bytes());
        let hash = self.snapshot.hashing.of_tenant(tenant, auth_name);
        let is_it = |slot: &ExtensionSlot| slot.has_auth_name(tenant, auth_name) && slot.has_number(tenant, number);
        self.snapshot.extension_by_auth_name.remove(hash, is_it);
    }

    fn count(&mut self, tenant: TenantId, change: impl Fn(usize) -> usize) {
        let hash = self.snapshot.hashing.tenant(tenant);
        if let Some(slot) = self.snapshot.tenants.find_mut(hash, |slot| slot.tenant.id == tenant) {
            slot.extensions = change(slot.extensions);
        }
    }
}
