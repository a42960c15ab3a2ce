//! A Redis of its own.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::{free_port, wait_for};

pub struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    pub fn start() -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let child = command.stdout(Stdio::null()).spawn().expect("redis-server; scripts/install-peers installs it");
        wait_for("Redis", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, child }
    }

    /// Lines of a node's configuration with which it shares by this Redis.
    pub fn config(&self, node: &str) -> String {
        format!("[node]\nid = \"{node}\"\n[redis]\nurl = \"redis://127.0.0.1:{}\"\n", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
