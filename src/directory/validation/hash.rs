//! HA1 hashes of digest authentication, as other servers export them.

use crate::fault::{Code, Fault};

/// Reads a hash of `N` bytes from twice as many hexadecimal digits of either case; blanks around them are ignored.
pub fn parse_hash<const N: usize>(field: &'static str, text: &str) -> Result<[u8; N], Fault> {
    let wrong = || Fault::new(field, Code::BadFormat, format!("exactly {} hexadecimal digits are needed", N * 2));
    let text = text.trim().as_bytes();
    if text.len() != N * 2 {
        return Err(wrong());
    }
    let mut hash = [0; N];
    for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |character: u8| char::from(character).to_digit(16);
        let value = pair.iter().try_fold(0, |value, character| Some(value * 16 + digit(*character)?));
        *byte = value.and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?;
    }
    Ok(hash)
}
