//! Scenarios: what the users do. Six are built in, and any may be a file of one's own.

use std::path::Path;

use serde::Deserialize;

use crate::agent::Challenges;

/// The scenarios that need no file, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("options", include_str!("scenarios/options.toml")),
    ("register", include_str!("scenarios/register.toml")),
    ("refresh", include_str!("scenarios/refresh.toml")),
    ("call", include_str!("scenarios/call.toml")),
    ("call-auth", include_str!("scenarios/call-auth.toml")),
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
}

fn an_hour() -> u32 {
    3600
}

/// The keys of a scenario.
const KEYS: &[&str] =
    &["name", "description", "operation", "challenges", "registered", "arrivals", "expires", "ring", "hold"];

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
        let text = std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
        let scenario = Self::parse(&text).map_err(|error| format!("{name}: {error}"))?;
        let stem =
            Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(if scenario.name.is_empty() { Self { name: stem, ..scenario } } else { scenario })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        check_keys(&table, KEYS, "")?;
        let scenario: Self = table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        if !(0.0..=86_400.0).contains(&scenario.ring) || !(0.0..=86_400.0).contains(&scenario.hold) {
            return Err("ring and hold are seconds from 0 to 86400".into());
        }
        Ok(scenario)
    }

    /// Whether its users are called.
    pub(crate) fn has_calls(&self) -> bool {
        self.operation == What::Call
    }
}

/// Refuses keys that nobody knows.
fn check_keys(table: &toml::Table, known: &[&str], place: &str) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let nearest = suggestion(key, known);
            Err(format!("unknown key `{key}`{place}{nearest}; known are {}", known.join(", ")))
        }
        None => Ok(()),
    }
}

/// `, did you mean …?` when a word is close.
fn suggestion(wrong: &str, words: &[&str]) -> String {
    let near = words.iter().map(|word| (strsim::damerau_levenshtein(wrong, word), word)).min();
    match near {
        Some((distance, word)) if distance <= 2 => format!(" (did you mean `{word}`?)"),
        _ => String::new(),
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
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_a_suggestion() {
        let fault = Scenario::load("registre").unwrap_err();
        assert!(fault.starts_with("there is no scenario `registre` (did you mean `register`?); there are "), "{fault}");
    }

    #[test]
    fn a_wrong_value_says_what_is_possible() {
        let fault = Scenario::parse("operation = \"cal\"\n").unwrap_err();
        assert!(fault.contains("unknown variant `cal`, expected one of `register`"), "{fault}");
    }
}
