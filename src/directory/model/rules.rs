//! Which way calls come in and go out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::forwarding::check_callers;
use super::hours::OfficeHours;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// Where a call goes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "action", deny_unknown_fields)]
pub enum Destination {
    /// To an extension or a service, or to a number outside.
    ForwardToNumber {
        /// Which.
        number: String,
    },
    /// To the voicemail box of an extension.
    ForwardToVoicemail {
        /// Whose.
        number: String,
    },
    /// Nowhere.
    Hangup,
}

impl Destination {
    pub(super) fn check(&self, checking: &mut Checking) {
        match self {
            Self::ForwardToNumber { number } => checking.dialled("number", number, true),
            Self::ForwardToVoicemail { number } => checking.dialled("number", number, true),
            Self::Hangup => {}
        }
    }
}

/// Where calls from outside go.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundRule {
    /// What it is called, in paths too.
    #[schema(example = "main number")]
    pub name: String,
    /// Whether it holds.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Rules are looked at from the smallest to the largest, and then by name.
    #[serde(default = "middle")]
    pub priority: u16,
    /// Trunks whose calls it is for; none: all.
    #[serde(default)]
    pub trunks: Vec<String>,
    /// The numbers that were called, as in an exception.
    #[schema(example = "49301234")]
    pub did: String,
    /// Whose calls, as in an exception; nothing: everybody's.
    #[serde(default)]
    pub caller_id: String,
    /// The hours that decide.
    #[serde(default)]
    pub office_hours: OfficeHours,
    /// Holidays of the tenant's list that count as such.
    #[serde(default)]
    pub global_holidays: Vec<String>,
    /// Within the hours.
    pub office_hours_destination: Destination,
    /// Outside the hours; without one as within.
    #[serde(default)]
    pub non_office_hours_destination: Option<Destination>,
    /// On holidays; without one as outside.
    #[serde(default)]
    pub holiday_destination: Option<Destination>,
    /// Whether callers hear that they are recorded.
    #[serde(default)]
    pub play_recording_notification: bool,
    /// Whether the sound of its calls is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
}

const fn yes() -> bool {
    true
}

const fn middle() -> u16 {
    100
}

impl Resource for InboundRule {
    const KIND: Kind = Kind::INBOUND_RULE;

    fn key(&self) -> &str {
        &self.name
    }

    fn settle(&mut self) {
        self.office_hours.settle();
    }

    fn check(&self, checking: &mut Checking) {
        checking.between("priority", self.priority, 0, 1000);
        checking.each("trunks", &self.trunks, 64, |checking, trunk| checking.name("", trunk, 64));
        check_callers(checking, "did", &self.did);
        if !self.caller_id.is_empty() {
            check_callers(checking, "caller_id", &self.caller_id);
        }
        checking.within("office_hours", |checking| self.office_hours.check(checking));
        checking.each("global_holidays", &self.global_holidays, 100, |checking, name| checking.name("", name, 64));
        checking.within("office_hours_destination", |checking| self.office_hours_destination.check(checking));
        for (name, destination) in [
            ("non_office_hours_destination", &self.non_office_hours_destination),
            ("holiday_destination", &self.holiday_destination),
        ] {
            if let Some(destination) = destination {
                checking.within(name, |checking| destination.check(checking));
            }
        }
    }

    fn needs(&self) -> Vec<(Kind, String, String)> {
        let named = |kind, member: &str, names: &[String]| {
            let one = |(at, name): (usize, &String)| (kind, name.clone(), format!("{member}/{at}"));
            names.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        let mut needs = named(Kind::TRUNK, "trunks", &self.trunks);
        needs.extend(named(Kind::HOLIDAY, "global_holidays", &self.global_holidays));
        needs
    }
}

/// A trunk that is tried, and what becomes of the number for it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundStep {
    /// Which.
    #[schema(example = "carrier-1")]
    pub trunk: String,
    /// Digits that are taken away at the front.
    #[serde(default)]
    pub strip: u8,
    /// Digits that are put there then.
    #[serde(default)]
    pub prepend: String,
}

/// By which trunks calls go out.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundRule {
    /// What it is called, in paths too.
    #[schema(example = "national")]
    pub name: String,
    /// Whether it holds.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Rules are looked at from the smallest to the largest, and then by name.
    #[serde(default = "middle")]
    pub priority: u16,
    /// What the number begins with; nothing: anything.
    #[serde(default)]
    pub prefix: String,
    /// How many digits it has at least.
    #[serde(default)]
    pub min_length: u8,
    /// How many at most; 0: any.
    #[serde(default)]
    pub max_length: u8,
    /// Whose calls, as in an exception; nothing: every extension's.
    #[serde(default)]
    pub extensions: String,
    /// Trunks in the order in which they are tried.
    pub trunks: Vec<OutboundStep>,
    /// The number that calls show which have none of their own.
    #[serde(default)]
    pub caller_id: String,
    /// Outside these hours it does not hold.
    #[serde(default)]
    pub office_hours: Option<OfficeHours>,
    /// Whether the sound of its calls is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
}

impl Resource for OutboundRule {
    const KIND: Kind = Kind::OUTBOUND_RULE;

    fn key(&self) -> &str {
        &self.name
    }

    fn settle(&mut self) {
        self.office_hours.iter_mut().for_each(OfficeHours::settle);
    }

    fn check(&self, checking: &mut Checking) {
        checking.between("priority", self.priority, 0, 1000);
        checking.dialled("prefix", &self.prefix, false);
        if self.max_length != 0 && self.max_length < self.min_length {
            checking.fault("max_length", Code::Conflict, "a number has as many digits at most as at least, or more");
        }
        if !self.extensions.is_empty() {
            check_callers(checking, "extensions", &self.extensions);
        }
        if self.trunks.is_empty() {
            checking.fault("trunks", Code::Required, "a call needs a trunk to go out by");
        }
        checking.each("trunks", &self.trunks, 16, |checking, step| {
            checking.name("trunk", &step.trunk, 64);
            checking.between("strip", step.strip, 0, 32);
            checking.dialled("prepend", &step.prepend, false);
        });
        checking.dialled("caller_id", &self.caller_id, false);
        if let Some(hours) = &self.office_hours {
            checking.within("office_hours", |checking| hours.check(checking));
        }
    }

    fn needs(&self) -> Vec<(Kind, String, String)> {
        let one = |(at, step): (usize, &OutboundStep)| (Kind::TRUNK, step.trunk.clone(), format!("trunks/{at}/trunk"));
        self.trunks.iter().enumerate().map(one).collect()
    }
}
