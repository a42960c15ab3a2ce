//! Sockets: messages in, messages out, and the wait between.

mod outbox;
mod system;
mod udp;

pub(crate) use outbox::Outbox;
pub(crate) use udp::Udp;
