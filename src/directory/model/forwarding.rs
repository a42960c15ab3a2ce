//! What becomes of a call to an extension, by its status and the time: what is written down, not yet what is done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::hours::Week;
use crate::fault::Code;

/// What an extension's user is doing.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// There.
    #[default]
    Available,
    /// Not at the desk.
    Away,
    /// Not to be disturbed.
    DoNotDisturb,
    /// At lunch.
    Lunch,
    /// On a business trip.
    BusinessTrip,
    /// Has gone home.
    OffWork,
    /// What the tenant calls it. It rings.
    #[serde(rename = "CUSTOM_1")]
    Custom1,
    /// What the tenant calls it. It does not ring.
    #[serde(rename = "CUSTOM_2")]
    Custom2,
}

/// What is done with a call.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// It goes to another number.
    ForwardToNumber,
    /// It goes to a voicemail box: that of `number`, or without one the extension's own.
    #[default]
    ForwardToVoicemail,
    /// The phones ring all the same.
    RingAnyway,
    /// It ends.
    Hangup,
}

/// Where a call goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What is done.
    pub action: Action,
    /// Whereto, for the actions that need to know.
    #[serde(default)]
    pub number: String,
}

/// A rule for one status in or out of office hours.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardRule {
    /// What is done.
    pub action: Action,
    /// Whereto, for the actions that need to know.
    #[serde(default)]
    pub number: String,
    /// Something else for callers of the tenant itself.
    #[serde(default)]
    pub internal: Option<Target>,
    /// Something else for callers from outside.
    #[serde(default)]
    pub external: Option<Target>,
}

/// A rule for calls that nobody takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoAnswerRule {
    /// What is done.
    pub action: Action,
    /// Whereto, for the actions that need to know.
    #[serde(default)]
    pub number: String,
    /// Seconds until then: 5 to 180, or 0 for at once.
    #[serde(default = "no_answer_seconds")]
    pub timeout: u16,
    /// Something else for callers of the tenant itself.
    #[serde(default)]
    pub internal: Option<Target>,
    /// Something else for callers from outside.
    #[serde(default)]
    pub external: Option<Target>,
}

/// When an exception holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum During {
    /// Always, holidays too.
    #[default]
    AllHours,
    /// In the hours of the exception.
    SpecificHours,
    /// Outside them.
    OutsideSpecificHours,
}

/// What becomes of calls from some, whatever else is written. The first that fits holds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Whose calls: numbers, ranges `1000-2000` and masks with `;` between, `*` for one digit and `%` for any rest;
    /// `anonymous`, `internal`, `external`.
    #[schema(example = "0044**********;anonymous")]
    pub caller_id: String,
    /// When.
    #[serde(default, rename = "type")]
    pub during: During,
    /// The hours that this means.
    #[serde(default)]
    pub hours: Option<Week>,
    /// What is done.
    pub action: Action,
    /// Whereto, for the actions that need to know.
    #[serde(default)]
    pub number: String,
}

const fn no_answer_seconds() -> u16 {
    30
}

impl Default for NoAnswerRule {
    fn default() -> Self {
        let action = Action::ForwardToVoicemail;
        Self { action, number: String::new(), timeout: no_answer_seconds(), internal: None, external: None }
    }
}

/// Whether phones may ring under a rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ringing {
    Allowed,
    Refused,
}

impl ForwardRule {
    /// A rule by which phones ring.
    pub(super) fn ring() -> Self {
        Self { action: Action::RingAnyway, ..Self::default() }
    }

    pub(super) fn check(&self, checking: &mut Checking, own: &str, ringing: Ringing) {
        check_target(checking, self.action, &self.number, own, ringing);
        for (name, target) in [("internal", &self.internal), ("external", &self.external)] {
            if let Some(target) = target {
                checking.within(name, |checking| check_target(checking, target.action, &target.number, own, ringing));
            }
        }
    }
}

impl NoAnswerRule {
    pub(super) fn check(&self, checking: &mut Checking, own: &str) {
        check_target(checking, self.action, &self.number, own, Ringing::Refused);
        for (name, target) in [("internal", &self.internal), ("external", &self.external)] {
            if let Some(target) = target {
                let refused = Ringing::Refused;
                checking.within(name, |checking| check_target(checking, target.action, &target.number, own, refused));
            }
        }
        if self.timeout != 0 {
            checking.between("timeout", self.timeout, 5, 180);
        }
    }
}

impl Exception {
    pub(super) fn check(&self, checking: &mut Checking, own: &str) {
        check_callers(checking, "caller_id", &self.caller_id);
        check_target(checking, self.action, &self.number, own, Ringing::Allowed);
        match (&self.hours, self.during) {
            (None, During::AllHours) => {}
            (None, _) => checking.fault("hours", Code::Required, "say which hours are meant"),
            (Some(week), _) => checking.within("hours", |checking| week.check(checking)),
        }
    }
}

fn check_target(checking: &mut Checking, action: Action, number: &str, own: &str, ringing: Ringing) {
    match action {
        Action::ForwardToNumber => {
            checking.dialled("number", number, true);
            if number == own {
                checking.fault("number", Code::Conflict, "an extension is not forwarded to itself");
            }
        }
        Action::ForwardToVoicemail => {
            if !number.bytes().all(|one| one.is_ascii_digit()) {
                checking.fault("number", Code::BadCharacter, "a voicemail box is named by its extension");
            }
            checking.text("number", number, 32);
        }
        Action::RingAnyway | Action::Hangup if !number.is_empty() => {
            checking.fault("number", Code::Conflict, "only a forwarded call has somewhere to go: leave number out");
        }
        Action::RingAnyway if ringing == Ringing::Refused => {
            checking.fault("action", Code::Conflict, "phones do not ring here: forward the call, or end it");
        }
        Action::RingAnyway | Action::Hangup => {}
    }
}

/// Whose calls are meant: masks with `;` between.
pub(super) fn check_callers(checking: &mut Checking, member: &str, masks: &str) {
    if masks.trim().is_empty() {
        return checking.fault(member, Code::Required, "say whose calls are meant");
    }
    checking.text(member, masks, 1024);
    for mask in masks.split(';').map(str::trim).filter(|mask| !mask.is_empty()) {
        if !is_mask(mask) {
            let message = format!(
                "{mask:?} is no caller: write a number, a range such as 1000-2000, * for one digit, % at the end for any \
                 rest, or anonymous, internal or external"
            );
            checking.fault(member, Code::BadFormat, message);
        }
    }
}

fn is_mask(mask: &str) -> bool {
    if matches!(mask, "anonymous" | "internal" | "external" | "%") {
        return true;
    }
    let is_digits = |text: &str| !text.is_empty() && text.len() <= 32 && text.bytes().all(|one| one.is_ascii_digit());
    if let Some((first, last)) = mask.split_once('-') {
        return is_digits(first) && is_digits(last) && first.len() == last.len() && first <= last;
    }
    let digits = mask.strip_suffix('%').unwrap_or(mask);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    !digits.is_empty() && digits.len() <= 32 && digits.bytes().all(|one| one.is_ascii_digit() || one == b'*')
}
