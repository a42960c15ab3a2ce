//! PINs of voicemail boxes.

use crate::fault::{Code, Fault};
use crate::validation::Random;

/// Digits of a PIN that is drawn, and the fewest of one that is typed.
pub const DIGITS: usize = 6;
/// The most digits.
pub const MOST_DIGITS: usize = 10;

/// What is wrong with a PIN.
pub fn fault(field: &'static str, pin: &str, number: &str) -> Option<Fault> {
    let fault = |code, message: &'static str| Some(Fault::new(field, code, message));
    if !pin.bytes().all(|one| one.is_ascii_digit()) {
        return fault(Code::BadCharacter, "a PIN has digits only");
    }
    if pin.len() < DIGITS {
        return fault(Code::TooShort, "a PIN has 6 digits or more");
    }
    if pin.len() > MOST_DIGITS {
        return fault(Code::TooLong, "a PIN has 10 digits at most");
    }
    if is_easy(pin, number) {
        let message =
            "a PIN is neither the extension's number nor has three digits in it that are equal or follow each other";
        return fault(Code::BadFormat, message);
    }
    None
}

fn is_easy(pin: &str, number: &str) -> bool {
    let runs = |windows: &[u8]| match windows {
        [one, two, three] => {
            let steps = (i16::from(*two) - i16::from(*one), i16::from(*three) - i16::from(*two));
            matches!(steps, (0, 0) | (1, 1) | (-1, -1))
        }
        _ => false,
    };
    pin == number || pin.as_bytes().windows(3).any(runs)
}

/// A PIN that nobody guesses by what is easy.
pub fn generate(number: &str, random: &mut Random<'_>) -> String {
    loop {
        let pin = crate::validation::draw_digits(DIGITS, random);
        if !is_easy(&pin, number) {
            return pin;
        }
    }
}
