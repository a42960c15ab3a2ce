//! SIGHUP: the configuration is read again, and applies whole or not at all.

use std::sync::Arc;
use std::time::Duration;

use ringway_telemetry::logs::Logs;

use super::Wishes;
use super::start::Node;
use crate::config::Config;
use crate::environment::environment;
use crate::local_addresses::local_addresses;
use crate::settings::settings;
use crate::shard::Mail;

/// How long a shard may take to judge by new settings.
const PATIENCE: Duration = Duration::from_secs(10);

impl Node {
    /// Reads the configuration again. What is wrong with it is logged, and then nothing has changed.
    pub(super) async fn reload(&mut self, wishes: &Wishes, logs: &Logs) {
        let outcome = self.try_reload(wishes, logs).await;
        self.status.count_reload(outcome.is_ok());
        match outcome {
            Ok(()) => tracing::info!("the configuration was read again and applies"),
            Err(reasons) => {
                for reason in reasons {
                    tracing::error!(%reason, "the configuration is refused");
                }
                tracing::error!("the configuration of before stays in force, all of it");
            }
        }
    }

    async fn try_reload(&mut self, wishes: &Wishes, logs: &Logs) -> Result<(), Vec<String>> {
        let config = Config::load(&wishes.overrides, environment())
            .map_err(|faults| faults.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let fixed = needs_restart(&self.config, &config);
        if !fixed.is_empty() {
            return Err(fixed.into_iter().map(|key| refusal(wishes, key)).collect());
        }
        let addresses = local_addresses().map_err(|error| vec![error.to_string()])?;
        let tls = self.tls.prepare()?;
        // The last step that can fail comes before anything changes: phones are challenged with an algorithm once its hashes are there.
        self.publication.offer(&config.auth.algorithms).await.map_err(|error| vec![error])?;
        let settings = Arc::new(settings(&config, &self.fixed, addresses));
        let taken = self.shards.ask(|taken| Mail::Settings(Arc::clone(&settings), taken), PATIENCE).await;
        if !taken.iter().all(Option::is_some) {
            tracing::warn!("a shard has not taken the new settings over yet");
        }
        tls.apply();
        logs.set_level(config.log.level.clone());
        self.publication.look_at_default_tenant(&settings);
        self.captures.set_settings(Arc::clone(&settings));
        self.captures.configure(&config.capture);
        self.bans.take_over(&settings);
        self.settings = settings;
        self.config = config;
        Ok(())
    }
}

/// What to say of a setting that differs and can't change now.
fn refusal(wishes: &Wishes, key: &str) -> String {
    let setting = key.trim_matches(['[', ']']);
    let place = Config::place_of(&wishes.overrides, environment(), setting);
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    format!("{place}{key} changes at a restart only; restart, or write what was there before")
}

/// The settings that differ and are read at the start only.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let (limits, wanted) = (&old.limits, &new.limits);
    let changes = [
        ("node.id", old.node.id != new.node.id),
        ("node.address", old.node.address != new.node.address),
        ("node.data_dir", old.node.data_dir != new.node.data_dir),
        ("secrets.key_file", old.node.key_file != new.node.key_file),
        ("[[listen]]", old.listen != new.listen),
        ("http.address", old.http.address != new.http.address),
        ("metrics.address", old.http.metrics != new.http.metrics),
        ("admin.password", old.admin.password != new.admin.password),
        ("admin.password_file", old.admin.password_file != new.admin.password_file),
        ("database.url", old.database != new.database),
        ("redis.url", old.redis.address != new.redis.address),
        ("redis.ca", old.redis.ca != new.redis.ca),
        ("shards.count", old.shards != new.shards),
        ("journal.fsync_ms", old.journal != new.journal),
        ("media.ports", old.media.ports != new.media.ports),
        ("media.threads", old.media.threads != new.media.threads),
        ("media.silence_seconds", old.media.silence != new.media.silence),
        ("media.rest_seconds", old.media.rest != new.media.rest),
        ("log.format", old.log.format != new.log.format),
        ("limits.source_connections", limits.source_connections != wanted.source_connections),
        ("limits.max_connections", limits.max_connections != wanted.max_connections),
        ("limits.stream_idle_seconds", limits.stream_idle != wanted.stream_idle),
        ("limits.max_body_bytes", limits.max_body != wanted.max_body),
        ("limits.udp_receive_buffer_kib", limits.udp_receive_buffer != wanted.udp_receive_buffer),
    ];
    changes.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Overrides;

    fn config(text: &str) -> Config {
        Config::parse(Path::new("r.toml"), text, &Overrides::default(), std::iter::empty()).unwrap()
    }

    #[test]
    fn what_can_change_while_the_node_runs_is_told_from_what_can_not() {
        let old = config("");
        let live = "[registrar]\nmax_expires = 1200\n[auth]\nalgorithms = [\"SHA-256\", \"MD5\"]\n[log]\nlevel = \
                    \"debug\"\n[node]\nhide_version = true\n[limits]\nsource_rps = 10\nsource_registers_ps = 10\nsource_calls_ps = 10\ntrusted = [\"192.0.2.1\"]\n[media]\n\
                    advertise = [\"192.0.2.1\"]\n";
        assert!(needs_restart(&old, &config(live)).is_empty());
        let fixed = "[node]\ndata_dir = \"x\"\n[http]\naddress = \"127.0.0.1:1\"\n[shards]\ncount = 63\n[journal]\n\
                     fsync_ms = 1\n[[listen]]\n[log]\nformat = \"json\"\n";
        assert_eq!(
            needs_restart(&old, &config(fixed)),
            [
                "node.data_dir",
                "secrets.key_file",
                "[[listen]]",
                "http.address",
                "database.url",
                "shards.count",
                "journal.fsync_ms",
                "log.format"
            ]
        );
    }

    #[test]
    fn a_change_that_needs_a_restart_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.toml");
        std::fs::write(&file, "[shards]\n\ncount = 3\n\n[[listen]]\ntransport = \"udp\"\n").unwrap();
        let wishes = Wishes { overrides: Overrides { file: Some(file), ..Overrides::default() }, is_demo: false };
        let refusal = |key| refusal(&wishes, key).replace(&folder.path().display().to_string(), "F");
        let end = "changes at a restart only; restart, or write what was there before";
        assert_eq!(refusal("shards.count"), format!("F/r.toml:3: shards.count {end}"));
        assert_eq!(refusal("[[listen]]"), format!("F/r.toml:5: [[listen]] {end}"));
        assert_eq!(refusal("log.format"), format!("log.format {end}"), "it is at its default again");
    }

    #[test]
    fn every_key_that_the_example_marks_is_compared() {
        let example = include_str!("../../../config/ringway.toml");
        let marked = example.matches("(restart)").count();
        // One mark is the explanation of the word; [[listen]] has one for all its keys.
        let compared = needs_restart_count();
        assert_eq!(marked - 1, compared, "keys marked (restart) and keys compared differ");
    }

    fn needs_restart_count() -> usize {
        let old = config("");
        let all = "[node]\nid = \"n\"\naddress = \"10.0.0.1:5060\"\ndata_dir = \"x\"\n[secrets]\nkey_file = \"y\"\n[http]\naddress = \"127.0.0.1:1\"\n[metrics]\n\
                   address = \"127.0.0.1:2\"\n[database]\nurl = \"sqlite://z\"\n[redis]\nurl = \"redis://h\"\nca = \"Cargo.toml\"\n[shards]\ncount = 63\n[journal]\n\
                   fsync_ms = 1\n[[listen]]\n[log]\nformat = \"json\"\n[limits]\nsource_connections = 1\n\
                   max_connections = 1\nstream_idle_seconds = 1\nmax_body_bytes = 2000\nudp_receive_buffer_kib = 64\n[media]\n\
                   ports = \"\"\nthreads = 2\nsilence_seconds = 1\nrest_seconds = 9\n[admin]\npassword = \"x\"\npassword_file = \"x\"\n";
        needs_restart(&old, &config(all)).len()
    }
}
