//! A softphone: pjsua2, driven over its standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::{Node, PATIENCE};

pub struct Phone {
    pub number: String,
    process: Child,
    commands: ChildStdin,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

/// What `scripts/install-peers` has put beside the builds.
fn installed(name: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"), PathBuf::from);
    let path = cache.join("ringway").join(name);
    assert!(path.exists(), "{} is missing: run scripts/install-peers", path.display());
    path
}

impl Phone {
    /// A phone of one of the demo extensions.
    pub fn of_demo(node: &Node, number: &str) -> Self {
        Self::start(node, number, "demo.ringway.test", &node.demo_password(number), &[])
    }

    /// A phone that speaks TLS.
    pub fn of_demo_by_tls(node: &Node, number: &str) -> Self {
        let proxy = format!("127.0.0.1:{}", node.tls_port);
        let password = node.demo_password(number);
        Self::start(node, number, "demo.ringway.test", &password, &["--transport", "tls", "--proxy", &proxy])
    }

    /// A phone as a web page has it: JsSIP over WSS.
    pub fn of_demo_by_wss(node: &Node, number: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/end_to_end/web_phone.cjs");
        let modules = installed("jssip/node_modules");
        let mut command = Command::new("node");
        command
            .arg(script)
            .args(["--number", number, "--domain", "demo.ringway.test", "--password", &node.demo_password(number)])
            .args(["--url", &format!("wss://127.0.0.1:{}/", node.wss_port), "--modules", modules.to_str().unwrap()]);
        Self::run(number, &mut command)
    }

    pub fn start(node: &Node, number: &str, domain: &str, password: &str, further: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/end_to_end/phone.py");
        let mut command = Command::new(installed("pjsua2/bin/python"));
        command
            .arg(script)
            .args(["--number", number, "--domain", domain, "--auth-name", number, "--password", password])
            .args(["--proxy", &node.address()])
            .args(further);
        Self::run(number, &mut command)
    }

    fn run(number: &str, command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let commands = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // pjsua2 prints a few lines of its own before its log level is set.
                if let Ok(event) = serde_json::from_str(&line)
                    && sender.send(event).is_err()
                {
                    return;
                }
            }
        });
        let mut phone = Self { number: number.into(), process, commands, events, seen: Vec::new() };
        phone.expect("ready", |_| true);
        phone
    }

    pub fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The next event of this kind for which `is_it` holds; others before it are passed over.
    #[track_caller]
    pub fn expect(&mut self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(event) = self.events.recv_timeout(PATIENCE) else {
                panic!("{} waited in vain for {kind}; it has seen {:#?}", self.number, self.seen);
            };
            self.seen.push(event.clone());
            if event["event"] == kind && is_it(&event) {
                return event;
            }
            assert_ne!(event["event"], "error", "{event}");
        }
    }

    #[track_caller]
    pub fn register(&mut self) {
        self.tell("register");
        let event = self.expect("registration", |_| true);
        assert_eq!(event["code"], 200, "{event}");
    }

    #[track_caller]
    pub fn expect_state(&mut self, state: &str) -> Value {
        self.expect("state", |event| event["state"] == state)
    }

    /// The call ends, with this status.
    #[track_caller]
    pub fn expect_end(&mut self, code: u16) {
        let event = self.expect_state("DISCONNECTED");
        assert_eq!(event["code"], code, "{event}");
    }

    /// RTP packets of the call so far: received and sent.
    pub fn packets(&mut self) -> (u64, u64) {
        self.tell("stats");
        let event = self.expect("stats", |_| true);
        (event["received"].as_u64().unwrap(), event["sent"].as_u64().unwrap())
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
