//! The numbers that an extension shows outside, a trunk each.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use crate::fault::Code;

/// A number that an extension may show on a trunk.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundCallerId {
    /// The trunk that it is for.
    #[schema(example = "carrier-1")]
    pub trunk: String,
    /// The number, of one of the tenant's pools of this trunk.
    #[schema(example = "493012345001")]
    pub caller_id: String,
    /// Whether it is taken when a call says nothing: one of a trunk at most.
    #[serde(default)]
    pub preferred: bool,
    /// The name beside it.
    #[serde(default)]
    pub display_name: String,
    /// What somebody wants to remember.
    #[serde(default)]
    pub description: String,
}

pub(super) fn check(ids: &[OutboundCallerId], checking: &mut Checking) {
    let mut preferred: Vec<&str> = Vec::new();
    for id in ids.iter().filter(|id| id.preferred) {
        if preferred.contains(&id.trunk.as_str()) {
            let message = format!("one number of trunk {} is preferred, not several", id.trunk);
            checking.fault("outbound_caller_ids", Code::Conflict, message);
        }
        preferred.push(&id.trunk);
    }
    checking.each("outbound_caller_ids", ids, 64, |checking, id| {
        checking.name("trunk", &id.trunk, 64);
        checking.dialled("caller_id", &id.caller_id, true);
        checking.text("display_name", &id.display_name, 128);
        checking.text("description", &id.description, 256);
    });
}
