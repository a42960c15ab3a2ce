//! Ways to carriers and to other exchanges.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::phones::PreferredTransport;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// How a trunk and the server know each other.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TrunkMode {
    /// The server registers at the carrier.
    #[default]
    Register,
    /// Both know the other's address.
    Ip,
    /// The other side registers here.
    Accept,
}

/// What is put into a place of an INVITE.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CallerIdValue {
    #[default]
    Default,
    AuthId,
    CallerNum,
    CalledNum,
    CallerDisplayName,
    OutboundCallerId,
    OriginatorCallerId,
    Anonymous,
    Custom,
}

/// What stands in one header field towards a trunk.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderMapping {
    /// The name in it.
    pub display: CallerIdValue,
    /// Its user part.
    pub user: CallerIdValue,
    /// Its host.
    pub host: CallerIdValue,
    /// What `CUSTOM` means here.
    pub custom: String,
}

/// Header fields that can be mapped.
const MAPPED: [&str; 8] = ["request_uri", "to", "from", "contact", "rpid", "pai", "ppi", "p_called_party_id"];

/// What is said of privacy to a trunk.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PrivacyType {
    Default,
    None,
    Id,
    User,
    Header,
    Session,
}

/// A trunk.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// What it is called, in paths too.
    #[schema(example = "carrier-1")]
    pub name: String,
    /// Whether calls go and come by it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How both know each other.
    #[serde(default)]
    pub mode: TrunkMode,
    /// The carrier's domain or address.
    #[serde(default)]
    #[schema(example = "sip.carrier.example")]
    pub host: String,
    /// Its port; without one what DNS says, or the transport's.
    #[serde(default)]
    pub port: Option<u16>,
    /// How it is reached; without one what DNS says.
    #[serde(default)]
    pub transport: Option<PreferredTransport>,
    /// Where to send what is for `host`, when that is another place.
    #[serde(default)]
    pub outbound_proxy: String,
    /// The user name of the credentials.
    #[serde(default)]
    pub auth_name: String,
    /// The password of the credentials. It is never shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(format = Password, write_only)]
    pub password: String,
    /// The user part of what is registered; without one `auth_name`.
    #[serde(default)]
    pub registered_user: String,
    /// Seconds that are asked for.
    #[serde(default = "hour")]
    pub registration_expires: u32,
    /// Networks that its calls come from.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<IpNet>,
    /// The name in its certificate, when it comes by TLS.
    #[serde(default)]
    pub tls_name: String,
    /// Calls at once; 0: no limit.
    #[serde(default)]
    pub max_calls: u32,
    /// Calls a second; 0: no limit.
    #[serde(default)]
    pub max_calls_per_second: u32,
    /// Codecs in the order in which they are offered; none: what comes.
    #[serde(default)]
    pub codecs: Vec<String>,
    /// The number of calls that have none of their own.
    #[serde(default)]
    pub default_caller_id: String,
    /// The number that emergency calls show.
    #[serde(default)]
    pub emergency_caller_id: String,
    /// What stands in `request_uri`, `to`, `from`, `contact`, `rpid`, `pai`, `ppi` and `p_called_party_id`.
    #[serde(default)]
    pub header_mappings: BTreeMap<String, HeaderMapping>,
    /// What is said of privacy.
    #[serde(default)]
    pub privacy_types_supported: Vec<PrivacyType>,
    /// Whether P-Asserted-Identity and its like are taken from it, and sent to it.
    #[serde(default)]
    pub trusted: bool,
    /// Whether it is told of forwarding by Diversion.
    #[serde(default)]
    pub send_diversion: bool,
    /// Whether it is told of forwarding by History-Info.
    #[serde(default)]
    pub send_history_info: bool,
    /// Whether the sound of its calls is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
    /// What somebody wants to remember.
    #[serde(default)]
    pub description: String,
}

const fn yes() -> bool {
    true
}

const fn hour() -> u32 {
    3600
}

impl std::fmt::Debug for Trunk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Trunk({:?})", self.name)
    }
}

impl Resource for Trunk {
    const KIND: Kind = Kind::TRUNK;
    const SECRETS: &'static [&'static str] = &["password"];

    fn key(&self) -> &str {
        &self.name
    }

    fn check(&self, checking: &mut Checking) {
        if self.host.is_empty() && self.mode != TrunkMode::Accept {
            checking.fault("host", Code::Required, "say where the carrier is");
        }
        for (name, host) in [("host", &self.host), ("outbound_proxy", &self.outbound_proxy)] {
            check_host(checking, name, host);
        }
        if self.port == Some(0) {
            checking.fault("port", Code::BadFormat, "1 to 65535 is allowed, not 0");
        }
        if self.auth_name.is_empty() && self.mode != TrunkMode::Ip {
            let message = "credentials are needed to register: give auth_name, and a password";
            checking.fault("auth_name", Code::Required, message);
        }
        if self.mode == TrunkMode::Ip && self.sources.is_empty() && self.tls_name.is_empty() {
            let message = "without credentials it is known by where it comes from: give sources, or tls_name";
            checking.fault("sources", Code::Required, message);
        }
        for (name, text, most) in [
            ("auth_name", &self.auth_name, 128),
            ("password", &self.password, 128),
            ("registered_user", &self.registered_user, 128),
            ("tls_name", &self.tls_name, 253),
            ("description", &self.description, 256),
        ] {
            checking.text(name, text, most);
        }
        checking.between("registration_expires", self.registration_expires, 30, 86_400);
        if self.sources.len() > 256 {
            checking.fault("sources", Code::LimitReached, "at most 256 are allowed");
        }
        checking.each("codecs", &self.codecs, 16, |checking, codec| checking.name("", codec, 32));
        checking.dialled("default_caller_id", &self.default_caller_id, false);
        checking.dialled("emergency_caller_id", &self.emergency_caller_id, false);
        checking.within("header_mappings", |checking| {
            for (field, mapping) in &self.header_mappings {
                if !MAPPED.contains(&field.as_str()) {
                    checking.fault(field, Code::BadFormat, format!("what can be mapped is {}", MAPPED.join(", ")));
                }
                checking.within(field, |checking| {
                    let is_custom = [mapping.display, mapping.user, mapping.host].contains(&CallerIdValue::Custom);
                    if is_custom && mapping.custom.is_empty() {
                        checking.fault("custom", Code::Required, "say what CUSTOM means");
                    }
                    checking.text("custom", &mapping.custom, 128);
                });
            }
        });
    }
}

/// A domain, or an address as URIs have it.
pub(super) fn check_host(checking: &mut Checking, member: &str, host: &str) {
    if host.is_empty() {
        return;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|one| one.is_ascii_alphanumeric() || b"-_".contains(&one))
    };
    let is_domain = host.len() <= 253 && host.trim_end_matches('.').split('.').all(is_label);
    if bare.parse::<std::net::IpAddr>().is_err() && !is_domain {
        checking.fault(member, Code::BadFormat, "a host is a domain or an address, such as sip.carrier.example");
    }
}
