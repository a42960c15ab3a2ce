//! What the codes do that begin with `*` or `#`.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// Whose codes hold where a tenant has none of its own.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CodeProfile {
    /// PortSIP's.
    #[default]
    Portsip,
    /// Yeastar's.
    Yeastar,
}

/// What a code does.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it; docs/api.md has the list")]
pub enum Function {
    ForwardAlways,
    ForwardAlwaysOff,
    ForwardAlwaysToVoicemail,
    ForwardAlwaysToVoicemailOff,
    ForwardBusy,
    ForwardBusyOff,
    ForwardBusyToVoicemail,
    ForwardBusyToVoicemailOff,
    ForwardNoAnswer,
    ForwardNoAnswerOff,
    ForwardNoAnswerToVoicemail,
    ForwardNoAnswerToVoicemailOff,
    ForwardUnreachable,
    ForwardUnreachableOff,
    ForwardUnreachableOutsideHours,
    ForwardUnreachableOutsideHoursOff,
    DoNotDisturb,
    DoNotDisturbOff,
    WithholdCallerId,
    AnonymousCall,
    ShowCallerId,
    ShowNumber,
    BlockCallerId,
    BlockCallerIdOff,
    AnonymousCalls,
    AnonymousCallsOff,
    DefaultCallerId,
    Park,
    GroupPark,
    FetchParked,
    StartRecording,
    StopRecording,
    PauseRecording,
    ResumeRecording,
    Transfer,
    AttendedTransfer,
    TransferToVoicemail,
    SharedVoicemail,
    Voicemail,
    Monitor,
    Whisper,
    Barge,
    Pickup,
    GroupPickup,
    LastCaller,
    Redial,
    RejectAnonymous,
    RejectAnonymousOff,
    #[serde(rename = "SPEED_DIAL_8")]
    SpeedDial8,
    #[serde(rename = "SPEED_DIAL_100")]
    SpeedDial100,
    Bridge,
    Callback,
    CallbackOff,
    Paging,
    AgentReady,
    AgentNotReady,
    AgentIn,
    AgentOut,
    HotDeskIn,
    HotDeskOut,
    Flip,
    DropCalls,
    ClearPush,
    PinCall,
    NightMode,
    ChangeStatus,
    SelectiveReject,
    SelectiveRejectOff,
    SelectiveAccept,
    SelectiveAcceptOff,
}

/// A code of a tenant's own.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureCode {
    /// `*` or `#`, one to three of them, and up to four digits; without it as the profile has it.
    #[serde(default)]
    #[schema(example = "*72")]
    pub code: String,
    /// Whether it does anything.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

/// What the codes of a tenant do.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureCodes {
    /// Whose codes hold where there are none of one's own.
    pub profile: CodeProfile,
    /// What differs from them, by what it does.
    #[schema(value_type = std::collections::BTreeMap<String, FeatureCode>, example = json!({"VOICEMAIL": {"code": "*97"}}))]
    pub codes: BTreeMap<Function, FeatureCode>,
}

/// What PortSIP and Yeastar have; nothing where they have no code for it.
const CODES: [(Function, &str, &str); 70] = [
    (Function::ForwardAlways, "*72", "*31"),
    (Function::ForwardAlwaysOff, "*73", "*031"),
    (Function::ForwardAlwaysToVoicemail, "*21", ""),
    (Function::ForwardAlwaysToVoicemailOff, "*34", ""),
    (Function::ForwardBusy, "*90", "*32"),
    (Function::ForwardBusyOff, "*91", "*032"),
    (Function::ForwardBusyToVoicemail, "*40", ""),
    (Function::ForwardBusyToVoicemailOff, "*42", ""),
    (Function::ForwardNoAnswer, "*92", "*33"),
    (Function::ForwardNoAnswerOff, "*93", "*033"),
    (Function::ForwardNoAnswerToVoicemail, "*41", ""),
    (Function::ForwardNoAnswerToVoicemailOff, "*35", ""),
    (Function::ForwardUnreachable, "*94", ""),
    (Function::ForwardUnreachableOff, "*95", ""),
    (Function::ForwardUnreachableOutsideHours, "*81", ""),
    (Function::ForwardUnreachableOutsideHoursOff, "*82", ""),
    (Function::DoNotDisturb, "*78", "*75"),
    (Function::DoNotDisturbOff, "*79", "*075"),
    (Function::WithholdCallerId, "*67", ""),
    (Function::AnonymousCall, "*52", ""),
    (Function::ShowCallerId, "*65", ""),
    (Function::ShowNumber, "*62", ""),
    (Function::BlockCallerId, "*31", ""),
    (Function::BlockCallerIdOff, "*32", ""),
    (Function::AnonymousCalls, "*76", ""),
    (Function::AnonymousCallsOff, "*86", ""),
    (Function::DefaultCallerId, "*64", ""),
    (Function::Park, "*68", "*5"),
    (Function::GroupPark, "*58", "*05"),
    (Function::FetchParked, "*88", ""),
    (Function::StartRecording, "*44", "*1"),
    (Function::StopRecording, "*45", ""),
    (Function::PauseRecording, "*48", ""),
    (Function::ResumeRecording, "*49", ""),
    (Function::Transfer, "*54", "*03"),
    (Function::AttendedTransfer, "", "*3"),
    (Function::TransferToVoicemail, "*55", "*12"),
    (Function::SharedVoicemail, "*56", ""),
    (Function::Voicemail, "*57", "*2"),
    (Function::Monitor, "*63", "*51"),
    (Function::Whisper, "", "*52"),
    (Function::Barge, "", "*53"),
    (Function::Pickup, "*97", "*04"),
    (Function::GroupPickup, "*98", "*4"),
    (Function::LastCaller, "*69", ""),
    (Function::Redial, "*66", ""),
    (Function::RejectAnonymous, "*77", ""),
    (Function::RejectAnonymousOff, "*87", ""),
    (Function::SpeedDial8, "*74", ""),
    (Function::SpeedDial100, "*75", ""),
    (Function::Bridge, "*15", ""),
    (Function::Callback, "*33", "*79"),
    (Function::CallbackOff, "*43", "*079"),
    (Function::Paging, "*46", "*6"),
    (Function::AgentReady, "*36", "*07"),
    (Function::AgentNotReady, "*37", ""),
    (Function::AgentIn, "*38", "*7"),
    (Function::AgentOut, "*39", ""),
    (Function::HotDeskIn, "*70", "*84"),
    (Function::HotDeskOut, "*71", "*084"),
    (Function::Flip, "*11", "*01"),
    (Function::DropCalls, "*12", ""),
    (Function::ClearPush, "*13", ""),
    (Function::PinCall, "*20", ""),
    (Function::NightMode, "*16", ""),
    (Function::ChangeStatus, "*17", ""),
    (Function::SelectiveReject, "*25", ""),
    (Function::SelectiveRejectOff, "*26", ""),
    (Function::SelectiveAccept, "*60", ""),
    (Function::SelectiveAcceptOff, "*61", ""),
];

impl FeatureCodes {
    /// Every code that does something.
    pub fn in_force(&self) -> impl Iterator<Item = (&str, Function)> {
        CODES.iter().filter_map(|&(function, portsip, yeastar)| {
            let of_profile = match self.profile {
                CodeProfile::Portsip => portsip,
                CodeProfile::Yeastar => yeastar,
            };
            let own = self.codes.get(&function);
            let code = own.map(|own| own.code.as_str()).filter(|code| !code.is_empty()).unwrap_or(of_profile);
            let is_on = own.is_none_or(|own| own.enabled);
            (is_on && !code.is_empty()).then_some((code, function))
        })
    }
}

impl Resource for FeatureCodes {
    const KIND: Kind = Kind::FEATURE_CODES;

    fn key(&self) -> &str {
        ""
    }

    fn check(&self, checking: &mut Checking) {
        checking.within("codes", |checking| {
            for (function, own) in &self.codes {
                if !own.code.is_empty() && !is_code(&own.code) {
                    let message = "a code is one to three of * and #, then up to four digits: two to seven characters";
                    checking.within(name(*function), |checking| checking.fault("code", Code::BadFormat, message));
                }
            }
        });
        let mut functions: HashMap<&str, Function> = HashMap::new();
        for (code, function) in self.in_force() {
            if let Some(other) = functions.insert(code, function) {
                let message =
                    format!("{code} does {} and {}: one of them needs another code", name(other), name(function));
                checking.within("codes", |checking| checking.fault(&name(function), Code::Conflict, message));
            }
        }
    }
}

/// Its name in JSON.
fn name(function: Function) -> String {
    serde_json::to_value(function).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn is_code(code: &str) -> bool {
    let digits = code.trim_start_matches(['*', '#']);
    let marks = code.len() - digits.len();
    let is_digits = digits.bytes().all(|one| one.is_ascii_digit());
    (1..=3).contains(&marks) && digits.len() <= 4 && (2..=7).contains(&code.len()) && is_digits
}
