//! What calls cost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::money::Money;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// What kind of call a rate is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RateKind {
    Local,
    #[default]
    National,
    International,
    Mobile,
}

/// What calls to numbers with a prefix cost. The longest prefix holds.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// What the number begins with, as it is sent to the trunk.
    #[schema(example = "4930")]
    pub prefix: String,
    /// What kind of call this is.
    #[serde(default, rename = "type")]
    pub kind: RateKind,
    /// For being answered.
    #[serde(default)]
    pub connect_fee: Money,
    /// Seconds after the first interval that cost nothing.
    #[serde(default)]
    pub free_seconds: u32,
    /// Shorter calls cost nothing.
    #[serde(default)]
    pub grace_period: u32,
    /// Seconds of the first interval.
    #[serde(default = "minute")]
    pub interval_1: u32,
    /// A minute's price in the first interval.
    #[serde(default)]
    pub price_1: Money,
    /// Seconds of each further interval.
    #[serde(default = "minute")]
    pub interval_n: u32,
    /// A minute's price in each further interval.
    #[serde(default)]
    pub price_n: Money,
    /// The part of all that is added in the end: 0.1 for ten per cent.
    #[serde(default)]
    pub postcall_surcharge: Money,
    /// What somebody wants to remember.
    #[serde(default)]
    pub description: String,
}

const fn minute() -> u32 {
    60
}

impl Resource for Rate {
    const KIND: Kind = Kind::RATE;

    fn key(&self) -> &str {
        &self.prefix
    }

    fn check(&self, checking: &mut Checking) {
        if !self.prefix.bytes().all(|one| one.is_ascii_digit()) {
            checking.fault("prefix", Code::BadCharacter, "a prefix has digits only");
        }
        checking.text("description", &self.description, 256);
        checking.between("interval_1", self.interval_1, 1, 3600);
        checking.between("interval_n", self.interval_n, 1, 3600);
        checking.between("free_seconds", self.free_seconds, 0, 86_400);
        checking.between("grace_period", self.grace_period, 0, 3600);
        let most = Money(1_000_000 * 100_000);
        for (name, amount) in [
            ("connect_fee", self.connect_fee),
            ("price_1", self.price_1),
            ("price_n", self.price_n),
            ("postcall_surcharge", self.postcall_surcharge),
        ] {
            checking.between(name, amount, Money(0), most);
        }
    }
}
