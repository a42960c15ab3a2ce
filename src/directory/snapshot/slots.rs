//! What lies in the buckets: 16 bytes an extension and index.

use std::sync::Arc;

use super::ahead::Stretch;
use super::buckets::{Slot, Tag};
use crate::{Extension, Tenant, TenantId};

/// An extension under one of its two keys.
#[derive(Clone)]
pub(super) struct ExtensionSlot {
    pub(super) tag: Tag,
    pub(super) tenant: TenantId,
    pub(super) extension: Arc<Extension>,
}

impl ExtensionSlot {
    pub(super) fn has_number(&self, tenant: TenantId, number: &[u8]) -> bool {
        self.tenant == tenant && self.extension.number.as_bytes() == number
    }

    pub(super) fn has_auth_name(&self, tenant: TenantId, auth_name: &[u8]) -> bool {
        self.tenant == tenant && self.extension.auth_name.as_bytes() == auth_name
    }
}

impl Slot for ExtensionSlot {
    fn tag(&self) -> Tag {
        self.tag
    }

    fn reads(&self, step: usize) -> Option<Stretch> {
        (step == 0).then(|| Stretch::of(&*self.extension))
    }
}

/// A tenant and how many extensions it has.
#[derive(Clone)]
pub(super) struct TenantSlot {
    pub(super) tag: Tag,
    pub(super) tenant: Arc<Tenant>,
    pub(super) extensions: usize,
}

impl Slot for TenantSlot {
    fn tag(&self) -> Tag {
        self.tag
    }

    fn reads(&self, step: usize) -> Option<Stretch> {
        (step == 0).then(|| Stretch::of(&*self.tenant))
    }
}

/// A tenant under one of its hosts.
#[derive(Clone)]
pub(super) struct HostSlot {
    pub(super) tag: Tag,
    pub(super) tenant: Arc<Tenant>,
}

impl HostSlot {
    pub(super) fn is_for(&self, host: &[u8]) -> bool {
        self.tenant.hosts().any(|own| own.as_bytes() == host)
    }
}

impl Slot for HostSlot {
    fn tag(&self) -> Tag {
        self.tag
    }

    fn reads(&self, step: usize) -> Option<Stretch> {
        match step {
            0 => Some(Stretch::of(&*self.tenant)),
            1 => Some(Stretch::of(&*self.tenant.domain)),
            2 => Some(Stretch::of(&*self.tenant.trust)),
            _ => None,
        }
    }
}
