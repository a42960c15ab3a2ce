//! The SIP decisions: who is asking, what is registered, where a request goes.
//!
//! This floor does no I/O. It reads no clock and draws no random number: both clocks and the seeds are arguments.
//! One [`Input`] goes in through [`Engine::handle`]; the [`Action`]s that follow from it are drained before the next.

pub mod counters;
pub mod io;
pub mod keys;
pub mod reject;
pub mod settings;

pub use io::{Action, Arrival, BindingChange, HandOverTo, Input};
pub use reject::{DropReason, Reject};
pub use settings::Settings;
