//! Networks of their own: a small internet with the node in it, and households behind masquerading NATs.
//!
//! All of it lies in a network that only the story's process has ([`in_own_network`]), and ends with it.

use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::process::Command;

/// Set in the process that has a network of its own.
const WITHIN: &str = "RINGWAY_WITHIN_NAMESPACES";
/// With this set to 1, a story that needs networks of its own is skipped where there can be none.
const SKIP: &str = "RINGWAY_SKIP_NAMESPACES";
/// What makes such networks.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/namespaces");

/// Tells the story of this test in a network of its own: this program is run once more, in there, for this test alone.
///
/// # Panics
///
/// When the story fails, or when there can be no such network and nobody has said that it may be skipped.
pub fn in_own_network(test: &str, story: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return story();
    }
    let possible = Command::new(SCRIPT).output().unwrap();
    if !possible.status.success() {
        let reason = String::from_utf8_lossy(&possible.stderr);
        let reason = reason.trim();
        let may_be_skipped = std::env::var(SKIP).is_ok_and(|value| value == "1");
        assert!(
            may_be_skipped,
            "{test} needs network namespaces: {reason}. Run it as root, or allow users to have them, or set {SKIP}=1 to go without."
        );
        eprintln!("skipped: {test}: {reason}");
        return;
    }
    let mut again = Command::new(SCRIPT);
    again.arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]).env(WITHIN, "1");
    let told = again.output().unwrap();
    let [out, errors] = [&told.stdout, &told.stderr].map(|text| String::from_utf8_lossy(text));
    // A name that no test has would pass without any story.
    assert!(told.status.success() && out.contains("1 passed"), "in its own network:\n{out}\n{errors}");
}

/// A bridge that stands for the internet. The node has an address on it.
pub struct Internet {
    bridge: &'static str,
}

/// A phone's network, and the NAT between it and the internet.
pub struct Home {
    phone: String,
    nat: String,
}

impl Internet {
    /// The node's address.
    pub const ADDRESS: &str = "198.18.0.1";

    /// Builds it.
    pub fn new() -> Self {
        let bridge = "internet";
        run(&format!("ip link add {bridge} type bridge"));
        run(&format!("ip address add {}/24 dev {bridge}", Self::ADDRESS));
        run(&format!("ip link set {bridge} up"));
        Self { bridge }
    }

    /// A household with an address of its own on the internet. All of them use the same private addresses.
    pub fn home(&self, number: u8) -> Home {
        let home = Home { phone: format!("phone{number}"), nat: format!("nat{number}") };
        let Home { phone, nat } = &home;
        run(&format!("ip netns add {nat}"));
        run(&format!("ip netns add {phone}"));
        run(&format!("ip link add {nat}o type veth peer name out netns {nat}"));
        run(&format!("ip link set {nat}o master {} up", self.bridge));
        run(&format!("ip -n {nat} link add in type veth peer name eth netns {phone}"));
        for (namespace, link, address) in [
            (nat, "out", format!("198.18.0.1{number}")),
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
        run(&format!("ip netns exec {nat} iptables -t nat -A POSTROUTING -o out -j MASQUERADE --random"));
        home
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

#[track_caller]
fn run(line: &str) {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
}
