//! An extension as a person wrote it, and what becomes of it: a new extension, or a change of one that is there.
//!
//! Every member is `None` when it was not mentioned (no such column), and blank when it was mentioned and left empty.
//!
//! | member | not mentioned, new | blank, new | not mentioned, change | blank, change |
//! |---|---|---|---|---|
//! | number, e-mail | fault | fault | fault | fault |
//! | auth name | random, or the number if the tenant says so | the number | kept | kept |
//! | password and hashes | password generated | password generated | kept | kept |
//! | first name, last name | number if neither is given | same | kept | removed (the number if none is left) |
//! | display name | "First Last" | same | kept | "First Last" |
//! | enabled | true | true | kept | kept |

use super::{Hashes, Profile, Secret};
use crate::fault::{Code, Fault};
use crate::validation::{AuthName, DisplayName, Email, Number, Password, PersonName, Random, parse_flag, parse_hash};

/// Words for an extension; nothing is checked yet.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtensionDraft<'a> {
    /// `extension_number`
    pub number: Option<&'a str>,
    /// `auth_name`
    pub auth_name: Option<&'a str>,
    /// `extension_password`
    pub password: Option<&'a str>,
    /// `email`
    pub email: Option<&'a str>,
    /// `display_name`
    pub display_name: Option<&'a str>,
    /// `first_name`
    pub first_name: Option<&'a str>,
    /// `last_name`
    pub last_name: Option<&'a str>,
    /// `enabled`
    pub enabled: Option<&'a str>,
    /// `ha1_md5`
    pub ha1_md5: Option<&'a str>,
    /// `ha1_sha256`
    pub ha1_sha256: Option<&'a str>,
}

/// A checked extension that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExtension {
    /// All but the secret.
    pub profile: Profile,
    /// The password or hashes.
    pub secret: Secret,
}

/// A checked change of the extension that has this number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionChange {
    /// Which extension.
    pub number: Number,
    /// Its new secret, if it gets one.
    pub secret: Option<Secret>,
    auth_name: Option<AuthName>,
    email: Email,
    display_name: Change<DisplayName>,
    first_name: Change<PersonName>,
    last_name: Change<PersonName>,
    enabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change<T> {
    Keep,
    Clear,
    Set(T),
}

/// The members that mean the same for a new extension and for a change.
struct Words {
    number: Option<Number>,
    auth_name: Option<AuthName>,
    email: Option<Email>,
    secret: Option<Secret>,
    display_name: Change<DisplayName>,
    first_name: Change<PersonName>,
    last_name: Change<PersonName>,
    enabled: Option<bool>,
}

impl ExtensionDraft<'_> {
    /// Checks the draft of a new extension and draws what is left blank. `auth_name_equals_number` is its tenant's rule
    /// for an auth name that is not mentioned. Reports all that is wrong at once.
    pub fn create(&self, auth_name_equals_number: bool, random: &mut Random<'_>) -> Result<NewExtension, Vec<Fault>> {
        let (words, mut faults) = self.read();
        let is_random = self.auth_name.is_none() && !auth_name_equals_number;
        if is_random && matches!(words.secret, Some(Secret::Hashes(_))) {
            faults.push(hash_needs_auth_name());
        }
        match (words.number, words.email) {
            (Some(number), Some(email)) if faults.is_empty() => {
                let auth_name = words.auth_name.unwrap_or_else(|| {
                    if is_random { AuthName::generate(random) } else { AuthName::from(number.clone()) }
                });
                let names = names(&number, words.first_name.set(), words.last_name.set());
                let display_name = words.display_name.set().unwrap_or_else(|| display_name(&number, &names));
                let enabled = words.enabled.unwrap_or(true);
                let secret = words.secret.unwrap_or_else(|| Secret::Generated(Password::generate(random)));
                let (first_name, last_name) = names;
                let profile = Profile { number, auth_name, email, display_name, first_name, last_name, enabled };
                Ok(NewExtension { profile, secret })
            }
            _ => Err(faults),
        }
    }

    /// Checks the draft as a change of an extension that is there. Reports all that is wrong at once.
    pub fn change(&self) -> Result<ExtensionChange, Vec<Fault>> {
        let (words, faults) = self.read();
        match (words.number, words.email) {
            (Some(number), Some(email)) if faults.is_empty() => Ok(ExtensionChange {
                number,
                secret: words.secret,
                auth_name: words.auth_name,
                email,
                display_name: words.display_name,
                first_name: words.first_name,
                last_name: words.last_name,
                enabled: words.enabled,
            }),
            _ => Err(faults),
        }
    }

    fn read(&self) -> (Words, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut keep = |fault: Fault| faults.push(fault);
        let number = Number::parse("extension_number", self.number.unwrap_or_default()).map_err(&mut keep).ok();
        let email = Email::parse("email", self.email.unwrap_or_default()).map_err(&mut keep).ok();
        let auth_name =
            given(self.auth_name).and_then(|text| AuthName::parse("auth_name", text).map_err(&mut keep).ok());
        let enabled = given(self.enabled).and_then(|text| parse_flag("enabled", text).map_err(&mut keep).ok());
        let display_name = change(self.display_name, |text| DisplayName::parse("display_name", text), &mut keep);
        let first_name = change(self.first_name, |text| PersonName::parse("first_name", text), &mut keep);
        let last_name = change(self.last_name, |text| PersonName::parse("last_name", text), &mut keep);
        let secret = self.secret().map_err(keep).ok().flatten();
        let words = Words { number, auth_name, email, secret, display_name, first_name, last_name, enabled };
        (words, faults)
    }

    fn secret(&self) -> Result<Option<Secret>, Fault> {
        let password = given(self.password);
        let (md5, sha256) = (given(self.ha1_md5), given(self.ha1_sha256));
        let Some(password) = password else {
            if md5.is_none() && sha256.is_none() {
                return Ok(None);
            }
            let md5 = md5.map(|text| parse_hash("ha1_md5", text)).transpose()?;
            let sha256 = sha256.map(|text| parse_hash("ha1_sha256", text)).transpose()?.map(Box::new);
            return Ok(Some(Secret::Hashes(Hashes { md5, sha256, sha512_256: None })));
        };
        if md5.is_some() || sha256.is_some() {
            let message = "give a password or its hashes, not both";
            return Err(Fault::new("extension_password", Code::Conflict, message));
        }
        Password::parse("extension_password", password).map(|password| Some(Secret::Typed(password)))
    }
}

impl ExtensionChange {
    /// What the extension becomes. `has_password` tells whether its password is known, or only hashes of it: those are
    /// void under another auth name, which is a fault unless a new secret comes along.
    pub fn apply(&self, stored: &Profile, has_password: bool) -> Result<Profile, Fault> {
        let auth_name = self.auth_name.as_ref().unwrap_or(&stored.auth_name);
        if *auth_name != stored.auth_name && !has_password && self.secret.is_none() {
            return Err(hash_needs_auth_name());
        }
        let (first_name, last_name) = names(
            &stored.number,
            self.first_name.clone().over(stored.first_name.clone()),
            self.last_name.clone().over(stored.last_name.clone()),
        );
        let display_name = match &self.display_name {
            Change::Keep => stored.display_name.clone(),
            Change::Set(name) => name.clone(),
            Change::Clear => display_name(&stored.number, &(first_name.clone(), last_name.clone())),
        };
        Ok(Profile {
            number: stored.number.clone(),
            auth_name: auth_name.clone(),
            email: self.email.clone(),
            display_name,
            first_name,
            last_name,
            enabled: self.enabled.unwrap_or(stored.enabled),
        })
    }
}

impl<T> Change<T> {
    fn set(self) -> Option<T> {
        self.over(None)
    }

    fn over(self, stored: Option<T>) -> Option<T> {
        match self {
            Self::Keep => stored,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

fn change<T>(text: Option<&str>, parse: impl Fn(&str) -> Result<T, Fault>, keep: &mut impl FnMut(Fault)) -> Change<T> {
    match text {
        None => Change::Keep,
        Some(text) if text.trim().is_empty() => Change::Clear,
        Some(text) => parse(text).map_or_else(
            |fault| {
                keep(fault);
                Change::Keep
            },
            Change::Set,
        ),
    }
}

type Names = (Option<PersonName>, Option<PersonName>);

fn names(number: &Number, first: Option<PersonName>, last: Option<PersonName>) -> Names {
    if first.is_none() && last.is_none() { (Some(PersonName::from(number)), None) } else { (first, last) }
}

fn display_name(number: &Number, (first, last): &Names) -> DisplayName {
    match (first, last) {
        (Some(first), last) => DisplayName::of_person(first, last.as_ref()),
        (None, Some(last)) => DisplayName::of_person(last, None),
        (None, None) => DisplayName::of_person(&PersonName::from(number), None),
    }
}

fn hash_needs_auth_name() -> Fault {
    let message = "hashes hold for one auth name only: give the auth name they were made with, or a password";
    Fault::new("auth_name", Code::Conflict, message)
}
