//! The thread that sorts what the shards have copied: which capture it belongs to, with its secrets masked.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use ringway_capture::{Fallback, Filter, Named, Seen, Subject, Wanted, mask};
use ringway_directory::Snapshot;
use ringway_edge::Settings;
use ringway_sip::frame::{DatagramKind, datagram_kind};
use ringway_sip::{Scheme, Uri};
use ringway_telemetry::{Scrape, names};
use tokio::sync::mpsc;

use super::homer::Homer;
use super::tap::{Noted, Outlet, Tap};

/// Captures of commands at once.
pub(super) const MAX_CAPTURES: usize = 4;

/// Messages of one capture that wait to be read at most.
const WAITING: usize = 1024;

/// Bytes of them at most: some hundred of the largest messages.
const WAITING_BYTES: usize = 8 << 20;

/// How much a capture may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// What a capture has been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Messages that it was given.
    pub(crate) messages: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Messages of it that were lost, because they were not read fast enough.
    pub(crate) dropped: u64,
}

/// Why a capture has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It is still running.
    Not,
    /// It has as many messages as it may.
    Messages,
    /// It has as many bytes as it may.
    Bytes,
}

/// All captures of a node.
pub(crate) struct Captures {
    tap: Arc<Tap>,
    in_force: Arc<ArcSwap<Snapshot>>,
    settings: ArcSwap<Settings>,
    sinks: Mutex<Sinks>,
    to_commands: AtomicU64,
    to_homer: AtomicU64,
    unread: AtomicU64,
    unsent: AtomicU64,
    failed: AtomicU64,
}

#[derive(Default)]
struct Sinks {
    next_number: u64,
    commands: Vec<Command>,
    homer: Option<(Vec<Filter>, Homer)>,
}

/// The capture of one command.
struct Command {
    number: u64,
    filter: Filter,
    limits: Limits,
    taken: Taken,
    /// None when it has all that it may have.
    to: Option<mpsc::Sender<Seen>>,
    /// Bytes that were sent and have not been read.
    waiting_bytes: Arc<AtomicUsize>,
    ending: Ending,
}

/// The messages of one capture, as they come.
#[derive(Debug)]
pub(super) struct Shown {
    messages: mpsc::Receiver<Seen>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Shown {
    /// The next one; `None` when there will be no more.
    pub(super) async fn next(&mut self) -> Option<Seen> {
        let seen = self.messages.recv().await?;
        self.waiting_bytes.fetch_sub(seen.bytes.len(), Ordering::Relaxed);
        Some(seen)
    }
}

impl Captures {
    /// Starts the thread. It ends with the process.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        tap: Arc<Tap>,
        outlet: Outlet,
        in_force: Arc<ArcSwap<Snapshot>>,
        settings: Arc<Settings>,
    ) -> io::Result<Arc<Self>> {
        let captures = Arc::new(Self {
            tap,
            in_force,
            settings: ArcSwap::new(settings),
            sinks: Mutex::default(),
            to_commands: AtomicU64::new(0),
            to_homer: AtomicU64::new(0),
            unread: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        let sorting = Arc::clone(&captures);
        std::thread::Builder::new().name("capture".to_owned()).spawn(move || {
            while let Some(noted) = outlet.next() {
                sorting.guarded(|| sorting.sort(&noted));
            }
        })?;
        Ok(captures)
    }

    /// Which addresses are our own from now on.
    pub(crate) fn set_settings(&self, settings: Arc<Settings>) {
        self.settings.store(settings);
    }

    /// The tenant of a domain or alias.
    pub(super) fn tenant(&self, domain: &str) -> Option<u32> {
        self.in_force.load().tenant_by_host(domain.as_bytes()).map(|tenant| tenant.id.0)
    }

    /// Sends what these filters take to Homer from now on, and no longer what others took; `None` sends nothing.
    pub(super) fn set_homer(&self, homer: Option<(Vec<Filter>, Homer)>) {
        let mut sinks = self.sinks();
        sinks.homer = homer;
        self.open_or_close(&sinks);
    }

    /// Begins a capture: its number, and where its messages come. `None` when there are as many as there may be.
    pub(super) fn begin(&self, wanted: Wanted, limits: Limits) -> Option<(u64, Shown)> {
        let mut sinks = self.sinks();
        if sinks.commands.len() >= MAX_CAPTURES {
            return None;
        }
        let (to, messages) = mpsc::channel(WAITING);
        let waiting_bytes = Arc::<AtomicUsize>::default();
        let number = sinks.next_number;
        sinks.next_number += 1;
        sinks.commands.push(Command {
            number,
            filter: Filter::new(wanted, rand::random()),
            limits,
            taken: Taken::default(),
            to: Some(to),
            waiting_bytes: Arc::clone(&waiting_bytes),
            ending: Ending::Not,
        });
        self.open_or_close(&sinks);
        Some((number, Shown { messages, waiting_bytes }))
    }

    /// Ends a capture: what it was.
    pub(super) fn end(&self, number: u64) -> (Taken, Ending) {
        let mut sinks = self.sinks();
        let place = sinks.commands.iter().position(|command| command.number == number);
        let ended = place.map(|place| sinks.commands.swap_remove(place));
        self.open_or_close(&sinks);
        ended.map_or((Taken::default(), Ending::Not), |command| (command.taken, command.ending))
    }

    /// The numbers of all captures.
    pub(crate) fn collect(&self, scrape: &mut Scrape) {
        scrape.add(&names::CAPTURES, &[], self.sinks().commands.len() as u64);
        for (to, count) in [("command", &self.to_commands), ("hep", &self.to_homer)] {
            scrape.add(&names::CAPTURED_MESSAGES, &[to], count.load(Ordering::Relaxed));
        }
        scrape.add(&names::CAPTURE_DROPPED, &["queue-full"], self.tap.dropped());
        for (reason, count) in [("slow-reader", &self.unread), ("hep", &self.unsent), ("failure", &self.failed)] {
            scrape.add(&names::CAPTURE_DROPPED, &[reason], count.load(Ordering::Relaxed));
        }
    }

    fn sinks(&self) -> MutexGuard<'_, Sinks> {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_or_close(&self, sinks: &Sinks) {
        self.tap.set_open(!sinks.commands.is_empty() || sinks.homer.is_some());
    }

    /// A defect of ours costs the captures this message and no more: it is caught, counted and told.
    fn guarded(&self, sort: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(sort)).is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!("a message could not be sorted for captures; they lack it. Please report this as a defect");
        }
    }

    fn sort(&self, noted: &Noted) {
        let Noted { seen, flow, tenant_on_flow } = noted;
        // Keep-alives say nothing.
        if !matches!(datagram_kind(&seen.bytes), DatagramKind::Message) {
            return;
        }
        let in_force = self.in_force.load();
        let settings = self.settings.load();
        let named = |uri: &Uri<'_>| match in_force.tenant_by_host(uri.host) {
            Some(tenant) => Named::Tenant(tenant.id.0),
            None if uri.scheme != Scheme::Tel && settings.is_own_address(uri.host, uri.port, flow) => Named::Ourselves,
            None => Named::Nobody,
        };
        let default = settings.default_tenant.as_deref().and_then(|domain| self.tenant(domain));
        let subject = Subject::read(&seen.bytes, named, Fallback { on_flow: *tenant_on_flow, default });
        let mut masked = None;
        let mut masked = || masked.get_or_insert_with(|| without_secrets(seen)).clone();
        let mut sinks = self.sinks();
        for command in &mut sinks.commands {
            if command.to.is_some() && command.filter.takes(seen, subject.as_ref()) {
                self.give(command, masked());
            }
        }
        if let Some((filters, homer)) = &mut sinks.homer
            && filters.iter_mut().any(|filter| filter.takes(seen, subject.as_ref()))
        {
            let call_id = subject.as_ref().map(|subject| subject.call_id).unwrap_or_default();
            let is_sent = homer.send(&masked(), call_id);
            let count = if is_sent { &self.to_homer } else { &self.unsent };
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give(&self, command: &mut Command, seen: Seen) {
        let Some(to) = &command.to else { return };
        let bytes = seen.bytes.len() as u64;
        if command.taken.bytes + bytes > command.limits.bytes {
            command.ending = Ending::Bytes;
            command.to = None;
            return;
        }
        // Whoever reads gives it back, so it is taken first.
        let waiting = command.waiting_bytes.fetch_add(seen.bytes.len(), Ordering::Relaxed) + seen.bytes.len();
        let given =
            if waiting > WAITING_BYTES { Err(mpsc::error::TrySendError::Full(seen)) } else { to.try_send(seen) };
        if given.is_err() {
            command.waiting_bytes.fetch_sub(bytes as usize, Ordering::Relaxed);
        }
        match given {
            Ok(()) => {
                command.taken.messages += 1;
                command.taken.bytes += bytes;
                self.to_commands.fetch_add(1, Ordering::Relaxed);
                if command.taken.messages >= command.limits.messages {
                    command.ending = Ending::Messages;
                    command.to = None;
                }
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                command.taken.dropped += 1;
                self.unread.fetch_add(1, Ordering::Relaxed);
            }
            // It is just ending.
            Err(mpsc::error::TrySendError::Closed(_)) => command.to = None,
        }
    }
}

fn without_secrets(seen: &Seen) -> Seen {
    let mut masked = seen.clone();
    mask(&mut masked.bytes);
    masked
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use ringway_capture::Way;
    use ringway_edge::Location;
    use ringway_net::Clock;
    use ringway_sip::{Flow, ListenerId, Monotonic};

    use super::super::tap;
    use super::*;
    use crate::config;

    const OPTIONS: &[u8] = b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 7\r\nAuthorization: Basic dTpw\r\n\r\n";
    const ALL: Limits = Limits { messages: u64::MAX, bytes: u64::MAX };

    struct Bench {
        tap: Arc<Tap>,
        captures: Arc<Captures>,
    }

    impl Bench {
        fn new() -> Self {
            let (tap, outlet) = tap(Clock::start(), Arc::new(Location::new(1)));
            let in_force = Arc::new(ArcSwap::from_pointee(Snapshot::empty()));
            let captures = Captures::start(Arc::clone(&tap), outlet, in_force, Arc::default()).unwrap();
            Self { tap, captures }
        }

        fn pass(&self, bytes: &[u8]) {
            let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "198.51.100.7:5060".parse().unwrap());
            if let Some(tap) = self.tap.open() {
                tap.note(&Flow::udp(ListenerId(0), local, remote), Way::Received, Monotonic::START, bytes);
            }
        }

        fn wait_for(&self, what: &AtomicU64, count: u64) {
            while what.load(Ordering::Relaxed) < count {
                std::thread::yield_now();
            }
            assert_eq!(what.load(Ordering::Relaxed), count);
        }
    }

    /// The next message. It waits on a thread of its own, as the sorting does.
    fn next(messages: &mut Shown) -> Option<Seen> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(messages.next())
    }

    #[test]
    fn what_a_capture_does_not_read_in_time_is_missing_and_counted() {
        let bench = Bench::new();
        let (number, mut messages) = bench.captures.begin(Wanted::default(), ALL).unwrap();
        bench.pass(b"\r\n\r\n");
        for _ in 0..WAITING + 3 {
            bench.pass(OPTIONS);
        }
        bench.wait_for(&bench.captures.unread, 3);
        let (taken, ending) = bench.captures.end(number);
        assert_eq!((taken.messages, taken.dropped, ending), (WAITING as u64, 3, Ending::Not), "no keep-alive");
        assert!(next(&mut messages).unwrap().bytes.ends_with(b"Basic ****\r\n\r\n"));
    }

    #[test]
    fn a_capture_has_no_more_bytes_than_it_may_have() {
        let bench = Bench::new();
        let limits = Limits { bytes: OPTIONS.len() as u64 * 2, ..ALL };
        let (number, mut messages) = bench.captures.begin(Wanted::default(), limits).unwrap();
        for _ in 0..3 {
            bench.pass(OPTIONS);
        }
        assert!(next(&mut messages).is_some() && next(&mut messages).is_some());
        assert!(next(&mut messages).is_none());
        let (taken, ending) = bench.captures.end(number);
        assert_eq!((taken.messages, ending), (2, Ending::Bytes));
    }

    #[test]
    fn homer_is_sent_every_message_and_what_can_t_be_sent_is_counted() {
        let bench = Bench::new();
        let homer = UdpSocket::bind("127.0.0.1:0").unwrap();
        homer.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let hep = Some(homer.local_addr().unwrap());
        let config = config::Capture { hep, hep_id: 9, hep_password: "pw".into(), hep_tenants: Vec::new() };
        assert!(bench.tap.open().is_none());
        bench.captures.configure(&config);
        bench.pass(OPTIONS);
        let mut packet = [0; 2048];
        let length = homer.recv(&mut packet).unwrap();
        assert!(packet.starts_with(b"HEP3") && packet[..length].ends_with(b"Basic ****\r\n\r\n"));
        bench.wait_for(&bench.captures.to_homer, 1);

        // Nobody listens any more: the system tells with the next message, or the one after it.
        drop(homer);
        while bench.captures.unsent.load(Ordering::Relaxed) == 0 {
            bench.pass(OPTIONS);
        }
        bench.captures.configure(&config::Capture { hep: None, ..config });
        assert!(bench.tap.open().is_none(), "nothing is copied any more");
    }

    #[test]
    fn homer_is_sent_nothing_of_tenants_that_are_not_named() {
        let bench = Bench::new();
        let homer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let hep = Some(homer.local_addr().unwrap());
        bench.captures.configure(&config::Capture {
            hep,
            hep_id: 9,
            hep_password: "".into(),
            hep_tenants: vec!["acme.example".into()],
        });
        // A capture of everything tells when the message has been sorted.
        let (_, mut messages) = bench.captures.begin(Wanted::default(), ALL).unwrap();
        bench.pass(OPTIONS);
        bench.pass(OPTIONS);
        assert!(next(&mut messages).is_some() && next(&mut messages).is_some());
        assert_eq!(bench.captures.to_homer.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_waits_to_be_read_is_bounded_by_bytes_too_and_reading_makes_room() {
        let bench = Bench::new();
        let (number, mut messages) = bench.captures.begin(Wanted::default(), ALL).unwrap();
        let large = [OPTIONS, &[b'x'; 60_000]].concat();
        let fit = WAITING_BYTES / large.len();
        for _ in 0..fit + 2 {
            bench.pass(&large);
        }
        bench.wait_for(&bench.captures.unread, 2);
        assert!(next(&mut messages).is_some());
        bench.pass(&large);
        bench.wait_for(&bench.captures.to_commands, fit as u64 + 1);
        assert_eq!(bench.captures.end(number).0.dropped, 2);
    }

    #[test]
    fn a_message_on_which_sorting_fails_is_counted_and_the_next_one_is_sorted() {
        let bench = Bench::new();
        let (_, mut messages) = bench.captures.begin(Wanted::default(), ALL).unwrap();
        bench.captures.guarded(|| {
            let _held = bench.captures.sinks();
            panic!("a defect");
        });
        bench.pass(OPTIONS);
        assert!(next(&mut messages).is_some());
        assert_eq!(bench.captures.failed.load(Ordering::Relaxed), 1);
    }
}
