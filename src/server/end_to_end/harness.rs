//! What the stories are told with: a node, softphones, SIPp runs.

mod node;
mod phone;
mod sipp;

use std::time::{Duration, Instant};

pub use node::{Node, Options, free_port};
pub use phone::Phone;
pub use sipp::Sipp;

/// The longest that anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
