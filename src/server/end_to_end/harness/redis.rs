//! A Redis of its own.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::{free_port, wait_for};

pub struct Redis {
    port: u16,
    child: Child,
    /// Where the key of all nodes lies, and what Redis may want to write.
    folder: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(folder.path());
        let child = command.stdout(Stdio::null()).spawn().expect("redis-server; scripts/install-peers installs it");
        wait_for("Redis", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, child, folder }
    }

    /// It takes what comes and says nothing, until it is resumed.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal}");
    }

    /// Lines of a node's configuration with which it shares by this Redis.
    pub fn config(&self, node: &str) -> String {
        let key = self.folder.path().join("master.key");
        format!(
            "[node]\nid = \"{node}\"\n[secrets]\nkey_file = \"{}\"\n[redis]\nurl = \"redis://127.0.0.1:{}\"\n",
            key.display(),
            self.port
        )
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
