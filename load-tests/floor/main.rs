//! `ringway-floor`: what the kernel alone costs. It sends back the packets of a benchmark, as many and about as long as
//! a SIP server would, and knows next to nothing about SIP.
//!
//! It is no SIP server: it keeps no state, checks nothing, and routes by the shape of what `ringway-load` sends. Since it
//! would relay for anyone, it listens on loopback only.

mod batch;
mod echo;

use std::io::{self, Write};
use std::net::{SocketAddrV4, UdpSocket};
use std::process::ExitCode;

use clap::Parser;

use batch::Batch;
use echo::Echo;

/// Bytes that the socket asks the kernel to keep for it, as Ringway's own sockets do by default.
const RECEIVE_BUFFER: libc::c_int = 4096 * 1024;

/// Echoes a benchmark's packets by UDP: the floor under any SIP server's CPU time.
#[derive(Parser)]
#[command(name = "ringway-floor")]
struct Options {
    /// Where to listen; on loopback only.
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddrV4,
    /// Where a callee listens: what comes from there goes to the caller in its first Via. Once or several times.
    #[arg(long, value_name = "IP:PORT")]
    callee: Vec<SocketAddrV4>,
    /// The port of the first caller: it calls the first callee, the caller at the next port the next, and so on.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    caller_port: u16,
    /// Answer REGISTER and INVITE without credentials with a challenge: 401, 407.
    #[arg(long)]
    challenge: bool,
    /// The realm of the challenge.
    #[arg(long, default_value = "bench.example")]
    realm: String,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ringway-floor: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Echoes until the process is killed.
fn run(options: &Options) -> Result<(), String> {
    for address in options.callee.iter().chain([&options.listen]) {
        if !address.ip().is_loopback() {
            return Err(format!("{address} is not on loopback; the floor relays for anyone, so use 127.0.0.1"));
        }
    }
    let socket = UdpSocket::bind(options.listen).map_err(|error| format!("{}: {error}", options.listen))?;
    batch::enlarge_receive_buffer(&socket, RECEIVE_BUFFER).map_err(|error| format!("receive buffer: {error}"))?;
    let realm = options.challenge.then_some(options.realm.as_str());
    let echo = Echo::new(options.listen, options.caller_port, &options.callee, realm);
    let _ = writeln!(io::stderr(), "ringway-floor listens on {}", options.listen);

    let mut batch = Batch::new();
    loop {
        let mut outgoing = batch.receive(&socket).map_err(|error| format!("receiving failed: {error}"))?;
        while let Some((datagram, from)) = outgoing.next_received() {
            for output in echo.outputs(datagram, from).into_iter().flatten() {
                outgoing.push(output);
            }
        }
        outgoing.send(&socket);
    }
}
