//! The phones without sockets: what they send, and what they make of what comes, on a clock that the test moves.

mod calls;
mod responses;
mod retransmissions;
mod scene;
