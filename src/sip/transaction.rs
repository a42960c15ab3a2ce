//! The four transaction machines (RFC 3261 section 17, figures 5 to 8, as RFC 6026 corrects them).
//!
//! A machine holds no message, knows no address and reads no clock. It takes an event and gives back the steps that
//! follow from it; its owner keeps the message to send again, starts and stops the timers, and matches messages to
//! machines (sections 17.1.3 and 17.2.3).
//!
//! How to drive one:
//!
//! 1. Make it with `new`. A client's first event is `Start`; a server's request goes to the core before any event.
//! 2. Store the request (client) or the response that is about to be sent (server), then `handle` the event.
//! 3. Take the steps in their order. `Transmit` sends the stored message; `Deliver` gives the message of the event to the core.
//! 4. When a timer fires that was not stopped, `handle` it. One that fires late, after it was stopped, changes nothing.
//! 5. Forget the machine at `Destroy`, which is always the last step of its life.
//!
//! RFC 4320 (no 408 to a non-INVITE, a 100 only after a while) binds the core, not these machines.

pub mod invite_client;
pub mod invite_server;
pub mod non_invite_client;
pub mod non_invite_server;
mod steps;
mod timers;

pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use non_invite_client::NonInviteClient;
pub use non_invite_server::NonInviteServer;
pub use steps::{Step, Steps};
pub use timers::{Timer, TimerValues};
