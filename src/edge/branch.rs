//! The branches that we mint (RFC 3261 section 8.1.1.7).
//!
//! A branch names the shard, the response context and the branch in it, so that a response finds its transaction
//! without a table; a secret in it makes it unguessable; and the loop part (section 16.6, step 8) tells a request that
//! comes back unchanged from one that comes back changed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_sip::ShardId;

/// The magic cookie.
const COOKIE: &[u8] = b"z9hG4bK";
/// Bytes before encoding: shard, context, index, secret, loop.
const LENGTH: usize = 1 + 8 + 1 + 8 + 8;
const TEXT_LENGTH: usize = LENGTH.div_ceil(3) * 4 - (3 - LENGTH % 3) % 3;

/// What a branch of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The shard that minted it.
    pub(crate) shard: ShardId,
    /// The response context; 0 for a request that was forwarded statelessly.
    pub(crate) context: u64,
    /// The branch in the context.
    pub(crate) index: u8,
    /// What a response must know to be taken.
    pub(crate) secret: u64,
    /// The fingerprint of all that the routing of the request depended on.
    pub(crate) routing: u64,
}

/// A branch as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BranchText {
    text: [u8; COOKIE.len() + TEXT_LENGTH],
}

impl BranchText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }
}

impl Branch {
    pub(crate) fn encode(&self) -> BranchText {
        let mut bytes = [0; LENGTH];
        bytes[0] = self.shard.0;
        bytes[1..9].copy_from_slice(&self.context.to_be_bytes());
        bytes[9] = self.index;
        bytes[10..18].copy_from_slice(&self.secret.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.routing.to_be_bytes());
        let mut text = [0; COOKIE.len() + TEXT_LENGTH];
        text[..COOKIE.len()].copy_from_slice(COOKIE);
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text[COOKIE.len()..]);
        debug_assert_eq!(written, Ok(TEXT_LENGTH));
        BranchText { text }
    }

    /// Reads a branch that may be ours.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let encoded = text.strip_prefix(COOKIE).filter(|encoded| encoded.len() == TEXT_LENGTH)?;
        // The decoder asks for room for whole groups.
        let mut bytes = [0; TEXT_LENGTH.div_ceil(4) * 3];
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
        if length != LENGTH {
            return None;
        }
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_be_bytes(word)
        };
        Some(Self { shard: ShardId(bytes[0]), context: word(1), index: bytes[9], secret: word(10), routing: word(18) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_read_as_it_was_written_and_others_are_not_ours() {
        let branch =
            Branch { shard: ShardId(3), context: 0x0123_4567_89ab_cdef, index: 7, secret: u64::MAX, routing: 42 };
        let text = branch.encode();
        assert!(text.as_bytes().starts_with(b"z9hG4bK"));
        assert_eq!(Branch::decode(text.as_bytes()), Some(branch));
        for other in [&b"z9hG4bK"[..], b"", b"z9hG4bK776asdhds", &text.as_bytes()[1..], &text.as_bytes()[..40]] {
            assert_eq!(Branch::decode(other), None);
        }
    }
}
