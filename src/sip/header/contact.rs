//! Contact (RFC 3261 section 20.10).

use super::NameAddr;
use super::numbers::{delta_seconds, thousandths};
use crate::Name;
use crate::bytes::is_same;
use crate::message::{Message, Problem, Values};

const MALFORMED: Problem = Problem::Malformed(Name::Contact);

/// One contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact<'a> {
    /// Its URI, display name and all parameters.
    pub name_addr: NameAddr<'a>,
    /// The `q` parameter in thousandths, 0 to 1000.
    pub q: Option<u16>,
    /// The `expires` parameter in seconds, at most `u32::MAX`; `None` when absent or malformed: both mean the default
    /// (section 10.3 step 7).
    pub expires: Option<u32>,
}

impl<'a> Contact<'a> {
    /// Reads one element; `None` when it is malformed, or is `*`.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let name_addr = NameAddr::cut(value)?;
        // Of a parameter that stands twice the first counts.
        let (mut q, mut expires) = (None, None);
        name_addr.params.visit(|name, value| {
            if q.is_none() && is_same(name, b"q") {
                q = Some(thousandths(value?)?);
            } else if expires.is_none() && is_same(name, b"expires") {
                expires = Some(value.and_then(delta_seconds));
            }
            Some(())
        })?;
        Some(Self { name_addr, q, expires: expires.flatten() })
    }
}

/// What all Contact header fields of a message say together.
#[derive(Clone, Debug)]
pub enum ContactSet<'m, 'a> {
    /// A lone `*`: all bindings.
    Star,
    /// Contacts, in order; none when the message has no Contact.
    List(Contacts<'m, 'a>),
}

impl<'m, 'a> ContactSet<'m, 'a> {
    /// Reads and checks all contacts.
    ///
    /// # Errors
    /// [`Problem::Malformed`] when one cannot be read, or `*` stands beside another.
    pub fn read(message: &'m Message<'a>) -> Result<Self, Problem> {
        let mut values = message.values(Name::Contact);
        let first = match values.next() {
            None => None,
            Some(b"*") => return if values.next().is_none() { Ok(Self::Star) } else { Err(MALFORMED) },
            Some(value) => Some(Contact::parse(value).ok_or(MALFORMED)?),
        };
        // A `*` is no contact, so one that stands here is malformed too.
        if values.clone().any(|value| Contact::parse(value).is_none()) {
            return Err(MALFORMED);
        }
        Ok(Self::List(Contacts { first, rest: values }))
    }
}

/// The contacts of a message, already checked.
#[derive(Clone, Debug)]
pub struct Contacts<'m, 'a> {
    /// The first one, as the check left it: nearly every message has no other.
    first: Option<Contact<'a>>,
    rest: Values<'m, 'a>,
}

impl<'a> Iterator for Contacts<'_, 'a> {
    type Item = Contact<'a>;

    fn next(&mut self) -> Option<Contact<'a>> {
        self.first.take().or_else(|| self.rest.find_map(Contact::parse))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(contacts: &str) -> Vec<u8> {
        format!("REGISTER sip:a SIP/2.0\r\n{contacts}\r\n").into_bytes()
    }

    type Row = (String, Option<u16>, Option<u32>);

    fn list(contacts: &str) -> Result<Vec<Row>, Problem> {
        let bytes = message(contacts);
        let message = Message::parse(&bytes).unwrap();
        match message.contacts()? {
            ContactSet::Star => Ok(vec![("*".into(), None, None)]),
            ContactSet::List(contacts) => Ok(contacts
                .map(|found| (String::from_utf8_lossy(found.name_addr.uri).into_owned(), found.q, found.expires))
                .collect()),
        }
    }

    #[test]
    fn contacts_of_all_fields_are_one_list_in_order() {
        let found = list("m: <sip:a@b,c>;q=0.5, sip:d@e;expires=60\r\nContact: \"x, y\" <sip:f>;expires=soon;q=1\r\n");
        let expected = [("sip:a@b,c", Some(500), None), ("sip:d@e", None, Some(60)), ("sip:f", Some(1000), None)];
        assert_eq!(found, Ok(expected.map(|(uri, q, expires)| (uri.to_owned(), q, expires)).to_vec()));
        assert_eq!(list(""), Ok(vec![]));
        assert_eq!(list("Contact:\r\n"), Ok(vec![]));
    }

    #[test]
    fn a_star_stands_alone_or_not_at_all() {
        assert_eq!(list("Contact: *\r\n"), Ok(vec![("*".into(), None, None)]));
        for wrong in ["Contact: *, <sip:a>\r\n", "Contact: <sip:a>\r\nm: *\r\n", "m: *\r\nm: *\r\n", "m: *;q=1\r\n"] {
            assert_eq!(list(wrong), Err(MALFORMED), "{wrong}");
        }
    }

    #[test]
    fn one_malformed_contact_spoils_the_set() {
        for wrong in
            ["<sip:a>,,<sip:b>", "<sip:a>;q=2", "<sip:a>;q", "\"Joe\" <sip:joe@example.org>;;;;", "sip:a?b=c", "None"]
        {
            assert_eq!(list(&format!("Contact: {wrong}\r\n")), Err(MALFORMED), "{wrong}");
        }
    }
}
