//! What a shard's sockets count. Plain numbers: the server publishes them as metrics.

/// Counts since the sockets were opened; `connections_open` alone is a gauge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams taken from the kernel, the truncated ones not included.
    pub datagrams_received: u64,
    /// Datagrams that the kernel took.
    pub datagrams_sent: u64,
    /// Datagrams that the kernel dropped because the receive buffer was full (SO_RXQ_OVFL).
    pub kernel_drops: u64,
    /// Datagrams longer than the limit: dropped.
    pub datagrams_truncated: u64,
    /// Failed calls to receive datagrams.
    pub receive_errors: u64,
    /// Datagrams that the kernel refused to send; each is reported as `SendFailed`.
    pub send_errors: u64,
    /// Datagrams dropped, oldest first, because the send queue was full.
    pub sends_dropped: u64,
    /// Messages framed from streams.
    pub stream_messages_received: u64,
    /// Messages queued to streams.
    pub stream_messages_sent: u64,
    /// Keep-alives of streams that were answered (RFC 5626 section 4.4.1).
    pub pings_answered: u64,
    /// Connections that are open now, those being opened included.
    pub connections_open: u64,
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections opened by us.
    pub connections_opened: u64,
    /// Connections that we could not open, or not in time.
    pub connections_failed: u64,
    /// Connections refused because there are too many in all.
    pub refused_in_all: u64,
    /// Connections refused because their source has too many.
    pub refused_by_source: u64,
    /// Connections whose handshakes, of TLS and WebSocket, are done.
    pub handshakes_done: u64,
    /// Connections closed because their source has too many handshakes.
    pub handshakes_refused: u64,
    /// Handshakes that took too long.
    pub handshakes_slow: u64,
    /// Handshakes of TLS that failed.
    pub handshakes_failed_tls: u64,
    /// Opening handshakes of WebSocket that failed.
    pub handshakes_failed_websocket: u64,
    /// Connections refused because their source is banned.
    pub refused_banned: u64,
    /// Failures to accept, such as no file descriptors being left.
    pub accept_errors: u64,
    /// Streams whose bytes could not be framed: closed.
    pub frame_errors: u64,
    /// Connections closed because nothing was said for too long.
    pub closed_idle: u64,
    /// Connections closed because a message was not finished in time.
    pub closed_slow: u64,
    /// Connections closed because the other end does not read.
    pub closed_unread: u64,
    /// Connections closed because they were no longer wanted: their source is banned.
    pub closed_banned: u64,
}
