//! The nonce counts that one extension has used with one nonce (RFC 7616 section 3.4, `nc`).

use ringway_sip::Wall;

use super::nonce::{Mac, Nonce};

/// How far below the highest count one may still be used for the first time: requests overtake each other.
const WIDTH: u32 = u64::BITS;

/// What a nonce count means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is used for the first time.
    First,
    /// The same message came again.
    Retransmission,
    /// It was used by another message, or lies too far back to tell.
    Repeated,
}

/// The counts used so far. 64 bytes: there may be one for each registration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// When the nonce was minted.
    pub(super) minted: Wall,
    /// A hash of who uses it: the tenant and the user name.
    pub(super) owner: u64,
    /// The nonce's serial number.
    pub(super) serial: u32,
    /// The nonce's HMAC, which was right.
    pub(super) mac: Mac,
    highest: u32,
    /// Bit n: whether the count that lies n below the highest was used.
    used: u64,
    /// The fingerprints of the messages that used the last two counts.
    last: [(u32, u32); 2],
}

impl Window {
    /// A window of which no count was used.
    pub(super) const fn new(nonce: &Nonce, mac: &Mac, owner: u64) -> Self {
        Self { minted: nonce.minted, owner, serial: nonce.serial, mac: *mac, highest: 0, used: 0, last: [(0, 0); 2] }
    }

    /// Uses a count. `message` is a fingerprint of the whole message where the transport may repeat it.
    pub(super) fn use_count(&mut self, count: u32, message: Option<u32>) -> Use {
        // Counts begin with 1.
        if count == 0 {
            return Use::Repeated;
        }
        if message.is_some_and(|message| self.last.contains(&(count, message))) {
            return Use::Retransmission;
        }
        if count > self.highest {
            let distance = count - self.highest;
            self.used = if distance < WIDTH { self.used << distance | 1 } else { 1 };
            self.highest = count;
        } else {
            let bit = match self.highest - count {
                distance @ 0..WIDTH => 1 << distance,
                _ => return Use::Repeated,
            };
            if self.used & bit != 0 {
                return Use::Repeated;
            }
            self.used |= bit;
        }
        if let Some(message) = message {
            self.last = [(count, message), self.last[0]];
        }
        Use::First
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        let nonce = Nonce { minted: Wall::from_millis(1), serial: 1, shard: ringway_sip::ShardId(0), witness: 1 };
        Window::new(&nonce, &[0; 12], 1)
    }

    #[test]
    fn a_count_is_used_once() {
        let mut window = window();
        for count in [1, 2, 5, 3, 4, 70, 7] {
            assert_eq!(window.use_count(count, None), Use::First, "{count}");
            assert_eq!(window.use_count(count, None), Use::Repeated, "{count}");
        }
        assert_eq!(window.use_count(0, None), Use::Repeated);
    }

    #[test]
    fn a_count_too_far_below_the_highest_counts_as_used() {
        let mut window = window();
        assert_eq!(window.use_count(100, None), Use::First);
        assert_eq!(window.use_count(36, None), Use::Repeated);
        assert_eq!(window.use_count(37, None), Use::First);
        assert_eq!(window.use_count(u32::MAX, None), Use::First);
        assert_eq!(window.use_count(100, None), Use::Repeated);
    }

    #[test]
    fn the_same_message_again_is_a_retransmission_and_another_one_is_not() {
        let mut window = window();
        assert_eq!(window.use_count(1, Some(7)), Use::First);
        assert_eq!(window.use_count(1, Some(7)), Use::Retransmission);
        assert_eq!(window.use_count(1, Some(8)), Use::Repeated);
        assert_eq!(window.use_count(1, None), Use::Repeated);
        assert_eq!(window.use_count(2, Some(9)), Use::First);
        assert_eq!(window.use_count(1, Some(7)), Use::Retransmission);
        assert_eq!(window.use_count(3, Some(10)), Use::First);
        assert_eq!(window.use_count(1, Some(7)), Use::Repeated, "only the last two are remembered");
    }
}
