//! Numbers that are dialled and are nobody's phone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use super::rules::Destination;
use crate::fault::Code;

/// In which order members ring.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RingStrategy {
    /// All at once.
    #[default]
    Simultaneous,
    /// One after the other, in their order.
    Sequential,
    /// One after the other, beginning behind the one that was first the last time.
    RoundRobin,
    /// One after the other, in any order.
    Random,
    /// More and more of them: each one that is added rings on.
    Hunt,
}

/// Extensions that ring together.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RingGroup {
    /// What is dialled.
    #[schema(example = "600")]
    pub number: String,
    /// What it is called.
    #[schema(example = "Sales")]
    pub name: String,
    /// In which order its members ring.
    #[serde(default)]
    pub strategy: RingStrategy,
    /// Extensions.
    #[schema(example = json!(["101", "102"]))]
    pub members: Vec<String>,
    /// Seconds that a member, or all of them, ring.
    #[serde(default = "ring_seconds")]
    pub ring_seconds: u16,
    /// What stands before the caller's name.
    #[serde(default)]
    pub name_prefix: String,
    /// Where a call goes that nobody takes.
    #[serde(default = "nowhere")]
    pub no_answer_destination: Destination,
    /// Where calls go at night; without one as by day.
    #[serde(default)]
    pub night_destination: Option<Destination>,
    /// Whether it is night.
    #[serde(default)]
    pub night_mode: bool,
    /// Whether the sound of its calls is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
}

const fn ring_seconds() -> u16 {
    30
}

const fn nowhere() -> Destination {
    Destination::Hangup
}

impl Resource for RingGroup {
    const KIND: Kind = Kind::RING_GROUP;

    fn key(&self) -> &str {
        &self.number
    }

    fn number(&self) -> Option<&str> {
        Some(&self.number)
    }

    fn check(&self, checking: &mut Checking) {
        check_number(checking, &self.number);
        checking.name("name", &self.name, 128);
        check_members(checking, &self.members, &self.number);
        checking.between("ring_seconds", self.ring_seconds, 5, 600);
        checking.text("name_prefix", &self.name_prefix, 32);
        check_destinations(
            checking,
            &[
                ("no_answer_destination", Some(&self.no_answer_destination)),
                ("night_destination", self.night_destination.as_ref()),
            ],
        );
    }
}

/// Who of a queue is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QueueStrategy {
    /// Everybody who is free.
    #[default]
    RingAll,
    /// The one who has not talked for longest.
    LongestIdle,
    /// The one who has taken the fewest calls.
    FewestCalls,
    /// One after the other in turn.
    RoundRobin,
    /// In their order.
    Sequential,
    /// Anybody.
    Random,
}

/// Callers who wait for somebody.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// What is dialled.
    #[schema(example = "700")]
    pub number: String,
    /// What it is called.
    #[schema(example = "Support")]
    pub name: String,
    /// Who is called.
    #[serde(default)]
    pub strategy: QueueStrategy,
    /// Extensions that take calls whenever they are free.
    pub agents: Vec<String>,
    /// Seconds that an agent rings.
    #[serde(default = "ring_seconds")]
    pub ring_seconds: u16,
    /// Seconds between an agent's calls.
    #[serde(default)]
    pub wrap_up_seconds: u16,
    /// Seconds that a caller waits at most; 0: for ever.
    #[serde(default = "wait_seconds")]
    pub max_wait_seconds: u32,
    /// Callers who wait at most; 0: any number.
    #[serde(default)]
    pub max_callers: u16,
    /// Where a call goes that waited too long, or finds too many before it.
    #[serde(default = "nowhere")]
    pub overflow_destination: Destination,
    /// Where calls go at night; without one as by day.
    #[serde(default)]
    pub night_destination: Option<Destination>,
    /// Whether it is night.
    #[serde(default)]
    pub night_mode: bool,
    /// Whether the sound of its calls is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
}

const fn wait_seconds() -> u32 {
    600
}

impl Resource for Queue {
    const KIND: Kind = Kind::QUEUE;

    fn key(&self) -> &str {
        &self.number
    }

    fn number(&self) -> Option<&str> {
        Some(&self.number)
    }

    fn check(&self, checking: &mut Checking) {
        check_number(checking, &self.number);
        checking.name("name", &self.name, 128);
        checking.each("agents", &self.agents, 500, |checking, agent| checking.dialled("", agent, true));
        checking.between("ring_seconds", self.ring_seconds, 5, 600);
        checking.between("wrap_up_seconds", self.wrap_up_seconds, 0, 3600);
        checking.between("max_wait_seconds", self.max_wait_seconds, 0, 86_400);
        check_destinations(
            checking,
            &[
                ("overflow_destination", Some(&self.overflow_destination)),
                ("night_destination", self.night_destination.as_ref()),
            ],
        );
    }
}

/// What a key of an attendant does.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "action", deny_unknown_fields)]
pub enum KeyPress {
    /// The call goes to a number.
    ForwardToNumber {
        /// Which.
        number: String,
    },
    /// The call goes to a voicemail box.
    ForwardToVoicemail {
        /// Whose.
        number: String,
    },
    /// The prompt is heard again.
    Repeat,
    /// The call ends.
    Hangup,
}

/// A voice that asks whereto.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attendant {
    /// What is dialled.
    #[schema(example = "800")]
    pub number: String,
    /// What it is called.
    #[schema(example = "Welcome")]
    pub name: String,
    /// The recording that it plays; without one the server's own.
    #[serde(default)]
    pub prompt: String,
    /// The language of the server's own, as a tag such as `en-US`.
    #[serde(default)]
    pub language: String,
    /// What `0` to `9`, `*` and `#` do.
    #[schema(example = json!({"1": {"action": "FORWARD_TO_NUMBER", "number": "600"}}))]
    pub keys: BTreeMap<String, KeyPress>,
    /// Whether an extension's number may be dialled.
    #[serde(default = "yes")]
    pub dial_extensions: bool,
    /// Seconds that it waits for a key.
    #[serde(default = "key_seconds")]
    pub timeout_seconds: u16,
    /// How often it asks.
    #[serde(default = "repeats")]
    pub max_repeats: u8,
    /// Where a call goes that presses nothing that it knows.
    #[serde(default = "nowhere")]
    pub timeout_destination: Destination,
    /// Where calls go at night; without one as by day.
    #[serde(default)]
    pub night_destination: Option<Destination>,
    /// Whether it is night.
    #[serde(default)]
    pub night_mode: bool,
}

const fn yes() -> bool {
    true
}

const fn key_seconds() -> u16 {
    10
}

const fn repeats() -> u8 {
    3
}

impl Resource for Attendant {
    const KIND: Kind = Kind::ATTENDANT;

    fn key(&self) -> &str {
        &self.number
    }

    fn number(&self) -> Option<&str> {
        Some(&self.number)
    }

    fn check(&self, checking: &mut Checking) {
        check_number(checking, &self.number);
        checking.name("name", &self.name, 128);
        checking.text("prompt", &self.prompt, 128);
        if !self.language.is_empty() {
            checking.language("language", &self.language);
        }
        checking.within("keys", |checking| {
            for (key, press) in &self.keys {
                if !matches!(key.as_bytes(), [b'0'..=b'9' | b'*' | b'#']) {
                    checking.fault(key, Code::BadFormat, "a key is one of 0 to 9, * and #");
                }
                checking.within(key, |checking| match press {
                    KeyPress::ForwardToNumber { number } | KeyPress::ForwardToVoicemail { number } => {
                        checking.dialled("number", number, true);
                    }
                    KeyPress::Repeat | KeyPress::Hangup => {}
                });
            }
        });
        checking.between("timeout_seconds", self.timeout_seconds, 1, 120);
        checking.between("max_repeats", self.max_repeats, 1, 10);
        check_destinations(
            checking,
            &[
                ("timeout_destination", Some(&self.timeout_destination)),
                ("night_destination", self.night_destination.as_ref()),
            ],
        );
    }
}

/// A room where several talk.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Meeting {
    /// What is dialled.
    #[schema(example = "900")]
    pub number: String,
    /// What it is called.
    #[schema(example = "Monday round")]
    pub name: String,
    /// Digits that everybody is asked for; without them nobody is. They are never shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(format = Password, write_only)]
    pub pin: String,
    /// Digits that let somebody host it. They are never shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(format = Password, write_only)]
    pub host_pin: String,
    /// How many may talk.
    #[serde(default = "participants")]
    pub max_participants: u16,
    /// Whether guests wait until a host is there.
    #[serde(default)]
    pub wait_for_host: bool,
    /// Whether everybody hears who comes and goes.
    #[serde(default)]
    pub announce: bool,
    /// Whether its sound is recorded.
    #[serde(default)]
    pub enable_audio_recording: bool,
}

const fn participants() -> u16 {
    20
}

impl std::fmt::Debug for Meeting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Meeting({:?})", self.number)
    }
}

impl Resource for Meeting {
    const KIND: Kind = Kind::MEETING;
    const SECRETS: &'static [&'static str] = &["pin", "host_pin"];

    fn key(&self) -> &str {
        &self.number
    }

    fn number(&self) -> Option<&str> {
        Some(&self.number)
    }

    fn check(&self, checking: &mut Checking) {
        check_number(checking, &self.number);
        checking.name("name", &self.name, 128);
        for (name, pin) in [("pin", &self.pin), ("host_pin", &self.host_pin)] {
            if !pin.is_empty() && (!(4..=10).contains(&pin.len()) || !pin.bytes().all(|one| one.is_ascii_digit())) {
                checking.fault(name, Code::BadFormat, "a PIN here has 4 to 10 digits");
            }
        }
        if !self.pin.is_empty() && self.pin == self.host_pin {
            checking.fault("host_pin", Code::Conflict, "hosts have another PIN than guests");
        }
        checking.between("max_participants", self.max_participants, 2, 500);
    }
}

fn check_number(checking: &mut Checking, number: &str) {
    if let Err(fault) = crate::validation::Number::parse("number", number) {
        checking.fault("number", fault.code, fault.message);
    }
}

fn check_members(checking: &mut Checking, members: &[String], own: &str) {
    checking.each("members", members, 100, |checking, member| {
        checking.dialled("", member, true);
        if member == own {
            checking.fault("", Code::Conflict, "a group is not a member of itself");
        }
    });
}

fn check_destinations(checking: &mut Checking, destinations: &[(&str, Option<&Destination>)]) {
    for (name, destination) in destinations {
        if let Some(destination) = destination {
            checking.within(name, |checking| destination.check(checking));
        }
    }
}
