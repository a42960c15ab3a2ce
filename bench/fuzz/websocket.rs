//! What a client's frames mean is the same however they are cut; no message is longer than the limits allow, and nothing
//! comes behind a goodbye or an error. The first byte says where to cut.

use ringway_net::{Unwrapped, unwrap_websocket};
use ringway_sip::frame::FrameLimits;

const LIMITS: FrameLimits = FrameLimits { head: 100, body: 400 };

/// Bytes of the longest goodbye of our own.
const GOODBYE: usize = 32;

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let whole = unwrap_websocket(LIMITS, [stream]);
    let cut = usize::from(*cut) * stream.len() / 256;
    assert_eq!(unwrap_websocket(LIMITS, [&stream[..cut], &stream[cut..]]), whole, "cut at {cut}");
    assert_eq!(unwrap_websocket(LIMITS, stream.chunks(1)), whole, "byte by byte");
    let (pieces, replies) = whole;
    for (piece, message) in &pieces {
        assert_eq!(*piece == Unwrapped::Message, !message.is_empty());
        assert!(message.len() <= LIMITS.head + LIMITS.body, "a message of {} bytes", message.len());
    }
    let is_end = |piece: &Unwrapped| matches!(piece, Unwrapped::Close | Unwrapped::Error(_));
    let end = pieces.iter().position(|(piece, _)| is_end(piece));
    assert!(end.is_none_or(|end| end + 1 == pieces.len()), "something comes behind the end");
    // What goes back is never longer than what came, but for the one goodbye that says what was broken.
    assert!(replies.len() <= stream.len() + GOODBYE, "{} bytes answer {}", replies.len(), stream.len());
}
