//! The users that the generator plays, as many as a million: their texts lie in one buffer.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use crate::login::Login;

/// A piece of [`Users::text`].
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    at: u32,
    length: u32,
}

/// One user.
#[derive(Debug)]
pub(crate) struct User {
    number: Span,
    auth_name: Span,
    password: Span,
    /// Index into the domains.
    pub(crate) domain: u16,
    /// The socket or connection that it speaks on.
    pub(crate) endpoint: u16,
    /// An operation of its own is in flight.
    pub(crate) is_busy: bool,
    /// Serial number of its registration's Call-ID, which stays the same (RFC 3261 section 10.2); 0: not drawn yet.
    pub(crate) registration: u64,
    /// CSeq of its last REGISTER.
    pub(crate) cseq: u32,
    /// What it knows for digest.
    pub(crate) login: Login,
}

/// All users, those of a domain side by side.
#[derive(Debug, Default)]
pub(crate) struct Users {
    text: Vec<u8>,
    users: Vec<User>,
    domains: Vec<Box<[u8]>>,
}

/// A domain's users: indices from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Users {
    /// Adds the users of a CSV with the columns `extension_number`, `auth_name`, `extension_password` and perhaps `domain`; other
    /// columns are passed over. Rows without a domain are of `domain`. At most `limit` rows are taken.
    ///
    /// # Errors
    /// A sentence that names file and line.
    pub(crate) fn add(&mut self, path: &Path, domain: Option<&str>, limit: usize) -> Result<(), String> {
        let named = |what: String| format!("{}: {what}", path.display());
        let file = File::open(path).map_err(|error| named(format!("the users can't be read: {error}")))?;
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(file);
        let header = reader.byte_headers().map_err(|error| named(error.to_string()))?.clone();
        let column = |name: &str| header.iter().position(|column| column == name.as_bytes());
        let required = |name: &str| {
            column(name).ok_or_else(|| named(format!("there is no column `{name}`; the first line must name it")))
        };
        let (number, password) = (required("extension_number")?, required("extension_password")?);
        let (auth_name, domain_column) = (column("auth_name"), column("domain"));

        let mut domain_by_name: HashMap<_, _> = self.domains.iter().map(|name| name.to_vec()).zip(0..).collect();
        let count = self.users.len();
        let mut record = csv::ByteRecord::new();
        while self.users.len() - count < limit
            && reader.read_byte_record(&mut record).map_err(|error| named(error.to_string()))?
        {
            let line = record.position().map_or(0, csv::Position::line);
            let cell =
                |column: Option<usize>| column.and_then(|column| record.get(column)).filter(|cell| !cell.is_empty());
            let fault = |what: &str| named(format!("line {line}: {what}"));
            let number = cell(Some(number)).ok_or_else(|| fault("extension_number is blank"))?;
            let name = cell(domain_column).or(domain.map(str::as_bytes));
            let name = name.ok_or_else(|| fault("no domain: give --domain, or the file a column `domain`"))?;
            let password =
                cell(Some(password)).ok_or_else(|| fault("extension_password is blank: write the password"))?;
            for text in [number, name] {
                if text.iter().any(|byte| byte.is_ascii_whitespace() || b"<>\"@;?".contains(byte)) {
                    return Err(fault("a number or domain has a character that can't stand in a URI"));
                }
            }
            let domain = match domain_by_name.get(name) {
                Some(domain) => *domain,
                None => {
                    let domain = u16::try_from(self.domains.len()).map_err(|_| fault("more than 65,536 domains"))?;
                    domain_by_name.insert(name.to_vec(), domain);
                    self.domains.push(name.into());
                    domain
                }
            };
            let user = User {
                number: self.keep(number),
                auth_name: self.keep(cell(auth_name).unwrap_or(number)),
                password: self.keep(password),
                domain,
                endpoint: 0,
                is_busy: false,
                registration: 0,
                cseq: 0,
                login: Login::default(),
            };
            self.users.push(user);
        }
        if self.users.len() == count {
            return Err(named("there is no user in it".into()));
        }
        self.users.sort_by_key(|user| user.domain);
        Ok(())
    }

    fn keep(&mut self, text: &[u8]) -> Span {
        let span = Span { at: self.text.len() as u32, length: text.len() as u32 };
        self.text.extend_from_slice(text);
        span
    }

    fn piece(&self, span: Span) -> &[u8] {
        &self.text[span.at as usize..(span.at + span.length) as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    pub(crate) fn user(&self, index: u32) -> &User {
        &self.users[index as usize]
    }

    pub(crate) fn user_mut(&mut self, index: u32) -> &mut User {
        &mut self.users[index as usize]
    }

    /// The user part of its address-of-record.
    pub(crate) fn number(&self, index: u32) -> &[u8] {
        self.piece(self.user(index).number)
    }

    /// Its user name of digest.
    pub(crate) fn auth_name(&self, index: u32) -> &[u8] {
        self.piece(self.user(index).auth_name)
    }

    /// The domain of its address-of-record.
    pub(crate) fn domain(&self, index: u32) -> &[u8] {
        &self.domains[usize::from(self.user(index).domain)]
    }

    /// Its name and password for digest, with what it knows.
    pub(crate) fn secrets(&mut self, index: u32) -> (&[u8], &[u8], &mut Login) {
        let user = &mut self.users[index as usize];
        let piece = |span: Span| &self.text[span.at as usize..(span.at + span.length) as usize];
        (piece(user.auth_name), piece(user.password), &mut user.login)
    }

    /// The domains, in the order of the file.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &[u8]> {
        self.domains.iter().map(|domain| &**domain)
    }

    /// The users of a domain; `None` when the file has none of it.
    pub(crate) fn group(&self, domain: &[u8]) -> Option<Group> {
        let domain = self.domains.iter().position(|known| **known == *domain)?;
        let first = self.users.partition_point(|user| usize::from(user.domain) < domain);
        let end = self.users.partition_point(|user| usize::from(user.domain) <= domain);
        Some(Group { first: first as u32, count: (end - first) as u32 })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &str, domain: Option<&str>) -> Result<Users, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut users = Users::default();
        let read = users.add(file.path(), domain, usize::MAX);
        read.map(|()| users).map_err(|error| error.split_once(": ").map_or(error.clone(), |(_, what)| what.to_owned()))
    }

    #[test]
    fn users_are_read_by_the_names_of_their_columns() {
        let text = "email,extension_number,auth_name,extension_password\na@x,101,alice,p1\nb@x,102,,p2\n";
        let mut users = read(text, Some("acme.example")).unwrap();
        assert_eq!((users.number(0), users.domain(0)), (&b"101"[..], &b"acme.example"[..]));
        let (name, password, _) = users.secrets(0);
        assert_eq!((name, password), (&b"alice"[..], &b"p1"[..]));
        let (name, password, _) = users.secrets(1);
        assert_eq!((name, password), (&b"102"[..], &b"p2"[..]));
    }

    #[test]
    fn users_of_a_domain_stand_side_by_side() {
        let text = "extension_number,extension_password,domain\n1,p,a\n2,p,b\n3,p,a\n4,p,\n";
        let users = read(text, Some("b")).unwrap();
        assert_eq!(users.domains().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(users.group(b"a"), Some(Group { first: 0, count: 2 }));
        assert_eq!(users.group(b"b"), Some(Group { first: 2, count: 2 }));
        assert_eq!(users.group(b"c"), None);
        assert_eq!((users.number(1), users.number(3)), (&b"3"[..], &b"4"[..]));
    }

    #[test]
    fn faults_name_the_line() {
        for (text, expected) in [
            ("extension_number\n1\n", "there is no column `extension_password`; the first line must name it"),
            ("extension_number,extension_password\n", "there is no user in it"),
            ("extension_number,extension_password\n1,p\n,p\n", "line 3: extension_number is blank"),
            ("extension_number,extension_password\n1,\n", "line 2: extension_password is blank: write the password"),
        ] {
            assert_eq!(read(text, Some("a")).unwrap_err(), expected);
        }
        let fault = read("extension_number,extension_password\n1,p\n", None).unwrap_err();
        assert_eq!(fault, "line 2: no domain: give --domain, or the file a column `domain`");
    }
}
