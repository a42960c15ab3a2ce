//! baresip, driven over its control socket (netstrings of JSON).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Home, Node, PATIENCE, free_port, wait_for};

pub struct Baresip {
    number: String,
    process: Child,
    control: TcpStream,
    buffer: Vec<u8>,
    seen: Vec<Value>,
    directory: tempfile::TempDir,
}

impl Baresip {
    /// One that has registered as a demo extension.
    pub fn of_demo(node: &Node, number: &str) -> Self {
        Self::of(node, "demo.ringway.test", number, &node.demo_password(number))
    }

    /// The same, in the network of a household behind a NAT.
    pub fn behind_nat(node: &Node, number: &str, home: &Home) -> Self {
        Self::in_network(node, "demo.ringway.test", number, &node.demo_password(number), Some(home))
    }

    /// One that has registered as an extension of some tenant.
    pub fn of(node: &Node, domain: &str, number: &str, password: &str) -> Self {
        Self::in_network(node, domain, number, password, None)
    }

    fn in_network(node: &Node, domain: &str, number: &str, password: &str, home: Option<&Home>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let control = free_port();
        let own = home.map_or("127.0.0.1", |_| Home::PHONE);
        write_tone(&path("tone.wav"));
        std::fs::write(
            path("config"),
            format!(
                "module_path /usr/lib/baresip/modules\nsip_listen {own}:0\nctrl_tcp_listen 127.0.0.1:{control}\n\
                 audio_source aufile,{}\naudio_player aufile,{}\naudio_alert aufile,{}\nrtp_stats yes\n\
                 module g711.so\nmodule aufile.so\nmodule sndfile.so\nsnd_path {}\nmodule_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n",
                path("tone.wav").display(),
                path("heard.wav").display(),
                path("alert.wav").display(),
                directory.path().display(),
            ),
        )
        .unwrap();
        std::fs::write(
            path("accounts"),
            format!(
                "<sip:{number}@{domain}>;auth_user={number};auth_pass={password};\
                 outbound=\"sip:{}\";regint=60;audio_codecs=pcmu\n",
                node.address()
            ),
        )
        .unwrap();
        std::fs::write(path("contacts"), "").unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let program = || match home {
            None => Command::new("baresip"),
            Some(home) => home.command("baresip"),
        };
        let process = program()
            .arg("-f")
            .arg(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip is installed by scripts/install-peers");
        let connect = || match home {
            None => TcpStream::connect(("127.0.0.1", control)).ok(),
            Some(home) => home.connect(control),
        };
        let control = wait_for("baresip's control socket", connect);
        control.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut phone =
            Self { number: number.into(), process, control, buffer: Vec::new(), seen: Vec::new(), directory };
        wait_for("baresip to register", || phone.log().contains("200 OK").then_some(()));
        phone.seen.clear();
        phone
    }

    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has heard in a call that is over: samples of 16 bits.
    pub fn heard(&self) -> Vec<i16> {
        let files = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut decoded = files.filter(|path| path.to_str().is_some_and(|path| path.ends_with("-dec.wav")));
        let bytes = decoded.next().map(|path| std::fs::read(path).unwrap()).unwrap_or_default();
        let samples = bytes.get(44..).unwrap_or_default();
        samples.chunks_exact(2).map(|sample| i16::from_le_bytes([sample[0], sample[1]])).collect()
    }

    pub fn tell(&mut self, command: &str, params: &str) {
        let text = json!({ "command": command, "params": params, "token": "t" }).to_string();
        write!(self.control, "{}:{text},", text.len()).unwrap();
    }

    /// The next event of this type.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(event) = self.next() else { continue };
            self.seen.push(event.clone());
            if event["type"] == kind {
                return event;
            }
        }
        panic!("{} waited in vain for {kind}: {:#?}\n{}", self.number, self.seen, self.log());
    }

    /// One event or response, when one comes soon.
    fn next(&mut self) -> Option<Value> {
        let mut bytes = [0; 4096];
        if let Ok(length) = self.control.read(&mut bytes) {
            self.buffer.extend_from_slice(&bytes[..length]);
        }
        let colon = self.buffer.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&self.buffer[..colon]).ok()?.parse().ok()?;
        let text = self.buffer.get(colon + 1..colon + 1 + length)?;
        let value = serde_json::from_slice(text).unwrap();
        self.buffer.drain(..(colon + 2 + length).min(self.buffer.len()));
        Some(value)
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Half a minute of 440 Hz, 8 kHz, 16 bits: what the phone "says". It hangs up when it has said that.
fn write_tone(path: &Path) {
    let samples = (0..240_000_u32).map(|at| {
        let angle = f64::from(at) * 440.0 * std::f64::consts::TAU / 8000.0;
        (angle.sin() * 8000.0) as i16
    });
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    for (number, width) in [(16_u32, 4), (1, 2), (1, 2), (8000, 4), (16000, 4), (2, 2), (16, 2)] {
        file.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(&data);
    std::fs::write(path, file).unwrap();
}
