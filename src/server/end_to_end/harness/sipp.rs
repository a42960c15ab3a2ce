//! Runs of SIPp with the scenarios of `sipp/`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Node, PATIENCE, wait_within};

pub struct Sipp {
    process: Child,
    directory: tempfile::TempDir,
    scenario: String,
}

impl Sipp {
    /// Starts a scenario for one call, as one extension of the demo tenant.
    pub fn start(node: &Node, scenario: &str, number: &str, password: &str, port: u16, further: &[&str]) -> Self {
        Self::start_on("127.0.0.1", node, scenario, number, password, port, further)
    }

    /// The same over IPv6.
    pub fn start_on_ipv6(node: &Node, scenario: &str, number: &str, password: &str, port: u16) -> Self {
        Self::start_on("::1", node, scenario, number, password, port, &[])
    }

    fn start_on(
        ip: &str,
        node: &Node,
        scenario: &str,
        number: &str,
        password: &str,
        port: u16,
        further: &[&str],
    ) -> Self {
        let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
        let directory = tempfile::tempdir().unwrap();
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/end_to_end/sipp"))
            .join(format!("{scenario}.xml"));
        let process = Command::new("sipp")
            .arg(format!("{host}:{}", node.port))
            .arg("-sf")
            .arg(file)
            .args(["-i", ip, "-p", &port.to_string(), "-m", "1", "-nostdin"])
            .args(["-auth_uri", "demo.ringway.test", "-au", number, "-ap", password])
            .args(["-key", "number", number, "-key", "domain", "demo.ringway.test"])
            .args(["-timeout", "30", "-timeout_error", "-trace_err", "-error_file", "errors"])
            .args(further)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed by scripts/install-peers");
        Self { process, directory, scenario: scenario.into() }
    }

    /// Runs a scenario to its good end.
    #[track_caller]
    pub fn run(node: &Node, scenario: &str, number: &str, password: &str, port: u16, further: &[&str]) {
        Self::start(node, scenario, number, password, port, further).expect_success();
    }

    #[track_caller]
    pub fn expect_success(self) {
        self.expect_success_within(PATIENCE);
    }

    #[track_caller]
    pub fn expect_success_within(mut self, patience: Duration) {
        let status = wait_within(patience, "SIPp to end", || self.process.try_wait().unwrap());
        let errors = std::fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default();
        assert!(status.success(), "{} ended with {status}: {errors}", self.scenario);
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
