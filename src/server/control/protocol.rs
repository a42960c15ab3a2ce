//! What is asked and answered, as JSON lines.
//!
//! A connection begins with one line, the request. `extension-import` is followed by the file, so many bytes as it says.
//! Then the node answers with lines, each an event; the last is `done` or `failed`.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringway_capture::{Seen, Way};
use ringway_directory::Budgets;
use ringway_sip::Transport;
use ringway_store::csv::{ImportReport, Mode};
use serde::{Deserialize, Serialize};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// `ringway tenant add`
    TenantAdd(NewTenant),
    /// `ringway tenant list`
    TenantList,
    /// `ringway tenant set`
    TenantSet(TenantSettings),
    /// `ringway extension add`
    ExtensionAdd(NewExtension),
    /// `ringway extension import`; the file follows.
    ExtensionImport(NewExtensions),
    /// `ringway extension registrations`
    ExtensionRegistrations {
        /// Its domain.
        tenant: String,
        /// One extension; all of them when there is none.
        number: Option<String>,
    },
    /// `ringway extension export`
    ExtensionExport {
        /// Its domain.
        tenant: String,
    },
    /// `ringway capture`. It runs until the command closes its side of the connection, or it has what it may have.
    Capture(NewCapture),
    /// `ringway bans`; only a running node has any.
    Bans(BansRequest),
}

/// What a capture is to show: what is `None` was not mentioned, and does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCapture {
    pub(crate) tenant: Option<String>,
    pub(crate) number: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) seconds: u64,
    pub(crate) max_messages: u64,
}

/// What is to be done with bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bans", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum BansRequest {
    /// `ringway bans list`
    List,
    /// `ringway bans add`
    Add {
        /// An address.
        source: String,
        /// For how long.
        seconds: u32,
        /// What the list shows.
        reason: String,
    },
    /// `ringway bans remove`
    Remove {
        /// An address, an address and port, or `all`.
        source: String,
    },
}

/// A tenant to add.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) trust: Vec<String>,
    pub(crate) max_extensions: Option<u32>,
    pub(crate) max_calls: Option<u32>,
    // Commands and nodes of the version before do not know these.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) when_full: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) media: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_media: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_call_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) acknowledge: String,
    #[serde(default, skip_serializing_if = "BudgetWords::is_empty")]
    pub(crate) budgets: BudgetWords,
}

/// The word for a limit that is taken away.
pub(crate) const NO_LIMIT: &str = "none";

/// What becomes of a tenant; what is empty stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantSettings {
    pub(crate) domain: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) when_full: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) media: String,
    /// A number, or [`NO_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) max_media: String,
    /// Seconds that a call may last: 0 is no limit of its own, none is as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_call_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) acknowledge: String,
    /// A number, or [`NO_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) rps: String,
    /// A number, or [`NO_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) registers_ps: String,
    /// A number, or [`NO_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) calls_ps: String,
    /// A number, or [`NO_LIMIT`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) connections: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<u16>,
}

/// What a tenant may ask for a second; what is `None` was not mentioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetWords {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registers_ps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls_ps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weight: Option<u16>,
}

impl BudgetWords {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<BudgetWords> for Budgets {
    fn from(words: BudgetWords) -> Self {
        let BudgetWords { rps, registers_ps, calls_ps, connections, weight } = words;
        Self { requests: rps, registers: registers_ps, calls: calls_ps, connections, weight }
    }
}

impl From<Budgets> for BudgetWords {
    fn from(budgets: Budgets) -> Self {
        let Budgets { requests, registers, calls, connections, weight } = budgets;
        Self { rps: requests, registers_ps: registers, calls_ps: calls, connections, weight }
    }
}

/// An extension to add. What is `None` was not mentioned.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExtension {
    pub(crate) tenant: String,
    pub(crate) number: String,
    pub(crate) email: String,
    pub(crate) auth_name: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_phones: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_apps: Option<String>,
}

impl std::fmt::Debug for NewExtension {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NewExtension {{ tenant: {:?}, number: {:?}, .. }}", self.tenant, self.number)
    }
}

/// Extensions to import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewExtensions {
    pub(crate) tenant: String,
    pub(crate) mode: ModeWord,
    pub(crate) is_dry_run: bool,
    // A node of the version before does not know it, and then refuses rather than keeps everything out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) keeps_good: bool,
    /// How long the file is that follows.
    pub(crate) bytes: u64,
}

/// What to do with a number that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModeWord {
    /// A number that is there already is a mistake
    #[default]
    Create,
    /// A number that is there already is passed over
    Skip,
    /// A number that is there already is changed as the row says
    Upsert,
}

impl From<ModeWord> for Mode {
    fn from(word: ModeWord) -> Self {
        match word {
            ModeWord::Create => Self::Create,
            ModeWord::Skip => Self::Skip,
            ModeWord::Upsert => Self::Upsert,
        }
    }
}

/// One line of the answer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A tenant: one that was added, or one of the list.
    Tenant(TenantRow),
    /// An extension that was added.
    Extension(ExtensionRow),
    /// A device that is registered.
    Registration(RegistrationRow),
    /// How far an import has come.
    Progress {
        /// Bytes of the file taken in.
        bytes: u64,
        /// Rows taken in.
        rows: u64,
    },
    /// What an import did.
    Imported(Box<ImportReport>),
    /// A piece of an export.
    Text {
        /// The piece.
        text: String,
    },
    /// A message that a capture shows, its secrets masked.
    Seen(SeenRow),
    /// What a capture was.
    CaptureEnded(CaptureEnd),
    /// A ban of the list.
    Ban(BanRow),
    /// So many bans were removed.
    BansRemoved {
        /// How many.
        count: usize,
    },
    /// The end: it is done, and in force.
    Done,
    /// The end: it is not done.
    Failed {
        /// Why, and what to do.
        message: String,
    },
}

/// A tenant as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TenantRow {
    pub(crate) domain: String,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) trust: Vec<String>,
    pub(crate) extensions: u32,
    pub(crate) max_extensions: Option<u32>,
    pub(crate) max_calls: Option<u32>,
    #[serde(default)]
    pub(crate) when_full: String,
    #[serde(default)]
    pub(crate) media: String,
    #[serde(default)]
    pub(crate) max_media: Option<u32>,
    #[serde(default)]
    pub(crate) max_call_seconds: Option<u32>,
    #[serde(default)]
    pub(crate) acknowledge: String,
    #[serde(default)]
    pub(crate) budgets: BudgetWords,
}

/// A ban as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BanRow {
    pub(crate) source: String,
    pub(crate) reason: String,
    /// The account, or what a person wrote.
    pub(crate) detail: String,
    /// RFC 3339, UTC.
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) hits: u64,
}

/// A device that is registered. Times are as RFC 3339 has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RegistrationRow {
    pub(crate) number: String,
    /// The URI that it registered.
    pub(crate) contact: String,
    pub(crate) user_agent: String,
    /// Where its requests come from.
    pub(crate) source: String,
    pub(crate) port: u16,
    pub(crate) transport: String,
    pub(crate) registered_at: String,
    pub(crate) expires_at: String,
    pub(crate) last_ping: Option<String>,
    /// Of the last ping that was answered, in milliseconds.
    pub(crate) round_trip_ms: Option<f64>,
    /// Pings since then.
    pub(crate) unanswered_pings: u8,
    pub(crate) is_natted: bool,
    /// What leads to it: its flow, its Contact, the proxies in its Path, or nothing.
    #[serde(default)]
    pub(crate) reached_by: String,
    /// What it is known by among those of its extension.
    #[serde(default)]
    pub(crate) mark: u64,
    #[serde(default)]
    pub(crate) is_app: bool,
    #[serde(default)]
    pub(crate) has_push_token: bool,
    /// The node that it is registered with, by its number; `None` for this one.
    #[serde(default)]
    pub(crate) node: Option<u32>,
}

/// An extension as it was added.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExtensionRow {
    pub(crate) domain: String,
    pub(crate) number: String,
    pub(crate) auth_name: String,
    /// Only one that was generated.
    pub(crate) password: Option<String>,
}

/// A message as it passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenRow {
    micros: u64,
    is_sent: bool,
    transport: String,
    local: SocketAddr,
    remote: SocketAddr,
    /// The message in Base64: it need not be text.
    message: String,
}

impl SeenRow {
    pub(crate) fn of(seen: &Seen) -> Self {
        Self {
            micros: seen.micros,
            is_sent: seen.way == Way::Sent,
            transport: seen.transport.to_string(),
            local: seen.local,
            remote: seen.remote,
            message: STANDARD.encode(&seen.bytes),
        }
    }

    /// The message; `None` when another version has written something else.
    pub(crate) fn seen(&self) -> Option<Seen> {
        Some(Seen {
            micros: self.micros,
            way: if self.is_sent { Way::Sent } else { Way::Received },
            transport: Transport::parse(self.transport.as_bytes())?,
            local: self.local,
            remote: self.remote,
            bytes: STANDARD.decode(&self.message).ok()?,
        })
    }
}

/// What a capture was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CaptureEnd {
    /// Messages that it has shown.
    pub(crate) messages: u64,
    /// Messages that are missing, because they were not read fast enough.
    pub(crate) dropped: u64,
    /// What ended it: `stopped`, `seconds`, `messages` or `bytes`.
    pub(crate) reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json_that_names_its_verb() {
        let request = Request::ExtensionImport(NewExtensions {
            tenant: "acme.example".to_owned(),
            mode: ModeWord::Upsert,
            is_dry_run: false,
            keeps_good: false,
            bytes: 12,
        });
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(
            line,
            r#"{"verb":"extension-import","tenant":"acme.example","mode":"upsert","is_dry_run":false,"bytes":12}"#
        );
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        assert_eq!(serde_json::to_string(&Request::TenantList).unwrap(), r#"{"verb":"tenant-list"}"#);
    }

    #[test]
    fn what_a_version_before_did_not_know_may_be_left_out_and_is() {
        let line = r#"{"verb":"tenant-add","domain":"acme.example","name":"","aliases":[],"trust":[],"max_extensions":null,"max_calls":null}"#;
        let Request::TenantAdd(new) = serde_json::from_str::<Request>(line).unwrap() else { panic!("a tenant to add") };
        assert_eq!((&*new.when_full, &*new.media, new.max_media, new.max_call_seconds), ("", "", None, None));
        assert_eq!(serde_json::to_string(&Request::TenantAdd(new)).unwrap(), line);
        let line = serde_json::to_string(&Request::ExtensionAdd(NewExtension::default())).unwrap();
        assert!(!line.contains("max_phones") && !line.contains("max_apps"), "{line}");
        assert!(serde_json::from_str::<Request>(&line).is_ok());
    }

    #[test]
    fn a_password_is_not_in_what_is_logged_of_a_request() {
        let extension = NewExtension { password: Some("s3cret".to_owned()), ..NewExtension::default() };
        assert!(!format!("{:?}", Request::ExtensionAdd(extension)).contains("s3cret"));
    }

    #[test]
    fn every_event_survives_the_way_through_the_socket() {
        let seen = Seen {
            micros: 1_796_000_523_000_001,
            way: Way::Sent,
            transport: Transport::Wss,
            local: "192.0.2.1:443".parse().unwrap(),
            remote: "[2001:db8::2]:5060".parse().unwrap(),
            bytes: vec![0, 0xff, b'\n'],
        };
        assert_eq!(SeenRow::of(&seen).seen(), Some(seen.clone()));
        for event in [
            Event::Progress { bytes: 1, rows: 2 },
            Event::Imported(Box::default()),
            Event::Text { text: "a,b\r\n".to_owned() },
            Event::Seen(SeenRow::of(&seen)),
            Event::Done,
            Event::Failed { message: "no".to_owned() },
        ] {
            let line = serde_json::to_string(&event).unwrap();
            assert!(serde_json::from_str::<Event>(&line).unwrap() == event, "{line}");
        }
    }
}
