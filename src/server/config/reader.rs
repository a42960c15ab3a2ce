//! Reads settings from the file and the environment, and keeps every fault on the way.
//!
//! Nothing stops at the first mistake: each setting that can't be read leaves a fault behind and stands at its default,
//! so that one run of `ringway check` shows all there is to mend. The settings that were asked for are the known ones;
//! whatever is left over in the file or in the environment is unknown, and an error.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Faults, Place, suggestion};
use super::section::Section;

/// What an environment variable that is a setting begins with: `RINGWAY_<SECTION>__<KEY>`.
const PREFIX: &str = "RINGWAY_";

/// Between section and key.
const BETWEEN: &str = "__";

/// Variables that are for others than the configuration: the key of the HTTP API, and what tests are run with.
const NO_SETTINGS: [&str; 5] = ["TOKEN", "SEED", "SEEDS", "SKIP_NAMESPACES", "WITHIN_NAMESPACES"];

/// What further variables of tests begin with.
const OF_TESTS: &str = "KILL_";

/// The file's text and the environment, with what was read of them so far.
pub(super) struct Reader<'t> {
    path: PathBuf,
    text: &'t str,
    table: DeTable<'t>,
    environment: Vec<Variable>,
    known: RefCell<Vec<Known>>,
    faults: RefCell<Vec<Fault>>,
    /// Why the file is no TOML.
    broken: Vec<Fault>,
}

/// A variable that is meant as a setting.
struct Variable {
    name: String,
    value: String,
    is_read: Cell<bool>,
}

/// A setting that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// Whether its feature is in this version.
    pub(super) is_served: bool,
}

impl<'t> Reader<'t> {
    /// Parses the file's text. What is no TOML at all leaves faults.
    pub(super) fn new(path: &Path, text: &'t str, environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let environment = environment
            .into_iter()
            .filter(|(name, _)| name.strip_prefix(PREFIX).is_some_and(is_meant_as_setting))
            .map(|(name, value)| Variable { name, value, is_read: Cell::new(false) })
            .collect();
        let mut reader = Self {
            path: path.to_owned(),
            text,
            table: table.into_inner(),
            environment,
            known: RefCell::default(),
            faults: RefCell::default(),
            broken: Vec::new(),
        };
        let is_toml = errors.is_empty();
        for error in errors {
            let line = error.span().map_or(0, |span| reader.line(span.start));
            reader.fault(Place::File(path.to_owned(), line), format!("this is no valid TOML: {}", error.message()));
        }
        if !is_toml {
            // What could be read of it is not what was meant, so nothing more is said of it.
            reader.broken = reader.faults.borrow().clone();
        }
        reader
    }

    /// The section of this name; an empty one when the file has none.
    pub(super) fn section(&self, name: &'static str) -> Section<'_> {
        let table = match self.entry(name).map(|value| (value, value.get_ref())) {
            None => None,
            Some((_, DeValue::Table(table))) => Some(table),
            Some((value, other)) => {
                let place = self.place(value.span().start);
                self.fault(place, format!("{name} is {}; write a section [{name}]", article(other)));
                None
            }
        };
        Section::new(self, name, table, true)
    }

    /// A section of a list that the file does not have. No variable can stand for one of many.
    pub(super) fn absent_section(&self, name: &'static str) -> Section<'_> {
        Section::new(self, name, None, false)
    }

    /// The sections of a list, written `[[name]]`.
    pub(super) fn sections(&self, name: &'static str) -> Vec<Section<'_>> {
        let Some(value) = self.entry(name) else { return Vec::new() };
        let wrong = |value: &Spanned<DeValue<'t>>| {
            let place = self.place(value.span().start);
            self.fault(place, format!("{name} is a list of sections; write [[{name}]]"));
        };
        let DeValue::Array(entries) = value.get_ref() else {
            wrong(value);
            return Vec::new();
        };
        let sections = entries.iter().filter_map(|entry| match entry.get_ref() {
            DeValue::Table(table) => Some(Section::new(self, name, Some(table), false)),
            _ => {
                wrong(entry);
                None
            }
        });
        sections.collect()
    }

    /// Reports whatever nobody has asked for, and gives what is wrong altogether.
    pub(super) fn finish(self) -> Result<Vec<Known>, Faults> {
        if !self.broken.is_empty() {
            return Err(Faults(self.broken));
        }
        let known = self.known.take();
        self.report_unknown_keys(&known);
        self.report_unknown_variables(&known);
        let mut faults = self.faults.take();
        faults.sort();
        faults.dedup();
        if faults.is_empty() { Ok(known) } else { Err(Faults(faults)) }
    }

    pub(super) fn fault(&self, place: Place, message: String) {
        self.faults.borrow_mut().push(Fault { place, message });
    }

    pub(super) fn ask(&self, asked: Known) {
        let mut known = self.known.borrow_mut();
        if !known.contains(&asked) {
            known.push(asked);
        }
    }

    /// The variable that overrides a setting.
    pub(super) fn variable(&self, section: &str, key: &str) -> Option<(&str, &str)> {
        let name = variable_name(section, key);
        let variable = self.environment.iter().find(|variable| variable.name == name)?;
        variable.is_read.set(true);
        Some((&variable.name, &variable.value))
    }

    /// Where a setting is written: in a variable, or in the file. Without a key it is the section itself.
    pub(super) fn place_of(&self, section: &str, key: &str) -> Option<Place> {
        if let Some((name, _)) = self.variable(section, key) {
            return Some(Place::Environment(name.to_owned()));
        }
        let value = self.entry(section)?;
        if key.is_empty() {
            return Some(self.place(value.span().start));
        }
        let key = value.get_ref().as_table()?.keys().find(|name| name.get_ref() == key)?;
        Some(self.place(key.span().start))
    }

    /// The place of a byte of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        Place::File(self.path.clone(), self.line(offset))
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn entry(&self, name: &str) -> Option<&Spanned<DeValue<'t>>> {
        self.table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    fn report_unknown_keys(&self, known: &[Known]) {
        for (section, value) in self.table.iter() {
            let name: &str = section.get_ref();
            if !known.iter().any(|known| known.section == name) {
                let hint = did_you_mean(name, known.iter().map(|known| known.section), |word| format!("[{word}]"));
                self.fault(self.place(section.span().start), format!("there is no section [{name}]{hint}"));
                continue;
            }
            let in_section = || known.iter().filter(|known| known.section == name);
            let keys = || in_section().map(|known| known.key);
            let tables: Vec<&DeTable<'t>> = match value.get_ref() {
                DeValue::Table(table) => vec![table],
                DeValue::Array(entries) => entries.iter().filter_map(|entry| entry.get_ref().as_table()).collect(),
                _ => Vec::new(),
            };
            for key in tables.into_iter().flat_map(|table| table.keys()) {
                let unknown: &str = key.get_ref();
                if !keys().any(|key| key == unknown) {
                    let hint = suggestion(unknown, keys()).map_or_else(
                        || {
                            let served = in_section().filter(|known| known.is_served).map(|known| known.key);
                            format!("its keys are {}", served.collect::<Vec<_>>().join(", "))
                        },
                        |key| format!("did you mean {key}?"),
                    );
                    self.fault(self.place(key.span().start), format!("[{name}] has no key {unknown}; {hint}"));
                }
            }
        }
    }

    fn report_unknown_variables(&self, known: &[Known]) {
        for variable in self.environment.iter().filter(|variable| !variable.is_read.get()) {
            let names: Vec<_> = known.iter().map(|known| variable_name(known.section, known.key)).collect();
            let message = if names.contains(&variable.name) {
                "this setting is a list; write it in the file".to_owned()
            } else {
                // One underscore in place of two is the likeliest slip.
                let single = |name: &str| name.replace(BETWEEN, "_");
                let slip = names.iter().find(|name| single(name) == single(&variable.name));
                let hint = slip.map_or_else(
                    || did_you_mean(&variable.name, names.iter().map(String::as_str), str::to_owned),
                    |name| format!("; did you mean {name}?"),
                );
                format!("there is no such setting{hint}")
            };
            self.fault(Place::Environment(variable.name.clone()), message);
        }
    }
}

fn is_meant_as_setting(rest: &str) -> bool {
    !NO_SETTINGS.contains(&rest) && !rest.starts_with(OF_TESTS)
}

fn variable_name(section: &str, key: &str) -> String {
    format!("{PREFIX}{}{BETWEEN}{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

fn did_you_mean<'k>(wrong: &str, known: impl IntoIterator<Item = &'k str>, write: impl Fn(&str) -> String) -> String {
    suggestion(wrong, known).map_or_else(|| "; remove it".to_owned(), |word| format!("; did you mean {}?", write(word)))
}

/// A value's type in words: `a number`, `text`.
pub(super) fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
