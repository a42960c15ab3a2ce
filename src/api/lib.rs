//! The HTTP listeners: the management API, health, readiness and metrics.
//!
//! This crate decides nothing about calls. What it shows of the running server and what it brings into force it asks of
//! [`Control`], which the server floor implements; tenants, extensions and accounts it finds in the directory.

mod answer;
mod attempts;
mod body;
mod caller;
mod control;
mod health;
mod housekeeping;
mod jobs;
mod listener;
mod metrics;
mod once;
mod passwords;
mod publisher;
mod rates;
mod router;
mod schema;
mod source;
mod to_its_end;
mod totp;
mod v1;

pub use caller::role;
pub use control::{Answer, Control, Live, Readiness, Registration};
pub use listener::{MAX_CONNECTIONS, serve};
pub use passwords::{hash_password, random_password};
pub use router::Audience;
