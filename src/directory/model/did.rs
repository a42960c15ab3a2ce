//! Numbers that carriers have given: pools of them, which nobody else may have.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// Numbers of a trunk that are a tenant's.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DidPool {
    /// What it is called, in paths too.
    #[schema(example = "berlin")]
    pub name: String,
    /// The trunk that its numbers come by.
    #[schema(example = "carrier-1")]
    pub trunk: String,
    /// Numbers and ranges with `;` between, none of which begins with `+` or `0`.
    #[schema(example = "49301234;493012345000-493012345999")]
    pub numbers: String,
    /// What somebody wants to remember.
    #[serde(default)]
    pub description: String,
}

/// Numbers of equal length, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Their digits.
    pub length: usize,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Stretch {
    /// Whether a number is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.length == other.length && self.first <= other.last && other.first <= self.last
    }

    /// Whether this number is in it, however it is written: with `+`, `00` or `0` before it.
    pub fn has(&self, number: &str) -> bool {
        let digits = bare(number);
        digits.len() == self.length && digits.parse().is_ok_and(|number| (self.first..=self.last).contains(&number))
    }
}

/// A number without what says that it is international or national.
pub fn bare(number: &str) -> &str {
    let digits = number.strip_prefix('+').unwrap_or(number);
    digits.strip_prefix("00").or_else(|| digits.strip_prefix('0')).unwrap_or(digits)
}

/// The stretches of a pool's text; what can't be read is left to [`DidPool::check`](Resource::check).
pub fn stretches(numbers: &str) -> impl Iterator<Item = Stretch> {
    parts(numbers).filter_map(stretch)
}

fn parts(numbers: &str) -> impl Iterator<Item = &str> {
    numbers.split(';').map(str::trim).filter(|part| !part.is_empty())
}

fn stretch(part: &str) -> Option<Stretch> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let is_number = |text: &str| {
        (1..=18).contains(&text.len()) && !text.starts_with('0') && text.bytes().all(|one| one.is_ascii_digit())
    };
    if !is_number(first) || !is_number(last) || first.len() != last.len() {
        return None;
    }
    let stretch = Stretch { length: first.len(), first: first.parse().ok()?, last: last.parse().ok()? };
    (stretch.first <= stretch.last).then_some(stretch)
}

impl Resource for DidPool {
    const KIND: Kind = Kind::DID_POOL;

    fn key(&self) -> &str {
        &self.name
    }

    fn needs(&self) -> Vec<(Kind, String, String)> {
        vec![(Kind::TRUNK, self.trunk.clone(), "trunk".to_owned())]
    }

    fn check(&self, checking: &mut Checking) {
        checking.text("description", &self.description, 256);
        checking.name("trunk", &self.trunk, 64);
        checking.text("numbers", &self.numbers, 16_384);
        let mut before: Vec<Stretch> = Vec::new();
        for part in parts(&self.numbers) {
            let Some(stretch) = stretch(part) else {
                let message = format!(
                    "{part:?} is neither a number nor a range such as 300-450; it does not begin with + or 0, has 18 digits \
                     at most, and the ends of a range have as many as each other"
                );
                checking.fault("numbers", Code::BadFormat, message);
                continue;
            };
            if before.iter().any(|other| other.overlaps(&stretch)) {
                checking.fault("numbers", Code::Conflict, format!("{part:?} is in this pool twice"));
            }
            before.push(stretch);
        }
        if before.is_empty() {
            checking.fault("numbers", Code::Required, "a pool has a number at least");
        }
    }
}
