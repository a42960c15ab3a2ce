//! A line for people: `2026-11-22T01:34:44.123456Z INFO  server::run: listening transport=udp address=127.0.0.1:5060`.
//!
//! Values often come from the network. Nothing in them can begin a new line or drive a terminal: control characters
//! are escaped, and a value with anything but plain characters stands in quotes.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats an event as one line.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        SystemTime.format_time(&mut writer)?;
        let level = *event.metadata().level();
        if writer.has_ansi_escapes() {
            write!(writer, " \x1b[{}m{level:<5}\x1b[0m ", colour(level))?;
        } else {
            write!(writer, " {level:<5} ")?;
        }
        let target = event.metadata().target();
        write!(writer, "{}:", target.strip_prefix("ringway_").unwrap_or(target))?;
        let mut fields = Fields { message: String::new(), others: String::new() };
        event.record(&mut fields);
        writeln!(writer, "{}{}", fields.message, fields.others)
    }
}

const fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 36,
        Level::TRACE => 90,
    }
}

struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let out = if field.name() == "message" {
            self.message.push(' ');
            &mut self.message
        } else {
            let _ = write!(self.others, " {}=", field.name());
            if value.is_empty() || value.contains(|character: char| !is_plain(character)) {
                let _ = write!(self.others, "\"{}\"", value.escape_debug());
                return;
            }
            &mut self.others
        };
        for character in value.chars() {
            if character.is_control() {
                out.extend(character.escape_default());
            } else {
                out.push(character);
            }
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Whether a character can stand in a value without quotes.
fn is_plain(character: char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '"' | '\\' | '=')
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged, without the time at the start of each line.
    fn logged(log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).event_format(Line).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned() + "\n").collect()
    }

    #[test]
    fn a_line_reads_level_place_message_and_then_the_values() {
        let text = logged(|| {
            tracing::info!(target: "ringway_server::run", transport = "udp", address = %"127.0.0.1:5060", "listening");
        });
        assert_eq!(text, "INFO  server::run: listening transport=udp address=127.0.0.1:5060\n");
    }

    #[test]
    fn what_came_from_the_network_can_not_begin_a_line_or_drive_a_terminal() {
        let text = logged(|| {
            tracing::warn!(target: "ringway_edge", user = "101\r\nERROR fake\x1b[2J", "odd {}", "\x1b[31m\n");
        });
        assert_eq!(text, "WARN  edge: odd \\u{1b}[31m\\n user=\"101\\r\\nERROR fake\\u{1b}[2J\"\n");
    }

    #[test]
    fn numbers_and_empty_values_are_told_apart() {
        let text = logged(|| tracing::error!(target: "other", count = 3, name = "", "failed"));
        assert_eq!(text, "ERROR other: failed count=3 name=\"\"\n");
    }
}
