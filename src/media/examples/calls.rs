//! Relays the media of many calls on one processor and prints what that costs.
//!
//! ```text
//! calls [CALLS [SECONDS [RUNS]]]
//! ```
//!
//! The relay has the first processor to itself, as far as nobody else wants it; phones and clock have the second. Each call is
//! G.711 with a packet every 20 ms in both directions (172 bytes of RTP), and has four ports of its own at the relay. The phones
//! share a few sockets, since it is not they who are measured. Every packet bears when it was sent.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use std::{fs, io};

use ringway_media::{DropReason, Event, Options, Relay};
use ringway_sip::media::{Lane, LaneOrder, Party, Side};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use rustix::thread::{CpuSet, sched_setaffinity};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The time of a packet of speech.
const PACKET_EVERY: Duration = Duration::from_millis(20);
/// The header of RTP and 20 ms of G.711.
const PACKET: usize = 12 + 160;
/// Where a packet bears its time.
const TIME_AT: usize = 12;
/// Sockets of the phones of each side.
const SOCKETS: usize = 8;
/// Packets that one look at a socket takes.
const LOOK: usize = 8;
/// For what is still on its way at the end.
const LAST_WAIT: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let numbers: Result<Vec<u64>, _> = std::env::args().skip(1).map(|argument| argument.parse()).collect();
    let Ok(numbers) = numbers else {
        eprintln!("usage: calls [CALLS [SECONDS [RUNS]]]");
        return ExitCode::from(2);
    };
    let number = |place: usize, usual| numbers.get(place).copied().unwrap_or(usual);
    match measure(number(0, 1000), Duration::from_secs(number(1, 10)), number(2, 5)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(calls: u64, length: Duration, runs: u64) -> io::Result<()> {
    // A thread begins with the processor of the one that starts it.
    stay_on(0)?;
    let (tell, told) = channel();
    let options = Options {
        number: 0,
        ports: (10_000..=59_998).step_by(2).collect(),
        silence: Duration::from_secs(60),
        rest: Duration::from_secs(60),
    };
    let relay = ringway_media::start(options, move |event| tell.send(event).is_ok())?;
    let thread = thread_of_relay()?;
    stay_on(1)?;
    relay.provide(0, u16::try_from(calls).unwrap_or(u16::MAX));
    let Ok(Event::Lanes { lanes, .. }) = told.recv() else { return Err(io::Error::other("the relay has ended")) };
    if lanes.len() as u64 != calls {
        return Err(io::Error::other(format!("there are ports for {} calls only", lanes.len())));
    }
    let phones = Phones::new(&lanes, &relay)?;
    println!("{calls} calls, {:.0} packets/s in and as many out", 2.0 * calls as f64 / PACKET_EVERY.as_secs_f64());
    phones.talk(Duration::from_secs(1))?;
    for run in 1..=runs {
        let (processor, begin) = (processor_time(&thread)?, Instant::now());
        let mut heard = phones.talk(length)?;
        let share = (processor_time(&thread)? - processor).as_secs_f64() / begin.elapsed().as_secs_f64();
        heard.delays.sort_unstable();
        let delay = |share: f64| {
            let place = (heard.delays.len() as f64 * share) as usize;
            heard.delays.get(place.min(heard.delays.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        println!(
            "run {run}: {:.1} % of one processor, {:.2} us a packet, sent {}, lost {}, delay p50 {} us, p99 {} us, p99.9 {} us, \
             sent late at most {} us",
            share * 100.0,
            share * begin.elapsed().as_secs_f64() * 1e6 / heard.sent as f64,
            heard.sent,
            heard.sent - heard.delays.len() as u64,
            delay(0.5),
            delay(0.99),
            delay(0.999),
            heard.latest.as_micros()
        );
    }
    let drops: Vec<_> =
        DropReason::ALL.map(|reason| format!("{} {}", reason.code(), relay.counters().drops(reason))).into();
    println!("dropped by the relay: {}", drops.join(", "));
    Ok(())
}

/// All phones.
struct Phones {
    callers: Vec<UdpSocket>,
    callees: Vec<UdpSocket>,
    /// Who sends, and to which port of the relay.
    streams: Vec<(Side, usize, SocketAddr)>,
    start: Instant,
}

/// What came of a talk.
#[derive(Default)]
struct Heard {
    sent: u64,
    /// Of each packet that came, in microseconds.
    delays: Vec<u32>,
    /// How long after its time the latest packet was sent.
    latest: Duration,
}

impl Phones {
    fn new(lanes: &[Lane], relay: &Relay) -> io::Result<Self> {
        let sockets = || (0..SOCKETS).map(|_| socket()).collect::<io::Result<Vec<_>>>();
        let (callers, callees) = (sockets()?, sockets()?);
        let mut streams = Vec::new();
        for (number, lane) in lanes.iter().enumerate() {
            let place = number % SOCKETS;
            for (side, socket, port) in
                [(Side::Caller, &callers[place], lane.caller_port), (Side::Callee, &callees[place], lane.callee_port)]
            {
                let rtp = Some(socket.local_addr()?);
                let party = Party { source: LOOPBACK, local: LOOPBACK, rtp, rtcp: None, takes_dtls: false };
                relay.order(lane.id, LaneOrder::Expect(side, party));
                streams.push((side, place, SocketAddr::new(LOOPBACK, port)));
            }
            relay.order(lane.id, LaneOrder::Rest(false));
        }
        Ok(Self { callers, callees, streams, start: Instant::now() })
    }

    /// Everybody talks for so long.
    fn talk(&self, length: Duration) -> io::Result<Heard> {
        let gap = PACKET_EVERY / self.streams.len() as u32;
        let packets = length.as_nanos() / gap.as_nanos().max(1);
        let mut heard = Heard::default();
        heard.delays.reserve(usize::try_from(packets).unwrap_or_default());
        let mut packet = [0; PACKET];
        packet[0] = 0x80;
        let begin = Instant::now();
        let mut looks = (0..SOCKETS).cycle();
        for (number, (side, place, to)) in (0..packets).zip(self.streams.iter().cycle()) {
            let due = begin + gap * u32::try_from(number).unwrap_or(u32::MAX);
            loop {
                let now = Instant::now();
                if now >= due {
                    heard.latest = heard.latest.max(now - due);
                    break;
                }
                self.listen(looks.next().unwrap_or_default(), &mut heard);
            }
            packet[TIME_AT..TIME_AT + 8].copy_from_slice(&(self.start.elapsed().as_micros() as u64).to_ne_bytes());
            let sockets = if *side == Side::Caller { &self.callers } else { &self.callees };
            sockets[*place].send_to(&packet, to)?;
            heard.sent += 1;
            if number % 4 == 0 {
                self.listen(looks.next().unwrap_or_default(), &mut heard);
            }
        }
        let end = Instant::now() + LAST_WAIT;
        while Instant::now() < end {
            self.listen(looks.next().unwrap_or_default(), &mut heard);
        }
        Ok(heard)
    }

    fn listen(&self, place: usize, heard: &mut Heard) {
        let mut packet = [0; PACKET];
        for socket in [&self.callers[place], &self.callees[place]] {
            for _ in 0..LOOK {
                let Ok(PACKET) = socket.recv(&mut packet) else { break };
                let mut sent = [0; 8];
                sent.copy_from_slice(&packet[TIME_AT..TIME_AT + 8]);
                let delay = (self.start.elapsed().as_micros() as u64).saturating_sub(u64::from_ne_bytes(sent));
                heard.delays.push(u32::try_from(delay).unwrap_or(u32::MAX));
            }
        }
    }
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((LOOPBACK, 0))?;
    socket.set_nonblocking(true)?;
    let size = 8 * 1024 * 1024;
    // Beyond net.core.rmem_max is for root; anybody else gets what that allows.
    if set_socket_recv_buffer_size_force(&socket, size).is_err() {
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, size)?;
    }
    Ok(socket)
}

/// Keeps the calling thread, and those that it starts, on one processor.
fn stay_on(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}

/// The directory of the relay's thread in /proc, as soon as it has its name.
fn thread_of_relay() -> io::Result<std::path::PathBuf> {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        for task in fs::read_dir("/proc/self/task")? {
            let path = task?.path();
            if fs::read_to_string(path.join("comm"))?.trim() == "media-0" {
                return Ok(path);
            }
        }
        std::thread::yield_now();
    }
    Err(io::Error::other("the relay's thread is not to be found"))
}

/// The processor time that a thread has had, in the kernel and outside.
fn processor_time(thread: &std::path::Path) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanoseconds = text.split(' ').next().and_then(|number| number.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::Error::other("schedstat can't be read"))
}
