//! Header values that are numbers.

use crate::bytes::{number, trim};

/// Seconds, as in Expires, Min-Expires and a contact's `expires`. What is larger than 32 bits is the largest number that
/// is not: nobody can tell the difference (RFC 3261 section 20.19). `None` when it is not a number.
pub fn delta_seconds(value: &[u8]) -> Option<u32> {
    number(trim(value)).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Content-Length, in bytes; `None` when it is not a number. One that is too large for 64 bits is `u64::MAX`.
pub fn content_length(value: &[u8]) -> Option<u64> {
    number(trim(value))
}

/// Max-Forwards and Max-Breadth; `None` when it is not 0 to 255.
pub fn max_forwards(value: &[u8]) -> Option<u8> {
    number(trim(value)).and_then(|hops| u8::try_from(hops).ok())
}

/// A `qvalue` in thousandths: 0 to 1 with at most three decimals (RFC 3261 section 25.1).
pub fn thousandths(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    for (decimal, unit) in decimals.iter().zip([100, 10, 1]) {
        if !decimal.is_ascii_digit() {
            return None;
        }
        thousandths += u16::from(decimal - b'0') * unit;
    }
    (thousandths <= 1000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_saturate_and_anything_but_digits_is_no_number() {
        assert_eq!(delta_seconds(b" 3600 "), Some(3600));
        assert_eq!(delta_seconds(b"0"), Some(0));
        assert_eq!(delta_seconds(b"4294967296"), Some(u32::MAX));
        assert_eq!(delta_seconds(b"99999999999999999999999999"), Some(u32::MAX));
        for wrong in [&b""[..], b"-1", b"+1", b"1.5", b"1 2", b"soon", b"0x10"] {
            assert_eq!(delta_seconds(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn hops_are_0_to_255() {
        assert_eq!(max_forwards(b"0068"), Some(68));
        assert_eq!(max_forwards(b"255"), Some(255));
        assert_eq!(max_forwards(b"256"), None);
        assert_eq!(max_forwards(b"-1"), None);
    }

    #[test]
    fn a_qvalue_has_at_most_three_decimals_and_is_at_most_one() {
        for (text, expected) in
            [("0", 0), ("1", 1000), ("0.5", 500), ("0.25", 250), ("0.001", 1), ("1.000", 1000), ("0.", 0)]
        {
            assert_eq!(thousandths(text.as_bytes()), Some(expected), "{text}");
        }
        for wrong in ["", "2", "1.001", "0.1234", ".5", "0,5", "0.x", "-0.1", "00.1"] {
            assert_eq!(thousandths(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
