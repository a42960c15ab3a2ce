//! The directory in SQLite, secrets under the master key, CSV, and the journal of bindings.

pub mod journal;
