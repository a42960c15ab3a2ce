//! Sockets: batched UDP, TCP with framing, addresses.
