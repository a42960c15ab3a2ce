//! The directory as the hot path reads it: immutable, shared, and cheap to change.
//!
//! A snapshot never changes. [`Snapshot::edit`] begins a new one that shares every bucket with the old one until it is
//! touched, so that one changed extension among a million copies two branches of pointers and two small buckets.
//! Lookups take bytes as they came from the wire and never allocate.

mod ahead;
mod buckets;
mod edit;
mod hashing;
mod slots;

use std::sync::Arc;

pub use ahead::Stretch;
pub use edit::SnapshotEdit;

use crate::{Extension, Tenant, TenantId};
use ahead::Ahead;
use buckets::Buckets;
use hashing::{Hashing, LowerHost};
use slots::{ExtensionSlot, HostSlot, TenantSlot};

/// The tenants and extensions at one moment.
#[derive(Clone)]
pub struct Snapshot {
    version: u64,
    hashing: Hashing,
    tenants: Buckets<TenantSlot>,
    tenant_by_host: Buckets<HostSlot>,
    tenant_by_mark: Buckets<HostSlot>,
    extension_by_number: Buckets<ExtensionSlot>,
    /// Only those whose auth name is not their number.
    extension_by_auth_name: Buckets<ExtensionSlot>,
}

impl Snapshot {
    /// A snapshot of nothing, with version 0 and hash seed 0.
    pub fn empty() -> Self {
        Self::with_seed(0)
    }

    /// A snapshot of nothing, with version 0. What is edited from it keeps the seed; draw it at random, lest somebody
    /// choose names that all fall into one bucket.
    pub fn with_seed(seed: u64) -> Self {
        Self {
            version: 0,
            hashing: Hashing::new(seed),
            tenants: Buckets::default(),
            tenant_by_host: Buckets::default(),
            tenant_by_mark: Buckets::default(),
            extension_by_number: Buckets::default(),
            extension_by_auth_name: Buckets::default(),
        }
    }

    /// Grows with every edit. A snapshot that was loaded has the version of its directory.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The tenant whose domain or alias this host is, in any case and with or without the dot of the root.
    pub fn tenant_by_host(&self, host: &[u8]) -> Option<&Arc<Tenant>> {
        let host = LowerHost::new(host)?;
        let hash = self.hashing.host(host.as_bytes());
        self.tenant_by_host.find(hash, |slot| slot.is_for(host.as_bytes())).map(|slot| &slot.tenant)
    }

    /// The tenant with this [mark](Tenant::mark).
    pub fn tenant_by_mark(&self, mark: u64) -> Option<&Arc<Tenant>> {
        self.tenant_by_mark.find(mark, |slot| slot.tenant.mark() == mark).map(|slot| &slot.tenant)
    }

    /// The tenant with this number.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenant_slot(id).map(|slot| &slot.tenant)
    }

    /// All tenants, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.iter().map(|slot| &slot.tenant)
    }

    /// The extension of this tenant with exactly this number.
    pub fn extension(&self, tenant: TenantId, number: &[u8]) -> Option<&Arc<Extension>> {
        let hash = self.hashing.of_tenant(tenant, number);
        self.extension_by_number.find(hash, |slot| slot.has_number(tenant, number)).map(|slot| &slot.extension)
    }

    /// The extension of this tenant with exactly this auth name; upper and lower case differ.
    pub fn extension_by_auth_name(&self, tenant: TenantId, auth_name: &[u8]) -> Option<&Arc<Extension>> {
        let hash = self.hashing.of_tenant(tenant, auth_name);
        let is_it = |slot: &ExtensionSlot| slot.has_auth_name(tenant, auth_name);
        // Nearly all have their number for an auth name.
        let by_number = self.extension_by_number.find(hash, |slot| slot.has_number(tenant, auth_name) && is_it(slot));
        by_number.or_else(|| self.extension_by_auth_name.find(hash, is_it)).map(|slot| &slot.extension)
    }

    /// What [`tenant_by_host`](Self::tenant_by_host) reads, one step after the other.
    pub fn ahead_of_tenant<'s>(&'s self, host: &[u8]) -> impl Iterator<Item = Stretch> + use<'s> {
        let host = LowerHost::new(host);
        let hash = host.map_or(0, |host| self.hashing.host(host.as_bytes()));
        Ahead::new(&self.tenant_by_host.trunk, hash)
    }

    /// What [`extension`](Self::extension) reads, one step after the other; and what
    /// [`extension_by_auth_name`](Self::extension_by_auth_name) reads of one whose number is its auth name.
    pub fn ahead_of_extension<'s>(
        &'s self,
        tenant: TenantId,
        number: &[u8],
    ) -> impl Iterator<Item = Stretch> + use<'s> {
        Ahead::new(&self.extension_by_number.trunk, self.hashing.of_tenant(tenant, number))
    }

    /// How many extensions there are.
    pub fn extensions(&self) -> usize {
        self.extension_by_number.len()
    }

    /// How many extensions this tenant has.
    pub fn extension_count(&self, tenant: TenantId) -> usize {
        self.tenant_slot(tenant).map_or(0, |slot| slot.extensions)
    }

    /// Begins a changed copy. This snapshot stays as it is.
    pub fn edit(&self) -> SnapshotEdit {
        SnapshotEdit::new(self.clone())
    }

    fn tenant_slot(&self, id: TenantId) -> Option<&TenantSlot> {
        self.tenants.find(self.hashing.tenant(id), |slot| slot.tenant.id == id)
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("version", &self.version)
            .field("tenants", &self.tenants.len())
            .field("extensions", &self.extension_by_number.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
