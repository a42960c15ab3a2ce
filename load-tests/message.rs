//! Messages: a light scanner for what comes, writers for what goes.
//!
//! This is not Ringway's own parser and writer on purpose: a generator that shares them would share their mistakes.

pub(crate) mod scan;
pub(crate) mod text;
pub(crate) mod write;
