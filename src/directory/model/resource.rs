//! What every kind of document of a tenant has in common.

use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::checking::Checking;
use super::document::{self, Members};
use crate::fault::{Code, Fault};

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// Its name in paths and in the database, such as `ring-groups`.
    pub name: &'static str,
    /// What one of them is called, such as `ring group`.
    pub one: &'static str,
    /// The member that it is known by; it stays what it is.
    pub key: &'static str,
    /// How many a tenant has at most.
    pub most: u32,
}

impl Kind {
    /// Ways to a carrier.
    pub const TRUNK: Self = Self { name: "trunks", one: "trunk", key: "name", most: 200 };
    /// Numbers of a trunk.
    pub const DID_POOL: Self = Self { name: "did-pools", one: "DID pool", key: "name", most: 1000 };
    /// Where calls from outside go.
    pub const INBOUND_RULE: Self = Self { name: "inbound-rules", one: "inbound rule", key: "name", most: 10_000 };
    /// By which trunk calls go out.
    pub const OUTBOUND_RULE: Self = Self { name: "outbound-rules", one: "outbound rule", key: "name", most: 1000 };
    /// Extensions that ring together.
    pub const RING_GROUP: Self = Self { name: "ring-groups", one: "ring group", key: "number", most: 1000 };
    /// Callers who wait for somebody.
    pub const QUEUE: Self = Self { name: "queues", one: "queue", key: "number", most: 1000 };
    /// Voices that ask whereto.
    pub const ATTENDANT: Self = Self { name: "attendants", one: "attendant", key: "number", most: 1000 };
    /// Rooms where several talk.
    pub const MEETING: Self = Self { name: "meetings", one: "meeting", key: "number", most: 1000 };
    /// What calls cost.
    pub const RATE: Self = Self { name: "rates", one: "rate", key: "prefix", most: 100_000 };
    /// What users may do.
    pub const ROLE: Self = Self { name: "roles", one: "role", key: "name", most: 100 };
    /// Holidays of the whole tenant.
    pub const HOLIDAY: Self = Self { name: "holidays", one: "holiday", key: "name", most: 1000 };
    /// The office hours of the whole tenant: there is one document.
    pub const OFFICE_HOURS: Self = Self { name: "office-hours", one: "week", key: "", most: 1 };
    /// What codes do: there is one document.
    pub const FEATURE_CODES: Self = Self { name: "feature-codes", one: "table of feature codes", key: "", most: 1 };
}

/// A document of a tenant, or of the carrier.
pub trait Resource: Clone + PartialEq + Serialize + DeserializeOwned + ToSchema + Send + Sync + 'static {
    /// What it is.
    const KIND: Kind;

    /// Members that are kept sealed and never shown.
    const SECRETS: &'static [&'static str] = &[];

    /// What it is known by.
    fn key(&self) -> &str;

    /// Looks at what it says by itself.
    fn check(&self, checking: &mut Checking);

    /// Writes what can be written in several ways in one.
    fn settle(&mut self) {}

    /// The number that it is dialled by within the tenant.
    fn number(&self) -> Option<&str> {
        None
    }

    /// Names of other documents that have to be there, each with where it stands.
    fn needs(&self) -> Vec<(Kind, String, String)> {
        Vec::new()
    }
}

/// Reads a document that somebody wrote, or says all that is wrong with it.
///
/// # Errors
/// All that is wrong.
pub fn written<R: Resource>(members: Members) -> Result<R, Vec<Fault>> {
    let mut document: R = document::read(members).map_err(|fault| vec![fault])?;
    document.settle();
    let mut checking = Checking::default();
    if !R::KIND.key.is_empty() {
        check_key(document.key(), R::KIND, &mut checking);
    }
    document.check(&mut checking);
    let faults = checking.faults();
    if faults.is_empty() { Ok(document) } else { Err(faults) }
}

/// A key stands in paths: nothing in it has to be escaped there.
fn check_key(key: &str, kind: Kind, checking: &mut Checking) {
    if key.is_empty() {
        return checking.fault(kind.key, Code::Required, format!("a {} has a {}", kind.one, kind.key));
    }
    let is_fine = |one: char| one.is_alphanumeric() || "-_. ".contains(one);
    if kind.key == "name" && (!key.chars().all(is_fine) || key.trim() != key || key.starts_with('.')) {
        let message = "a name has letters, digits, blanks, -, _ and ., and begins with a letter or digit";
        checking.fault(kind.key, Code::BadCharacter, message);
    }
    checking.text(kind.key, key, 64);
}
