//! What a tenant sets that no call is judged by: kept as JSON, for it is only ever read and written as a whole.

use ringway_directory::validation::{
    EMERGENCY_NUMBERS, Email, MOST_EMERGENCY_NUMBERS, check_emergency_number, time_zone,
};
use ringway_directory::{Code, Fault};
use serde::{Deserialize, Serialize};

/// The currencies in circulation, by ISO 4217.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
     CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR \
     ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU \
     MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD \
     SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG \
     XOF XPF YER ZAR ZMW ZWG";

/// How short a password may be asked to be, and how long.
pub const PASSWORD_LENGTHS: std::ops::RangeInclusive<u8> = 6..=64;

/// Digits that an extension's number may have.
const NUMBER_LENGTHS: std::ops::RangeInclusive<u8> = 1..=32;

/// The longest text of any of these.
const LONGEST: usize = 255;

/// What is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// The time zone of its hours, by its IANA name.
    pub time_zone: String,
    /// What its money is, by ISO 4217.
    pub currency: String,
    /// The country's code, digits without `+`; empty: none.
    pub country_prefix: String,
    /// What is dialled before another country's code; empty: none.
    pub international_prefix: String,
    /// How long the numbers of its extensions are meant to be: a hint for whoever adds one.
    pub extension_length: ExtensionLength,
    /// Numbers that no extension has.
    pub emergency_numbers: Vec<String>,
    /// What passwords of its users are to be.
    pub password_policy: PasswordPolicy,
    /// The server that takes its mail; its password is kept elsewhere.
    pub smtp: Option<Smtp>,
}

/// From so many digits to so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtensionLength {
    /// The fewest.
    pub min: u8,
    /// The most.
    pub max: u8,
}

/// What passwords of users are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordPolicy {
    /// So many characters at least.
    pub min_length: u8,
    /// A letter is in it.
    pub letters: bool,
    /// A digit is in it.
    pub numbers: bool,
    /// A capital letter, or what is neither letter nor digit, is in it.
    pub upper_or_special: bool,
    /// No four characters follow each other, such as `1234`.
    pub no_sequences: bool,
    /// No four equal characters stand in a row.
    pub no_repeats: bool,
    /// The user's name is not in it.
    pub not_similar: bool,
}

/// A server that takes mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub security: SmtpSecurity,
    /// Who signs in there; empty: nobody.
    pub username: String,
    /// From whom the mail is.
    pub from: String,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// In clear.
    None,
    /// TLS after a greeting in clear.
    Starttls,
    /// TLS from the first byte on.
    Tls,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            currency: "EUR".to_owned(),
            country_prefix: String::new(),
            international_prefix: String::new(),
            extension_length: ExtensionLength::default(),
            emergency_numbers: EMERGENCY_NUMBERS.map(str::to_owned).to_vec(),
            password_policy: PasswordPolicy::default(),
            smtp: None,
        }
    }
}

impl Default for ExtensionLength {
    fn default() -> Self {
        Self { min: 3, max: 6 }
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: 10,
            letters: true,
            numbers: true,
            upper_or_special: true,
            no_sequences: true,
            no_repeats: true,
            not_similar: true,
        }
    }
}

impl TenantSettings {
    /// Everything that is wrong with them. What may be written in two ways is written in one from then on.
    pub fn check(&mut self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut bad = |field, message: String| faults.push(Fault::new(field, Code::BadFormat, message));
        match time_zone(&self.time_zone) {
            Some(name) => self.time_zone = name,
            None => bad("time_zone", "a time zone has the name of the IANA database, such as Europe/Berlin".to_owned()),
        }
        self.currency.make_ascii_uppercase();
        if self.currency.len() != 3 || !CURRENCIES.split_ascii_whitespace().any(|known| known == self.currency) {
            bad("currency", "a currency is the code of ISO 4217, such as EUR".to_owned());
        }
        let is_digits = |text: &str, longest| text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(&self.country_prefix, 4) || self.country_prefix.starts_with('0') {
            bad("country_prefix", "a country's code is 1 to 4 digits without + or 00, such as 49".to_owned());
        }
        if !is_digits(&self.international_prefix, 8) {
            bad("international_prefix", "what leads abroad is 1 to 8 digits, such as 00".to_owned());
        }
        let ExtensionLength { min, max } = self.extension_length;
        if !NUMBER_LENGTHS.contains(&min) || !NUMBER_LENGTHS.contains(&max) || min > max {
            bad("extension_length", "from 1 to 32 digits, the fewest first".to_owned());
        }
        if !PASSWORD_LENGTHS.contains(&self.password_policy.min_length) {
            let (least, most) = (PASSWORD_LENGTHS.start(), PASSWORD_LENGTHS.end());
            bad("password_policy/min_length", format!("a password may be asked to have {least} to {most} characters"));
        }
        if self.emergency_numbers.len() > MOST_EMERGENCY_NUMBERS {
            bad("emergency_numbers", format!("a tenant has {MOST_EMERGENCY_NUMBERS} emergency numbers at most"));
        }
        self.emergency_numbers.dedup();
        let numbers = self.emergency_numbers.iter().take(MOST_EMERGENCY_NUMBERS);
        faults.extend(numbers.filter_map(|number| check_emergency_number("emergency_numbers", number).err()));
        if let Some(smtp) = &self.smtp {
            smtp.check(&mut faults);
        }
        faults
    }
}

impl Smtp {
    fn check(&self, faults: &mut Vec<Fault>) {
        let mut bad = |field, message: &'static str| faults.push(Fault::new(field, Code::BadFormat, message));
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if self.host.is_empty() || self.host.len() > LONGEST || !self.host.bytes().all(is_host) {
            bad("smtp/host", "a mail server is a name or an address, such as mail.acme.example");
        }
        if self.port == 0 {
            bad("smtp/port", "a port from 1 to 65535, such as 587");
        }
        if self.username.len() > LONGEST || self.username.chars().any(char::is_control) {
            bad("smtp/username", "a user name has 255 bytes at most");
        }
        faults.extend(Email::parse("smtp/from", &self.from).err());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_set_has_its_defaults_and_those_are_good() {
        let mut settings: TenantSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(settings, TenantSettings::default());
        assert_eq!(settings.check(), []);
        assert_eq!((&*settings.time_zone, &*settings.currency), ("UTC", "EUR"));
        assert_eq!(settings.emergency_numbers, ["112", "911"]);
        // What a later version has set is no trouble for this one.
        assert!(
            serde_json::from_str::<TenantSettings>(r#"{"of_tomorrow":1,"password_policy":{"min_length":6}}"#).is_ok()
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_names_are_written_as_they_are_known() {
        let mut settings =
            TenantSettings { time_zone: "europe/berlin".into(), currency: "usd".into(), ..TenantSettings::default() };
        assert_eq!(settings.check(), []);
        assert_eq!((&*settings.time_zone, &*settings.currency), ("Europe/Berlin", "USD"));
        let mut wrong = TenantSettings {
            time_zone: "Mars/Olympus".into(),
            currency: "XXX".into(),
            country_prefix: "+49".into(),
            international_prefix: "0x".into(),
            extension_length: ExtensionLength { min: 4, max: 3 },
            emergency_numbers: vec!["sos".into()],
            password_policy: PasswordPolicy { min_length: 5, ..PasswordPolicy::default() },
            smtp: Some(Smtp {
                host: "mail acme".into(),
                port: 0,
                security: SmtpSecurity::Tls,
                username: "a\n".into(),
                from: "nobody".into(),
            }),
        };
        let fields: Vec<_> = wrong.check().iter().map(|fault| fault.field.clone()).collect();
        assert_eq!(
            fields,
            [
                "time_zone",
                "currency",
                "country_prefix",
                "international_prefix",
                "extension_length",
                "password_policy/min_length",
                "emergency_numbers",
                "smtp/host",
                "smtp/port",
                "smtp/username",
                "smtp/from"
            ]
        );
    }
}
