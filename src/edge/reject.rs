//! Refusals and drops. Each has a stable code that stands in the Warning, in a metric, and in
//! docs/reason-codes.md.

/// A refusal: the status it is answered with and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each variant's text says what it means")]
pub enum Reject {
    Malformed,
    VersionNotSupported,
    UnsupportedScheme,
    TooManyHops,
    LoopDetected,
    MaxBreadthExceeded,
    BadExtension,
    UnknownDomain,
    RegisterUnknownDomain,
    RegisterOtherDomain,
    Disabled,
    IdentityMismatch,
    RegisterIdentityMismatch,
    UnknownNumber,
    NotRegistered,
    NoAnswer,
    RoutePreloaded,
    NoDialog,
    ForeignTarget,
    IntervalTooBrief,
    TooManyBindings,
    ContactRefused,
    WildcardWithOthers,
    OutOfOrder,
    EventNotServed,
    Overloaded,
    Draining,
    SourceRate,
    FlowFailed,
    CookieForged,
    TransactionUnknown,
    CallLimit,
    BadProxyExtension,
    ForeignChallenge,
    TooLarge,
    SessionTooBrief,
    MediaLimit,
    NoMediaPorts,
    PathUnsupported,
    PathRefused,
    FirstHopLacksOutbound,
    FlowWithOthers,
    AccountBanned,
    TenantRate,
    TenantConnections,
    TooBusy,
    ContactInsecure,
    DialogRate,
    FlowGone,
    NotShared,
}

impl Reject {
    /// Every refusal, in the order of its number.
    pub const ALL: [Self; 50] = [
        Self::Malformed,
        Self::VersionNotSupported,
        Self::UnsupportedScheme,
        Self::TooManyHops,
        Self::LoopDetected,
        Self::MaxBreadthExceeded,
        Self::BadExtension,
        Self::UnknownDomain,
        Self::RegisterUnknownDomain,
        Self::RegisterOtherDomain,
        Self::Disabled,
        Self::IdentityMismatch,
        Self::RegisterIdentityMismatch,
        Self::UnknownNumber,
        Self::NotRegistered,
        Self::NoAnswer,
        Self::RoutePreloaded,
        Self::NoDialog,
        Self::ForeignTarget,
        Self::IntervalTooBrief,
        Self::TooManyBindings,
        Self::ContactRefused,
        Self::WildcardWithOthers,
        Self::OutOfOrder,
        Self::EventNotServed,
        Self::Overloaded,
        Self::Draining,
        Self::SourceRate,
        Self::FlowFailed,
        Self::CookieForged,
        Self::TransactionUnknown,
        Self::CallLimit,
        Self::BadProxyExtension,
        Self::ForeignChallenge,
        Self::TooLarge,
        Self::SessionTooBrief,
        Self::MediaLimit,
        Self::NoMediaPorts,
        Self::PathUnsupported,
        Self::PathRefused,
        Self::FirstHopLacksOutbound,
        Self::FlowWithOthers,
        Self::AccountBanned,
        Self::TenantRate,
        Self::TenantConnections,
        Self::TooBusy,
        Self::ContactInsecure,
        Self::DialogRate,
        Self::FlowGone,
        Self::NotShared,
    ];

    /// The status of the answer (RFC 3261 section 21; 440 is RFC 5393's).
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::WildcardWithOthers | Self::FlowWithOthers => 400,
            Self::FirstHopLacksOutbound => 439,
            Self::VersionNotSupported => 505,
            Self::UnsupportedScheme => 416,
            Self::TooLarge => 513,
            Self::TooManyHops => 483,
            Self::LoopDetected => 482,
            Self::MaxBreadthExceeded => 440,
            Self::BadExtension | Self::BadProxyExtension | Self::PathUnsupported => 420,
            Self::UnknownDomain | Self::RegisterOtherDomain | Self::UnknownNumber => 404,
            Self::RegisterUnknownDomain
            | Self::Disabled
            | Self::IdentityMismatch
            | Self::RegisterIdentityMismatch
            | Self::RoutePreloaded
            | Self::ForeignTarget
            | Self::TooManyBindings
            | Self::ContactRefused
            | Self::PathRefused
            | Self::CookieForged
            | Self::CallLimit
            | Self::MediaLimit
            | Self::ForeignChallenge
            | Self::AccountBanned
            | Self::ContactInsecure => 403,
            Self::NotRegistered => 480,
            Self::NoAnswer => 408,
            Self::FlowGone => 430,
            Self::NoDialog | Self::TransactionUnknown => 481,
            Self::SessionTooBrief => 422,
            Self::IntervalTooBrief => 423,
            Self::OutOfOrder | Self::FlowFailed => 500,
            Self::EventNotServed => 489,
            Self::Overloaded
            | Self::Draining
            | Self::SourceRate
            | Self::NoMediaPorts
            | Self::TenantRate
            | Self::TenantConnections
            | Self::TooBusy
            | Self::DialogRate
            | Self::NotShared => 503,
        }
    }

    /// The stable code: the Warning's first word and the metric's label.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::VersionNotSupported => "version-not-supported",
            Self::UnsupportedScheme => "unsupported-scheme",
            Self::TooManyHops => "too-many-hops",
            Self::LoopDetected => "loop-detected",
            Self::MaxBreadthExceeded => "max-breadth-exceeded",
            Self::BadExtension => "bad-extension",
            Self::UnknownDomain => "unknown-domain",
            Self::RegisterUnknownDomain => "register-unknown-domain",
            Self::RegisterOtherDomain => "register-other-domain",
            Self::Disabled => "disabled",
            Self::IdentityMismatch => "identity-mismatch",
            Self::RegisterIdentityMismatch => "register-identity-mismatch",
            Self::UnknownNumber => "unknown-number",
            Self::NotRegistered => "not-registered",
            Self::NoAnswer => "no-answer",
            Self::RoutePreloaded => "route-preloaded",
            Self::NoDialog => "no-dialog",
            Self::ForeignTarget => "foreign-target",
            Self::IntervalTooBrief => "interval-too-brief",
            Self::TooManyBindings => "registration-limit",
            Self::ContactRefused => "contact-refused",
            Self::WildcardWithOthers => "wildcard-contact",
            Self::OutOfOrder => "out-of-order",
            Self::EventNotServed => "event-not-served",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::SourceRate => "source-rate",
            Self::FlowFailed => "flow-failed",
            Self::CookieForged => "cookie-forged",
            Self::TransactionUnknown => "transaction-unknown",
            Self::CallLimit => "call-limit",
            Self::BadProxyExtension => "bad-proxy-extension",
            Self::ForeignChallenge => "foreign-challenge",
            Self::TooLarge => "too-large",
            Self::SessionTooBrief => "session-too-brief",
            Self::MediaLimit => "media-limit",
            Self::NoMediaPorts => "no-media-ports",
            Self::PathUnsupported => "path-unsupported",
            Self::PathRefused => "path-refused",
            Self::FirstHopLacksOutbound => "first-hop-lacks-outbound",
            Self::FlowWithOthers => "flow-with-others",
            Self::AccountBanned => "account-banned",
            Self::TenantRate => "tenant-rate",
            Self::TenantConnections => "tenant-connections",
            Self::TooBusy => "too-busy",
            Self::ContactInsecure => "contact-insecure",
            Self::DialogRate => "dialog-rate",
            Self::FlowGone => "flow-gone",
            Self::NotShared => "not-shared",
        }
    }

    /// One sentence for the person who reads the Warning or the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "the message is malformed",
            Self::VersionNotSupported => "only SIP/2.0 is spoken here",
            Self::UnsupportedScheme => "the Request-URI's scheme is not sip, sips or tel",
            Self::TooManyHops => "Max-Forwards has run out",
            Self::LoopDetected => "the request has been here before, unchanged",
            Self::MaxBreadthExceeded => "Max-Breadth allows no further branch",
            Self::BadExtension => "Require names an extension that is not supported",
            Self::UnknownDomain => "no tenant serves this domain",
            Self::RegisterUnknownDomain => "no tenant registers for this domain",
            Self::RegisterOtherDomain => "the To header names another domain than the Request-URI",
            Self::Disabled => "the extension is disabled",
            Self::IdentityMismatch => "the From header is not the authenticated extension",
            Self::RegisterIdentityMismatch => "the To header is not the authenticated extension",
            Self::UnknownNumber => "no such number in this tenant",
            Self::NotRegistered => "no device is registered for this number",
            Self::NoAnswer => "no device answered in time",
            Self::RoutePreloaded => "an initial request may not carry further Route entries",
            Self::NoDialog => "no such dialog",
            Self::ForeignTarget => "the Request-URI is not the other side's Contact",
            Self::IntervalTooBrief => "the registration would be shorter than the minimum",
            Self::TooManyBindings => "the registration limit of this extension is reached",
            Self::ContactRefused => "this Contact may not be registered",
            Self::WildcardWithOthers => "Contact: * goes alone and with Expires: 0",
            Self::OutOfOrder => "the CSeq is not higher than the last of this Call-ID",
            Self::EventNotServed => "this event package is not served",
            Self::Overloaded => "a table is full",
            Self::Draining => "the server is shutting down",
            Self::SourceRate => "too many requests from this source",
            Self::FlowFailed => "the next hop can't be reached",
            Self::CookieForged => "the route token is not valid",
            Self::TransactionUnknown => "no such transaction",
            Self::CallLimit => "the tenant has as many calls as it may",
            Self::BadProxyExtension => "Proxy-Require names an extension that is not supported",
            Self::ForeignChallenge => "the device that was called asked for credentials in our name",
            Self::TooLarge => "the message is longer than a datagram can be",
            Self::SessionTooBrief => "the session interval is shorter than the minimum",
            Self::MediaLimit => "the tenant has as much media relayed as it may",
            Self::NoMediaPorts => "no port is free for media that has to be relayed",
            Self::PathUnsupported => "a proxy has added a Path, and the phone does not say that it supports it",
            Self::PathRefused => "this Path can't be followed",
            Self::FirstHopLacksOutbound => "the first proxy of the phone does not support outbound",
            Self::FlowWithOthers => "a REGISTER with a reg-id has one Contact only",
            Self::AccountBanned => "this account has failed too often from this address; try again later",
            Self::TenantRate => "the tenant asks for more than its budget",
            Self::TenantConnections => "the tenant has as many connections as it may",
            Self::TooBusy => "requests wait too long; new ones are refused",
            Self::ContactInsecure => "a sips Contact is registered over TLS only",
            Self::DialogRate => "too many requests from this side of the call",
            Self::FlowGone => "the device is no longer reached by this node",
            Self::NotShared => "other nodes can't be told of the registration",
        }
    }
}

/// Why a message was discarded without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DropReason {
    /// Not SIP at all.
    NotSip,
    /// A malformed response, or a malformed request without a Via to answer by.
    Malformed,
    /// A response whose top Via is not ours or whose branch no transaction waits for.
    StrayResponse,
    /// An ACK that belongs to nothing and has no valid cookie.
    StrayAck,
    /// The answer would be more than twice the request, to a UDP source that is not verified.
    Amplification,
    /// The source has used up its rate.
    SourceRate,
    /// A response that could not be forwarded: its next Via is missing.
    NoVia,
    /// Its source is banned.
    Banned,
    /// A program made it that is known for scanning.
    Scanner,
}

impl DropReason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::NotSip,
        Self::Malformed,
        Self::StrayResponse,
        Self::StrayAck,
        Self::Amplification,
        Self::SourceRate,
        Self::NoVia,
        Self::Banned,
        Self::Scanner,
    ];

    /// The metric's label.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotSip => "not-sip",
            Self::Malformed => "malformed",
            Self::StrayResponse => "stray-response",
            Self::StrayAck => "stray-ack",
            Self::Amplification => "amplification",
            Self::SourceRate => "source-rate",
            Self::NoVia => "no-via",
            Self::Banned => "banned",
            Self::Scanner => "scanner",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_code_of_its_own_and_stands_at_its_number() {
        let codes: HashSet<_> = Reject::ALL.iter().map(|reject| reject.code()).collect();
        assert_eq!(codes.len(), Reject::ALL.len());
        for (number, reject) in Reject::ALL.iter().enumerate() {
            assert_eq!(*reject as usize, number);
            assert!((400..700).contains(&reject.status()));
        }
        for (number, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, number);
        }
    }
}
