//! Tenants and extensions as validated plain data and immutable snapshots.
//!
//! Nothing here reads a file, a database, a clock or a random number generator: what is needed of those is an argument.
//! Where the data is kept is the business of `ringway-store`; what SIP makes of it is the business of `ringway-edge`.
//!
//! Three ways in: a draft ([`ExtensionDraft`], [`TenantDraft`]) is what a person wrote, [`validation`] turns its words into
//! typed values or into [`Fault`]s, and a [`Snapshot`] is what the hot path reads.

mod acknowledge;
mod budgets;
mod extension;
mod fault;
mod media_policy;
pub mod model;
mod snapshot;
mod tenant;
pub mod validation;
mod when_full;

pub use acknowledge::Acknowledge;
pub use budgets::Budgets;
pub use extension::{
    ChangedExtension, CheckedExtension, DEFAULT_MAX_APPS, DEFAULT_MAX_PHONES, Extension, ExtensionDraft, HashSecret,
    Hashes, NewExtension, Pin, Profile, Secret, ShortText,
};
pub use fault::{Code, Fault};
pub use media_policy::MediaPolicy;
pub use snapshot::{Snapshot, SnapshotEdit, Stretch};
pub use tenant::{NewTenant, Tenant, TenantDraft, TenantId};
pub use when_full::WhenFull;
