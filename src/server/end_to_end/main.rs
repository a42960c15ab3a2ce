//! End to end: the real binary on real sockets, called with programs that no one here wrote (pjsua2, SIPp, baresip, JsSIP),
//! and looked at with another (tshark).
//!
//! `scripts/install-peers` installs them. Nothing waits for a fixed time: every wait is for something that must happen,
//! and fails with what was seen instead when it does not.
#![allow(missing_docs, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what a failing test has to say")]

mod admission;
mod api;
mod baresip_calls;
mod capture;
mod cluster;
mod command_line;
mod dead_calls;
mod harness;
mod jobs;
mod kill;
mod kill_registrations;
mod load;
mod media;
mod metrics;
mod pings;
mod pjsua_calls;
mod resolve;
mod secure_calls;
mod sipp_calls;
