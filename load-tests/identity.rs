//! Identifiers that no other run has and that say where they belong.
//!
//! A token is 8 characters drawn for this run, a slot and a serial number. Branches, Call-IDs and tags are made of
//! tokens, so what a message answers is read from it: no table is searched. Serial numbers are never used twice.

/// Length of a token in bytes.
pub(crate) const TOKEN: usize = PREFIX + SLOT + SERIAL;
const PREFIX: usize = 8;
const SLOT: usize = 8;
const SERIAL: usize = 10;

/// What every branch begins with (RFC 3261 section 8.1.1.7).
pub(crate) const COOKIE: &[u8] = b"z9hG4bK";

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The slot of an operation, or the index of a user.
    pub(crate) slot: u32,
    /// When it was drawn, counted from 1 over the whole run.
    pub(crate) serial: u64,
}

/// The part of all identifiers that tells this run from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run([u8; PREFIX]);

impl Run {
    /// The run of a random number.
    pub(crate) fn new(mut random: u64) -> Self {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut prefix = [0; PREFIX];
        for letter in &mut prefix {
            *letter = DIGITS[(random % 32) as usize];
            random /= 32;
        }
        Self(prefix)
    }

    /// The prefix itself.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.0
    }

    /// Appends a token.
    pub(crate) fn write(&self, out: &mut Vec<u8>, token: Token) {
        out.extend_from_slice(&self.0);
        Self::write_rest(out, token);
    }

    /// Appends what follows the prefix.
    pub(crate) fn write_rest(out: &mut Vec<u8>, token: Token) {
        let mut digits = [0; SLOT + SERIAL];
        hexadecimal(&mut digits[..SLOT], u64::from(token.slot));
        hexadecimal(&mut digits[SLOT..], token.serial);
        out.extend_from_slice(&digits);
    }

    /// Reads the token that `text` begins with; `None` when it is not one of this run.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Token> {
        let rest = text.strip_prefix(&self.0)?;
        let slot = number(rest.get(..SLOT)?)?;
        let serial = number(rest.get(SLOT..SLOT + SERIAL)?)?;
        Some(Token { slot: u32::try_from(slot).ok()?, serial })
    }

    /// Reads a branch that is the cookie and a token, and nothing more.
    pub(crate) fn read_branch(&self, branch: &[u8]) -> Option<Token> {
        let token = branch.strip_prefix(COOKIE)?;
        if token.len() == TOKEN { self.read(token) } else { None }
    }
}

/// Writes `value` over all of `out`, in lower case.
pub(crate) fn hexadecimal(out: &mut [u8], mut value: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for digit in out.iter_mut().rev() {
        *digit = DIGITS[(value & 15) as usize];
        value >>= 4;
    }
}

/// Lower case only: we wrote it so, and identifiers come back as they were sent.
fn number(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |value: u64, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let run = Run::new(0x1234_5678_9abc_def0);
        for token in [Token { slot: 0, serial: 1 }, Token { slot: u32::MAX, serial: (1 << 40) - 1 }] {
            let mut text = Vec::new();
            run.write(&mut text, token);
            assert_eq!(text.len(), TOKEN);
            assert_eq!(run.read(&text), Some(token));
            let branch = [COOKIE, &text].concat();
            assert_eq!(run.read_branch(&branch), Some(token));
        }
    }

    #[test]
    fn another_run_s_token_is_not_ours() {
        let mut text = Vec::new();
        Run::new(1).write(&mut text, Token { slot: 1, serial: 1 });
        assert_eq!(Run::new(2).read(&text), None);
    }

    #[test]
    fn a_token_that_was_changed_is_none() {
        let run = Run::new(7);
        let mut text = Vec::new();
        run.write(&mut text, Token { slot: 0xab, serial: 0xcd });
        assert_eq!(run.read(&text.to_ascii_uppercase()), None);
        assert_eq!(run.read(&text[..TOKEN - 1]), None);
        assert_eq!(run.read_branch(&[COOKIE, &text, b"x"].concat()), None);
        assert_eq!(run.read_branch(&text), None);
    }
}
