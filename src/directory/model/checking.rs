//! Collecting all that is wrong with a document, each with where it is.

use crate::fault::{Code, Fault};

/// What is wrong so far, and where in the document one is.
#[derive(Debug, Default)]
pub struct Checking {
    place: Vec<String>,
    faults: Vec<Fault>,
}

impl Checking {
    /// All that was found.
    pub fn faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Something is wrong with a member; with an empty name, with what is being looked at itself.
    pub fn fault(&mut self, member: &str, code: Code, message: impl Into<std::borrow::Cow<'static, str>>) {
        let places = self.place.iter().map(String::as_str).chain(Some(member).filter(|name| !name.is_empty()));
        let field = places.collect::<Vec<_>>().join("/");
        self.faults.push(Fault::new(field, code, message));
    }

    /// Looks at a member.
    pub fn within(&mut self, member: impl ToString, look: impl FnOnce(&mut Self)) {
        self.place.push(member.to_string());
        look(self);
        self.place.pop();
    }

    /// Looks at each of a list, which may not have more than `most`.
    pub fn each<T>(&mut self, member: &str, items: &[T], most: usize, mut look: impl FnMut(&mut Self, &T)) {
        if items.len() > most {
            self.fault(member, Code::LimitReached, format!("at most {most} are allowed"));
        }
        self.within(member, |checking| {
            for (at, item) in items.iter().take(most).enumerate() {
                checking.within(at, |checking| look(checking, item));
            }
        });
    }

    /// Text of at most so many characters, none of them a control character; it may be empty.
    pub fn text(&mut self, member: &str, text: &str, most: usize) {
        if text.chars().any(char::is_control) {
            self.fault(member, Code::BadCharacter, "control characters and line breaks are not allowed");
        }
        if text.chars().count() > most {
            self.fault(member, Code::TooLong, format!("at most {most} characters are allowed"));
        }
    }

    /// A name that is needed.
    pub fn name(&mut self, member: &str, text: &str, most: usize) {
        if text.trim().is_empty() {
            self.fault(member, Code::Required, "a name is needed");
        }
        self.text(member, text, most);
    }

    /// A telephone number as people write it; it may be empty.
    pub fn phone_number(&mut self, member: &str, text: &str) {
        let is_fine = |one: char| one.is_ascii_alphanumeric() || "().-+*# ".contains(one);
        if !text.chars().all(is_fine) {
            let message = "a number has digits, letters, blanks and ( ) . - + * #";
            self.fault(member, Code::BadCharacter, message);
        }
        self.text(member, text, 32);
    }

    /// What is dialled: digits, `*` and `#`, with a `+` before them at most; it may be empty unless it is needed.
    pub fn dialled(&mut self, member: &str, text: &str, is_needed: bool) {
        if text.is_empty() {
            if is_needed {
                self.fault(member, Code::Required, "a number is needed");
            }
            return;
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.chars().all(|one| one.is_ascii_digit() || "*#".contains(one)) {
            self.fault(member, Code::BadCharacter, "a number has digits, * and #, and may begin with +");
        }
        self.text(member, text, 64);
    }

    /// A number that has to lie between two.
    pub fn between<N: PartialOrd + std::fmt::Display>(&mut self, member: &str, value: N, least: N, most: N) {
        if value < least || value > most {
            self.fault(member, Code::BadFormat, format!("{least} to {most} is allowed, not {value}"));
        }
    }

    /// The name of a time zone.
    pub fn time_zone(&mut self, member: &str, name: &str) {
        if crate::validation::time_zone(name).is_none() {
            let message = format!("{name:?} is no time zone of the IANA database: write one such as Europe/Berlin");
            self.fault(member, Code::BadFormat, message);
        }
    }

    /// A language, as BCP 47 has them.
    pub fn language(&mut self, member: &str, tag: &str) {
        let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|one| one.is_ascii_alphanumeric());
        let first = tag.split('-').next().unwrap_or_default();
        if !tag.split('-').all(is_part) || first.len() < 2 || !first.bytes().all(|one| one.is_ascii_alphabetic()) {
            self.fault(member, Code::BadFormat, "a language is a tag such as en-US or de");
        }
    }
}
