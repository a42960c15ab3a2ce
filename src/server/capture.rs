//! Captures: what passes the shards is copied to a thread beside them, which shows it to whoever asked.
//!
//! A shard copies messages only while somebody captures, into a bounded queue, and never waits for it. What belongs to
//! which capture, and the masking of secrets, is the business of that thread.

mod command;
mod homer;
mod sorting;
mod tap;

pub(crate) use homer::{Homer, parse_hep};
pub(crate) use sorting::Captures;
pub(crate) use tap::{Tap, tap};
