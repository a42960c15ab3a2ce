//! What the stories are told with: a node, softphones, SIPp runs.

mod baresip;
mod nat;
mod node;
mod phone;
mod redis;
mod sipp;

use std::time::{Duration, Instant};

pub use baresip::Baresip;
pub use nat::{Home, Internet, in_own_network};
pub use node::{Node, Options, free_port};
pub use phone::Phone;
pub use redis::Redis;
pub use sipp::Sipp;

/// The longest that anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again and again until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// The same with another patience.
#[track_caller]
pub fn wait_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
