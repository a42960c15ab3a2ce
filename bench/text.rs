//! Writing and reading messages, no better than a phone has to.

/// Appends the parts.
pub fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Appends a number in decimal digits.
pub fn put_number(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a number in sixteen hexadecimal digits.
pub fn put_hex(out: &mut Vec<u8>, number: u64) {
    out.extend((0..16).map(|place| b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15]));
}

/// The status of a response; 0 of a request.
pub fn status(message: &[u8]) -> u16 {
    let code = message.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.first_chunk::<3>());
    code.map_or(0, |code| code.iter().fold(0, |status, digit| status * 10 + u16::from(digit.wrapping_sub(b'0'))))
}

/// The values of the header fields with this name, in their order.
pub fn values<'a>(message: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let lines = message.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii_end);
    lines.take_while(|line| !line.is_empty()).filter_map(move |line| {
        let (found, value) = line.split_at_checked(name.len())?;
        Some(value.strip_prefix(b":")?.trim_ascii()).filter(|_| found.eq_ignore_ascii_case(name))
    })
}

/// The first value of a header field; empty when there is none.
pub fn value<'a>(message: &'a [u8], name: &'a [u8]) -> &'a [u8] {
    values(message, name).next().unwrap_or_default()
}

/// What stands between `<` and `>`.
pub fn within_angles(value: &[u8]) -> &[u8] {
    let inner = value.split(|byte| *byte == b'<').nth(1).unwrap_or(value);
    inner.split(|byte| *byte == b'>').next().unwrap_or(inner)
}
