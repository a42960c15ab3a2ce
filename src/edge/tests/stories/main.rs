//! Stories of phones that talk to the edge: the test language is in `scene`, each other module tells one part.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod ack;
mod admission;
mod amplification;
mod answers;
mod authentication;
mod bans;
mod budgets;
mod calls;
mod cancel;
mod dead_calls;
mod emergencies;
mod forks;
mod forward;
mod gruus;
mod hostile;
mod in_dialog;
mod injection;
mod limits;
mod media;
mod outbound;
mod overload;
mod pings;
mod registration;
mod registration_limits;
mod registration_refused;
mod relay;
mod responses;
mod scene;
mod secure;
mod session_timers;
mod simulation;
mod streams;
mod targets;
mod tenants;
mod transactions;
