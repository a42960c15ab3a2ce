//! The transaction machines: one table a figure, one virtual clock, one lossy wire.
#![allow(clippy::panic, reason = "helpers of tests")]

mod clock;
mod invite_client;
mod invite_server;
mod lossy_wire;
mod non_invite_client;
mod non_invite_server;
mod table;

use std::time::Duration;

use ringway_sip::transaction::{Step, Timer};

/// `Step::Start` with its duration in milliseconds.
fn start(timer: Timer, millis: u64) -> Step {
    Step::Start(timer, Duration::from_millis(millis))
}
