//! What a tenant sets that no call is judged by.

use ringway_store::directory::TenantRow;
use ringway_store::directory::settings::{ExtensionLength, Smtp, SmtpSecurity, TenantSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::mentioned;

/// What is set.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsView {
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    #[schema(example = "EUR")]
    currency: String,
    #[schema(example = "49")]
    country_prefix: String,
    #[schema(example = "00")]
    international_prefix: String,
    extension_length: Length,
    emergency_numbers: Vec<String>,
    password_policy: PolicyView,
    smtp: Option<SmtpView>,
    require_totp: bool,
}

/// How long the numbers of extensions are meant to be: a hint for whoever adds one.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Length {
    #[schema(minimum = 1, maximum = 32)]
    min: u8,
    #[schema(minimum = 1, maximum = 32)]
    max: u8,
}

/// What passwords of users are to be.
#[derive(Serialize, ToSchema)]
pub(crate) struct PolicyView {
    min_length: u8,
    letters: bool,
    numbers: bool,
    upper_or_special: bool,
    no_sequences: bool,
    no_repeats: bool,
    not_similar: bool,
}

/// What is to change of it; what is not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyPatch {
    #[schema(minimum = 6, maximum = 64)]
    min_length: Option<u8>,
    /// A letter is in it.
    letters: Option<bool>,
    /// A digit is in it.
    numbers: Option<bool>,
    /// A capital letter, or what is neither letter nor digit, is in it.
    upper_or_special: Option<bool>,
    /// No four characters follow each other.
    no_sequences: Option<bool>,
    /// No four equal characters stand in a row.
    no_repeats: Option<bool>,
    /// The user's name is not in it.
    not_similar: Option<bool>,
}

/// The server that takes the tenant's mail.
#[derive(Serialize, ToSchema)]
pub(crate) struct SmtpView {
    #[schema(example = "mail.acme.example")]
    host: String,
    port: u16,
    security: Security,
    username: String,
    from: String,
    /// Whether there is a password. It is never shown.
    has_password: bool,
}

/// What is to change of it; what is not there stays, or is `starttls` at port 587.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmtpPatch {
    host: Option<String>,
    port: Option<u16>,
    security: Option<Security>,
    username: Option<String>,
    from: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<String>, format = Password)]
    pub(super) password: Option<Option<String>>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    None,
    Starttls,
    Tls,
}

/// What is to change of what is set.
pub(super) struct SettingsPatch {
    pub(super) time_zone: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) country_prefix: Option<String>,
    pub(super) international_prefix: Option<String>,
    pub(super) extension_length: Option<Length>,
    pub(super) emergency_numbers: Option<Vec<String>>,
    pub(super) password_policy: Option<PolicyPatch>,
    pub(super) smtp: Option<Option<SmtpPatch>>,
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

impl SettingsPatch {
    pub(super) fn apply(self, settings: &mut TenantSettings) {
        set(&mut settings.time_zone, self.time_zone);
        set(&mut settings.currency, self.currency);
        set(&mut settings.country_prefix, self.country_prefix);
        set(&mut settings.international_prefix, self.international_prefix);
        let length = self.extension_length.map(|Length { min, max }| ExtensionLength { min, max });
        set(&mut settings.extension_length, length);
        set(&mut settings.emergency_numbers, self.emergency_numbers);
        if let Some(patch) = self.password_policy {
            let policy = &mut settings.password_policy;
            set(&mut policy.min_length, patch.min_length);
            set(&mut policy.letters, patch.letters);
            set(&mut policy.numbers, patch.numbers);
            set(&mut policy.upper_or_special, patch.upper_or_special);
            set(&mut policy.no_sequences, patch.no_sequences);
            set(&mut policy.no_repeats, patch.no_repeats);
            set(&mut policy.not_similar, patch.not_similar);
        }
        match self.smtp {
            None => {}
            Some(None) => settings.smtp = None,
            Some(Some(patch)) => patch.apply(settings.smtp.get_or_insert_with(|| Smtp {
                host: String::new(),
                port: 587,
                security: SmtpSecurity::Starttls,
                username: String::new(),
                from: String::new(),
            })),
        }
    }
}

impl SmtpPatch {
    fn apply(self, smtp: &mut Smtp) {
        set(&mut smtp.host, self.host);
        set(&mut smtp.port, self.port);
        set(&mut smtp.username, self.username);
        set(&mut smtp.from, self.from);
        let security = self.security.map(|security| match security {
            Security::None => SmtpSecurity::None,
            Security::Starttls => SmtpSecurity::Starttls,
            Security::Tls => SmtpSecurity::Tls,
        });
        set(&mut smtp.security, security);
    }
}

impl SettingsView {
    pub(super) fn of(row: &TenantRow) -> Self {
        let settings = row.settings.clone();
        let policy = settings.password_policy;
        let smtp = settings.smtp.map(|smtp| SmtpView {
            host: smtp.host,
            port: smtp.port,
            security: match smtp.security {
                SmtpSecurity::None => Security::None,
                SmtpSecurity::Starttls => Security::Starttls,
                SmtpSecurity::Tls => Security::Tls,
            },
            username: smtp.username,
            from: smtp.from,
            has_password: row.has_smtp_password,
        });
        Self {
            time_zone: settings.time_zone,
            currency: settings.currency,
            country_prefix: settings.country_prefix,
            international_prefix: settings.international_prefix,
            extension_length: Length { min: settings.extension_length.min, max: settings.extension_length.max },
            emergency_numbers: settings.emergency_numbers,
            password_policy: PolicyView {
                min_length: policy.min_length,
                letters: policy.letters,
                numbers: policy.numbers,
                upper_or_special: policy.upper_or_special,
                no_sequences: policy.no_sequences,
                no_repeats: policy.no_repeats,
                not_similar: policy.not_similar,
            },
            smtp,
            require_totp: row.require_totp,
        }
    }
}
