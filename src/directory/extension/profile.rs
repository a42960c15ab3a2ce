//! What is known of an extension besides its secret.

use crate::model::Settings;
use crate::validation::{AuthName, DisplayName, Email, Number, PersonName};

/// An extension's data as it is stored, shown and exported; no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The digits that others dial; unique in its tenant.
    pub number: Number,
    /// The user name of its digest credentials; unique in its tenant.
    pub auth_name: AuthName,
    /// Its user's address; unique in its tenant.
    pub email: Email,
    /// What phones show.
    pub display_name: DisplayName,
    /// Its user's first name; the number when neither name was given.
    pub first_name: Option<PersonName>,
    /// Its user's last name.
    pub last_name: Option<PersonName>,
    /// Whether it may register and call.
    pub enabled: bool,
    /// Phones that may be registered at once.
    pub max_phones: u8,
    /// Apps that may be registered at once.
    pub max_apps: u8,
    /// Everything else.
    pub settings: Box<Settings>,
}
