//! What was not signed is no voucher; what was signed is read as it was written, for a minute and with this key only, and no longer
//! when a character of it has changed.
//!
//! First come the place and the mask of the change, the time that has passed, number and domain; the rest is read as it is.

use ringway_edge::keys::Keys;
use ringway_edge::voucher::Voucher;

use crate::cursor::Cursor;

const SECRET: [u8; 32] = [7; 32];
const NOW: u64 = 1_800_000_000;
/// As long as numbers and domains may be.
const LONGEST: usize = 255;
/// For how many seconds a voucher is good, and how far its clock may be ahead.
const HOLDS_FOR: u64 = 60;

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let (place, mask, later) = (cursor.number(), cursor.byte(), cursor.number() as u64);
    let mut text = || {
        let text = String::from_utf8_lossy(cursor.text()).into_owned();
        text.char_indices()
            .take_while(|(at, one)| at + one.len_utf8() <= LONGEST)
            .map(|(_, one)| one)
            .collect::<String>()
    };
    let (number, domain) = (text(), text());
    let rest = cursor.rest();
    let mut keys = Keys::new(SECRET);
    assert_eq!(Voucher::read(rest, &mut keys, NOW), None, "nobody has signed this");
    let forged = [b"rwv.", rest].concat();
    assert_eq!(Voucher::read(&forged, &mut keys, NOW), None, "nobody has signed this");

    let call_id = rest.iter().fold(0, |sum: u64, byte| sum.rotate_left(8) ^ u64::from(*byte));
    let voucher = Voucher {
        call_id,
        is_emergency: mask & 1 == 1,
        number: number.into_boxed_str(),
        domain: domain.into_boxed_str(),
    };
    let mut written = Vec::new();
    voucher.write(&mut keys, NOW, &mut written);
    assert!(
        written.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)),
        "it is a URI's user part"
    );
    let read = Voucher::read(&written, &mut keys, NOW + later);
    assert_eq!(read, (later <= HOLDS_FOR).then(|| voucher.clone()));
    assert_eq!(Voucher::read(&written, &mut Keys::new([8; 32]), NOW), None, "another key");
    let place = place % written.len();
    if mask != 0 {
        written[place] ^= mask;
        assert_eq!(Voucher::read(&written, &mut keys, NOW), None, "changed at {place}");
        written[place] ^= mask;
    }
    written.remove(place);
    assert_eq!(Voucher::read(&written, &mut keys, NOW), None, "a character is missing at {place}");
}
