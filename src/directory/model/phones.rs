//! Desk phones of an extension, and the keys on them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use crate::fault::Code;

/// Phones of an extension at most.
pub(super) const MOST_PHONES: usize = 10;
/// Keys of an extension at most.
pub(super) const MOST_KEYS: usize = 200;

/// What a device tries first.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "a transport is a transport")]
pub enum PreferredTransport {
    Udp,
    Tcp,
    Tls,
    Wss,
}

/// Which of the server's addresses a device is told.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Interface {
    #[serde(rename = "WEB_DOMAIN")]
    WebDomain,
    #[serde(rename = "PUBLIC_IPV4")]
    PublicIpv4,
    #[serde(rename = "PUBLIC_IPV6")]
    PublicIpv6,
    #[serde(rename = "PRIVATE_IPV4")]
    PrivateIpv4,
    #[serde(rename = "PRIVATE_IPV6")]
    PrivateIpv6,
    #[serde(rename = "SBC_DOMAIN")]
    SbcDomain,
}

/// What the transfer key does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Transfer {
    #[default]
    Blind,
    Attended,
    NewCall,
}

/// A network of its own for one of a phone's sockets (IEEE 802.1Q).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    /// 1 to 4094
    pub id: u16,
    /// 0 to 7
    #[serde(default)]
    pub priority: u8,
}

/// A desk phone that is provisioned.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// Twelve hexadecimal digits, with `:`, `-` or nothing between; nobody else's anywhere.
    #[schema(example = "00:15:65:ab:cd:ef")]
    pub mac: String,
    /// Who has made it.
    #[serde(default)]
    #[schema(example = "Yealink")]
    pub vendor: String,
    /// Which one it is.
    #[serde(default)]
    #[schema(example = "T54W")]
    pub model: String,
    /// The template that its file is made of.
    #[serde(default)]
    pub template: String,
    /// Which of the server's addresses it is told.
    #[serde(default)]
    pub interface: Option<Interface>,
    /// What it tries first.
    #[serde(default)]
    pub preferred_transport: Option<PreferredTransport>,
    /// Its menus, as a tag such as `en-US`.
    #[serde(default)]
    pub language: String,
    /// An IANA time zone; without one the extension's.
    #[serde(default)]
    pub time_zone: String,
    /// What the transfer key does.
    #[serde(default)]
    pub transfer: Transfer,
    /// How it rings.
    #[serde(default)]
    pub ringtone: String,
    /// How it rings for a queue.
    #[serde(default)]
    pub queue_ringtone: String,
    /// How it rings for calls from outside.
    #[serde(default)]
    pub external_ringtone: String,
    /// As the model writes it.
    #[serde(default)]
    pub date_format: String,
    /// As the model writes it.
    #[serde(default)]
    pub time_format: String,
    /// Whether its lamp is lit while it is on.
    #[serde(default)]
    pub power_led: bool,
    /// Seconds until its display goes dark; 0: never.
    #[serde(default)]
    pub backlight_seconds: u16,
    /// Seconds until its screensaver; 0: never.
    #[serde(default)]
    pub screensaver_seconds: u16,
    /// In the order in which it offers them.
    #[serde(default)]
    pub codecs: Vec<String>,
    /// Whether it asks the switch for its network.
    #[serde(default)]
    pub lldp: bool,
    /// Of its own socket.
    #[serde(default)]
    pub vlan_wan: Option<Vlan>,
    /// Of the socket for a computer.
    #[serde(default)]
    pub vlan_pc: Option<Vlan>,
    /// As it stands on its back.
    #[serde(default)]
    pub serial: String,
    /// Whether its vendor's redirection is told of it.
    #[serde(default)]
    pub rps: bool,
    /// Whether it fetches its file by HTTPS alone.
    #[serde(default = "yes")]
    pub https: bool,
}

const fn yes() -> bool {
    true
}

impl Phone {
    /// Writes the address as all are written.
    pub(super) fn settle(&mut self) {
        if let Some(bare) = bare_mac(&self.mac) {
            self.mac = bare;
        }
    }

    pub(super) fn check(&self, checking: &mut Checking) {
        if bare_mac(&self.mac).is_none() {
            checking.fault("mac", Code::BadFormat, "a MAC address is twelve hexadecimal digits, such as 001565abcdef");
        }
        for (name, text) in [
            ("vendor", &self.vendor),
            ("model", &self.model),
            ("template", &self.template),
            ("ringtone", &self.ringtone),
            ("queue_ringtone", &self.queue_ringtone),
            ("external_ringtone", &self.external_ringtone),
            ("date_format", &self.date_format),
            ("time_format", &self.time_format),
            ("serial", &self.serial),
        ] {
            checking.text(name, text, 64);
        }
        if !self.language.is_empty() {
            checking.language("language", &self.language);
        }
        if !self.time_zone.is_empty() {
            checking.time_zone("time_zone", &self.time_zone);
        }
        checking.each("codecs", &self.codecs, 16, |checking, codec| checking.name("", codec, 32));
        for (name, vlan) in [("vlan_wan", &self.vlan_wan), ("vlan_pc", &self.vlan_pc)] {
            if let Some(vlan) = vlan {
                checking.within(name, |checking| {
                    checking.between("id", vlan.id, 1, 4094);
                    checking.between("priority", vlan.priority, 0, 7);
                });
            }
        }
    }
}

/// A MAC address in small letters and digits alone; `None` when it is not one.
pub fn bare_mac(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|one| !":-. ".contains(*one)).collect::<String>().to_ascii_lowercase();
    (bare.len() == 12 && bare.bytes().all(|one| one.is_ascii_hexdigit())).then_some(bare)
}

/// What a key is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum KeyFunction {
    /// Nothing: its place stays free.
    #[default]
    None,
    /// Shows whether an extension is on a call, and calls it.
    Blf,
    /// Shows a parked call, and fetches it.
    VisualPark,
    /// Dials a number.
    SpeedDial,
    /// Dials anything: codes, pauses, digits after the answer.
    CustomSpeedDial,
    /// Sets a status.
    ChangeStatus,
    /// Switches the night on and off.
    NightMode,
}

/// A key of a phone.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = PhoneKey)]
pub struct Key {
    /// What it is for.
    pub key: KeyFunction,
    /// What it shows or dials.
    pub value: String,
    /// The name beside it.
    pub first_name: String,
    /// The name beside it.
    pub last_name: String,
}

impl Key {
    pub(super) fn check(&self, checking: &mut Checking) {
        if self.key != KeyFunction::None && self.value.is_empty() && self.key != KeyFunction::NightMode {
            checking.fault("value", Code::Required, "say what the key shows or dials");
        }
        checking.text("value", &self.value, 128);
        checking.text("first_name", &self.first_name, 63);
        checking.text("last_name", &self.last_name, 63);
    }
}
