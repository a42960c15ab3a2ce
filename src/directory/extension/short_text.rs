//! Text that is short nearly always: it lies in the structure whose member it is.

use std::fmt;
use std::ops::Deref;

/// Bytes that need no memory of their own.
const INLINE: usize = 22;

/// Text that does not change. Up to 22 bytes of it lie in place; comparing such a text reads no other memory, which among
/// a million extensions would be one more miss of every cache.
#[derive(Clone)]
pub struct ShortText(Form);

#[derive(Clone)]
enum Form {
    Inline { length: u8, bytes: [u8; INLINE] },
    Apart(Box<str>),
}

impl ShortText {
    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Form::Apart(text) => text.as_bytes(),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // What was copied in from text is text.
            Form::Inline { .. } => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Form::Apart(text) => text,
        }
    }
}

impl From<&str> for ShortText {
    fn from(text: &str) -> Self {
        let mut bytes = [0; INLINE];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(room)) => {
                room.copy_from_slice(text.as_bytes());
                Self(Form::Inline { length, bytes })
            }
            _ => Self(Form::Apart(text.into())),
        }
    }
}

impl From<String> for ShortText {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Box<str>> for ShortText {
    fn from(text: Box<str>) -> Self {
        (&*text).into()
    }
}

impl From<&ShortText> for Box<str> {
    fn from(text: &ShortText) -> Self {
        text.as_str().into()
    }
}

impl Deref for ShortText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ShortText {}

impl fmt::Debug for ShortText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_text_that_it_was_made_of_and_takes_24_bytes() {
        assert_eq!(size_of::<ShortText>(), 24);
        for length in 0..300 {
            let text: String = "0123456789é".chars().cycle().take(length).collect();
            let short = ShortText::from(text.as_str());
            assert_eq!((short.as_bytes(), short.as_str()), (text.as_bytes(), text.as_str()));
            assert_eq!(short, ShortText::from(text.clone()));
            assert_ne!(short, ShortText::from(text + "x"));
        }
    }
}
