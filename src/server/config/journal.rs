//! `[journal]`: the log of the bindings.

use std::time::Duration;

use ringway_store::journal::Options;

use super::reader::Reader;

pub(super) fn read(reader: &Reader<'_>) -> Options {
    let section = reader.section("journal");
    let default = Options::default();
    let default_ms = u32::try_from(default.sync_interval.as_millis()).unwrap_or(u32::MAX);
    let sync_ms = section.number("fsync_ms", 0..=60_000, "milliseconds; 0: before each answer", default_ms);
    Options { sync_interval: Duration::from_millis(sync_ms.into()), ..default }
}
