//! The directory in SQLite, secrets under the master key, CSV, and the journal of bindings.

pub mod csv;
pub mod directory;
pub mod journal;
pub mod keys;

mod random;
