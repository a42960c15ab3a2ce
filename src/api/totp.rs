//! Codes of the second factor: TOTP (RFC 6238) with SHA-1, six digits, thirty seconds, which every app knows.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

/// Seconds that a code is shown.
const STEP_SECONDS: i64 = 30;
const DIGITS: u32 = 6;
/// Steps before and after the present one whose codes are good too: clocks differ.
const TOLERANCE: i64 = 1;
/// Bytes of a secret: those of the hash (RFC 4226 section 4, R6).
const SECRET_BYTES: usize = 20;
/// Recovery codes that are given out, and random bytes of each: it can be guessed without a hurry when the database is stolen.
const RECOVERY_CODES: usize = 10;
const RECOVERY_BYTES: usize = 10;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret.
pub(crate) fn draw_secret() -> [u8; SECRET_BYTES] {
    rand::random()
}

/// The recovery codes of one enrolment.
pub(crate) fn draw_recovery_codes() -> Vec<String> {
    let code = || {
        let bytes: [u8; RECOVERY_BYTES] = rand::random();
        let text = base32(&bytes).to_lowercase();
        let parts: Vec<_> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
        parts.join("-")
    };
    std::iter::repeat_with(code).take(RECOVERY_CODES).collect()
}

/// A recovery code as it is kept, however it was typed.
pub(crate) fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_lowercase()).collect()
}

/// The step whose code this is, near this moment; `None` when it is no such code.
pub(crate) fn step_of(secret: &[u8], code: &str, now_seconds: i64) -> Option<i64> {
    let code = code.trim();
    if code.len() != DIGITS as usize || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let code: u32 = code.parse().ok()?;
    let present = now_seconds.div_euclid(STEP_SECONDS);
    let is_its = |step: &i64| u64::try_from(*step).is_ok_and(|step| code_of(secret, step, DIGITS) == code);
    (present - TOLERANCE..=present + TOLERANCE).find(is_its)
}

/// HOTP (RFC 4226 section 5.3).
fn code_of(secret: &[u8], step: u64, digits: u32) -> u32 {
    // HMAC takes a key of any length.
    let Ok(mut hmac) = Hmac::<Sha1>::new_from_slice(secret) else { return u32::MAX };
    hmac.update(&step.to_be_bytes());
    let hash: [u8; 20] = hmac.finalize().into_bytes().into();
    let at = usize::from(hash[19] & 0x0f);
    let four = [hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]];
    u32::from_be_bytes(four) % 10u32.pow(digits)
}

/// Base32 (RFC 4648 section 6) without padding, as apps take it.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// What an app reads from a QR code.
pub(crate) fn uri(secret: &[u8], name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let name = name.bytes().fold(String::new(), |mut text, byte| {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    });
    let secret = base32(secret);
    format!(
        "otpauth://totp/Ringway:{name}?secret={secret}&issuer=Ringway&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )
}

/// The code of this moment, for tests.
#[cfg(test)]
fn code_at(secret: &[u8], seconds: u64) -> u32 {
    code_of(secret, seconds / 30, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(code_at(secret, seconds), code, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_half_a_minute_early_and_late_and_no_longer() {
        let secret = b"12345678901234567890";
        // 59 s is the end of step 1.
        for (now, step) in [(59, Some(1)), (30, Some(1)), (29, Some(1)), (89, Some(1)), (90, None), (1200, None)] {
            assert_eq!(step_of(secret, "287082", now), step, "{now}");
        }
        for wrong in ["287083", "87082", "0287082", "28708a", "", "+87082"] {
            assert_eq!(step_of(secret, wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_written_as_apps_read_it() {
        // RFC 4648 section 10.
        for (plain, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(plain.as_bytes()), text);
        }
        let uri = uri(b"12345678901234567890", "ann@acme.example");
        assert!(uri.starts_with("otpauth://totp/Ringway:ann%40acme.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"));
    }

    #[test]
    fn recovery_codes_are_ten_and_read_back_however_they_are_typed() {
        let codes = draw_recovery_codes();
        assert_eq!((codes.len(), codes[0].len()), (10, 19), "{codes:?}");
        assert_eq!(normal(&codes[0].to_uppercase().replace('-', " ")), normal(&codes[0]));
        assert_ne!(codes[0], codes[1]);
    }
}
