//! Scenarios: what the users do. Some are built in, and any may be a file of one's own.

mod keys;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::agent::Challenges;
use keys::{check_keys, suggestion};

/// The scenarios that need no file, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("options", include_str!("scenarios/options.toml")),
    ("register", include_str!("scenarios/register.toml")),
    ("refresh", include_str!("scenarios/refresh.toml")),
    ("call", include_str!("scenarios/call.toml")),
    ("call-auth", include_str!("scenarios/call-auth.toml")),
    ("avalanche", include_str!("scenarios/avalanche.toml")),
    ("mixed", include_str!("scenarios/mixed.toml")),
];

/// What an operation of a scenario is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    /// A REGISTER that may be challenged.
    Register,
    /// A REGISTER with the nonce that is known.
    Refresh,
    /// An OPTIONS to the domain.
    Options,
    /// A call.
    Call,
    /// Everybody registers anew at once, while calls stand.
    Avalanche,
    /// Tenants, each with operations of several kinds.
    Mixed,
}

/// Who registers before the operations begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Registered {
    /// Nobody.
    #[default]
    Nobody,
    /// Those who are called.
    Callees,
    /// Everybody.
    Everybody,
}

/// How arrivals of an open loop are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Spread {
    /// The same time between any two.
    #[default]
    Even,
    /// At random, as those of many people who know nothing of each other (a Poisson process).
    Random,
}

/// A scenario. docs/load-tests.md explains each key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Scenario {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) operation: What,
    #[serde(default)]
    pub(crate) challenges: Challenges,
    #[serde(default)]
    pub(crate) registered: Registered,
    #[serde(default)]
    pub(crate) arrivals: Spread,
    #[serde(default = "an_hour")]
    pub(crate) expires: u32,
    #[serde(default)]
    pub(crate) ring: f64,
    #[serde(default)]
    pub(crate) hold: f64,
    /// Of an avalanche.
    #[serde(default)]
    pub(crate) calls: u64,
    #[serde(default = "some_seconds")]
    pub(crate) retry_after: f64,
    #[serde(default = "two_minutes")]
    pub(crate) give_up: f64,
    /// Of a mix.
    #[serde(default)]
    pub(crate) flood_begins: f64,
    #[serde(default)]
    pub(crate) tenant: Vec<Tenant>,
    /// Where files that it names are looked for.
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

/// A tenant of a mix; rates are operations a second.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tenant {
    pub(crate) domain: String,
    pub(crate) users: Option<PathBuf>,
    /// Our address for its users, when it is another than the others'.
    pub(crate) bind: Option<IpAddr>,
    #[serde(default)]
    pub(crate) flood: bool,
    #[serde(default)]
    pub(crate) challenges: Challenges,
    #[serde(default)]
    pub(crate) register: f64,
    #[serde(default)]
    pub(crate) refresh: f64,
    #[serde(default)]
    pub(crate) options: f64,
    #[serde(default)]
    pub(crate) call: f64,
}

fn an_hour() -> u32 {
    3600
}

fn some_seconds() -> f64 {
    5.0
}

fn two_minutes() -> f64 {
    120.0
}

const KEYS: &[&str] = &[
    "name",
    "description",
    "operation",
    "challenges",
    "registered",
    "arrivals",
    "expires",
    "ring",
    "hold",
    "calls",
    "retry_after",
    "give_up",
    "flood_begins",
    "tenant",
];
const TENANT_KEYS: &[&str] =
    &["domain", "users", "bind", "flood", "challenges", "register", "refresh", "options", "call"];

impl Scenario {
    /// A built-in scenario by its name, or the file of that path.
    ///
    /// # Errors
    /// A sentence for a person.
    pub(crate) fn load(name: &str) -> Result<Self, String> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(text).map(|scenario| Self { name: name.to_owned(), ..scenario });
        }
        if !name.ends_with(".toml") {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            let nearest = suggestion(name, &names);
            return Err(format!(
                "there is no scenario `{name}`{nearest}; there are {}, or a FILE.toml",
                names.join(", ")
            ));
        }
        let path = Path::new(name);
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let mut scenario = Self::parse(&text).map_err(|error| format!("{name}: {error}"))?;
        if scenario.name.is_empty() {
            scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        scenario.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(scenario)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        check_keys(&table, KEYS, "")?;
        for tenant in table.get("tenant").and_then(toml::Value::as_array).into_iter().flatten() {
            if let Some(tenant) = tenant.as_table() {
                check_keys(tenant, TENANT_KEYS, " of a tenant")?;
            }
        }
        let scenario: Self = table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        scenario.check()?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        let seconds = [
            ("ring", self.ring),
            ("hold", self.hold),
            ("retry_after", self.retry_after),
            ("give_up", self.give_up),
            ("flood_begins", self.flood_begins),
        ];
        if let Some((key, _)) = seconds.iter().find(|(_, value)| !(0.0..=86_400.0).contains(value)) {
            return Err(format!("{key} must be seconds from 0 to 86400"));
        }
        if self.expires == 0 {
            return Err("expires must be seconds from 1 on: with 0 a REGISTER takes a binding away".into());
        }
        if (self.operation == What::Mixed) == self.tenant.is_empty() {
            return Err("operation = \"mixed\" takes a [[tenant]] or more, and no other operation has any".into());
        }
        for tenant in &self.tenant {
            if tenant.rates().iter().any(|(_, rate)| !(0.0..=1e9).contains(rate)) {
                return Err(format!("tenant {}: a rate must be operations a second from 0 on", tenant.domain));
            }
            if tenant.rates().iter().all(|(_, rate)| *rate == 0.0) {
                return Err(format!("tenant {}: give it register, refresh, options or call", tenant.domain));
            }
        }
        Ok(())
    }

    /// Whether its users are called.
    pub(crate) fn has_calls(&self) -> bool {
        match self.operation {
            What::Call => true,
            What::Avalanche => self.calls > 0,
            What::Mixed => self.tenant.iter().any(|tenant| tenant.call > 0.0),
            What::Register | What::Refresh | What::Options => false,
        }
    }
}

impl Tenant {
    /// Its operations and their rates.
    pub(crate) fn rates(&self) -> [(What, f64); 4] {
        [
            (What::Register, self.register),
            (What::Refresh, self.refresh),
            (What::Options, self.options),
            (What::Call, self.call),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_is_sound_and_says_what_it_is() {
        for (name, _) in BUILT_IN {
            let scenario = Scenario::load(name).unwrap();
            assert_eq!(scenario.name, *name);
            assert!(!scenario.description.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let fault = Scenario::parse("operation = \"call\"\nhodl = 1\n").unwrap_err();
        assert!(fault.starts_with("unknown key `hodl` (did you mean `hold`?); known are name, "), "{fault}");
        let fault = Scenario::parse("operation = \"mixed\"\n[[tenant]]\ndomain = \"a\"\ncalls = 1\n").unwrap_err();
        assert!(fault.starts_with("unknown key `calls` of a tenant (did you mean `call`?); known are"), "{fault}");
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_a_suggestion() {
        let fault = Scenario::load("registre").unwrap_err();
        assert!(fault.starts_with("there is no scenario `registre` (did you mean `register`?); there are "), "{fault}");
    }

    #[test]
    fn a_wrong_value_says_what_is_possible() {
        for (text, expected) in [
            ("operation = \"cal\"\n", "unknown variant `cal`, expected one of `register`"),
            ("operation = \"call\"\nring = -1.0\n", "ring must be seconds from 0 to 86400"),
            ("operation = \"register\"\nexpires = 0\n", "expires must be seconds from 1 on"),
            ("operation = \"mixed\"\n", "takes a [[tenant]] or more"),
            ("operation = \"mixed\"\n[[tenant]]\ndomain = \"a\"\n", "tenant a: give it register"),
        ] {
            let fault = Scenario::parse(text).unwrap_err();
            assert!(fault.contains(expected), "{fault}");
        }
    }
}
