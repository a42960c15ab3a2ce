//! Emergency numbers: no extension has one, for it would ring instead.

use crate::fault::{Code, Fault};

/// Those of a tenant that has set none of its own, and of a node that has none configured.
pub const EMERGENCY_NUMBERS: [&str; 2] = ["112", "911"];

/// Emergency numbers that a tenant may have.
pub const MOST_EMERGENCY_NUMBERS: usize = 20;

/// The longest one.
const LONGEST: usize = 16;

/// An emergency number as it is dialled.
///
/// # Errors
/// It is none.
pub fn check_emergency_number(field: &'static str, number: &str) -> Result<(), Fault> {
    let is_dialled = number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#'));
    if !is_dialled || number.is_empty() || number.len() > LONGEST {
        let message = format!("an emergency number is 1 to {LONGEST} digits, as it is dialled, such as 112");
        return Err(Fault::new(field, Code::BadFormat, message));
    }
    Ok(())
}

/// Refuses an extension that would have an emergency number of its tenant.
///
/// # Errors
/// It is one of them.
pub fn check_not_emergency<N: AsRef<str>>(
    field: &'static str,
    number: &str,
    emergency_numbers: &[N],
) -> Result<(), Fault> {
    if emergency_numbers.iter().any(|emergency| emergency.as_ref() == number) {
        let message = format!(
            "{number} is an emergency number of this tenant: who dials it calls for help, and never reaches the extension; give it another number"
        );
        return Err(Fault::new(field, Code::Conflict, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_has_no_emergency_number_and_others_are_free() {
        let fault = check_not_emergency("extension_number", "112", &EMERGENCY_NUMBERS).unwrap_err();
        assert_eq!((&*fault.field, fault.code), ("extension_number", Code::Conflict));
        assert!(fault.message.contains("112 is an emergency number"), "{fault}");
        for free in ["11", "1122", "0112", ""] {
            assert!(check_not_emergency("extension_number", free, &EMERGENCY_NUMBERS).is_ok(), "{free}");
        }
        assert!(check_not_emergency::<&str>("extension_number", "112", &[]).is_ok());
    }

    #[test]
    fn an_emergency_number_is_what_a_phone_dials() {
        for (number, is_good) in [("112", true), ("*110#", true), ("+1911", true), ("", false), ("sos", false)] {
            assert_eq!(check_emergency_number("emergency_numbers", number).is_ok(), is_good, "{number}");
        }
        assert!(check_emergency_number("emergency_numbers", &"1".repeat(17)).is_err());
    }
}
