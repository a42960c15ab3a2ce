//! A running `ringway serve` in a directory of its own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::wait_for;

/// How a node is to be started.
#[derive(Clone, Debug)]
pub struct Options {
    pub shards: u8,
    /// Further lines of the configuration.
    pub config: String,
    pub demo: bool,
    /// Whether this machine is in `limits.trusted`.
    pub is_trusted: bool,
    /// Whether it listens on `[::1]` too.
    pub ipv6: bool,
    /// Whether it speaks TLS and WSS too, with a certificate of its own making.
    pub tls: bool,
    /// The address at which phones find it.
    pub ip: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shards: 4,
            config: String::new(),
            demo: true,
            is_trusted: true,
            ipv6: false,
            tls: false,
            ip: "127.0.0.1".to_owned(),
        }
    }
}

pub struct Node {
    pub directory: tempfile::TempDir,
    pub port: u16,
    pub tls_port: u16,
    pub wss_port: u16,
    pub http: u16,
    options: Options,
    process: Option<Child>,
}

impl Node {
    /// Starts one and waits until it is ready.
    pub fn start(options: Options) -> Self {
        let mut node = Self::prepare(options);
        node.launch();
        node
    }

    /// A node that does not run yet: commands on it are offline.
    pub fn prepare(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [port, tls_port, wss_port, http] = [(); 4].map(|()| free_port());
        let node = Self { directory, port, tls_port, wss_port, http, options, process: None };
        let Options { shards, config, is_trusted, .. } = &node.options;
        let trusted = if *is_trusted { "\"127.0.0.0/8\"" } else { "" };
        let config = format!("[shards]\ncount = {shards}\n[limits]\ntrusted = [{trusted}]\n{config}");
        std::fs::write(node.config_path(), config).unwrap();
        node
    }

    /// Runs a command of the binary that must succeed; what it printed.
    #[track_caller]
    pub fn run(&self, verb: &str, arguments: &[&str]) -> String {
        let output = self.ringway(verb).args(arguments).output().unwrap();
        assert!(output.status.success(), "{verb} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts it again, on the same ports and data, after it has ended.
    pub fn launch(&mut self) {
        let output = std::fs::File::create(self.path("output")).unwrap();
        let mut command = self.ringway("serve");
        command.args(["--listen", &format!("udp:{}", self.address())]);
        command.args(["--listen", &format!("tcp:{}", self.address())]);
        if self.options.ipv6 {
            command.args(["--listen", &format!("udp:[::1]:{}", self.port)]);
        }
        if self.options.tls {
            command.args(["--listen", &format!("tls:127.0.0.1:{}", self.tls_port)]);
            command.args(["--listen", &format!("wss:127.0.0.1:{}", self.wss_port)]);
        }
        command.args(["--http", &format!("127.0.0.1:{}", self.http)]);
        if self.options.demo {
            command.arg("--demo");
        }
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut process = command.spawn().unwrap();
        wait_for("the node to be ready", || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("the node ended with {status}: {}", self.output());
            }
            (self.get("/readyz")?.0 == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// A command of the binary on this node's data.
    pub fn ringway(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringway"));
        command.arg(verb).arg("--config").arg(self.config_path()).arg("--data").arg(self.path("data"));
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config_path(&self) -> PathBuf {
        self.path("ringway.toml")
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        read(&self.path("output"))
    }

    /// Where phones send to.
    pub fn address(&self) -> String {
        format!("{}:{}", self.options.ip, self.port)
    }

    /// The password that `--demo` printed for a number.
    pub fn demo_password(&self, number: &str) -> String {
        self.demo_field(number, "password")
    }

    /// Lets an extension of the demo have as many phones as there may be.
    pub fn allow_many_phones(&self, number: &str) {
        let file = self.path("many-phones.csv");
        let row = format!("extension_number,email,max_phones\n{number},{number}@demo.ringway.test,10\n");
        std::fs::write(&file, row).unwrap();
        let import = ["import", "--tenant", "demo.ringway.test", "--mode", "upsert", file.to_str().unwrap()];
        self.run("extension", &import);
    }

    pub fn demo_field(&self, number: &str, field: &str) -> String {
        let output = self.output();
        let line = output
            .lines()
            .find(|line| line.starts_with(&format!("extension={number} ")))
            .unwrap_or_else(|| panic!("no line for {number} in {output}"));
        let field = format!("{field}=");
        line.split(' ').find_map(|part| part.strip_prefix(&field)).unwrap().to_owned()
    }

    /// A GET on the HTTP listener: status and body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.ask("GET", path, "", "")
    }

    /// A request to the HTTP listener: status and body.
    pub fn http(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        self.ask(method, path, headers, body)
            .unwrap_or_else(|| panic!("{method} {path} is not answered: {}", self.output()))
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let length = body.len();
        let always = format!("Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n");
        write!(stream, "{method} {path} HTTP/1.1\r\n{always}{headers}\r\n{body}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// Every series of /metrics.
    pub fn metrics(&self) -> HashMap<String, f64> {
        let (status, text) = self.get("/metrics").expect("the node answers");
        assert_eq!(status, 200, "{text}");
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (series, value) = line.rsplit_once(' ')?;
                Some((series.to_owned(), value.parse().ok()?))
            })
            .collect()
    }

    /// One series, 0 when it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        self.metrics().get(series).copied().unwrap_or(0.0)
    }

    pub fn signal(&mut self, signal: i32) {
        let process = self.process.as_ref().expect("a running node");
        // SAFETY: kill(2) takes two numbers; the child has not been waited for, so the number is still its own.
        let result = unsafe { libc::kill(process.id() as i32, signal) };
        assert_eq!(result, 0);
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait();
    }

    /// Waits until it has ended: its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("a running node");
        wait_for("the node to end", || process.try_wait().unwrap()).code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the node said:\n{}", self.output());
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A port that is free for UDP and TCP.
pub fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = udp.local_addr().unwrap().port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
