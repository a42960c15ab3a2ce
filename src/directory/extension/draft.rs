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
//! | most phones, most apps | 3, 5 | 3, 5 | kept | kept |
//! | voicemail PIN | none: the box asks for one when its owner comes first | drawn | kept | kept |

use super::{DEFAULT_MAX_APPS, DEFAULT_MAX_PHONES, Hashes, Profile, Secret};
use crate::fault::{Code, Fault};
use crate::model::phones::bare_mac;
use crate::model::{Members, Settings, pin};
use crate::validation::{
    AuthName, DisplayName, Email, Number, Password, PersonName, Random, parse_device_limit, parse_flag, parse_hash,
};

/// Words for an extension; nothing is checked yet.
#[derive(Clone, Default, PartialEq, Eq)]
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
    /// `max_phones`
    pub max_phones: Option<&'a str>,
    /// `max_apps`
    pub max_apps: Option<&'a str>,
    /// `ha1_md5`
    pub ha1_md5: Option<&'a str>,
    /// `ha1_sha256`
    pub ha1_sha256: Option<&'a str>,
    /// `voicemail_pin`
    pub voicemail_pin: Option<&'a str>,
    /// What changes of its [settings](Settings); of a new extension, what differs from how they are anyway.
    pub settings: Members,
}

/// A checked extension that is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExtension {
    /// All but the secret.
    pub profile: Profile,
    /// The password or hashes.
    pub secret: Secret,
    /// The PIN of its voicemail box, if it has one from the beginning.
    pub pin: Option<Pin>,
}

/// The PIN of a voicemail box.
#[derive(Clone, PartialEq, Eq)]
pub enum Pin {
    /// Somebody chose it.
    Typed(Box<str>),
    /// We drew it; it is shown once.
    Generated(Box<str>),
}

impl Pin {
    /// Its digits; keep them out of logs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Typed(digits) | Self::Generated(digits) => digits,
        }
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pin")
    }
}

/// What becomes of an extension that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedExtension {
    /// All but the secrets.
    pub profile: Profile,
    /// Its new password or hashes, if it gets any.
    pub secret: Option<Secret>,
    /// Its new PIN, if it gets one.
    pub pin: Option<Pin>,
}

/// A draft whose words are valid. What becomes of it depends on whether there is an extension with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedExtension {
    number: Number,
    auth_name: Wish<AuthName>,
    email: Email,
    secret: Option<Secret>,
    display_name: Wish<DisplayName>,
    first_name: Wish<PersonName>,
    last_name: Wish<PersonName>,
    enabled: Option<bool>,
    max_phones: Option<u8>,
    max_apps: Option<u8>,
    pin: Wish<Pin>,
    settings: Members,
}

/// What a draft says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish<T> {
    NotMentioned,
    Blank,
    Value(T),
}

impl ExtensionDraft<'_> {
    /// Checks every word and reports all that is wrong at once.
    pub fn check(&self) -> Result<CheckedExtension, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut keep = |fault: Fault| faults.push(fault);
        let number = Number::parse("extension_number", self.number.unwrap_or_default()).map_err(&mut keep).ok();
        let email = Email::parse("email", self.email.unwrap_or_default()).map_err(&mut keep).ok();
        let auth_name = wish(self.auth_name, |text| AuthName::parse("auth_name", text), &mut keep);
        let enabled = wish(self.enabled, |text| parse_flag("enabled", text), &mut keep).value();
        let max_phones = wish(self.max_phones, |text| parse_device_limit("max_phones", text, 1), &mut keep).value();
        let max_apps = wish(self.max_apps, |text| parse_device_limit("max_apps", text, 0), &mut keep).value();
        let display_name = wish(self.display_name, |text| DisplayName::parse("display_name", text), &mut keep);
        let first_name = wish(self.first_name, |text| PersonName::parse("first_name", text), &mut keep);
        let last_name = wish(self.last_name, |text| PersonName::parse("last_name", text), &mut keep);
        let secret = self.secret().map_err(&mut keep).ok().flatten();
        let pin = given(self.voicemail_pin);
        if let Some(fault) = pin.and_then(|pin| pin::fault("voicemail_pin", pin, self.number.unwrap_or_default())) {
            keep(fault);
        }
        match (number, email) {
            (Some(number), Some(email)) if faults.is_empty() => Ok(CheckedExtension {
                number,
                auth_name,
                email,
                secret,
                display_name,
                first_name,
                last_name,
                enabled,
                max_phones,
                max_apps,
                pin: match (self.voicemail_pin, pin) {
                    (None, _) => Wish::NotMentioned,
                    (Some(_), None) => Wish::Blank,
                    (Some(_), Some(pin)) => Wish::Value(Pin::Typed(pin.into())),
                },
                settings: self.settings.clone(),
            }),
            _ => Err(faults),
        }
    }

    fn secret(&self) -> Result<Option<Secret>, Fault> {
        let (md5, sha256) = (given(self.ha1_md5), given(self.ha1_sha256));
        let Some(password) = given(self.password) else {
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

impl CheckedExtension {
    /// The number.
    pub fn number(&self) -> &Number {
        &self.number
    }

    /// The e-mail address.
    pub fn email(&self) -> &Email {
        &self.email
    }

    /// The MAC addresses of the desk phones that it is to have.
    pub fn macs(&self) -> impl Iterator<Item = String> {
        let phones = self.settings.get("phones").and_then(serde_json::Value::as_array).into_iter().flatten();
        phones.filter_map(|phone| bare_mac(phone.get("mac")?.as_str()?))
    }

    /// Whether it is to have what only makes sense with other documents of its tenant.
    pub fn needs_surroundings(&self) -> bool {
        ["outbound_caller_ids", "global_holidays"].iter().any(|name| self.settings.contains_key(*name))
    }

    /// The auth name, if one was given.
    pub fn auth_name(&self) -> Option<&AuthName> {
        match &self.auth_name {
            Wish::Value(auth_name) => Some(auth_name),
            Wish::NotMentioned | Wish::Blank => None,
        }
    }

    /// Makes a new extension and draws what was left blank. `auth_name_equals_number` is its tenant's rule for an auth
    /// name that was not mentioned.
    pub fn create(self, auth_name_equals_number: bool, random: &mut Random<'_>) -> Result<NewExtension, Vec<Fault>> {
        let Self { number, secret, email, .. } = self;
        let auth_name = match self.auth_name {
            Wish::Value(auth_name) => auth_name,
            Wish::NotMentioned if !auth_name_equals_number => {
                if matches!(secret, Some(Secret::Hashes(_))) {
                    return Err(vec![hash_needs_auth_name()]);
                }
                AuthName::generate(random)
            }
            Wish::NotMentioned | Wish::Blank => AuthName::from(number.clone()),
        };
        let (first_name, last_name) = names(&number, self.first_name.value(), self.last_name.value());
        let whole_name = || display_name(&number, first_name.as_ref(), last_name.as_ref());
        let display_name = self.display_name.value().unwrap_or_else(whole_name);
        let enabled = self.enabled.unwrap_or(true);
        let max_phones = self.max_phones.unwrap_or(DEFAULT_MAX_PHONES);
        let max_apps = self.max_apps.unwrap_or(DEFAULT_MAX_APPS);
        let settings = Settings::default().changed(&self.settings, number.as_str())?.into();
        let secret = secret.unwrap_or_else(|| Secret::Generated(Password::generate(random)));
        let pin = match self.pin {
            Wish::NotMentioned => None,
            Wish::Blank => Some(Pin::Generated(pin::generate(number.as_str(), random).into())),
            Wish::Value(pin) => Some(pin),
        };
        let profile = Profile {
            number,
            auth_name,
            email,
            display_name,
            first_name,
            last_name,
            enabled,
            max_phones,
            max_apps,
            settings,
        };
        Ok(NewExtension { profile, secret, pin })
    }

    /// What the extension that is there becomes, and its new secret and PIN if it gets them. `has_password` tells whether its
    /// password is known, or only hashes of it: those are void under another auth name, which is a fault unless a new
    /// secret comes along.
    pub fn change(self, stored: &Profile, has_password: bool) -> Result<ChangedExtension, Vec<Fault>> {
        let number = stored.number.clone();
        let auth_name = self.auth_name.value().unwrap_or_else(|| stored.auth_name.clone());
        if auth_name != stored.auth_name && !has_password && self.secret.is_none() {
            return Err(vec![hash_needs_auth_name()]);
        }
        let settings = stored.settings.changed(&self.settings, number.as_str())?.into();
        let first_name = self.first_name.over(stored.first_name.clone());
        let (first_name, last_name) = names(&number, first_name, self.last_name.over(stored.last_name.clone()));
        let display_name = match self.display_name {
            Wish::NotMentioned => stored.display_name.clone(),
            Wish::Blank => display_name(&number, first_name.as_ref(), last_name.as_ref()),
            Wish::Value(name) => name,
        };
        let enabled = self.enabled.unwrap_or(stored.enabled);
        let max_phones = self.max_phones.unwrap_or(stored.max_phones);
        let max_apps = self.max_apps.unwrap_or(stored.max_apps);
        let profile = Profile {
            number,
            auth_name,
            email: self.email,
            display_name,
            first_name,
            last_name,
            enabled,
            max_phones,
            max_apps,
            settings,
        };
        Ok(ChangedExtension { profile, secret: self.secret, pin: self.pin.value() })
    }
}

impl<T> Wish<T> {
    fn value(self) -> Option<T> {
        self.over(None)
    }

    /// What is left of `stored` under this wish.
    fn over(self, stored: Option<T>) -> Option<T> {
        match self {
            Self::NotMentioned => stored,
            Self::Blank => None,
            Self::Value(value) => Some(value),
        }
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// Reads a member; one that is wrong is handed to `keep` and counts as not mentioned.
fn wish<T>(text: Option<&str>, parse: impl Fn(&str) -> Result<T, Fault>, keep: &mut impl FnMut(Fault)) -> Wish<T> {
    match (text, given(text)) {
        (None, _) => Wish::NotMentioned,
        (Some(_), None) => Wish::Blank,
        (Some(_), Some(text)) => parse(text).map_or_else(
            |fault| {
                keep(fault);
                Wish::NotMentioned
            },
            Wish::Value,
        ),
    }
}

/// The names of a person; who has none is called by the number.
fn names(
    number: &Number,
    first: Option<PersonName>,
    last: Option<PersonName>,
) -> (Option<PersonName>, Option<PersonName>) {
    if first.is_none() && last.is_none() { (Some(PersonName::from(number)), None) } else { (first, last) }
}

fn display_name(number: &Number, first: Option<&PersonName>, last: Option<&PersonName>) -> DisplayName {
    match (first, last) {
        (Some(first), last) => DisplayName::of_person(first, last),
        (None, Some(last)) => DisplayName::of_person(last, None),
        (None, None) => DisplayName::of_person(&PersonName::from(number), None),
    }
}

fn hash_needs_auth_name() -> Fault {
    let message = "hashes hold for one auth name only: give the auth name they were made with, or a password";
    Fault::new("auth_name", Code::Conflict, message)
}
