//! Random bytes from the operating system's seed.

use rand::Rng;

/// Fills the whole slice with bytes that nobody can foretell.
pub(crate) fn fill(bytes: &mut [u8]) {
    rand::rng().fill_bytes(bytes);
}
