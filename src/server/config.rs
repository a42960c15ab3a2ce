//! The configuration: one TOML file, environment variables over it, and options of the command line over both.
//!
//! Nothing here opens a socket or a database: reading it twice gives the same answer, and a configuration with one
//! mistake gives none at all, so that a reload is all or nothing. What each key means stands in `config/ringway.toml`
//! and in `docs/configuration.md`; which values it takes, and its default, in the module of its section.

mod admin;
mod auth;
mod calls;
mod capture;
mod database;
mod fault;
mod http;
mod journal;
mod later;
mod limits;
mod listen;
mod log;
mod media;
mod node;
mod reader;
mod redis;
mod registrar;
mod section;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use admin::Admin;
pub use auth::Auth;
pub use calls::Calls;
pub use capture::{Capture, HEP_ID};
pub use database::Database;
pub use fault::{Fault, Faults, Place};
pub use http::Http;
pub use limits::Limits;
pub use listen::{Advertise, Listen};
pub use log::Log;
pub use media::Media;
pub use node::Node;
pub use redis::Redis;

use reader::{Known, Reader};
use ringway_edge::settings::RegistrarSettings;

/// The file that is read when none is named, if it is there.
pub const DEFAULT_FILE: &str = "ringway.toml";

/// Everything that an operator may set.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[node]` and `[secrets]`.
    pub node: Node,
    /// `[[listen]]`: at least one.
    pub listen: Vec<Listen>,
    /// `[http]` and `[metrics]`.
    pub http: Http,
    /// `[admin]`.
    pub admin: Admin,
    /// `[database]`.
    pub database: Database,
    /// `[redis]`.
    pub redis: Redis,
    /// `[shards]`: how many, never 0.
    pub shards: u8,
    /// `[auth]`.
    pub auth: Auth,
    /// `[registrar]`.
    pub registrar: RegistrarSettings,
    /// `[journal]`.
    pub journal: ringway_store::journal::Options,
    /// `[limits]`.
    pub limits: Limits,
    /// `[calls]`.
    pub calls: Calls,
    /// `[capture]`.
    pub capture: Capture,
    /// `[media]`.
    pub media: Media,
    /// `[log]`.
    pub log: Log,
}

/// What the command line says in place of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`, each one.
    pub listen: Vec<String>,
    /// `--http`.
    pub http: Option<String>,
}

impl Config {
    /// Reads the file, the environment and the command line.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let named = overrides.file.as_deref();
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let place = Place::File(path.to_owned(), 0);
                let message = match error.kind() {
                    std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => format!("the file can't be read: {error}"),
                };
                return Err(Faults(vec![Fault { place, message }]));
            }
        };
        Self::parse(path, &text, overrides, environment)
    }

    /// Reads a file's text, the environment and the command line.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(
        path: &Path,
        text: &str,
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        Self::read(path, text, overrides, environment).map(|(config, _)| config)
    }

    /// Where a setting, `section.key`, is written; `None` when it stands at its default or in an option.
    pub fn place_of(
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (String, String)>,
        setting: &str,
    ) -> Option<Place> {
        let path = overrides.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let (section, key) = setting.split_once('.').unwrap_or((setting, ""));
        Reader::new(path, &text, environment).place_of(section, key)
    }

    fn read(
        path: &Path,
        text: &str,
        overrides: &Overrides,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Known>), Faults> {
        let reader = Reader::new(path, text, environment);
        let node = node::read(&reader, overrides.data.as_deref());
        let config = Self {
            listen: listen::read(&reader, &overrides.listen),
            http: http::read(&reader, overrides.http.as_deref()),
            admin: admin::read(&reader),
            database: database::read(&reader, &node.data_dir),
            redis: redis::read(&reader),
            shards: read_shards(&reader),
            auth: auth::read(&reader),
            registrar: registrar::read(&reader),
            journal: journal::read(&reader),
            limits: limits::read(&reader),
            calls: calls::read(&reader),
            capture: capture::read(&reader),
            media: media::read(&reader),
            log: log::read(&reader),
            node,
        };
        later::read(&reader);
        let known = reader.finish()?;
        Ok((config, known))
    }
}

/// The most shards that a node can have: each names itself in one byte of a branch.
const MAX_SHARDS: u32 = 64;

fn read_shards(reader: &Reader<'_>) -> u8 {
    let count = reader.section("shards").number("count", 0..=MAX_SHARDS, "", 0);
    let count = if count == 0 {
        // The cores that this process may run on, by its affinity mask and its control group.
        std::thread::available_parallelism().map_or(1, usize::from).min(MAX_SHARDS as usize)
    } else {
        count as usize
    };
    u8::try_from(count).unwrap_or(1)
}
