//! What the benchmarks share: a node's engine in this process, and phones that talk to it without a socket.
//!
//! [`Play`] plays whole operations. Only what the engine does is measured: what the phones write and read happens
//! between two measured turns.

pub mod allocations;
mod batch;
pub mod clock;
mod digest;
pub mod measurement;
pub mod messages;
pub mod node;
mod phone;
mod play;
mod text;

pub use batch::Batch;
pub use digest::{Known, nonce_of};
pub use node::{Node, Spent};
pub use phone::Phones;
pub use play::{Play, Unexpected, Workload};
