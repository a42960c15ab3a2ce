//! The directory in SQLite, secrets under the master key, CSV, jobs, and the journal of bindings.

pub mod csv;
pub mod directory;
pub mod jobs;
pub mod journal;
pub mod keys;

mod random;
