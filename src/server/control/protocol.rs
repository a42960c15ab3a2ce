//! What is asked and answered, as JSON lines.
//!
//! A connection begins with one line, the request. `extension-import` is followed by the file, so many bytes as it says.
//! Then the node answers with lines, each an event; the last is `done` or `failed`.

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
    /// `ringway extension add`
    ExtensionAdd(NewExtension),
    /// `ringway extension import`; the file follows.
    ExtensionImport(NewExtensions),
    /// `ringway extension export`
    ExtensionExport {
        /// Its domain.
        tenant: String,
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
    // Commands and nodes of the version before do not know it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) when_full: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) media: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_media: Option<u32>,
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A tenant: one that was added, or one of the list.
    Tenant(TenantRow),
    /// An extension that was added.
    Extension(ExtensionRow),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json_that_names_its_verb() {
        let request = Request::ExtensionImport(NewExtensions {
            tenant: "acme.example".to_owned(),
            mode: ModeWord::Upsert,
            is_dry_run: false,
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
        assert_eq!((&*new.when_full, &*new.media, new.max_media), ("", "", None));
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
        for event in [
            Event::Progress { bytes: 1, rows: 2 },
            Event::Imported(Box::default()),
            Event::Text { text: "a,b\r\n".to_owned() },
            Event::Done,
            Event::Failed { message: "no".to_owned() },
        ] {
            let line = serde_json::to_string(&event).unwrap();
            assert!(serde_json::from_str::<Event>(&line).unwrap() == event, "{line}");
        }
    }
}
