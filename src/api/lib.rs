//! The HTTP listeners: health, readiness and metrics.
//!
//! This crate decides nothing about calls. What it shows it asks of [`Control`], which the server floor implements.

mod answer;
mod control;
mod health;
mod listener;
mod metrics;
mod router;

pub use control::{Answer, Control, Readiness};
pub use listener::{MAX_CONNECTIONS, serve};
pub use router::Audience;
