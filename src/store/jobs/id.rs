//! What jobs are called: their time and chance, as ULIDs have them, so that their order as text is the order in time.

use crate::random;

/// Digits without those that are taken for others.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new one, made at this moment in milliseconds since the Unix epoch.
pub(super) fn draw(moment: i64) -> String {
    let mut chance = [0; 16];
    random::fill(&mut chance[6..]);
    let number = u128::from(moment.unsigned_abs()) << 80 | u128::from_be_bytes(chance);
    (0..26).rev().map(|place| char::from(DIGITS[(number >> (5 * place)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use super::draw;

    #[test]
    fn later_ones_are_greater_and_none_is_like_another() {
        let (first, second) = (draw(1_796_000_000_000), draw(1_796_000_000_000));
        assert!(first != second && first.len() == 26);
        assert!(draw(1_796_000_000_001) > first.max(second));
    }
}
