//! What users may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// Roles that are there from the beginning and stay as they are.
pub const BUILT_IN_ROLES: [&str; 9] = [
    "SystemAdmin",
    "OperationAdmin",
    "SiteAdmin",
    "Dealer",
    "Admin",
    "QueueManager",
    "StandardInternationalUser",
    "StandardUser",
    "None",
];

/// How much of something.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nothing.
    #[default]
    None,
    /// Look at it.
    View,
    /// Change it.
    Full,
}

/// A role of a tenant's own.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Role {
    /// What it is called, in paths too.
    #[schema(example = "Front desk")]
    pub name: String,
    #[serde(default)]
    pub voicemail: Access,
    #[serde(default)]
    pub meetings: Access,
    #[serde(default)]
    pub call_log: Access,
    #[serde(default)]
    pub recordings: Access,
    #[serde(default)]
    pub trunk: Access,
    #[serde(default)]
    pub company: Access,
    #[serde(default)]
    pub analytics: Access,
    #[serde(default)]
    pub phone_system: Access,
    #[serde(default)]
    pub billing: Access,
    #[serde(default)]
    pub roles: Access,
    #[serde(default)]
    pub users: Access,
    /// The night of the whole tenant.
    #[serde(default)]
    pub company_night_mode: Access,
    /// The night of one service.
    #[serde(default)]
    pub service_night_mode: Access,
    /// Whether its users call each other.
    #[serde(default = "yes")]
    pub internal_calls: bool,
    /// Whether its users call within the country.
    #[serde(default = "yes")]
    pub domestic_calls: bool,
    /// Whether its users call other countries.
    #[serde(default)]
    pub international_calls: bool,
}

const fn yes() -> bool {
    true
}

impl Resource for Role {
    const KIND: Kind = Kind::ROLE;

    fn key(&self) -> &str {
        &self.name
    }

    fn check(&self, checking: &mut Checking) {
        if BUILT_IN_ROLES.iter().any(|role| role.eq_ignore_ascii_case(&self.name)) {
            checking.fault("name", Code::Conflict, "this is a role that is built in, which stays as it is");
        }
        // Who may change roles or users, and sees no users, could neither give nor find them.
        if self.roles == Access::Full && self.users < Access::View {
            checking.fault("users", Code::Conflict, "whoever changes roles has to see users: give view at least");
        }
        if self.users == Access::Full && self.phone_system < Access::View {
            let message = "whoever changes users has to see the phone system: give view at least";
            checking.fault("phone_system", Code::Conflict, message);
        }
        if self.company_night_mode == Access::Full && self.service_night_mode < Access::Full {
            let message = "whoever switches the tenant's night switches that of its services too: give full";
            checking.fault("service_night_mode", Code::Conflict, message);
        }
        if self.international_calls && !self.domestic_calls {
            let message = "who calls other countries calls within this one too: allow domestic_calls";
            checking.fault("domestic_calls", Code::Conflict, message);
        }
    }
}
