//! A SIP load generator: phones that register and call at a rate, with every answer verified.
//!
//! One thread does it all: it starts what is due, sends in batches, reads in batches ([`run`]). The phones themselves know
//! neither sockets nor clocks, and what is measured goes to [`report`].

mod agent;
pub mod cli;
mod endpoint;
mod identity;
mod login;
mod message;
mod operation;
mod pace;
pub mod report;
pub mod run;
mod scenario;
mod timer;
mod users;
mod verify;
mod wire;
