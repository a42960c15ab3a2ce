//! `[log]`: what is logged, and how it looks.

use ringway_telemetry::logs::{LogFormat, LogLevel};

use super::reader::Reader;

/// Which lines are kept.
pub const LEVEL: &str = "info";

/// What a line looks like.
pub const FORMAT: &str = "text";

/// What is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// Which lines are kept.
    pub level: LogLevel,
    /// What a line looks like.
    pub format: LogFormat,
}

pub(super) fn read(reader: &Reader<'_>) -> Log {
    let section = reader.section("log");
    let level = section.text("level", LEVEL, LogLevel::parse).unwrap_or_default();
    let parse_format = |text: &str| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("\"{text}\" is no format; write text or json")),
    };
    let format = section.text("format", FORMAT, parse_format).unwrap_or_default();
    Log { level, format }
}
