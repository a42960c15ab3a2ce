//! What the HTTP side may ask: whether calls are taken, and the numbers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ringway_api::{Answer, Control, Live, Readiness, Registration};
use ringway_directory::{Snapshot, TenantId};
use ringway_edge::bans::BanReason;
use ringway_edge::counters::{CallOutcome, Unmoved};
use ringway_edge::{Activity, Bans, DropReason, Location, Reject};
use ringway_sip::{Method, Transport};
use ringway_store::directory::Directory;
use ringway_store::journal::Journal;
use ringway_telemetry::{Histogram, Metrics, Scrape, names};

use crate::bans::BanOffice;
use crate::capture::Captures;
use crate::media::Media;
use crate::publication::Publication;
use crate::security::TlsListeners;
use crate::shard::Mail;
use crate::shards::Shards;
use crate::sharing::Sharing;

/// How long a shard may take to tell its numbers. Between two batches it does so at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// The transports that this version speaks.
const TRANSPORTS: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

/// The classes of responses.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];

/// The state of the server, from its first moment to its last.
pub(crate) struct Status {
    metrics: Metrics,
    readiness: Mutex<Readiness>,
    running: OnceLock<Running>,
    reloads_applied: AtomicU64,
    reloads_refused: AtomicU64,
}

/// What there is to count once everything is loaded.
pub(crate) struct Running {
    pub(crate) shards: Shards,
    pub(crate) directory: Arc<ArcSwap<Snapshot>>,
    pub(crate) location: Arc<Location>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) bans: Arc<Bans>,
    pub(crate) bans_office: Arc<BanOffice>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) tls: TlsListeners,
    pub(crate) captures: Arc<Captures>,
    pub(crate) media: Option<Media>,
    pub(crate) sharing: Option<Sharing>,
    pub(crate) publication: Arc<Publication>,
    // What each shard told last, for the time that it takes too long: a counter must not fall meanwhile.
    pub(crate) last: Mutex<Vec<Scrape>>,
}

impl Status {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            readiness: Mutex::new(Readiness::NotReady("the server is starting".to_owned())),
            running: OnceLock::new(),
            reloads_applied: AtomicU64::new(0),
            reloads_refused: AtomicU64::new(0),
        }
    }

    /// Says why no calls are taken.
    pub(crate) fn become_unready(&self, reason: &str) {
        *self.readiness.lock().unwrap_or_else(PoisonError::into_inner) = Readiness::NotReady(reason.to_owned());
    }

    /// Says that calls are taken, and where the numbers are from now on.
    pub(crate) fn become_ready(&self, running: Running) {
        // The server becomes ready once.
        let _ = self.running.set(running);
        *self.readiness.lock().unwrap_or_else(PoisonError::into_inner) = Readiness::Ready;
    }

    /// Counts an attempt to read the configuration again.
    pub(crate) fn count_reload(&self, is_applied: bool) {
        let counter = if is_applied { &self.reloads_applied } else { &self.reloads_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    async fn collect(&self) -> Scrape {
        let mut scrape = zeroes();
        scrape.add(&names::RELOADS, &["applied"], self.reloads_applied.load(Ordering::Relaxed));
        scrape.add(&names::RELOADS, &["refused"], self.reloads_refused.load(Ordering::Relaxed));
        if let Some(running) = self.running.get() {
            running.collect(&mut scrape).await;
        }
        scrape
    }
}

impl Running {
    async fn collect(&self, scrape: &mut Scrape) {
        let told = self.shards.ask(Mail::Scrape, PATIENCE).await;
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.resize(told.len(), Scrape::default());
            for (last, told) in last.iter_mut().zip(told) {
                if let Some(told) = told {
                    *last = told;
                }
                scrape.absorb(last);
            }
        }
        let directory = self.directory.load();
        let domain = |tenant: TenantId| directory.tenant(tenant).map_or("", |tenant| &*tenant.domain);
        self.location.count(|tenant, bindings| scrape.add(&names::REGISTRATIONS, &[domain(tenant)], bindings));
        self.activity.calls(|tenant, calls| scrape.add(&names::CALLS_ACTIVE, &[domain(tenant)], calls.into()));
        for (listener, end) in self.tls.ends() {
            let seconds = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            scrape.add(&names::CERTIFICATE_EXPIRY, &[listener], seconds);
        }
        self.captures.collect(scrape);
        self.activity.streams(|tenant, streams| scrape.add(&names::MEDIA_STREAMS, &[domain(tenant)], streams.into()));
        if let Some(media) = &self.media {
            media.report(scrape);
        }
        if let Some(sharing) = &self.sharing {
            sharing.report(scrape);
        }
        scrape.add(&names::BANS, &[], self.bans.len() as u64);
        for reason in BanReason::ALL {
            scrape.add(&names::BANS_MADE, &[reason.code()], self.bans.made(reason));
        }
        scrape.add(&names::BANS_WITHOUT_ROOM, &[], self.bans.without_room());
        let journal = self.journal.counters();
        scrape.add(&names::JOURNAL_RECORDS, &[], journal.records_appended);
        scrape.add(&names::JOURNAL_BYTES, &[], journal.log_bytes);
        scrape.add(&names::JOURNAL_ERRORS, &["append"], journal.append_errors);
        scrape.add(&names::JOURNAL_ERRORS, &["sync"], journal.sync_errors);
        scrape.add(&names::JOURNAL_ERRORS, &["compaction"], journal.compaction_errors);
    }
}

impl Control for Status {
    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn scrape(&self) -> Answer<'_, Scrape> {
        Box::pin(self.collect())
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn directory(&self) -> Option<Directory> {
        self.running.get().map(|running| running.publication.directory())
    }

    fn publish(&self) -> Answer<'_, Result<(), String>> {
        Box::pin(async {
            let running = self.running.get().ok_or_else(|| "the server is starting".to_owned())?;
            running.publication.publish().await
        })
    }

    fn unregister(&self, domain: &str, number: &str, device: Option<u64>) -> bool {
        let Some(running) = self.running.get() else { return false };
        let directory = running.directory.load();
        // Of one that is gone nothing is registered.
        let Some(tenant) = directory.tenant_by_host(domain.as_bytes()).map(|tenant| tenant.id) else { return true };
        let letter = || Mail::Removed { tenant, number: number.as_bytes().into(), device };
        let is_posted = running.shards.post_to_one(letter);
        if !is_posted {
            tracing::warn!(domain, number, "no shard has room: devices that were to go stay until they expire");
        }
        is_posted
    }

    fn unregister_all(&self, domain: &str) {
        let Some(running) = self.running.get() else { return };
        for number in running.publication.registered_numbers(domain) {
            self.unregister(domain, &number, None);
        }
    }

    fn trusts(&self, source: IpAddr) -> bool {
        self.running.get().is_some_and(|running| running.bans_office.trusts(source))
    }

    fn registrations(&self, domain: &str, number: &str) -> Vec<Registration> {
        self.running.get().map(|running| running.publication.registered(domain, number)).unwrap_or_default()
    }

    fn live(&self, domain: &str, number: &str) -> Live {
        let offline = Live { state: "OFFLINE", ..Live::default() };
        let Some(running) = self.running.get() else { return offline };
        let devices = running.publication.registered(domain, number);
        let apps = devices.iter().filter(|device| device.kind == "app").count();
        let directory = running.directory.load();
        let tenant = directory.tenant_by_host(domain.as_bytes());
        let calls = tenant.map_or(0, |tenant| running.activity.calls_of(tenant.id, number.as_bytes()));
        Live {
            state: match (calls, devices.is_empty()) {
                (1.., _) => "ON_CALL",
                (0, false) => "ONLINE",
                (0, true) => "OFFLINE",
            },
            phones: u32::try_from(devices.len() - apps).unwrap_or(u32::MAX),
            apps: u32::try_from(apps).unwrap_or(u32::MAX),
            has_push_token: devices.iter().any(|device| device.has_push_token),
            calls,
        }
    }
}

/// Every series that there may be, before anything has happened.
fn zeroes() -> Scrape {
    let mut scrape = Scrape::default();
    for method in Method::ALL.map(Method::as_str) {
        for transport in TRANSPORTS {
            scrape.add(&names::SIP_REQUESTS, &[method, transport.as_str()], 0);
        }
        for class in CLASSES {
            scrape.add(&names::SIP_RESPONSES, &[method, class], 0);
        }
        scrape.merge(&names::SIP_REQUEST_DURATION, &[method], &Histogram::default());
    }
    for reject in Reject::ALL {
        scrape.add(&names::REJECTS, &[reject.code()], 0);
    }
    for reason in DropReason::ALL {
        scrape.add(&names::DROPS, &[reason.code()], 0);
    }
    for reason in Unmoved::ALL {
        scrape.add(&names::MEDIA_UNANCHORED, &[reason.code()], 0);
    }
    for reason in ringway_media::DropReason::ALL {
        scrape.add(&names::MEDIA_DROPS, &[reason.code()], 0);
    }
    for outcome in CallOutcome::ALL {
        scrape.add(&names::CALLS, &[names::OTHER_TENANTS, outcome.as_str()], 0);
    }
    scrape
}

#[cfg(test)]
mod tests {
    use ringway_telemetry::Format;

    use super::*;

    #[tokio::test]
    async fn every_metric_of_the_contract_is_there_before_anything_has_happened() {
        let status = Status::new(Metrics::new("0").unwrap());
        let text = status.metrics().render(status.scrape().await, Format::Text).unwrap();
        for series in [
            "ringway_sip_requests_total{method=\"OTHER\",transport=\"tcp\"} 0",
            "ringway_sip_responses_total{method=\"INVITE\",class=\"2xx\"} 0",
            "ringway_sip_request_duration_seconds_count{method=\"REGISTER\"} 0",
            "ringway_registrations{tenant=\"other\"} 0",
            "ringway_calls_active{tenant=\"other\"} 0",
            "ringway_calls_total{tenant=\"other\",outcome=\"answered\"} 0",
            "ringway_rejects_total{reason=\"unknown-number\"} 0",
            "ringway_drops_total{reason=\"not-sip\"} 0",
            "ringway_auth_failures_total{tenant=\"other\"} 0",
            "ringway_hook_duration_seconds_count{hook=\"on_call\"} 0",
            "ringway_redis_queue_depth 0",
            "ringway_redis_lag_seconds 0",
            "ringway_udp_receive_errors_total 0",
            "ringway_shard_handovers_total 0",
            "ringway_journal_records_total 0",
            "ringway_journal_bytes 0",
            "ringway_journal_errors_total{operation=\"append\"} 0",
            "ringway_media_streams{tenant=\"other\"} 0",
            "ringway_media_ports 0",
            "ringway_media_packets_total 0",
            "ringway_media_bytes_total 0",
            "ringway_media_drops_total{reason=\"stranger\"} 0",
            "ringway_media_timeouts_total 0",
            "ringway_media_orders_lost_total 0",
            "ringway_media_unanchored_total{reason=\"unreadable\"} 0",
            "ringway_reloads_total{outcome=\"refused\"} 0",
            "ringway_build_info{version=\"0\"} 1",
        ] {
            assert!(text.lines().any(|line| line == series), "{series}\nis not in\n{text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_starts_or_drains_says_so() {
        let status = Status::new(Metrics::new("0").unwrap());
        assert_eq!(status.readiness(), Readiness::NotReady("the server is starting".to_owned()));
        status.become_unready("the server is shutting down");
        assert_eq!(status.readiness(), Readiness::NotReady("the server is shutting down".to_owned()));
    }

    #[tokio::test]
    async fn reloads_are_counted_by_their_outcome() {
        let status = Status::new(Metrics::new("0").unwrap());
        status.count_reload(true);
        status.count_reload(false);
        status.count_reload(false);
        let text = status.metrics().render(status.scrape().await, Format::Text).unwrap();
        assert!(text.contains("ringway_reloads_total{outcome=\"applied\"} 1\n"), "{text}");
        assert!(text.contains("ringway_reloads_total{outcome=\"refused\"} 2\n"), "{text}");
    }
}
