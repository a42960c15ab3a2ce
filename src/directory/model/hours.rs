//! Office hours: a week of times of day.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::checking::Checking;
use super::resource::{Kind, Resource};
use crate::fault::Code;

/// Ranges of a day at most.
const MOST_RANGES: usize = 10;

/// From when to when of a day.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// `HH:MM`
    #[schema(example = "09:00")]
    pub from: String,
    /// `HH:MM`, later than `from`. 23:59 is the end of the day.
    #[schema(example = "17:30")]
    pub to: String,
}

/// A day of the week.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Day {
    /// Whether it is open at all.
    pub enabled: bool,
    /// When; none: all day.
    pub ranges: Vec<Range>,
}

impl Default for Day {
    fn default() -> Self {
        Self { enabled: true, ranges: Vec::new() }
    }
}

/// Whose hours hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// The tenant's.
    #[default]
    Global,
    /// Those that stand here.
    Custom,
}

/// The days of a week; a day that is not there is open.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "a day is a day")]
pub struct Week {
    pub monday: Day,
    pub tuesday: Day,
    pub wednesday: Day,
    pub thursday: Day,
    pub friday: Day,
    pub saturday: Day,
    pub sunday: Day,
}

/// The office hours of an extension or a rule.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "a day is a day")]
pub struct OfficeHours {
    /// Whether the tenant's hours hold or these.
    pub mode: Mode,
    pub monday: Day,
    pub tuesday: Day,
    pub wednesday: Day,
    pub thursday: Day,
    pub friday: Day,
    pub saturday: Day,
    pub sunday: Day,
}

impl Week {
    /// Looks at each day; 00:00 to 23:59 becomes open, 00:00 to 00:00 closed.
    pub(super) fn check(&self, checking: &mut Checking) {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday } = self;
        check_days([monday, tuesday, wednesday, thursday, friday, saturday, sunday], checking);
    }

    /// Writes the two ways that other products have for a whole day as it is written here.
    pub(super) fn settle(&mut self) {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday].into_iter().for_each(Day::settle);
    }
}

impl OfficeHours {
    pub(super) fn check(&self, checking: &mut Checking) {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday, .. } = self;
        check_days([monday, tuesday, wednesday, thursday, friday, saturday, sunday], checking);
    }

    pub(super) fn settle(&mut self) {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday, .. } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday].into_iter().for_each(Day::settle);
    }
}

fn check_days(days: [&Day; 7], checking: &mut Checking) {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    for (name, day) in names.into_iter().zip(days) {
        checking.within(name, |checking| day.check(checking));
    }
}

impl Day {
    fn settle(&mut self) {
        match self.ranges.as_slice() {
            [Range { from, to }] if from == "00:00" && to == "23:59" => self.ranges.clear(),
            [Range { from, to }] if from == "00:00" && to == "00:00" => {
                *self = Self { enabled: false, ranges: Vec::new() }
            }
            _ => {}
        }
    }

    fn check(&self, checking: &mut Checking) {
        let mut before = None;
        checking.each("ranges", &self.ranges, MOST_RANGES, |checking, range| {
            let (from, to) = (minute(&range.from), minute(&range.to));
            let (Some(from), Some(to)) = (from, to) else {
                return checking.fault("", Code::BadFormat, "a time of day is HH:MM, from 00:00 to 23:59");
            };
            if from >= to {
                let message = "a range ends later than it begins; over midnight, write two";
                checking.fault("", Code::BadFormat, message);
            }
            if before.is_some_and(|before| from < before) {
                checking.fault("", Code::Conflict, "the ranges of a day follow each other and do not overlap");
            }
            before = Some(to);
        });
    }
}

/// The minute of the day.
pub fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        text.parse::<u16>().ok().filter(|_| text.len() == 2 && text.bytes().all(|one| one.is_ascii_digit()))
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

impl Resource for Week {
    const KIND: Kind = Kind::OFFICE_HOURS;

    fn key(&self) -> &str {
        ""
    }

    fn settle(&mut self) {
        Self::settle(self);
    }

    fn check(&self, checking: &mut Checking) {
        Self::check(self, checking);
    }
}
