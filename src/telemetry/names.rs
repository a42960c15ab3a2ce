//! Every metric, in one place: its name, what it means, its labels.
//!
//! Names are a contract with dashboards and alerts. A series that nothing has moved yet is shown at 0, so that a
//! `rate()` over it works from the first minute.

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; starts at 0 with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
    /// Always 1; what it says stands in its labels.
    Info,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// As Prometheus sees it, prefix and `_total` included.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it counts, in one sentence.
    pub help: &'static str,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// Label values that are shown at 0 before anything was counted.
    pub at_zero: &'static [&'static [&'static str]],
}

impl Metric {
    /// Which label holds the tenant, if one does. That label's values are bounded.
    pub(crate) fn tenant_label(&self) -> Option<usize> {
        self.labels.iter().position(|label| *label == "tenant")
    }
}

/// The value of a tenant label that stands for all tenants that have no series of their own.
pub const OTHER_TENANTS: &str = "other";

const UNLABELLED: &[&[&str]] = &[&[]];
const OTHERS: &[&[&str]] = &[&[OTHER_TENANTS]];

/// Requests received.
pub const SIP_REQUESTS: Metric = Metric {
    name: "ringway_sip_requests_total",
    kind: Kind::Counter,
    help: "SIP requests received; methods without a name here count as OTHER.",
    labels: &["method", "transport"],
    at_zero: &[],
};

/// Responses sent or forwarded.
pub const SIP_RESPONSES: Metric = Metric {
    name: "ringway_sip_responses_total",
    kind: Kind::Counter,
    help: "SIP responses sent or forwarded, by method and class.",
    labels: &["method", "class"],
    at_zero: &[],
};

/// The server's own share of a request.
pub const SIP_REQUEST_DURATION: Metric = Metric {
    name: "ringway_sip_request_duration_seconds",
    kind: Kind::Histogram,
    help: "Time from the kernel's receipt of a request to the send of what follows from it.",
    labels: &["method"],
    at_zero: &[],
};

/// Bindings in the location service.
pub const REGISTRATIONS: Metric = Metric {
    name: "ringway_registrations",
    kind: Kind::Gauge,
    help: "Bindings in the location service.",
    labels: &["tenant"],
    at_zero: OTHERS,
};

/// Calls in progress.
pub const CALLS_ACTIVE: Metric = Metric {
    name: "ringway_calls_active",
    kind: Kind::Gauge,
    help: "Calls in progress, ringing ones included.",
    labels: &["tenant"],
    at_zero: OTHERS,
};

/// Calls that ended.
pub const CALLS: Metric = Metric {
    name: "ringway_calls_total",
    kind: Kind::Counter,
    help: "Calls that ended, by outcome.",
    labels: &["tenant", "outcome"],
    at_zero: &[],
};

/// Calls that the node ended.
pub const CALLS_ENDED: Metric = Metric {
    name: "ringway_calls_ended_total",
    kind: Kind::Counter,
    help: "Calls that were ended here, by reason: both sides were sent BYE.",
    labels: &["reason"],
    at_zero: &[&["call-too-long"], &["session-expired"]],
};

/// Refusals that originate here.
pub const REJECTS: Metric = Metric {
    name: "ringway_rejects_total",
    kind: Kind::Counter,
    help: "Requests refused, by reason code.",
    labels: &["reason"],
    at_zero: &[],
};

/// Messages discarded without an answer.
pub const DROPS: Metric = Metric {
    name: "ringway_drops_total",
    kind: Kind::Counter,
    help: "Messages discarded without an answer, by reason.",
    labels: &["reason"],
    at_zero: &[],
};

/// Digests that did not verify.
pub const AUTH_FAILURES: Metric = Metric {
    name: "ringway_auth_failures_total",
    kind: Kind::Counter,
    help: "Credentials that did not verify.",
    labels: &["tenant"],
    at_zero: OTHERS,
};

/// Requests that a tenant had no room for.
pub const TENANT_REFUSALS: Metric = Metric {
    name: "ringway_tenant_refusals_total",
    kind: Kind::Counter,
    help: "Requests refused because their tenant was over its budget, or over its share of an overloaded node.",
    labels: &["tenant"],
    at_zero: OTHERS,
};

/// Time that Lua hooks took.
pub const HOOK_DURATION: Metric = Metric {
    name: "ringway_hook_duration_seconds",
    kind: Kind::Histogram,
    help: "Time that a Lua hook took.",
    labels: &["hook"],
    at_zero: &[&["on_register"], &["on_call"], &["on_target"], &["on_failure"], &["on_price"], &["on_end"]],
};

/// Lua hooks that failed.
pub const HOOK_FAILURES: Metric = Metric {
    name: "ringway_hook_failures_total",
    kind: Kind::Counter,
    help: "Lua hooks that failed, by kind of failure.",
    labels: &["tenant", "hook", "kind"],
    at_zero: &[
        &[OTHER_TENANTS, "on_register", "error"],
        &[OTHER_TENANTS, "on_call", "error"],
        &[OTHER_TENANTS, "on_target", "error"],
        &[OTHER_TENANTS, "on_failure", "error"],
        &[OTHER_TENANTS, "on_price", "error"],
        &[OTHER_TENANTS, "on_end", "error"],
    ],
};

/// Changes that wait for Redis.
pub const REDIS_QUEUE_DEPTH: Metric = Metric {
    name: "ringway_redis_queue_depth",
    kind: Kind::Gauge,
    help: "Changes that wait to be written to Redis.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// How far behind others' news this node is.
pub const REDIS_BEHIND: Metric = Metric {
    name: "ringway_redis_behind_seconds",
    kind: Kind::Gauge,
    help: "Time since all that other nodes had told was known.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Age of the oldest change that waits for Redis.
pub const REDIS_LAG: Metric = Metric {
    name: "ringway_redis_lag_seconds",
    kind: Kind::Gauge,
    help: "Age of the oldest change that waits to be written to Redis.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Whether there is a connection to Redis.
pub const REDIS_CONNECTED: Metric = Metric {
    name: "ringway_redis_connected",
    kind: Kind::Gauge,
    help: "1 when this node is connected to Redis, 0 when it is not or has none.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Whether what other nodes have is known.
pub const REDIS_CURRENT: Metric = Metric {
    name: "ringway_redis_current",
    kind: Kind::Gauge,
    help: "1 when this node knows what other nodes have published, but for the last moments.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Sections of addresses-of-record.
pub const REDIS_SECTIONS: Metric = Metric {
    name: "ringway_redis_sections_total",
    kind: Kind::Counter,
    help: "What this node has of an address-of-record, written to Redis, and what others have, read from there.",
    labels: &["direction"],
    at_zero: &[&["published"], &["learned"]],
};

/// What went wrong with Redis.
pub const REDIS_ERRORS: Metric = Metric {
    name: "ringway_redis_errors_total",
    kind: Kind::Counter,
    help: "Trouble with Redis: sections that it did not take, lost connections, blobs that can't be read.",
    labels: &["kind"],
    at_zero: &[&["refused"], &["disconnect"], &["garbage"], &["newer"]],
};

/// Numbers that a call has waited for.
pub const REDIS_LOOK_UPS: Metric = Metric {
    name: "ringway_redis_look_ups_total",
    kind: Kind::Counter,
    help: "Numbers that Redis was asked for because a call waited for them, before this node knew all that others have.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Other nodes that live.
pub const NODES: Metric = Metric {
    name: "ringway_nodes",
    kind: Kind::Gauge,
    help: "Other nodes that share registrations with this one and can be handed calls.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Comparisons of everything with Redis.
pub const REDIS_RECONCILIATIONS: Metric = Metric {
    name: "ringway_redis_reconciliations_total",
    kind: Kind::Counter,
    help: "Times that registrations were compared with Redis as a whole, for something was missed or lost.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Datagrams that the kernel dropped, and failed receives.
pub const UDP_RECEIVE_ERRORS: Metric = Metric {
    name: "ringway_udp_receive_errors_total",
    kind: Kind::Counter,
    help: "Datagrams lost before they were read: the socket's buffer was full, or the receive failed.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Connections that are open.
pub const CONNECTIONS: Metric = Metric {
    name: "ringway_connections",
    kind: Kind::Gauge,
    help: "Connections that are open, those included that we are opening.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Connections that came about.
pub const CONNECTIONS_MADE: Metric = Metric {
    name: "ringway_connections_made_total",
    kind: Kind::Counter,
    help: "Connections that came about, by who opened them.",
    labels: &["by"],
    at_zero: &[&["peer"], &["us"]],
};

/// Connections that were turned away.
pub const CONNECTIONS_REFUSED: Metric = Metric {
    name: "ringway_connections_refused_total",
    kind: Kind::Counter,
    help: "Connections of others that were turned away, by reason.",
    labels: &["reason"],
    at_zero: &[&["too-many"], &["too-many-of-source"], &["banned"], &["system"]],
};

/// Connections that we could not open.
pub const CONNECTIONS_FAILED: Metric = Metric {
    name: "ringway_connections_failed_total",
    kind: Kind::Counter,
    help: "Connections that we could not open, or not in time.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Connections that we closed.
pub const CONNECTIONS_CLOSED: Metric = Metric {
    name: "ringway_connections_closed_total",
    kind: Kind::Counter,
    help: "Connections that we closed, by reason.",
    labels: &["reason"],
    at_zero: &[&["idle"], &["slow"], &["unread"], &["unframed"], &["banned"]],
};

/// Bans in force.
pub const BANS: Metric = Metric {
    name: "ringway_bans",
    kind: Kind::Gauge,
    help: "Sources, addresses and accounts that are banned now.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Bans made.
pub const BANS_MADE: Metric = Metric {
    name: "ringway_bans_made_total",
    kind: Kind::Counter,
    help: "Bans made, by reason.",
    labels: &["reason"],
    at_zero: &[&["brute-force"], &["scanner"], &["malformed"], &["manual"]],
};

/// Bans without room.
pub const BANS_WITHOUT_ROOM: Metric = Metric {
    name: "ringway_bans_without_room_total",
    kind: Kind::Counter,
    help: "Bans that were not made, for there were limits.max_bans already, which lasted longer.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Handshakes of TLS and WebSocket.
pub const HANDSHAKES: Metric = Metric {
    name: "ringway_handshakes_total",
    kind: Kind::Counter,
    help: "Handshakes of TLS and WebSocket, by outcome: done, refused (its source has too many at once), timeout, tls or websocket (it failed there).",
    labels: &["outcome"],
    at_zero: &[&["done"], &["refused"], &["timeout"], &["tls"], &["websocket"]],
};

/// When certificates end.
pub const CERTIFICATE_EXPIRY: Metric = Metric {
    name: "ringway_certificate_expiry_timestamp_seconds",
    kind: Kind::Gauge,
    help: "When the first of a TLS listener's certificates ends, in Unix seconds.",
    labels: &["listener"],
    at_zero: &[],
};

/// Messages that wait in a shard's mailbox.
pub const SHARD_QUEUE_DEPTH: Metric = Metric {
    name: "ringway_shard_queue_depth",
    kind: Kind::Gauge,
    help: "Messages that other threads have put into a shard's queue and that it has not taken yet.",
    labels: &["shard"],
    at_zero: &[],
};

/// How long messages wait.
pub const SHARD_WAITING: Metric = Metric {
    name: "ringway_shard_waiting_seconds",
    kind: Kind::Gauge,
    help: "How long each message of a listener at least waited for its turn in the last tenth of a second, at the listener where that was the longest.",
    labels: &["shard"],
    at_zero: &[],
};

/// How much new work is refused.
pub const SHARD_REFUSING: Metric = Metric {
    name: "ringway_shard_refusing_ratio",
    kind: Kind::Gauge,
    help: "The part of new work that is refused because messages wait too long.",
    labels: &["shard"],
    at_zero: &[],
};

/// Responses from elsewhere than their request went.
pub const SIP_RESPONSES_FROM_ELSEWHERE: Metric = Metric {
    name: "ringway_sip_responses_from_elsewhere_total",
    kind: Kind::Counter,
    help: "Responses taken by their branch that came from another address than their request had gone to.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Messages handed from one shard to another.
pub const SHARD_HANDOVERS: Metric = Metric {
    name: "ringway_shard_handovers_total",
    kind: Kind::Counter,
    help: "Messages handed from the shard that received them to the one that owns them.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Records written to the journal.
pub const JOURNAL_RECORDS: Metric = Metric {
    name: "ringway_journal_records_total",
    kind: Kind::Counter,
    help: "Changes of registrations written to the journal.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// How large the journal is.
pub const JOURNAL_BYTES: Metric = Metric {
    name: "ringway_journal_bytes",
    kind: Kind::Gauge,
    help: "Size of the journal's files.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// STUN keep-alives.
pub const STUN_ANSWERS: Metric = Metric {
    name: "ringway_stun_answers_total",
    kind: Kind::Counter,
    help: "STUN keep-alives of registered devices that were answered.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Pings of devices behind NATs.
pub const PINGS_SENT: Metric = Metric {
    name: "ringway_pings_sent_total",
    kind: Kind::Counter,
    help: "OPTIONS pings sent to devices behind NATs.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Pings that were answered.
pub const PINGS_ANSWERED: Metric = Metric {
    name: "ringway_pings_answered_total",
    kind: Kind::Counter,
    help: "OPTIONS pings that were answered.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Bindings whose devices no longer answer.
pub const BINDINGS_GONE: Metric = Metric {
    name: "ringway_bindings_gone_total",
    kind: Kind::Counter,
    help: "Bindings removed before they expired, for their devices had stopped to answer pings.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// What the journal could not do.
pub const JOURNAL_ERRORS: Metric = Metric {
    name: "ringway_journal_errors_total",
    kind: Kind::Counter,
    help: "What the journal could not do, by operation.",
    labels: &["operation"],
    at_zero: &[&["append"], &["sync"], &["compaction"]],
};

/// Streams of media that are relayed.
pub const MEDIA_STREAMS: Metric = Metric {
    name: "ringway_media_streams",
    kind: Kind::Gauge,
    help: "Streams of media that are relayed: a call of audio has one for each device that rings.",
    labels: &["tenant"],
    at_zero: OTHERS,
};

/// Ports of the media relay.
pub const MEDIA_PORTS: Metric = Metric {
    name: "ringway_media_ports",
    kind: Kind::Gauge,
    help: "Ports that the media relay has bound, those in reserve included.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Packets of media passed on.
pub const MEDIA_PACKETS: Metric = Metric {
    name: "ringway_media_packets_total",
    kind: Kind::Counter,
    help: "Packets of media passed from one side of a call to the other.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Bytes of media passed on.
pub const MEDIA_BYTES: Metric = Metric {
    name: "ringway_media_bytes_total",
    kind: Kind::Counter,
    help: "Bytes of media passed on, without the headers of IP and UDP.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Packets of media discarded.
pub const MEDIA_DROPS: Metric = Metric {
    name: "ringway_media_drops_total",
    kind: Kind::Counter,
    help: "Packets on media ports that were not passed on, by reason.",
    labels: &["reason"],
    at_zero: &[],
};

/// Streams that fell silent.
pub const MEDIA_TIME_OUTS: Metric = Metric {
    name: "ringway_media_timeouts_total",
    kind: Kind::Counter,
    help: "Relayed streams that ended because no packet came.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Orders that the media relay never got.
pub const MEDIA_ORDERS_LOST: Metric = Metric {
    name: "ringway_media_orders_lost_total",
    kind: Kind::Counter,
    help: "Orders to the media relay that its full queue did not take.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Media that should have been relayed.
pub const MEDIA_UNANCHORED: Metric = Metric {
    name: "ringway_media_unanchored_total",
    kind: Kind::Counter,
    help: "Session descriptions passed on as they came, though their media was to be relayed, by reason.",
    labels: &["reason"],
    at_zero: &[],
};

/// Attempts to read the configuration again.
pub const RELOADS: Metric = Metric {
    name: "ringway_reloads_total",
    kind: Kind::Counter,
    help: "Attempts to read the configuration again, by outcome.",
    labels: &["outcome"],
    at_zero: &[&["applied"], &["refused"]],
};

/// Captures that commands have running.
pub const CAPTURES: Metric = Metric {
    name: "ringway_captures",
    kind: Kind::Gauge,
    help: "Captures that commands have running.",
    labels: &[],
    at_zero: UNLABELLED,
};

/// Messages that captures were given.
pub const CAPTURED_MESSAGES: Metric = Metric {
    name: "ringway_captured_messages_total",
    kind: Kind::Counter,
    help: "Messages shown to captures of commands, or sent by HEP.",
    labels: &["to"],
    at_zero: &[&["command"], &["hep"]],
};

/// Messages that captures have missed.
pub const CAPTURE_DROPPED: Metric = Metric {
    name: "ringway_capture_dropped_total",
    kind: Kind::Counter,
    help: "Messages that captures have missed, by reason. The messages themselves were handled as ever.",
    labels: &["reason"],
    at_zero: &[&["queue-full"], &["slow-reader"], &["hep"], &["failure"]],
};

/// What is running.
pub const BUILD_INFO: Metric = Metric {
    name: "ringway_build_info",
    kind: Kind::Info,
    help: "The version that is running.",
    labels: &["version"],
    at_zero: &[],
};

/// Every metric.
pub const ALL: &[&Metric] = &[
    &SIP_REQUESTS,
    &SIP_RESPONSES,
    &SIP_REQUEST_DURATION,
    &REGISTRATIONS,
    &CALLS_ACTIVE,
    &CALLS,
    &CALLS_ENDED,
    &REJECTS,
    &DROPS,
    &AUTH_FAILURES,
    &TENANT_REFUSALS,
    &HOOK_DURATION,
    &HOOK_FAILURES,
    &REDIS_QUEUE_DEPTH,
    &REDIS_LAG,
    &REDIS_BEHIND,
    &REDIS_CONNECTED,
    &REDIS_CURRENT,
    &REDIS_SECTIONS,
    &REDIS_ERRORS,
    &REDIS_LOOK_UPS,
    &NODES,
    &REDIS_RECONCILIATIONS,
    &UDP_RECEIVE_ERRORS,
    &CONNECTIONS,
    &CONNECTIONS_MADE,
    &CONNECTIONS_REFUSED,
    &CONNECTIONS_FAILED,
    &CONNECTIONS_CLOSED,
    &HANDSHAKES,
    &CERTIFICATE_EXPIRY,
    &BANS,
    &BANS_MADE,
    &BANS_WITHOUT_ROOM,
    &SHARD_QUEUE_DEPTH,
    &SHARD_WAITING,
    &SHARD_REFUSING,
    &SIP_RESPONSES_FROM_ELSEWHERE,
    &SHARD_HANDOVERS,
    &STUN_ANSWERS,
    &PINGS_SENT,
    &PINGS_ANSWERED,
    &BINDINGS_GONE,
    &JOURNAL_RECORDS,
    &JOURNAL_BYTES,
    &JOURNAL_ERRORS,
    &MEDIA_STREAMS,
    &MEDIA_PORTS,
    &MEDIA_PACKETS,
    &MEDIA_BYTES,
    &MEDIA_DROPS,
    &MEDIA_TIME_OUTS,
    &MEDIA_ORDERS_LOST,
    &MEDIA_UNANCHORED,
    &RELOADS,
    &CAPTURES,
    &CAPTURED_MESSAGES,
    &CAPTURE_DROPPED,
    &BUILD_INFO,
];

/// The metric of this name.
pub(crate) fn by_name(name: &str) -> Option<&'static Metric> {
    ALL.iter().copied().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// What is turned away below SIP is told there, with the series that counts it.
    const REASONS: &str = include_str!("../../docs/reason-codes.md");

    #[test]
    fn the_page_of_reasons_has_every_way_in_which_a_connection_is_turned_away_or_closed() {
        let (_, section) = REASONS.split_once("\n### Connections\n").unwrap();
        let (section, _) = section.split_once("\n### ").unwrap();
        let told: Vec<_> = section.lines().filter_map(|line| line.split(" | ").nth(1)?.strip_prefix('`')).collect();
        let mut counted = vec![format!("{}`", CONNECTIONS_FAILED.name)];
        for metric in [&CONNECTIONS_REFUSED, &HANDSHAKES, &CONNECTIONS_CLOSED] {
            for label in metric.at_zero.iter().map(|labels| labels[0]).filter(|label| *label != "done") {
                counted.push(format!("{}{{{}=\"{label}\"}}`", metric.name, metric.labels[0]));
            }
        }
        assert_eq!(told.iter().copied().collect::<HashSet<_>>(), counted.iter().map(String::as_str).collect());
        assert_eq!(told.len(), counted.len(), "one row each");
    }

    #[test]
    fn names_follow_the_conventions_that_dashboards_rely_on() {
        let names: HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name is used twice");
        for metric in ALL {
            assert!(metric.name.starts_with("ringway_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_info"), metric.kind == Kind::Info, "{}", metric.name);
            assert!(metric.kind != Kind::Histogram || metric.name.ends_with("_seconds"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            for labels in metric.at_zero {
                assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
            }
        }
    }
}
