//! An extension: a tenant's numbered user or service.

mod draft;
mod hashes;
mod profile;
mod short_text;

pub use draft::{CheckedExtension, ExtensionDraft, NewExtension};
pub use hashes::{HashSecret, Hashes, Secret};
pub use profile::Profile;
pub use short_text::ShortText;

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
    /// What its digest responses are checked against.
    pub hashes: Hashes,
}
