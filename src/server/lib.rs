//! The wiring: configuration, shards, tasks, reload, drain and the command line.

mod admin;
mod bans;
mod bindings;
mod capture;
mod cli;
pub mod config;
mod console;
mod control;
mod data_directory;
mod demo;
mod environment;
mod failure;
mod local_addresses;
mod media;
mod node_id;
mod operations;
mod publication;
mod registrations;
mod security;
mod serve;
mod settings;
mod shard;
mod shards;
mod sharing;
mod slices;
mod status;

pub use cli::run;
#[doc(hidden)]
pub use control::reread_command;
