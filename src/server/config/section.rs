//! One section of the file: settings by key, each of one type, from the environment when that has it.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Place;
use super::reader::{Known, Reader, article};

/// A section as it is read.
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    name: &'static str,
    table: Option<&'r DeTable<'r>>,
    is_in_environment: bool,
}

/// A setting as it was written.
enum Written<'r> {
    InFile(&'r Spanned<DeValue<'r>>),
    InEnvironment(&'r str, &'r str),
}

impl<'r> Section<'r> {
    pub(super) fn new(
        reader: &'r Reader<'_>,
        name: &'static str,
        table: Option<&'r DeTable<'_>>,
        is_in_environment: bool,
    ) -> Self {
        Self { reader, name, table, is_in_environment }
    }

    /// A whole number. `unit` follows the range in what is said of a wrong one: `seconds`.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<u32>, unit: &str, default: u32) -> u32 {
        let Some(written) = self.written(key, true) else { return default };
        let number = match &written {
            Written::InFile(value) => match value.get_ref() {
                DeValue::Integer(digits) => Ok(i128::from_str_radix(digits.as_str(), digits.radix()).ok()),
                other => Err(article(other)),
            },
            Written::InEnvironment(_, text) => text.trim().parse().map(Some).map_err(|_| "no whole number"),
        };
        let unit = if unit.is_empty() { String::new() } else { format!(" ({unit})") };
        let instead = format!(
            "write a whole number from {} to {}{unit}, for example {}",
            range.start(),
            range.end(),
            self.assignment(key, &written, &default)
        );
        match number {
            Ok(Some(number)) => match u32::try_from(number) {
                Ok(number) if range.contains(&number) => return number,
                _ => self.fault(&written, format!("{key} is out of range; {instead}")),
            },
            Ok(None) => self.fault(&written, format!("{key} is out of range; {instead}")),
            Err(found) => self.fault(&written, format!("{key} is {found}; {instead}")),
        }
        default
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(written) = self.written(key, true) else { return default };
        let flag = match &written {
            Written::InFile(value) => value.get_ref().as_bool(),
            Written::InEnvironment(_, text) => text.trim().parse().ok(),
        };
        flag.unwrap_or_else(|| {
            let example = self.assignment(key, &written, &default);
            self.fault(&written, format!("{key} is neither true nor false; write for example {example}"));
            default
        })
    }

    /// Text that `parse` turns into a value, or into a sentence that says what to write instead.
    pub(super) fn text<T>(
        &self,
        key: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(written) = self.written(key, true) else { return parse(default).ok() };
        let text = match &written {
            Written::InEnvironment(_, text) => text,
            Written::InFile(value) => match value.get_ref() {
                DeValue::String(text) => text.as_ref(),
                other => {
                    let example = self.assignment(key, &written, &quoted(default));
                    let message = format!("{key} is {}; write text in quotes, for example {example}", article(other));
                    self.fault(&written, message);
                    return parse(default).ok();
                }
            },
        };
        parse(text).map_err(|reason| self.fault(&written, format!("{key}: {reason}"))).ok()
    }

    /// A list of texts, each turned into a value by `parse`; `None` when nothing is written, or something wrong.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        example: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let written = self.written(key, false)?;
        let Written::InFile(value) = &written else { return None };
        let entries = match value.get_ref() {
            DeValue::Array(entries) => entries,
            other => {
                let message = format!("{key} is {}; write a list, for example {key} = {example}", article(other));
                self.fault(&written, message);
                return None;
            }
        };
        let mut values = Vec::new();
        let mut is_whole = true;
        for entry in entries {
            let value = match entry.get_ref() {
                DeValue::String(text) => parse(text).map_err(|reason| format!("{key}: {reason}")),
                other => Err(format!(
                    "{key} has {} in it; write text in quotes, for example {key} = {example}",
                    article(other)
                )),
            };
            match value {
                Ok(value) => values.push(value),
                Err(message) => {
                    self.fault(&Written::InFile(entry), message);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(values)
    }

    /// A key whose feature is not in this version: it may stand in the file with its default, and with nothing else.
    pub(super) fn not_yet(&self, key: &'static str, default: &str) {
        self.reader.ask(Known { section: self.name, key, is_served: false });
        let Some(written) = self.find(key, true) else { return };
        let text = match &written {
            Written::InEnvironment(_, text) => (*text).to_owned(),
            Written::InFile(value) => match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(digits) => digits.to_string(),
                other => article(other).to_owned(),
            },
        };
        if text != default {
            let message = format!("{}.{key} is not in this version yet; leave it out", self.name);
            self.fault(&written, message);
        }
    }

    /// Reports what is wrong between settings that are right each for itself, at the place of `key`.
    pub(super) fn conflict(&self, key: &'static str, message: String) {
        let place = self.find(key, true).map_or_else(|| self.place_of_section(), |written| self.place(&written));
        self.reader.fault(place, message);
    }

    fn written(&self, key: &'static str, is_scalar: bool) -> Option<Written<'r>> {
        self.reader.ask(Known { section: self.name, key, is_served: true });
        self.find(key, is_scalar)
    }

    fn find(&self, key: &str, is_scalar: bool) -> Option<Written<'r>> {
        if self.is_in_environment
            && is_scalar
            && let Some((name, text)) = self.reader.variable(self.name, key)
        {
            return Some(Written::InEnvironment(name, text));
        }
        let (_, value) = self.table?.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(Written::InFile(value))
    }

    /// How a value is written where this one was.
    fn assignment(&self, key: &str, written: &Written<'_>, value: &dyn Display) -> String {
        match written {
            Written::InFile(_) => format!("{key} = {value}"),
            Written::InEnvironment(name, _) => format!("{name}={value}"),
        }
    }

    fn fault(&self, written: &Written<'_>, message: String) {
        self.reader.fault(self.place(written), message);
    }

    fn place(&self, written: &Written<'_>) -> Place {
        match written {
            Written::InFile(value) => self.reader.place(value.span().start),
            Written::InEnvironment(name, _) => Place::Environment((*name).to_owned()),
        }
    }

    fn place_of_section(&self) -> Place {
        let first = self.table.and_then(|table| table.keys().map(|key| key.span().start).min());
        self.reader.place(first.unwrap_or(0))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
