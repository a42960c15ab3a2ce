//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgGroup, Parser};

use crate::endpoint::Transport;

/// Puts load on a SIP server: phones that register and call, every answer verified.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "ringway-load",
    version,
    group = ArgGroup::new("pace").args(["rate", "window"]),
    after_help = "Example: ringway-load call-auth --target 127.0.0.1:5060 --domain acme.example --users users.csv \
                  --rate 500 --duration 30\nExit codes: 0 done, 1 failed or the figures are not to be used, 2 usage."
)]
pub struct Arguments {
    /// options, register, refresh, call, call-auth, avalanche, mixed, or a scenario of your own: FILE.toml
    pub scenario: String,
    /// Where the server listens
    #[arg(long, value_name = "IP:PORT")]
    pub target: SocketAddr,
    /// What carries the messages
    #[arg(long, value_enum, default_value_t = Transport::Udp)]
    pub transport: Transport,
    /// The domain of users whose row names none
    #[arg(long)]
    pub domain: Option<String>,
    /// CSV with extension_number, auth_name, extension_password and perhaps domain
    #[arg(long, value_name = "FILE.csv")]
    pub users: Option<PathBuf>,
    /// Open loop: start so many operations a second, whatever the server does
    #[arg(long, value_parser = positive)]
    pub rate: Option<f64>,
    /// Closed loop: keep so many operations in flight
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub window: Option<u64>,
    /// Measure for so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = positive, required_unless_present_any = ["operations", "setup_only"])]
    pub duration: Option<f64>,
    /// Stop after so many operations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub operations: Option<u64>,
    /// Run so many seconds before measuring
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = seconds)]
    pub warm_up: f64,
    /// Wait at most so long for what is in flight at the end
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    pub drain: f64,
    /// Never sleep, on a core of its own: a server on this machine is then not charged with waking the generator
    #[arg(long)]
    pub spin: bool,
    /// Take each datagram by itself: a server on this machine that sends several as one is charged with parting them
    #[arg(long)]
    pub part_trains: bool,
    /// Print the report as JSON on standard output; the text goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Write the report as a page with plots
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Local sockets or connections; users are dealt to them. Calls have as many again for their callees
    /// [default: 16 for UDP; else 256, or one a user if they are fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=30_000))]
    pub sockets: Option<u16>,
    /// Local address [default: the one that reaches the target]
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// The callers' sockets have the ports from this one on [default: the system's choice]
    #[arg(long, value_name = "PORT")]
    pub local_port: Option<u16>,
    /// The callees' sockets have the ports from this one on
    #[arg(long, value_name = "PORT")]
    pub callee_port: Option<u16>,
    /// Take only the first N users
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit_users: Option<u64>,
    /// Register everybody before calls, not only the callees
    #[arg(long)]
    pub register_first: bool,
    /// Register nobody before: they are registered already, or need not be
    #[arg(long, conflicts_with = "register_first")]
    pub no_setup: bool,
    /// Register everybody at --rate or --window, report that, and leave
    #[arg(long)]
    pub setup_only: bool,
    /// Seconds that a callee rings, in place of the scenario's
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub ring: Option<f64>,
    /// Seconds that a call lasts, in place of the scenario's
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub hold: Option<f64>,
    /// Seconds that a REGISTER asks for, in place of the scenario's
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub expires: Option<u32>,
    /// Of an avalanche: how many calls stand meanwhile, in place of the scenario's
    #[arg(long, value_name = "N")]
    pub calls: Option<u64>,
    /// Of an avalanche: a command for the shell that is run before it, such as one that restarts the server
    #[arg(long, value_name = "COMMAND")]
    pub between: Option<String>,
    /// For what is drawn at random (arrivals); identifiers differ in any case
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// TLS: believe certificates that these authorities have signed
    #[arg(long, value_name = "FILE.pem")]
    pub ca: Option<PathBuf>,
    /// TLS: believe any certificate
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// TLS: the name that the server's certificate must bear [default: the domain of the users]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Processes of the server, whose use of the processor is reported
    #[arg(long, value_name = "PID,...", value_delimiter = ',')]
    pub server_pid: Vec<u32>,
    /// Where the server's metrics are, whose histograms are reported
    #[arg(long, value_name = "URL")]
    pub metrics: Option<String>,
    /// The target is no server but an echo (ringway-floor): don't ask for what only a server adds
    #[arg(long)]
    pub floor: bool,
}

fn number(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| "write a number, such as 0.5".to_owned())
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| if number > 0.0 { Ok(number) } else { Err("must be more than 0".into()) })
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text).and_then(|number| {
        if (0.0..=86_400.0).contains(&number) { Ok(number) } else { Err("must be seconds from 0 to 86400".into()) }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
