//! Yes and no.

use crate::fault::{Code, Fault};

/// Reads `true`/`false`, `1`/`0`, `yes`/`no` or `on`/`off` in any case; blanks around it are ignored.
pub fn parse_flag(field: &'static str, text: &str) -> Result<bool, Fault> {
    let text = text.trim();
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is_one_of(["true", "1", "yes", "on"]) {
        Ok(true)
    } else if is_one_of(["false", "0", "no", "off"]) {
        Ok(false)
    } else {
        Err(Fault::new(field, Code::BadFormat, "write true or false"))
    }
}
