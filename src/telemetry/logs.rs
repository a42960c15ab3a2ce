//! Log set-up: where lines go, what they look like, which are left out.
//!
//! Levels have one meaning each. `error`: something is lost and a person must act. `warn`: something is wrong and was
//! coped with. `info`: the life of the process, a line a start, a reload, a drain; and of refusals a few. `debug`: each decision. `trace`:
//! each message. Lines go to standard error. A secret is never given to a log macro.

mod text;

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, place, message, then `key=value`.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Which lines are kept: a level, and levels of single places that differ from it. By default none is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogLevel(Targets);

impl LogLevel {
    /// Reads `info`, or `info,net=debug,edge::registrar=trace`.
    ///
    /// # Errors
    /// A sentence that says which part is wrong and what can be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut targets = Targets::new();
        for part in text.split(',').map(str::trim) {
            let (place, level) = match part.split_once('=') {
                Some((place, level)) => (Some(place.trim()), level.trim()),
                None => (None, part),
            };
            let level = match level.to_ascii_lowercase().as_str() {
                "off" => LevelFilter::OFF,
                "error" => LevelFilter::ERROR,
                "warn" => LevelFilter::WARN,
                "info" => LevelFilter::INFO,
                "debug" => LevelFilter::DEBUG,
                "trace" => LevelFilter::TRACE,
                _ => {
                    return Err(format!(
                        "\"{level}\" is no level; write off, error, warn, info, debug or trace, and for one place \
                         for example info,net=debug"
                    ));
                }
            };
            targets = match place {
                None => targets.with_default(level),
                // Places are our crates, named without the prefix that they share.
                Some(place) => targets.with_target(format!("ringway_{place}"), level),
            };
        }
        Ok(Self(targets))
    }
}

/// The running logs; their level can be changed.
#[derive(Debug)]
pub struct Logs {
    level: reload::Handle<Targets, Registry>,
}

impl Logs {
    /// Starts to write lines of this level and above to standard error. Once a process.
    ///
    /// # Errors
    /// When logs are running already.
    pub fn start(level: LogLevel, format: LogFormat) -> Result<Self, String> {
        let (filter, handle) = reload::Layer::new(level.0);
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match format {
            LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).event_format(text::Line).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .try_init()
            .map_err(|error| format!("the logs can't be started: {error}"))?;
        Ok(Self { level: handle })
    }

    /// Changes which lines are kept, from now on.
    pub fn set_level(&self, level: LogLevel) {
        // The layer lives as long as the process, so there is always something to change.
        let _ = self.level.modify(|current| *current = level.0);
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_level_may_differ_for_single_places() {
        let LogLevel(targets) = LogLevel::parse("warn, net = debug").unwrap();
        assert!(targets.would_enable("ringway_net::udp", &Level::DEBUG));
        assert!(!targets.would_enable("ringway_edge::proxy", &Level::INFO));
        assert!(targets.would_enable("ringway_edge::proxy", &Level::WARN));
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_what_can_be_written() {
        let error = LogLevel::parse("inof").unwrap_err();
        assert!(error.starts_with("\"inof\" is no level; write off, error, warn, info, debug or trace"), "{error}");
        assert!(LogLevel::parse("").is_err());
        assert!(LogLevel::parse("info,net=loud").unwrap_err().starts_with("\"loud\" is no level"));
    }
}
