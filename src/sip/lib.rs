//! The SIP protocol on bytes.
//!
//! This floor opens no socket, reads no clock and draws no random number: time, randomness and hash seeds are
//! arguments. It never allocates to read a message, and no input can make it panic.

pub mod digest;
pub mod flow;
pub mod method;
pub mod time;
pub mod transaction;

pub use flow::{ConnectionId, Flow, ListenerId, ShardId, Transport};
pub use method::Method;
pub use time::{Monotonic, Now, Wall};
