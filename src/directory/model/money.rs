//! Amounts of money: whole numbers of a hundred-thousandth, written as decimals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

/// Digits behind the point.
const PLACES: usize = 5;
/// How many there are of one.
const SCALE: i64 = 100_000;

/// An amount, exact to five places; in JSON text such as `"0.24"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);

impl FromStr for Money {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a decimal such as \"12.50\", with five digits behind the point at most";
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |text: &str| text.bytes().all(|one| one.is_ascii_digit());
        if whole.is_empty() || part.len() > PLACES || !is_digits(whole) || !is_digits(part) || digits.ends_with('.') {
            return Err(wrong);
        }
        let whole: i64 = whole.parse().map_err(|_| "this is too large an amount")?;
        let part: i64 = format!("{part:0<PLACES$}").parse().map_err(|_| wrong)?;
        let amount = whole.checked_mul(SCALE).and_then(|whole| whole.checked_add(part));
        let amount = amount.ok_or("this is too large an amount")?;
        Ok(Self(if is_negative { -amount } else { amount }))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.0.unsigned_abs();
        let scale = SCALE.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(formatter, "{sign}{}.{:0PLACES$}", amount / scale, amount % scale)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        let pattern = r"^-?[0-9]+(\.[0-9]{1,5})?$";
        ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).examples(["12.50000"]).into()
    }
}

impl ToSchema for Money {
    fn name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }
}
