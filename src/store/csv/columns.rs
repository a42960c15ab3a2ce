//! The columns, in the order of an export.

use std::borrow::Cow;

use ringway_directory::{ExtensionDraft, Profile};

/// A column of the CSV.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its header, and its member in JSON.
    pub name: &'static str,
    /// Headers of other products that mean the same. Case, blanks, `_` and `-` do not count in any header.
    pub aliases: &'static [&'static str],
    /// Whether a file without it is refused.
    pub is_required: bool,
    pub(super) cell: Cell,
}

/// What a cell of a column is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    /// A word of the draft.
    Word {
        /// Where an import puts it.
        put: for<'a> fn(&mut ExtensionDraft<'a>, &'a str),
        /// What an export writes; blank for a secret.
        value: for<'p> fn(&'p Profile) -> Cow<'p, str>,
    },
    /// A setting: text, a number or a flag as such, everything else as JSON.
    Setting,
}

const BLANK: for<'p> fn(&'p Profile) -> Cow<'p, str> = |_| Cow::Borrowed("");

/// A column of a setting.
const fn setting(name: &'static str, aliases: &'static [&'static str]) -> Column {
    Column { name, aliases, is_required: false, cell: Cell::Setting }
}

/// Every column. PortSIP's names are ours; the aliases are those of Yeastar and 3CX, and older ones of PortSIP.
pub const COLUMNS: [Column; 83] = [
    Column {
        name: "extension_number",
        aliases: &["Extension Number", "Number"],
        is_required: true,
        cell: Cell::Word {
            put: |draft, text| draft.number = Some(text),
            value: |profile| profile.number.as_str().into(),
        },
    },
    Column {
        name: "auth_name",
        aliases: &["Registration Name", "AuthID"],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.auth_name = Some(text),
            value: |profile| profile.auth_name.as_str().into(),
        },
    },
    Column {
        name: "extension_password",
        aliases: &["Registration Password", "AuthPassword"],
        is_required: false,
        cell: Cell::Word { put: |draft, text| draft.password = Some(text), value: BLANK },
    },
    Column {
        name: "email",
        aliases: &["Email Address", "EmailAddress"],
        is_required: true,
        cell: Cell::Word {
            put: |draft, text| draft.email = Some(text),
            value: |profile| profile.email.as_str().into(),
        },
    },
    Column {
        name: "display_name",
        aliases: &["Display Name"],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.display_name = Some(text),
            value: |profile| profile.display_name.as_str().into(),
        },
    },
    Column {
        name: "first_name",
        aliases: &["First Name", "FirstName"],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.first_name = Some(text),
            value: |profile| profile.first_name.as_ref().map_or("", |name| name.as_str()).into(),
        },
    },
    Column {
        name: "last_name",
        aliases: &["Last Name", "LastName"],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.last_name = Some(text),
            value: |profile| profile.last_name.as_ref().map_or("", |name| name.as_str()).into(),
        },
    },
    Column {
        name: "enabled",
        aliases: &[],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.enabled = Some(text),
            value: |profile| Cow::Borrowed(if profile.enabled { "true" } else { "false" }),
        },
    },
    Column {
        name: "max_phones",
        aliases: &["IP Phone Concurrent Registrations"],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.max_phones = Some(text),
            value: |profile| profile.max_phones.to_string().into(),
        },
    },
    Column {
        name: "max_apps",
        aliases: &[],
        is_required: false,
        cell: Cell::Word {
            put: |draft, text| draft.max_apps = Some(text),
            value: |profile| profile.max_apps.to_string().into(),
        },
    },
    Column {
        name: "ha1_md5",
        aliases: &[],
        is_required: false,
        cell: Cell::Word { put: |draft, text| draft.ha1_md5 = Some(text), value: BLANK },
    },
    Column {
        name: "ha1_sha256",
        aliases: &[],
        is_required: false,
        cell: Cell::Word { put: |draft, text| draft.ha1_sha256 = Some(text), value: BLANK },
    },
    Column {
        name: "voicemail_pin",
        aliases: &["Voicemail Access PIN", "VMPIN", "mb_pin"],
        is_required: false,
        cell: Cell::Word { put: |draft, text| draft.voicemail_pin = Some(text), value: BLANK },
    },
    setting("mobile_number", &["Mobile Number", "MobileNumber", "cell"]),
    setting("work_phone", &[]),
    setting("home_phone", &[]),
    setting("address", &[]),
    setting("department", &[]),
    setting("job_title", &["Job Title", "position"]),
    setting("organization", &[]),
    setting("description", &[]),
    setting("caller_id", &["Caller ID"]),
    setting("time_zone", &[]),
    setting("allowed_sources", &[]),
    setting("allowed_user_agents", &[]),
    setting("outbound_caller_ids", &[]),
    setting("emergency_caller_id", &["Emergency Outbound Caller ID"]),
    setting("anonymous_outbound_calls", &[]),
    setting("delivery_outbound_cid", &[]),
    setting("reject_anonymous_calls", &[]),
    setting("rejected_callers", &[]),
    setting("accepted_callers", &[]),
    setting("enable_acb", &[]),
    setting("enable_dnd", &[]),
    setting("enable_hot_desking", &[]),
    setting("status", &[]),
    setting("status_note", &[]),
    setting("available_office_hours_forward_rule", &[]),
    setting("available_non_office_hours_forward_rule", &[]),
    setting("available_no_answer_forward_rule", &["online_no_answer_forward_rule"]),
    setting("busy_office_hours_forward_rule", &["online_busy_forward_rule"]),
    setting("busy_non_office_hours_forward_rule", &[]),
    setting("busy_no_answer_forward_rule", &[]),
    setting("offline_office_hours_forward_rule", &["offline_forward_rule"]),
    setting("offline_non_office_hours_forward_rule", &[]),
    setting("dnd_office_hours_forward_rule", &[]),
    setting("dnd_non_office_hours_forward_rule", &[]),
    setting("away_office_hours_forward_rule", &[]),
    setting("away_non_office_hours_forward_rule", &[]),
    setting("lunch_office_hours_forward_rule", &[]),
    setting("lunch_non_office_hours_forward_rule", &[]),
    setting("trip_office_hours_forward_rule", &[]),
    setting("trip_non_office_hours_forward_rule", &[]),
    setting("off_work_office_hours_forward_rule", &[]),
    setting("off_work_non_office_hours_forward_rule", &[]),
    setting("custom_1_office_hours_forward_rule", &[]),
    setting("custom_1_non_office_hours_forward_rule", &[]),
    setting("custom_2_office_hours_forward_rule", &[]),
    setting("custom_2_non_office_hours_forward_rule", &[]),
    setting("custom_forward_rules", &[]),
    setting("office_hours", &[]),
    setting("global_holidays", &[]),
    setting("holidays", &[]),
    setting("enable_voicemail", &["Enable Voicemail", "VMEnabled"]),
    setting("enable_voicemail_pin", &["Voicemail PIN Authentication"]),
    setting("voicemail_prompt", &["System Prompt Language"]),
    setting("voicemail_play_datetime", &[]),
    setting("enable_voicemail_notify", &[]),
    setting("voicemail_notify_mode", &[]),
    setting("voicemail_min_seconds", &[]),
    setting("voicemail_max_seconds", &[]),
    setting("voicemail_max_messages", &[]),
    setting("voicemail_keep_days", &[]),
    setting("enable_audio_recording", &["RecordCalls"]),
    setting("enable_video_recording", &[]),
    setting("preferred_transport", &[]),
    setting("interface", &[]),
    setting("phones", &[]),
    setting("blfs", &[]),
    setting("speed_dial_8", &[]),
    setting("speed_dial_100", &[]),
    setting("sms", &[]),
    setting("custom_options", &[]),
];

/// Headers of other products that look like one of ours and mean something else, with what to tell people of them.
const LOOK_ALIKES: [(&str, &str); 3] = [
    ("password", "this is the portal's password, not the SIP password, whose column is extension_password"),
    ("User Password", "this is the portal's password, not the SIP password, whose column is extension_password"),
    ("name", "this is the portal's user name, not the name that phones show, whose column is display_name"),
];

/// The position in [`COLUMNS`] of the column that this header means.
pub(super) fn position(header: &str) -> Option<usize> {
    let header = folded(header);
    COLUMNS.iter().position(|column| names(column).any(|name| folded(name) == header))
}

/// What to tell people of a header that means no column.
pub(super) fn advice(header: &str) -> String {
    let folded_header = folded(header);
    if let Some((_, text)) = LOOK_ALIKES.iter().find(|(name, _)| folded(name) == folded_header) {
        return format!("{text}; this column is not imported");
    }
    let likeness = |name: &'static str| (strsim::normalized_damerau_levenshtein(&folded(name), &folded_header), name);
    let alike = COLUMNS.iter().flat_map(names).map(likeness).filter(|(likeness, _)| *likeness >= 0.6);
    match alike.max_by(|one, other| one.0.total_cmp(&other.0)) {
        Some((_, name)) => format!("this column is not known and not imported; did you mean {name}?"),
        None => "this column is not known and not imported".to_owned(),
    }
}

/// A header without what people vary.
fn folded(header: &str) -> String {
    header.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn names(column: &Column) -> impl Iterator<Item = &'static str> + use<> {
    std::iter::once(column.name).chain(column.aliases.iter().copied())
}
