//! Holidays, which count as outside office hours.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// A holiday, from its first to its last minute.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// What it is called.
    #[schema(example = "New Year")]
    pub name: String,
    /// Three letters of ISO 3166, or nothing.
    #[serde(default)]
    #[schema(example = "DEU")]
    pub region: String,
    /// Whether it lasts over several days.
    #[serde(default)]
    pub consecutive: bool,
    /// Whether it comes back each year; one of February 29th is on the 28th in other years.
    #[serde(default)]
    pub every_year: bool,
    /// Unless it comes back.
    #[serde(default)]
    pub start_year: Option<u16>,
    /// 1 to 12
    pub start_month: u8,
    /// 1 to 31
    pub start_day: u8,
    /// 0 to 23
    #[serde(default)]
    pub start_hour: u8,
    /// 0 to 59
    #[serde(default)]
    pub start_minute: u8,
    /// Unless it comes back.
    #[serde(default)]
    pub end_year: Option<u16>,
    /// The first day's without it.
    #[serde(default)]
    pub end_month: Option<u8>,
    /// The first day without it.
    #[serde(default)]
    pub end_day: Option<u8>,
    /// 23 without it.
    #[serde(default)]
    pub end_hour: Option<u8>,
    /// 59 without it.
    #[serde(default)]
    pub end_minute: Option<u8>,
}

impl Holiday {
    /// The last month and day.
    pub fn last_day(&self) -> (u8, u8) {
        (self.end_month.unwrap_or(self.start_month), self.end_day.unwrap_or(self.start_day))
    }

    pub(super) fn check(&self, checking: &mut Checking) {
        checking.name("name", &self.name, 64);
        let is_code = self.region.len() == 3 && self.region.bytes().all(|one| one.is_ascii_uppercase());
        if !is_code && !self.region.is_empty() {
            checking.fault("region", Code::BadFormat, "a region is three capitals, such as DEU, or nothing");
        }
        if !self.every_year && self.start_year.is_none() {
            checking.fault("start_year", Code::Required, "a holiday that does not come back has a year");
        }
        if self.every_year && (self.start_year.is_some() || self.end_year.is_some()) {
            checking.fault("start_year", Code::Conflict, "a holiday that comes back each year has none");
        }
        for (name, year) in [("start_year", self.start_year), ("end_year", self.end_year)] {
            if let Some(year) = year {
                checking.between(name, year, 1970, 9999);
            }
        }
        let (end_month, end_day) = self.last_day();
        // Of a leap year: a day that only such a year has is moved in others.
        let year = self.start_year.unwrap_or(2000);
        self.day(checking, "start_day", year, self.start_month, self.start_day);
        self.day(checking, "end_day", self.end_year.unwrap_or(year), end_month, end_day);
        checking.between("start_hour", self.start_hour, 0, 23);
        checking.between("start_minute", self.start_minute, 0, 59);
        checking.between("end_hour", self.end_hour.unwrap_or(23), 0, 23);
        checking.between("end_minute", self.end_minute.unwrap_or(59), 0, 59);
        let start = (year, self.start_month, self.start_day, self.start_hour, self.start_minute);
        let end_hour = (self.end_hour.unwrap_or(23), self.end_minute.unwrap_or(59));
        let end = (self.end_year.unwrap_or(year), end_month, end_day, end_hour.0, end_hour.1);
        // One that comes back may go over the end of the year.
        if end < start && !(self.every_year && self.consecutive) {
            checking.fault("end_day", Code::BadFormat, "a holiday ends later than it begins");
        }
        if !self.consecutive && (start.0, start.1, start.2) != (end.0, end.1, end.2) {
            checking.fault("consecutive", Code::Conflict, "a holiday of several days is consecutive");
        }
    }

    fn day(&self, checking: &mut Checking, member: &str, year: u16, month: u8, day: u8) {
        let date = i8::try_from(month).ok().zip(i8::try_from(day).ok());
        let date = date.and_then(|(month, day)| jiff::civil::Date::new(i16::try_from(year).ok()?, month, day).ok());
        if date.is_none() {
            checking.fault(member, Code::BadFormat, format!("there is no day {day} of month {month} in {year}"));
        }
    }
}

impl Resource for Holiday {
    const KIND: Kind = Kind::HOLIDAY;

    fn key(&self) -> &str {
        &self.name
    }

    fn check(&self, checking: &mut Checking) {
        Self::check(self, checking);
    }
}
