//! The SIP decisions: who is asking, what is registered, where a request goes.
//!
//! This floor does no I/O. It reads no clock and draws no random number: both clocks and the seeds are arguments.
//! One [`Input`] goes in through [`Engine::handle`]; the [`Action`]s that follow from it are drained before the next.

pub mod activity;
mod admit;
mod answer;
mod asking;
pub mod auth;
pub mod bans;
mod branch;
mod budget;
mod cookie;
mod core;
pub mod counters;
mod dialog;
mod emergency;
mod engine;
mod fingerprint;
mod foresight;
mod gruu;
mod in_dialog;
mod index;
pub mod io;
pub mod keys;
pub mod location;
mod media;
mod memory;
mod notes;
mod output;
mod overload;
mod parked;
mod ping;
mod prefetch;
mod proxy;
mod random;
mod reach;
pub mod registrar;
pub mod reject;
mod route;
mod session;
pub mod settings;
mod spending;
mod tenancy;
pub mod voucher;
mod watch;
mod wheel;
mod withheld;

pub use activity::Activity;
pub use bans::Bans;
pub use engine::{Engine, Parts};
pub use io::{Action, Arrival, BindingChange, Input};
pub use location::Location;
pub use notes::{Banned, Note, Refusal};
pub use reject::{DropReason, Reject};
pub use settings::Settings;
