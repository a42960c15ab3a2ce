//! What an extension has beside its names and its secret.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::caller_ids::{self, OutboundCallerId};
use super::checking::Checking;
use super::document::{self, Members};
use super::forwarding::{Exception, ForwardRule, NoAnswerRule, Ringing, Status, check_callers};
use super::holidays::Holiday;
use super::hours::OfficeHours;
use super::phones::{Interface, Key, MOST_KEYS, MOST_PHONES, Phone, PreferredTransport};
use crate::fault::{Code, Fault};

/// How a voicemail box says when a message came.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub enum PlayDatetime {
    /// Not at all.
    #[default]
    #[serde(rename = "DISABLE")]
    Disable,
    /// With a.m. and p.m.
    #[serde(rename = "12_HOUR_CLOCK")]
    TwelveHours,
    /// From 0 to 24.
    #[serde(rename = "24_HOUR_CLOCK")]
    TwentyFourHours,
}

/// What a mail about a message has in it.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotifyMode {
    /// Where to hear it.
    #[default]
    Link,
    /// The message.
    Attach,
    /// The message, which then is in the box no longer.
    AttachAndDelete,
}

/// The settings of an extension. Each is optional; what is not there is as it says here.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(default = json!({}))]
pub struct Settings {
    /// A mobile telephone of its user.
    pub mobile_number: String,
    /// A telephone at work.
    pub work_phone: String,
    /// A telephone at home.
    pub home_phone: String,
    /// Where its user is to be found.
    pub address: String,
    /// Where its user works.
    pub department: String,
    /// What its user does.
    pub job_title: String,
    /// Where its user belongs: paths such as `Sales/North`, with `&` between several.
    #[schema(example = "Sales/North&Works council")]
    pub organization: String,
    /// What somebody wants to remember.
    pub description: String,
    /// What others of the tenant see when it calls; without it the number.
    pub caller_id: String,
    /// An IANA time zone; without one the tenant's.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    /// Networks that it may register and call from; none: any.
    #[schema(value_type = Vec<String>, example = json!(["192.0.2.0/24"]))]
    pub allowed_sources: Vec<IpNet>,
    /// What the User-Agent of its devices begins with; none: anything.
    pub allowed_user_agents: Vec<String>,

    /// The numbers that it shows outside.
    pub outbound_caller_ids: Vec<OutboundCallerId>,
    /// The number that it shows to an emergency call.
    pub emergency_caller_id: String,
    /// Whether it never shows a number outside.
    pub anonymous_outbound_calls: bool,
    /// Whether its number goes to the trunk whatever the trunk makes of it.
    pub delivery_outbound_cid: bool,
    /// Whether callers who show no number are refused.
    pub reject_anonymous_calls: bool,
    /// Whose calls are refused, as in an exception.
    pub rejected_callers: Vec<String>,
    /// Whose calls alone are taken; none: everybody's.
    pub accepted_callers: Vec<String>,
    /// Whether it is called back when somebody who was busy no longer is.
    pub enable_acb: bool,
    /// Whether it is not to be disturbed.
    pub enable_dnd: bool,
    /// Whether others may sign in at its phone.
    pub enable_hot_desking: bool,

    /// What its user is doing.
    pub status: Status,
    /// What its user says about it.
    pub status_note: String,

    /// Available, within office hours.
    pub available_office_hours_forward_rule: ForwardRule,
    /// Available, outside them.
    pub available_non_office_hours_forward_rule: ForwardRule,
    /// Available, and nobody answers.
    pub available_no_answer_forward_rule: NoAnswerRule,
    /// On a call, within office hours.
    pub busy_office_hours_forward_rule: ForwardRule,
    /// On a call, outside them.
    pub busy_non_office_hours_forward_rule: ForwardRule,
    /// On a call, and nobody answers the next.
    pub busy_no_answer_forward_rule: NoAnswerRule,
    /// No device is registered, within office hours.
    pub offline_office_hours_forward_rule: ForwardRule,
    /// No device is registered, outside them.
    pub offline_non_office_hours_forward_rule: ForwardRule,
    /// Not to be disturbed, within office hours.
    pub dnd_office_hours_forward_rule: ForwardRule,
    /// Not to be disturbed, outside them.
    pub dnd_non_office_hours_forward_rule: ForwardRule,
    /// Away, within office hours.
    pub away_office_hours_forward_rule: ForwardRule,
    /// Away, outside them.
    pub away_non_office_hours_forward_rule: ForwardRule,
    /// At lunch, within office hours.
    pub lunch_office_hours_forward_rule: ForwardRule,
    /// At lunch, outside them.
    pub lunch_non_office_hours_forward_rule: ForwardRule,
    /// On a trip, within office hours.
    pub trip_office_hours_forward_rule: ForwardRule,
    /// On a trip, outside them.
    pub trip_non_office_hours_forward_rule: ForwardRule,
    /// Gone home, within office hours.
    pub off_work_office_hours_forward_rule: ForwardRule,
    /// Gone home, outside them.
    pub off_work_non_office_hours_forward_rule: ForwardRule,
    /// The tenant's first own status, within office hours.
    pub custom_1_office_hours_forward_rule: ForwardRule,
    /// The tenant's first own status, outside them.
    pub custom_1_non_office_hours_forward_rule: ForwardRule,
    /// The tenant's second own status, within office hours.
    pub custom_2_office_hours_forward_rule: ForwardRule,
    /// The tenant's second own status, outside them.
    pub custom_2_non_office_hours_forward_rule: ForwardRule,
    /// Exceptions to all of these; the first that fits holds.
    pub custom_forward_rules: Vec<Exception>,

    /// When it is at work.
    pub office_hours: OfficeHours,
    /// Holidays of the tenant's list that it has, by name.
    pub global_holidays: Vec<String>,
    /// Holidays of its own.
    pub holidays: Vec<Holiday>,

    /// Whether it has a voicemail box.
    pub enable_voicemail: bool,
    /// Whether its own devices are asked for the PIN.
    pub enable_voicemail_pin: bool,
    /// The language of the box, as a tag such as `en-US`; without one the tenant's.
    pub voicemail_prompt: String,
    /// How it says when a message came.
    pub voicemail_play_datetime: PlayDatetime,
    /// Whether its user gets a mail about each message.
    pub enable_voicemail_notify: bool,
    /// What such a mail has in it.
    pub voicemail_notify_mode: NotifyMode,
    /// Shorter messages are not kept.
    pub voicemail_min_seconds: u16,
    /// Longer messages are cut.
    pub voicemail_max_seconds: u16,
    /// How many messages are kept.
    pub voicemail_max_messages: u16,
    /// How many days they are kept.
    pub voicemail_keep_days: u16,

    /// Whether the sound of its calls is recorded.
    pub enable_audio_recording: bool,
    /// Whether the picture of its calls is recorded.
    pub enable_video_recording: bool,

    /// What a device that takes its QR code tries first.
    pub preferred_transport: Option<PreferredTransport>,
    /// Which of the server's addresses the QR code tells.
    pub interface: Option<Interface>,
    /// Its desk phones.
    pub phones: Vec<Phone>,
    /// The keys of its phones.
    pub blfs: Vec<Key>,
    /// Numbers behind the digits 2 to 9.
    #[schema(example = json!({"2": "+49301234"}))]
    pub speed_dial_8: BTreeMap<String, String>,
    /// Numbers behind 00 to 99.
    #[schema(example = json!({"07": "+49301234"}))]
    pub speed_dial_100: BTreeMap<String, String>,
    /// A number that text messages come and go by.
    pub sms: String,
    /// What the tenant's own programs want to keep with it.
    pub custom_options: String,
}

impl Default for Settings {
    fn default() -> Self {
        let (ring, mailbox) = (ForwardRule::ring, ForwardRule::default);
        Self {
            mobile_number: String::new(),
            work_phone: String::new(),
            home_phone: String::new(),
            address: String::new(),
            department: String::new(),
            job_title: String::new(),
            organization: String::new(),
            description: String::new(),
            caller_id: String::new(),
            time_zone: String::new(),
            allowed_sources: Vec::new(),
            allowed_user_agents: Vec::new(),
            outbound_caller_ids: Vec::new(),
            emergency_caller_id: String::new(),
            anonymous_outbound_calls: false,
            delivery_outbound_cid: true,
            reject_anonymous_calls: false,
            rejected_callers: Vec::new(),
            accepted_callers: Vec::new(),
            enable_acb: false,
            enable_dnd: false,
            enable_hot_desking: false,
            status: Status::Available,
            status_note: String::new(),
            available_office_hours_forward_rule: ring(),
            available_non_office_hours_forward_rule: ring(),
            available_no_answer_forward_rule: NoAnswerRule::default(),
            busy_office_hours_forward_rule: mailbox(),
            busy_non_office_hours_forward_rule: mailbox(),
            busy_no_answer_forward_rule: NoAnswerRule::default(),
            offline_office_hours_forward_rule: mailbox(),
            offline_non_office_hours_forward_rule: mailbox(),
            dnd_office_hours_forward_rule: mailbox(),
            dnd_non_office_hours_forward_rule: mailbox(),
            away_office_hours_forward_rule: mailbox(),
            away_non_office_hours_forward_rule: mailbox(),
            lunch_office_hours_forward_rule: mailbox(),
            lunch_non_office_hours_forward_rule: mailbox(),
            trip_office_hours_forward_rule: mailbox(),
            trip_non_office_hours_forward_rule: mailbox(),
            off_work_office_hours_forward_rule: mailbox(),
            off_work_non_office_hours_forward_rule: mailbox(),
            custom_1_office_hours_forward_rule: ring(),
            custom_1_non_office_hours_forward_rule: ring(),
            custom_2_office_hours_forward_rule: mailbox(),
            custom_2_non_office_hours_forward_rule: mailbox(),
            custom_forward_rules: Vec::new(),
            office_hours: OfficeHours::default(),
            global_holidays: Vec::new(),
            holidays: Vec::new(),
            enable_voicemail: true,
            enable_voicemail_pin: true,
            voicemail_prompt: String::new(),
            voicemail_play_datetime: PlayDatetime::default(),
            enable_voicemail_notify: false,
            voicemail_notify_mode: NotifyMode::default(),
            voicemail_min_seconds: 2,
            voicemail_max_seconds: 300,
            voicemail_max_messages: 100,
            voicemail_keep_days: 30,
            enable_audio_recording: false,
            enable_video_recording: false,
            preferred_transport: None,
            interface: None,
            phones: Vec::new(),
            blfs: Vec::new(),
            speed_dial_8: BTreeMap::new(),
            speed_dial_100: BTreeMap::new(),
            sms: String::new(),
            custom_options: String::new(),
        }
    }
}

/// The settings of an extension of which nobody has said anything.
static DEFAULT: LazyLock<Settings> = LazyLock::new(Settings::default);

/// Their members.
static DEFAULTS: LazyLock<Members> = LazyLock::new(|| document::members(&Settings::default()));

/// Some of the settings that have a path of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartOfSettings {
    /// The end of the path.
    pub name: &'static str,
    /// Its members; of a single one the path shows the value itself.
    pub members: &'static [&'static str],
}

impl PartOfSettings {
    /// Every part.
    pub const ALL: [Self; 6] = [
        Self { name: "status", members: &["status", "status_note", "enable_dnd"] },
        Self {
            name: "forwarding",
            members: &[
                "available_office_hours_forward_rule",
                "available_non_office_hours_forward_rule",
                "available_no_answer_forward_rule",
                "busy_office_hours_forward_rule",
                "busy_non_office_hours_forward_rule",
                "busy_no_answer_forward_rule",
                "offline_office_hours_forward_rule",
                "offline_non_office_hours_forward_rule",
                "dnd_office_hours_forward_rule",
                "dnd_non_office_hours_forward_rule",
                "away_office_hours_forward_rule",
                "away_non_office_hours_forward_rule",
                "lunch_office_hours_forward_rule",
                "lunch_non_office_hours_forward_rule",
                "trip_office_hours_forward_rule",
                "trip_non_office_hours_forward_rule",
                "off_work_office_hours_forward_rule",
                "off_work_non_office_hours_forward_rule",
                "custom_1_office_hours_forward_rule",
                "custom_1_non_office_hours_forward_rule",
                "custom_2_office_hours_forward_rule",
                "custom_2_non_office_hours_forward_rule",
                "custom_forward_rules",
            ],
        },
        Self { name: "office-hours", members: &["office_hours"] },
        Self { name: "holidays", members: &["global_holidays", "holidays"] },
        Self { name: "phones", members: &["phones"] },
        Self { name: "keys", members: &["blfs"] },
    ];
}

/// What stands before the name of a setting that takes the place of what is there, instead of changing it.
const REPLACED: char = '=';

impl Settings {
    /// The name of a setting in a change by which its value takes the place of what is there.
    pub fn replaced(name: &str) -> String {
        format!("{REPLACED}{name}")
    }

    /// The names of all settings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        DEFAULTS.keys().map(String::as_str)
    }

    /// Whether this is a setting.
    pub fn has(name: &str) -> bool {
        DEFAULTS.contains_key(name)
    }

    /// What a setting is like when nobody has said anything.
    pub fn default_of(name: &str) -> Option<&'static Value> {
        DEFAULTS.get(name)
    }

    /// All of them.
    pub fn members(&self) -> Members {
        document::members(self)
    }

    /// What is to be kept: what differs from what would be anyway.
    pub fn kept(&self) -> Members {
        if *self == *DEFAULT {
            return Members::new();
        }
        let mut members = document::members(self);
        members.retain(|name, value| DEFAULTS.get(name) != Some(value));
        members
    }

    /// These settings with a change ([`document::merge`]) for the extension with this number, or all that is wrong with it.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn changed(&self, change: &Members, number: &str) -> Result<Self, Vec<Fault>> {
        if change.is_empty() {
            return Ok(self.clone());
        }
        let mut members = document::members(self);
        let (changes, others): (Members, Members) =
            change.clone().into_iter().partition(|(name, _)| !name.starts_with(REPLACED));
        document::merge(&mut members, &changes);
        for (name, value) in others {
            let name = name.trim_start_matches(REPLACED).to_owned();
            // What is not named in it is as it would be anyway.
            let mut whole = DEFAULTS.get(&name).cloned().unwrap_or_default();
            match (&mut whole, value) {
                (_, Value::Null) => {}
                (Value::Object(whole), Value::Object(value)) => whole.extend(value),
                (whole, value) => *whole = value,
            }
            members.insert(name, whole);
        }
        let mut settings: Self = document::read(members).map_err(|fault| vec![fault])?;
        settings.settle();
        let mut checking = Checking::default();
        settings.check(&mut checking, number);
        let faults = checking.faults();
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    /// Settings that were kept. What they say was checked then.
    ///
    /// # Errors
    /// What can't be read.
    pub fn read(kept: &str) -> Result<Self, String> {
        serde_json::from_str(kept).map_err(|error| error.to_string())
    }

    /// The settings of a copy: all but what is one phone's.
    pub fn copied(&self) -> Self {
        let mut copy = self.clone();
        copy.phones.clear();
        if !copy.description.is_empty() {
            copy.description = copy.description.chars().take(249).chain(" (copy)".chars()).collect();
        }
        copy
    }

    fn settle(&mut self) {
        self.office_hours.settle();
        self.phones.iter_mut().for_each(Phone::settle);
        for exception in &mut self.custom_forward_rules {
            if let Some(week) = &mut exception.hours {
                week.settle();
            }
        }
    }

    fn rules(&self) -> [(&'static str, &ForwardRule, Ringing); 20] {
        use Ringing::{Allowed, Refused};
        [
            ("available_office_hours_forward_rule", &self.available_office_hours_forward_rule, Allowed),
            ("available_non_office_hours_forward_rule", &self.available_non_office_hours_forward_rule, Allowed),
            ("busy_office_hours_forward_rule", &self.busy_office_hours_forward_rule, Allowed),
            ("busy_non_office_hours_forward_rule", &self.busy_non_office_hours_forward_rule, Allowed),
            ("offline_office_hours_forward_rule", &self.offline_office_hours_forward_rule, Refused),
            ("offline_non_office_hours_forward_rule", &self.offline_non_office_hours_forward_rule, Refused),
            ("dnd_office_hours_forward_rule", &self.dnd_office_hours_forward_rule, Refused),
            ("dnd_non_office_hours_forward_rule", &self.dnd_non_office_hours_forward_rule, Refused),
            ("away_office_hours_forward_rule", &self.away_office_hours_forward_rule, Refused),
            ("away_non_office_hours_forward_rule", &self.away_non_office_hours_forward_rule, Refused),
            ("lunch_office_hours_forward_rule", &self.lunch_office_hours_forward_rule, Refused),
            ("lunch_non_office_hours_forward_rule", &self.lunch_non_office_hours_forward_rule, Refused),
            ("trip_office_hours_forward_rule", &self.trip_office_hours_forward_rule, Refused),
            ("trip_non_office_hours_forward_rule", &self.trip_non_office_hours_forward_rule, Refused),
            ("off_work_office_hours_forward_rule", &self.off_work_office_hours_forward_rule, Refused),
            ("off_work_non_office_hours_forward_rule", &self.off_work_non_office_hours_forward_rule, Refused),
            ("custom_1_office_hours_forward_rule", &self.custom_1_office_hours_forward_rule, Allowed),
            ("custom_1_non_office_hours_forward_rule", &self.custom_1_non_office_hours_forward_rule, Allowed),
            ("custom_2_office_hours_forward_rule", &self.custom_2_office_hours_forward_rule, Refused),
            ("custom_2_non_office_hours_forward_rule", &self.custom_2_non_office_hours_forward_rule, Refused),
        ]
    }

    fn check(&self, checking: &mut Checking, number: &str) {
        for (name, text) in
            [("mobile_number", &self.mobile_number), ("work_phone", &self.work_phone), ("home_phone", &self.home_phone)]
        {
            checking.phone_number(name, text);
        }
        for (name, text, most) in [
            ("address", &self.address, 128),
            ("department", &self.department, 128),
            ("job_title", &self.job_title, 128),
            ("organization", &self.organization, 512),
            ("description", &self.description, 256),
            ("status_note", &self.status_note, 128),
            ("custom_options", &self.custom_options, 1024),
        ] {
            checking.text(name, text, most);
        }
        checking.phone_number("caller_id", &self.caller_id);
        checking.text("caller_id", &self.caller_id, 31);
        checking.dialled("emergency_caller_id", &self.emergency_caller_id, false);
        checking.phone_number("sms", &self.sms);
        if !self.time_zone.is_empty() {
            checking.time_zone("time_zone", &self.time_zone);
        }
        if self.allowed_sources.len() > 64 {
            checking.fault("allowed_sources", Code::LimitReached, "at most 64 are allowed");
        }
        checking.each("allowed_user_agents", &self.allowed_user_agents, 16, |checking, agent| {
            checking.name("", agent, 128);
        });
        caller_ids::check(&self.outbound_caller_ids, checking);
        for (name, masks) in
            [("rejected_callers", &self.rejected_callers), ("accepted_callers", &self.accepted_callers)]
        {
            checking.each(name, masks, 200, |checking, mask| check_callers(checking, "", mask));
        }
        for (name, rule, ringing) in self.rules() {
            checking.within(name, |checking| rule.check(checking, number, ringing));
        }
        for (name, rule) in [
            ("available_no_answer_forward_rule", &self.available_no_answer_forward_rule),
            ("busy_no_answer_forward_rule", &self.busy_no_answer_forward_rule),
        ] {
            checking.within(name, |checking| rule.check(checking, number));
        }
        checking.each("custom_forward_rules", &self.custom_forward_rules, 100, |checking, exception| {
            exception.check(checking, number);
        });
        checking.within("office_hours", |checking| self.office_hours.check(checking));
        checking.each("global_holidays", &self.global_holidays, 100, |checking, name| checking.name("", name, 64));
        checking.each("holidays", &self.holidays, 100, |checking, holiday| holiday.check(checking));
        if !self.voicemail_prompt.is_empty() {
            checking.language("voicemail_prompt", &self.voicemail_prompt);
        }
        checking.between("voicemail_min_seconds", self.voicemail_min_seconds, 0, 60);
        checking.between("voicemail_max_seconds", self.voicemail_max_seconds, 10, 3600);
        checking.between("voicemail_max_messages", self.voicemail_max_messages, 1, 500);
        checking.between("voicemail_keep_days", self.voicemail_keep_days, 1, 3650);
        checking.each("phones", &self.phones, MOST_PHONES, |checking, phone| phone.check(checking));
        for (at, phone) in self.phones.iter().enumerate() {
            if self.phones.iter().take(at).any(|other| other.mac == phone.mac) {
                checking.within("phones", |checking| {
                    checking.within(at, |checking| {
                        checking.fault("mac", Code::Duplicate, "another phone of this extension has this MAC address");
                    });
                });
            }
        }
        checking.each("blfs", &self.blfs, MOST_KEYS, |checking, key| key.check(checking));
        speed_dials(checking, "speed_dial_8", &self.speed_dial_8, 1, "one digit, 2 to 9");
        speed_dials(checking, "speed_dial_100", &self.speed_dial_100, 2, "two digits, 00 to 99");
    }
}

fn speed_dials(checking: &mut Checking, name: &str, dials: &BTreeMap<String, String>, digits: usize, which: &str) {
    checking.within(name, |checking| {
        for (place, number) in dials {
            let is_place = place.len() == digits && place.bytes().all(|one| one.is_ascii_digit());
            if !is_place || (digits == 1 && matches!(place.as_str(), "0" | "1")) {
                checking.fault(place, Code::BadFormat, format!("a place here is {which}"));
            }
            checking.dialled(place, number, true);
        }
    });
}
