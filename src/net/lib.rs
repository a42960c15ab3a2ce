//! Sockets: batched UDP, streams with framing, TLS, WebSocket, addresses.
//!
//! This floor moves bytes between the kernel and a shard, and tells where a message came from. It doesn't read SIP
//! beyond finding where a message ends, and decides nothing about it.

mod bind;
mod clock;
mod counters;
pub mod dns;
mod framing;
mod handshake;
mod local_address;
mod notices;
mod outgoing;
mod received;
mod sockets;
mod system;
mod tcp;
mod tls;
mod udp;
mod websocket;

pub use bind::{BindError, Bound, Listener, bind};
pub use clock::Clock;
pub use counters::Counters;
pub use handshake::{Handshaker, Handshakes, Preamble, handshakes};
pub use local_address::LocalAddresses;
pub use outgoing::Outgoing;
pub use received::{Ahead, Received, SendError};
pub use sockets::{SocketOptions, Sockets};
pub use tcp::{Admission, StreamOptions};
pub use tls::{FreshTls, TlsError, TlsFiles, TlsServer};
pub use websocket::{Unwrapped, unwrap_websocket};
