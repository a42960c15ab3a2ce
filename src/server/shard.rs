//! A shard: one thread, its sockets, its engine and its way into the journal.
//!
//! Each turn of the loop takes a batch of whatever has come, lets the engine decide, commits what is to be kept, and only
//! then lets the answers out. Nothing else happens here: what a message means is the engine's business.

mod mail;
mod notes;
mod refill;
mod report;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ringway_capture::Way;
use ringway_edge::{Action, Arrival, Engine, Input};
use ringway_net::{Admission, Ahead, Bound, Clock, Handshakes, Received, SocketOptions, Sockets};
use ringway_sip::{Flow, Method, Monotonic, ShardId};
use ringway_store::journal::{Record, Writer};
use ringway_telemetry::Histogram;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use crate::capture::Tap;
use crate::media::Media;
use crate::slices::{self, Slices};
pub(crate) use mail::{Mail, Mailboxes, mailboxes};
use refill::Refill;

/// Messages of the sockets that one turn takes at most.
const BATCH: usize = 256;
/// Mail of other threads that one turn takes at most.
const MAIL_BATCH: usize = 256;

/// The shortest time between two looks for connections of sources that were banned.
const BETWEEN_CUTS: Duration = Duration::from_secs(1);

/// What a shard is made of.
pub(crate) struct Parts {
    /// Its number and everything its engine starts from.
    pub(crate) engine: ringway_edge::Parts,
    /// Its bound sockets.
    pub(crate) bound: Bound,
    pub(crate) options: SocketOptions,
    /// Connections in all, shared by the shards.
    pub(crate) admission: Arc<Admission>,
    /// The thread of handshakes, shared likewise.
    pub(crate) handshakes: Handshakes,
    pub(crate) clock: Clock,
    pub(crate) journal: Writer,
    /// Where captures see what passes.
    pub(crate) tap: Arc<Tap>,
    /// The relays of media, when there are any.
    pub(crate) media: Option<Media>,
    /// Everybody's mailbox, its own included.
    pub(crate) mailboxes: Mailboxes,
    pub(crate) mail: mpsc::Receiver<Mail>,
}

/// Starts a shard on a thread of its own.
///
/// # Errors
/// When the operating system gives no thread, or the runtime can't take over the sockets.
pub(crate) fn spawn(parts: Parts) -> io::Result<JoinHandle<()>> {
    let shard = parts.engine.shard;
    let (started, has_started) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name(format!("shard-{}", shard.0)).spawn(move || {
        slices::ask(Slices::Usual);
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        runtime.block_on(async {
            match Shard::new(parts) {
                Ok(shard) => {
                    let _ = started.send(Ok(()));
                    shard.run().await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    })?;
    has_started.recv().unwrap_or_else(|_| Err(io::Error::other("the shard's thread has died")))?;
    Ok(thread)
}

struct Shard {
    id: ShardId,
    engine: Engine,
    sockets: Sockets,
    clock: Clock,
    journal: Writer,
    tap: Arc<Tap>,
    media: Option<(Media, Refill)>,
    mailboxes: Mailboxes,
    mail: mpsc::Receiver<Mail>,
    /// When each request of the batch came.
    requests: Vec<(Method, Monotonic)>,
    durations: [Histogram; Method::ALL.len()],
    counts: Counts,
    /// Who waits until every open request is answered.
    drained: Option<oneshot::Sender<()>>,
    is_stopped: bool,
    /// Bans that were made when connections were last held against them, and when that may be done again.
    bans_seen: (u64, Monotonic),
}

/// What the shard itself counts, beside its engine and its sockets.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Mail that a full mailbox did not take.
    mail_dropped: u64,
    /// Answers that were withheld, for the journal could not keep what they say.
    withheld: u64,
    /// Messages on which the engine failed.
    failures: u64,
}

impl Shard {
    fn new(parts: Parts) -> io::Result<Self> {
        let id = parts.engine.shard;
        let shards = parts.engine.settings.shards;
        let media = parts.media.map(|media| {
            let refill = Refill::new(media.most_in_reserve(shards));
            (media, refill)
        });
        let sockets = Sockets::new(id, parts.bound, &parts.options, parts.admission, parts.handshakes, parts.clock)?;
        Ok(Self {
            id,
            engine: Engine::new(parts.engine),
            sockets,
            clock: parts.clock,
            journal: parts.journal,
            tap: parts.tap,
            media,
            mailboxes: parts.mailboxes,
            mail: parts.mail,
            requests: Vec::with_capacity(BATCH),
            durations: Default::default(),
            counts: Counts::default(),
            drained: None,
            is_stopped: false,
            bans_seen: (0, Monotonic::START),
        })
    }

    async fn run(mut self) {
        while !self.is_stopped {
            let mail = self.wait().await;
            self.take_mail(mail);
            self.receive();
            self.meet_deadline();
            self.commit();
            self.write_notes();
            self.refill();
            self.cut_off_banned();
            if self.engine.unanswered() == 0
                && let Some(drained) = self.drained.take()
            {
                let _ = drained.send(());
            }
        }
    }

    /// Waits for the sockets, for mail or for the engine's next deadline, whichever comes first.
    async fn wait(&mut self) -> Option<Mail> {
        let due = self.engine.deadline();
        // A deadline that is due ends the wait before the runtime has looked at the sockets. One after the other, as when much
        // expires, would leave messages lying for as long as that lasts.
        if due <= self.clock.monotonic() {
            tokio::task::yield_now().await;
        }
        let deadline = self.clock.instant(due);
        // The sockets first: what they have learned counts in this turn, whatever ends the wait. Mail is looked for in any case.
        tokio::select! {
            biased;
            () = self.sockets.ready() => {
                let mail = self.mail.try_recv();
                self.is_stopped |= matches!(mail, Err(TryRecvError::Disconnected));
                mail.ok()
            }
            mail = self.mail.recv() => {
                // Without anybody left to write to it, the server is gone.
                self.is_stopped |= mail.is_none();
                mail
            }
            () = tokio::time::sleep_until(deadline.into()) => None,
        }
    }

    fn take_mail(&mut self, first: Option<Mail>) {
        let mut next = first;
        for _ in 0..MAIL_BATCH {
            let Some(mail) = next else { return };
            self.open(mail);
            next = self.mail.try_recv().ok();
        }
        if let Some(mail) = next {
            self.open(mail);
        }
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::HandOver { flow, offered, arrived, bytes } => {
                let input = Input::Message { flow, bytes: &bytes, arrival: Arrival::HandedOver { offered } };
                self.handle(input, arrived);
            }
            Mail::Send { flow, bytes } => {
                if let Some(tap) = self.tap.open() {
                    tap.note(&flow, Way::Sent, self.clock.monotonic(), &bytes);
                }
                self.sockets.send(&flow, 0, &bytes);
            }
            Mail::Closed(flow) => self.handle(Input::FlowClosed(flow), Monotonic::START),
            Mail::SendFailed(flow) => self.handle(Input::SendFailed(flow), Monotonic::START),
            Mail::NodeSilent(flow) => self.handle(Input::NodeSilent(flow), Monotonic::START),
            Mail::NodeGone(flow) => self.handle(Input::NodeGone(flow), Monotonic::START),
            Mail::Directory(directory, taken) => {
                self.handle(Input::Directory(directory), Monotonic::START);
                let _ = taken.send(());
            }
            Mail::Settings(settings, taken) => {
                self.handle(Input::Settings(settings), Monotonic::START);
                let _ = taken.send(());
            }
            Mail::Published { tenant, number, version } => {
                self.handle(Input::Published { tenant, number: &number, version }, Monotonic::START);
            }
            Mail::Removed { tenant, number, device } => {
                self.handle(Input::Removed { tenant, number: &number, device }, Monotonic::START);
            }
            Mail::GaveWay { tenant, number } => {
                self.handle(Input::GaveWay { tenant, number: &number }, Monotonic::START);
            }
            Mail::LookedUp { tenant, number } => {
                self.handle(Input::LookedUp { tenant, number: &number }, Monotonic::START);
            }
            Mail::Lanes(lanes) => {
                if let Some((_, refill)) = &mut self.media {
                    refill.come(lanes.len(), self.clock.monotonic());
                }
                self.handle(Input::Lanes(&lanes), Monotonic::START);
            }
            Mail::LaneTimedOut(lane) => self.handle(Input::LaneTimedOut(lane), Monotonic::START),
            Mail::LaneIdle(lane) => self.handle(Input::LaneIdle(lane), Monotonic::START),
            Mail::Scrape(reply) => {
                let _ = reply.send(self.report());
            }
            Mail::Drain(drained) => self.drained = Some(drained),
            Mail::Stop => self.is_stopped = true,
        }
    }

    fn receive(&mut self) {
        let Self { id, engine, sockets, clock, tap, requests, counts, mailboxes, .. } = self;
        let now = clock.now();
        let tap = tap.open();
        let mut tell_others = |mail: fn(Flow) -> Mail, flow: Flow| {
            if flow.transport.is_reliable() {
                counts.mail_dropped += mailboxes.post_to_others(*id, || mail(flow));
            }
        };
        let mut decided = Counts::default();
        sockets.receive(BATCH, |received, _| {
            let (input, arrived) = match received {
                Received::Ahead(ahead) => return foresee(engine, ahead, &mut decided),
                Received::Message { flow, bytes, arrived, waits_since } => {
                    if let Some(tap) = tap {
                        tap.note(&flow, Way::Received, arrived, bytes);
                    }
                    if let Some(since) = waits_since {
                        engine.note_waiting(now, flow.listener, now.monotonic.since(since));
                    }
                    (Input::Message { flow, bytes, arrival: Arrival::Wire }, arrived)
                }
                Received::FrameError { flow, problem, head } => {
                    let head = head.unwrap_or_default();
                    if let Some(tap) = tap {
                        tap.note(&flow, Way::Received, now.monotonic, head);
                    }
                    (Input::Unframed { flow, head, problem }, Monotonic::START)
                }
                // A call may hang on a connection that another shard reads.
                Received::Closed(flow) => {
                    tell_others(Mail::Closed, flow);
                    (Input::FlowClosed(flow), Monotonic::START)
                }
                Received::SendFailed(flow, _) => {
                    tell_others(Mail::SendFailed, flow);
                    (Input::SendFailed(flow), Monotonic::START)
                }
            };
            decide(engine, now, input, arrived, requests, &mut decided);
        });
        self.counts.failures += decided.failures;
    }

    /// Cuts off connections of whoever was banned since the last look. All connections are looked at, so not too often.
    fn cut_off_banned(&mut self) {
        let (seen, again) = self.bans_seen;
        let made = self.engine.bans().made_in_all();
        if made == seen {
            return;
        }
        let now = self.clock.now();
        if now.monotonic >= again {
            self.bans_seen = (made, now.monotonic + BETWEEN_CUTS);
            let Self { sockets, engine, .. } = self;
            sockets.cut_off(|flow| engine.is_banned(now, flow));
        }
    }

    fn meet_deadline(&mut self) {
        if self.engine.deadline() <= self.clock.monotonic() {
            self.handle(Input::Deadline, Monotonic::START);
        }
    }

    fn handle(&mut self, input: Input<'_>, arrived: Monotonic) {
        let Self { engine, clock, requests, counts, .. } = self;
        decide(engine, clock.now(), input, arrived, requests, counts);
    }

    /// Hands what is to be kept to the kernel, and then lets everything out.
    fn commit(&mut self) {
        let Self { engine, sockets, journal, tap, media, mailboxes, counts, requests, .. } = self;
        for change in engine.saves() {
            let record =
                Record { key: change.key, version: change.version, expires: change.expires, blob: change.record };
            if let Err(error) = journal.push(record) {
                tracing::error!(%error, "a registration can't be kept in the journal");
            }
        }
        let is_kept = match journal.commit() {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the journal can't be written: registrations are not answered until it can");
                false
            }
        };
        let id = self.id;
        let tap = tap.open();
        let mut hand_overs = Vec::new();
        // Nobody repeats what a stream lost.
        let mut unsent = Vec::new();
        engine.drain(|action| match action {
            Action::Send { after_save: true, .. } if !is_kept => counts.withheld += 1,
            Action::Send { flow, bytes, conversation, .. } => match owner(&flow) {
                Some(owner) if owner != id => {
                    if !mailboxes.post(owner, Mail::Send { flow, bytes: bytes.into() }) {
                        counts.mail_dropped += 1;
                        unsent.push(flow);
                    }
                }
                _ => {
                    if let Some(tap) = tap {
                        tap.note(&flow, Way::Sent, self.clock.monotonic(), bytes);
                    }
                    sockets.send(&flow, conversation, bytes);
                }
            },
            Action::HandOver { to, offered, flow, bytes } => hand_overs.push((to, offered, flow, Box::from(bytes))),
            Action::Expect { flow, every, within } => sockets.expect(&flow, every, within),
            // It is with the kernel, or its answers are withheld.
            Action::Save(_) => {}
            Action::Relay(lane, order) => {
                if let Some((media, _)) = media {
                    media.order(lane, *order);
                }
            }
        });
        for flow in unsent {
            decide(engine, self.clock.now(), Input::SendFailed(flow), Monotonic::START, requests, counts);
        }
        let arrived = self.clock.monotonic();
        for (to, offered, flow, bytes) in hand_overs {
            let is_taken = mailboxes.post(to, Mail::HandOver { flow, offered, arrived, bytes });
            counts.mail_dropped += u64::from(!is_taken);
        }
        sockets.flush();
        if !requests.is_empty() {
            let sent = self.clock.monotonic();
            for (method, arrived) in requests.drain(..) {
                self.durations[method as usize].observe(sent.since(arrived));
            }
        }
    }
}

impl Shard {
    /// Asks for ports of the relay when few are left.
    fn refill(&mut self) {
        let Some((media, refill)) = &mut self.media else { return };
        let (free, shortages) = (self.engine.free_lanes(), self.engine.lane_shortages());
        let now = self.clock.monotonic();
        if let Some(count) = refill.wanted(free, shortages, now)
            && !media.provide(self.id, count)
        {
            refill.come(0, now);
        }
    }
}

/// The shard whose thread a flow's connection belongs to.
fn owner(flow: &Flow) -> Option<ShardId> {
    flow.connection.map(|connection| connection.shard)
}

/// Shows the engine what comes next. It gains time and nothing else, so a defect of ours costs no message.
fn foresee(engine: &Engine, ahead: Ahead<'_>, counts: &mut Counts) {
    if catch_unwind(AssertUnwindSafe(|| engine.foresee(ahead.datagrams()))).is_err() {
        counts.failures += 1;
        tracing::error!("the look at messages to come made the engine fail. Please report this as a defect");
    }
}

/// Lets the engine decide on one input. A defect of ours costs this message and no more: it is caught, counted and told.
fn decide(
    engine: &mut Engine,
    now: ringway_sip::Now,
    input: Input<'_>,
    arrived: Monotonic,
    requests: &mut Vec<(Method, Monotonic)>,
    counts: &mut Counts,
) {
    match catch_unwind(AssertUnwindSafe(|| engine.handle(now, input))) {
        Ok(Some(method)) => requests.push((method, arrived)),
        Ok(None) => {}
        Err(_) => {
            counts.failures += 1;
            tracing::error!("a message made the engine fail; it was dropped. Please report this as a defect");
        }
    }
}
