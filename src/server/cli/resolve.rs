//! `ringway resolve`: where a SIP URI leads to, as RFC 3263 has it, and with `--probe` who answers there.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use ringway_net::dns::{Asked, Destination, Failure as NoAnswer, Resolver, ResolverOptions, Target, Unlocated};
use ringway_sip::{Message, Transport, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::grammar::ResolveArguments;
use crate::console::{complain, say};
use crate::failure::Failure;

/// How long a target has to answer a probe.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says what DNS was asked and where the URI leads to.
///
/// # Errors
/// When it leads nowhere, or with `probe` when nobody answers.
pub(super) fn resolve(arguments: &ResolveArguments) -> Result<(), Failure> {
    let servers = arguments.server.iter().map(|server| read_server(server)).collect::<Result<Vec<_>, _>>()?;
    let text = with_scheme(&arguments.uri);
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: {error}; write a sip: or sips: URI, or a domain", arguments.uri))
    };
    let uri = Uri::parse(text.as_bytes()).map_err(|error| wrong(&error))?;
    let destination = Destination::of(&uri).map_err(|error| wrong(&error))?;
    let options = ResolverOptions { servers, loopback: arguments.loopback, ..ResolverOptions::default() };
    let resolver = Resolver::start(&options).map_err(Failure::of)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime.block_on(async {
        let located = match resolver.locate(&destination).await {
            Ok(located) => located,
            Err(Unlocated { reason, asked }) => {
                // The way that led nowhere is what somebody wants to see who asks why.
                asked.iter().for_each(|asked| say(line_of(asked)));
                return Err(Failure::of(reason));
            }
        };
        located.asked.iter().for_each(|asked| say(line_of(asked)));
        for (target, place) in located.targets.iter().zip(1..) {
            say(format_args!("{place}. {}", name_of(target)));
        }
        if arguments.probe { probe(&resolver, &destination, &text).await } else { Ok(()) }
    })
}

/// Asks one target after the other for its options, in the order that the resolver gives after each failure.
async fn probe(resolver: &Resolver, destination: &Destination, uri: &str) -> Result<(), Failure> {
    let mut failed = Vec::new();
    loop {
        let located = resolver.locate(destination).await.map_err(Failure::of)?;
        let Some(target) = next(located.targets, &failed) else {
            return Err(Failure::Failed(format!("none of {} targets answers", failed.len())));
        };
        let begun = Instant::now();
        match timeout(PATIENCE, ask(&target, uri)).await.unwrap_or_else(|_| Err("no answer".to_owned())) {
            Ok(answer) => {
                resolver.has_answered(&target);
                say(format_args!("{}: {answer} after {} ms", name_of(&target), begun.elapsed().as_millis()));
                return Ok(());
            }
            Err(reason) => {
                complain(format_args!("{}: {reason}", name_of(&target)));
                resolver.has_failed(&target);
                failed.push(target);
            }
        }
    }
}

/// The first target that has not failed. Those that have come last only for a while, which is shorter than many silent ones
/// take.
fn next(targets: Vec<Target>, failed: &[Target]) -> Option<Target> {
    targets.into_iter().find(|target| !failed.contains(target))
}

async fn ask(target: &Target, uri: &str) -> Result<String, String> {
    let wildcard: IpAddr = if target.address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let mut buffer = vec![0; 65_535];
    match target.transport {
        Transport::Udp => {
            let socket = UdpSocket::bind((wildcard, 0)).await.map_err(|error| error.to_string())?;
            socket.connect(target.address).await.map_err(|error| error.to_string())?;
            let local = socket.local_addr().map_err(|error| error.to_string())?;
            socket.send(options(uri, "UDP", local).as_bytes()).await.map_err(|error| error.to_string())?;
            let length = socket.recv(&mut buffer).await.map_err(|error| error.to_string())?;
            status_of(&buffer[..length])
        }
        Transport::Tcp => {
            let mut stream = TcpStream::connect(target.address).await.map_err(|error| error.to_string())?;
            let local = stream.local_addr().map_err(|error| error.to_string())?;
            stream.write_all(options(uri, "TCP", local).as_bytes()).await.map_err(|error| error.to_string())?;
            let length = stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
            status_of(&buffer[..length])
        }
        _ => {
            TcpStream::connect(target.address).await.map_err(|error| error.to_string())?;
            Ok("takes connections (TLS was not begun)".to_owned())
        }
    }
}

fn options(uri: &str, token: &str, local: SocketAddr) -> String {
    let number: u64 = rand::random();
    format!(
        "OPTIONS {uri} SIP/2.0\r\nVia: SIP/2.0/{token} {local};rport;branch=z9hG4bK{number:x}\r\nMax-Forwards: 70\r\n\
         From: <sip:probe@{local}>;tag={number:x}\r\nTo: <{uri}>\r\nCall-ID: {number:x}\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:probe@{local}>\r\nContent-Length: 0\r\n\r\n"
    )
}

fn status_of(bytes: &[u8]) -> Result<String, String> {
    match Message::parse(bytes) {
        Ok(message) if !message.is_request() && message.status() != 0 => {
            let reason = String::from_utf8_lossy(message.reason()).into_owned();
            Ok(format!("{} {}", message.status(), reason.escape_default()))
        }
        _ => Err("the answer is no SIP response".to_owned()),
    }
}

fn line_of(asked: &Asked) -> String {
    let Asked { name, kind, outcome } = asked;
    match outcome {
        Ok(1) => format!("{kind} {name}: 1 record"),
        Ok(count) => format!("{kind} {name}: {count} records"),
        Err(NoAnswer::Nothing) => format!("{kind} {name}: none"),
        Err(failure) => format!("{kind} {name}: {failure}"),
    }
}

fn name_of(target: &Target) -> String {
    let Target { address, transport, host } = target;
    if **host == *address.ip().to_string() {
        format!("{transport} {address}")
    } else {
        format!("{transport} {address} ({host})")
    }
}

/// People write a bare domain.
fn with_scheme(uri: &str) -> String {
    let has_scheme = ["sip:", "sips:", "tel:"].iter().any(|scheme| uri.to_ascii_lowercase().starts_with(scheme));
    if has_scheme { uri.to_owned() } else { format!("sip:{uri}") }
}

fn read_server(text: &str) -> Result<SocketAddr, Failure> {
    let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
    address
        .map_err(|_| Failure::Usage(format!("--server {text}: this is no address; write 192.0.2.53 or 192.0.2.53:53")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_domain_is_a_sip_uri() {
        assert_eq!(with_scheme("carrier.example"), "sip:carrier.example");
        assert_eq!(with_scheme("SIPS:carrier.example"), "SIPS:carrier.example");
        assert_eq!(with_scheme("1@carrier.example:5070"), "sip:1@carrier.example:5070");
    }

    #[test]
    fn a_server_s_port_is_that_of_dns_unless_it_is_told() {
        assert_eq!(read_server("192.0.2.53").unwrap(), "192.0.2.53:53".parse().unwrap());
        assert_eq!(read_server("[2001:db8::53]:5353").unwrap(), "[2001:db8::53]:5353".parse().unwrap());
        let failure = read_server("dns.example").unwrap_err();
        assert!(matches!(&failure, Failure::Usage(reason) if reason.contains("write 192.0.2.53")), "{failure}");
    }

    #[test]
    fn a_target_that_failed_long_ago_hides_none_that_was_not_asked() {
        let target = |last: u8| Target {
            address: SocketAddr::from(([192, 0, 2, last], 5060)),
            transport: Transport::Udp,
            host: "h".into(),
        };
        let all = || (1..=20).map(target).collect::<Vec<_>>();
        let mut failed = Vec::new();
        while let Some(target) = next(all(), &failed) {
            failed.push(target);
        }
        assert_eq!(failed, all());
    }

    #[test]
    fn the_probe_is_a_request_without_a_fault() {
        let local = "[2001:db8::1]:5060".parse().unwrap();
        let text = options("sip:carrier.example", "UDP", local);
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(message.problem(), None);
        assert!(message.essentials().is_ok());
    }

    #[test]
    fn an_answer_is_told_without_what_a_terminal_would_obey() {
        assert_eq!(status_of(b"SIP/2.0 200 O\x1bK\r\nVia: x\r\n\r\n").unwrap(), "200 O\\u{1b}K");
        assert!(status_of(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
        assert!(status_of(b"OPTIONS sip:x SIP/2.0\r\n\r\n").is_err());
    }
}
