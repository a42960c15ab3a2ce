//! Comma-separated elements (RFC 3261 section 7.3.1).

use super::{Field, Message};
use crate::Name;
use crate::bytes::{separator_at, trim, until};

/// The elements of all header fields of one name; made by [`Message::values`].
#[derive(Clone, Debug)]
pub struct Values<'m, 'a> {
    message: &'m Message<'a>,
    name: Name,
    /// The entry to look at next.
    index: usize,
    /// What is left of the field that was begun.
    rest: Option<&'a [u8]>,
}

impl<'m, 'a> Values<'m, 'a> {
    pub(super) fn new(message: &'m Message<'a>, name: Name) -> Self {
        Self { message, name, index: message.first_index(name), rest: None }
    }

    /// The next field of the name that has a value: an empty one is an empty list.
    fn next_field(&mut self) -> Option<Field<'a>> {
        while let Some(entry) = self.message.entries.get(self.index) {
            self.index += 1;
            if entry.name == self.name {
                let found = self.index - 1;
                if !self.message.is_repeated(self.name) {
                    self.index = usize::MAX;
                }
                if entry.value_start < entry.value_end {
                    return self.message.field_at(found);
                }
            }
        }
        None
    }
}

impl<'a> Iterator for Values<'_, 'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => self.next_field()?.value,
        };
        let (value, rest) = first_value(rest);
        self.rest = rest;
        Some(value)
    }
}

/// The elements of one header field's value. Nothing between two commas is an empty element, so that its reader can call
/// it malformed; an empty value has no elements.
pub fn values_of(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value).filter(|value| !value.is_empty());
    std::iter::from_fn(move || {
        let (first, behind) = first_value(rest?);
        rest = behind;
        Some(first)
    })
}

/// The first element, and what follows its comma.
pub(crate) fn first_value(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = separator_at(bytes, b',');
    (trim(until(bytes, end)), bytes.get(end + 1..))
}
