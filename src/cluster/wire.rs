//! Commands as Redis reads them, written straight to where they are sent from: a batch has thousands of sections, and each copy of
//! them is felt.

use redis::Cmd;

/// Takes a command, argument by argument.
pub(crate) trait Command {
    /// Takes the next argument, which is these parts one after the other.
    fn add(&mut self, parts: &[&[u8]]);
}

impl Command for Cmd {
    fn add(&mut self, parts: &[&[u8]]) {
        match parts {
            [whole] => self.arg(whole),
            parts => self.arg(parts.concat()),
        };
    }
}

/// Commands one after the other, as they are sent.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) bytes: Vec<u8>,
    /// How many commands these are.
    pub(crate) commands: usize,
}

impl Wire {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.commands = 0;
    }

    /// Begins a command of so many arguments, which are to follow.
    pub(crate) fn begin(&mut self, arguments: usize) {
        self.commands += 1;
        self.number(b'*', arguments);
    }

    fn number(&mut self, kind: u8, number: usize) {
        self.bytes.push(kind);
        let mut digits = [0; 20];
        self.bytes.extend_from_slice(decimal(number, &mut digits));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

impl Command for Wire {
    fn add(&mut self, parts: &[&[u8]]) {
        self.number(b'$', parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// A number in digits: `format!` takes longer than all the rest of an argument.
pub(crate) fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut begin = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        (*digit, begin) = (b'0' + (number % 10) as u8, at);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.get(begin..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_written_as_the_crate_writes_them() {
        let (mut wire, mut command) = (Wire::default(), Cmd::new());
        let arguments: [&[&[u8]]; 4] = [&[b"EVALSHA"], &[b"rw:{b7}:", b"acme.example:101"], &[], &[b"\r\n\0"]];
        for _ in 0..2 {
            wire.begin(arguments.len());
            arguments.iter().for_each(|parts| wire.add(parts));
        }
        arguments.iter().for_each(|parts| command.add(parts));
        assert_eq!((wire.commands, wire.bytes.clone()), (2, command.get_packed_command().repeat(2)));
        wire.clear();
        assert_eq!((wire.commands, wire.bytes.len()), (0, 0));
    }

    #[test]
    fn numbers_have_all_their_digits() {
        for number in [0, 9, 10, 4096, usize::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
