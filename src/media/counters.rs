//! What the relay counts, and why it drops a packet.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet is not passed on. It is never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It comes from nobody who is expected, or from another place in the middle of a stream.
    Stranger,
    /// It is neither RTP nor RTCP nor STUN nor ZRTP, nor DTLS where that was offered, or is on the wrong port.
    NotMedia,
    /// It is longer than any that is relayed.
    TooLong,
    /// Its side has sent as many in this second as it may.
    Rate,
    /// The other side has not shown where it is.
    NoDestination,
    /// The kernel did not take it.
    SendFailed,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Stranger, Self::NotMedia, Self::TooLong, Self::Rate, Self::NoDestination, Self::SendFailed];

    /// The metric's label.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::NotMedia => "not-media",
            Self::TooLong => "too-long",
            Self::Rate => "rate",
            Self::NoDestination => "no-destination",
            Self::SendFailed => "send-failed",
        }
    }
}

/// What one relay has counted since its start. Its thread alone writes, anybody reads.
#[derive(Debug, Default)]
pub struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
    drops: [AtomicU64; DropReason::ALL.len()],
    time_outs: AtomicU64,
    orders_lost: AtomicU64,
    streams: AtomicU64,
    ports: AtomicU64,
}

impl Counters {
    /// Packets passed on.
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Their bytes, without the headers of IP and UDP.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Packets dropped for a reason.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].load(Ordering::Relaxed)
    }

    /// Streams that ended because nothing came.
    pub fn time_outs(&self) -> u64 {
        self.time_outs.load(Ordering::Relaxed)
    }

    /// Orders that a full queue did not take.
    pub fn orders_lost(&self) -> u64 {
        self.orders_lost.load(Ordering::Relaxed)
    }

    /// Streams that are relayed now.
    pub fn streams(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Ports that are bound now, those that wait for a stream included.
    pub fn ports(&self) -> u64 {
        self.ports.load(Ordering::Relaxed)
    }

    pub(crate) fn pass(&self, bytes: usize) {
        add(&self.packets, 1);
        add(&self.bytes, bytes as u64);
    }

    pub(crate) fn count_drop(&self, reason: DropReason) {
        add(&self.drops[reason as usize], 1);
    }

    pub(crate) fn time_out(&self) {
        add(&self.time_outs, 1);
    }

    pub(crate) fn lose_order(&self) {
        // Any thread.
        self.orders_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn show(&self, streams: usize, ports: usize) {
        self.streams.store(streams as u64, Ordering::Relaxed);
        self.ports.store(ports as u64, Ordering::Relaxed);
    }
}

/// There is one writer, so that no locked instruction is needed.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::DropReason;

    #[test]
    fn the_page_of_reasons_has_every_drop_of_a_packet_and_no_other() {
        let page = include_str!("../../docs/reason-codes.md");
        let told: Vec<_> = page
            .split("`ringway_media_drops_total{reason=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(told, DropReason::ALL.map(DropReason::code));
    }
}
