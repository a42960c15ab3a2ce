//! A shard's numbers, in the words of the metrics.

use ringway_edge::counters::CallEnd;
use ringway_edge::counters::Unmoved;
use ringway_edge::reject::{DropReason, Reject};
use ringway_sip::{Method, Transport};
use ringway_telemetry::{Scrape, names};

use super::Shard;

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "6xx"];

impl Shard {
    /// Everything that this shard has counted since its start.
    pub(super) fn report(&self) -> Scrape {
        let mut scrape = Scrape::default();
        let counters = self.engine.counters();
        for (transport, by_method) in Transport::ALL.iter().zip(&counters.requests) {
            for (method, count) in Method::ALL.iter().zip(by_method) {
                if *count > 0 {
                    scrape.add(&names::SIP_REQUESTS, &[method.as_str(), transport.as_str()], *count);
                }
            }
        }
        for (method, by_class) in Method::ALL.iter().zip(&counters.responses) {
            for (class, count) in CLASSES.iter().zip(by_class) {
                if *count > 0 {
                    scrape.add(&names::SIP_RESPONSES, &[method.as_str(), class], *count);
                }
            }
        }
        for (method, durations) in Method::ALL.iter().zip(&self.durations) {
            if durations.count() > 0 {
                scrape.merge(&names::SIP_REQUEST_DURATION, &[method.as_str()], durations);
            }
        }
        for (reject, count) in Reject::ALL.iter().zip(counters.rejects) {
            scrape.add(&names::REJECTS, &[reject.code()], count);
        }
        for (reason, count) in DropReason::ALL.iter().zip(counters.drops) {
            scrape.add(&names::DROPS, &[reason.code()], count);
        }
        for (end, count) in CallEnd::ALL.iter().zip(counters.calls_ended) {
            scrape.add(&names::CALLS_ENDED, &[end.as_str()], count);
        }
        for (reason, count) in Unmoved::ALL.iter().zip(counters.unmoved) {
            scrape.add(&names::MEDIA_UNANCHORED, &[reason.code()], count);
        }
        self.report_sockets(&mut scrape);
        self.report_connections(&mut scrape);
        self.report_tenants(&mut scrape);
        let shard = self.id.0.to_string();
        scrape.add(&names::SHARD_QUEUE_DEPTH, &[&shard], self.mail.len() as u64);
        let (refused, waiting) = self.engine.overload(self.clock.monotonic());
        scrape.add_fraction(&names::SHARD_WAITING, &[&shard], waiting.as_secs_f64());
        scrape.add_fraction(&names::SHARD_REFUSING, &[&shard], f64::from(refused) / 100.0);
        scrape.add(&names::SIP_RESPONSES_FROM_ELSEWHERE, &[], counters.responses_from_elsewhere);
        scrape.add(&names::SHARD_HANDOVERS, &[], counters.handovers);
        scrape.add(&names::STUN_ANSWERS, &[], counters.stun_answers);
        scrape.add(&names::PINGS_SENT, &[], counters.pings_sent);
        scrape.add(&names::PINGS_ANSWERED, &[], counters.pings_answered);
        scrape.add(&names::BINDINGS_GONE, &[], counters.bindings_gone);
        scrape
    }

    fn report_sockets(&self, scrape: &mut Scrape) {
        let sockets = self.sockets.counters();
        scrape.add(&names::UDP_RECEIVE_ERRORS, &[], sockets.kernel_drops + sockets.receive_errors);
        self.report_drops(scrape);
    }

    fn report_drops(&self, scrape: &mut Scrape) {
        let sockets = self.sockets.counters();
        for (reason, count) in [
            ("truncated", sockets.datagrams_truncated),
            ("send-queue-full", sockets.sends_dropped),
            ("shard-queue-full", self.counts.mail_dropped),
            ("journal-failed", self.counts.withheld),
            ("internal", self.counts.failures),
        ] {
            scrape.add(&names::DROPS, &[reason], count);
        }
    }

    fn report_connections(&self, scrape: &mut Scrape) {
        let sockets = self.sockets.counters();
        scrape.add(&names::CONNECTIONS, &[], sockets.connections_open);
        scrape.add(&names::CONNECTIONS_MADE, &["peer"], sockets.connections_accepted);
        scrape.add(&names::CONNECTIONS_MADE, &["us"], sockets.connections_opened);
        for (reason, count) in [
            ("too-many", sockets.refused_in_all),
            ("too-many-of-source", sockets.refused_by_source),
            ("banned", sockets.refused_banned),
            ("system", sockets.accept_errors),
        ] {
            scrape.add(&names::CONNECTIONS_REFUSED, &[reason], count);
        }
        scrape.add(&names::CONNECTIONS_FAILED, &[], sockets.connections_failed);
        for (reason, count) in [
            ("idle", sockets.closed_idle),
            ("slow", sockets.closed_slow),
            ("unread", sockets.closed_unread),
            ("unframed", sockets.frame_errors),
            ("banned", sockets.closed_banned),
        ] {
            scrape.add(&names::CONNECTIONS_CLOSED, &[reason], count);
        }
        for (outcome, count) in [
            ("done", sockets.handshakes_done),
            ("refused", sockets.handshakes_refused),
            ("timeout", sockets.handshakes_slow),
            ("tls", sockets.handshakes_failed_tls),
            ("websocket", sockets.handshakes_failed_websocket),
        ] {
            scrape.add(&names::HANDSHAKES, &[outcome], count);
        }
    }

    fn report_tenants(&self, scrape: &mut Scrape) {
        let counters = self.engine.counters();
        let directory = self.engine.directory();
        let domain = |tenant| directory.tenant(tenant).map_or("", |tenant| &*tenant.domain);
        for (tenant, count) in &counters.auth_failures {
            scrape.add(&names::AUTH_FAILURES, &[domain(*tenant)], *count);
        }
        for (tenant, count) in &counters.tenant_refusals {
            scrape.add(&names::TENANT_REFUSALS, &[domain(*tenant)], *count);
        }
        for ((tenant, outcome), count) in &counters.calls {
            scrape.add(&names::CALLS, &[domain(*tenant), outcome.as_str()], *count);
        }
    }
}
