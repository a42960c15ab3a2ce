//! What stands in the directory as documents: an extension's settings, and a tenant's trunks, rules, services and rates.
//!
//! A document is JSON whose shape is a type here. It is read with every unknown member refused, checked as a whole, and kept
//! without what is as it would be anyway. Names and values are those of the API and of CSV.

pub mod caller_ids;
mod checking;
mod codes;
pub mod did;
mod document;
pub mod forwarding;
pub mod holidays;
pub mod hours;
pub mod money;
pub mod phones;
pub mod pin;
mod rates;
mod resource;
mod roles;
mod rules;
mod services;
mod settings;
mod trunks;

pub use checking::Checking;
pub use codes::{CodeProfile, FeatureCode, FeatureCodes, Function};
pub use document::{Members, merge, read};
pub use rates::{Rate, RateKind};
pub use resource::{Kind, Resource, written};
pub use roles::{Access, BUILT_IN_ROLES, Role};
pub use rules::{Destination, InboundRule, OutboundRule, OutboundStep};
pub use services::{Attendant, KeyPress, Meeting, Queue, QueueStrategy, RingGroup, RingStrategy};
pub use settings::{PartOfSettings, Settings};
pub use trunks::{CallerIdValue, HeaderMapping, Trunk, TrunkMode};

#[cfg(test)]
mod tests;
