//! An extension: a tenant's numbered user or service.

mod draft;
mod hashes;
mod profile;
mod short_text;

pub use draft::{ChangedExtension, CheckedExtension, ExtensionDraft, NewExtension, Pin};
pub use hashes::{HashSecret, Hashes, Secret};
pub use profile::Profile;
pub use short_text::ShortText;

/// Phones that an extension may have registered at once, unless it says otherwise.
pub const DEFAULT_MAX_PHONES: u8 = 3;

/// Apps that an extension may have registered at once, unless it says otherwise.
pub const DEFAULT_MAX_APPS: u8 = 5;

/// An extension as the hot path reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The digits that others dial; the user part of its address-of-record.
    pub number: ShortText,
    /// The user name of its digest credentials.
    pub auth_name: ShortText,
    /// What phones show.
    pub display_name: Box<str>,
    /// A disabled extension neither registers nor calls.
    pub enabled: bool,
    /// Phones that may be registered at once.
    pub max_phones: u8,
    /// Apps that may be registered at once: devices that a push notification wakes.
    pub max_apps: u8,
    /// What its digest responses are checked against.
    pub hashes: Hashes,
}
