//! Networks of their own: a small internet with the node in it, and households behind masquerading NATs.
//!
//! Needs root, iproute2 and iptables; [`Internet::new`] says what is missing.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

/// A bridge that stands for the internet. The node has an address on it.
pub struct Internet {
    name: String,
    network: String,
}

/// A phone's network, and the NAT between it and the internet.
pub struct Home {
    phone: String,
    nat: String,
}

impl Internet {
    /// Builds it, or says why that is not possible here.
    pub fn new() -> Result<Self, String> {
        // SAFETY: a system call without arguments.
        if unsafe { libc::geteuid() } != 0 {
            return Err("network namespaces can be made by root only".to_owned());
        }
        for program in ["ip", "iptables"] {
            let found = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !found.is_ok_and(|status| status.success()) {
                return Err(format!("{program} is not installed; scripts/install-peers does it"));
            }
        }
        let number = std::process::id() % 250 + 1;
        let internet = Self { name: format!("rw{number}"), network: format!("198.18.{number}") };
        let (name, address) = (internet.name.as_str(), internet.address());
        try_run(&format!("ip link add {name} type bridge"))?;
        run(&format!("ip address add {address}/24 dev {name}"));
        run(&format!("ip link set {name} up"));
        Ok(internet)
    }

    /// The node's address.
    pub fn address(&self) -> String {
        format!("{}.1", self.network)
    }

    /// A household with an address of its own on the internet. All of them use the same private addresses.
    pub fn home(&self, number: u8) -> Result<Home, String> {
        let Self { name, network } = self;
        let home = Home { phone: format!("{name}p{number}"), nat: format!("{name}n{number}") };
        let Home { phone, nat } = &home;
        try_run(&format!("ip netns add {nat}"))?;
        run(&format!("ip netns add {phone}"));
        run(&format!("ip link add {nat}o type veth peer name out netns {nat}"));
        run(&format!("ip link set {nat}o master {name} up"));
        run(&format!("ip -n {nat} link add in type veth peer name eth netns {phone}"));
        for (namespace, link, address) in [
            (nat, "out", format!("{network}.1{number}")),
            (nat, "in", Home::NAT.to_owned()),
            (phone, "eth", Home::PHONE.to_owned()),
        ] {
            run(&format!("ip -n {namespace} address add {address}/24 dev {link}"));
            run(&format!("ip -n {namespace} link set {link} up"));
            run(&format!("ip -n {namespace} link set lo up"));
        }
        run(&format!("ip -n {phone} route add default via {}", Home::NAT));
        run(&format!("ip netns exec {nat} sysctl -q -w net.ipv4.ip_forward=1"));
        // With ports of its own choice, as most have.
        try_run(&format!("ip netns exec {nat} iptables -t nat -A POSTROUTING -o out -j MASQUERADE --random"))?;
        Ok(home)
    }
}

impl Home {
    const NAT: &str = "192.168.77.1";
    /// The phone's address in every home.
    pub const PHONE: &str = "192.168.77.2";

    /// A program that runs there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.phone, program]);
        command
    }

    /// Connects to a port of the phone, from within its network.
    pub fn connect(&self, port: u16) -> Option<TcpStream> {
        let path = format!("/run/netns/{}", self.phone);
        let connect = move || {
            let namespace = std::fs::File::open(path).ok()?;
            // SAFETY: the descriptor is open, and the thread that changes its network ends with this closure.
            let entered = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
            if entered == 0 { TcpStream::connect(("127.0.0.1", port)).ok() } else { None }
        };
        std::thread::spawn(connect).join().ok()?
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for namespace in [&self.phone, &self.nat] {
            let _ = try_run(&format!("ip netns del {namespace}"));
        }
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        let _ = try_run(&format!("ip link del {}", self.name));
    }
}

#[track_caller]
fn run(line: &str) {
    try_run(line).unwrap();
}

fn try_run(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let output =
        Command::new(words.next().unwrap()).args(words).output().map_err(|error| format!("{line}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{line}: {}", said.trim())) }
}
