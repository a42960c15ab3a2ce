//! A question to DNS, and what comes of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::naptr::Naptr;
use super::srv::Srv;

/// Records of one answer that are looked at. A domain with more is configured by mistake, or to keep us busy.
pub(super) const MOST_RECORDS: usize = 64;

/// What kind of record is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Which transports a domain has (RFC 3263 section 4.1).
    Naptr,
    /// Which hosts and ports a service has (RFC 2782).
    Srv,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// In lower case, without the dot at its end.
    pub(super) name: Arc<str>,
    pub(super) kind: Kind,
}

/// Why a question has no records for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There are none: the name, or the kind of record, does not exist.
    Nothing,
    /// The server failed, or could not be reached.
    Server(Arc<str>),
    /// No answer came in time.
    TimedOut,
    /// Too many questions are open.
    Busy,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("no such record"),
            Self::Server(reason) => write!(formatter, "the DNS server failed: {reason}"),
            Self::TimedOut => formatter.write_str("no answer came in time"),
            Self::Busy => formatter.write_str("too many questions are open"),
        }
    }
}

/// The records of one answer; the lists of other kinds are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) naptr: Vec<Naptr>,
    pub(super) srv: Vec<Srv>,
    pub(super) addresses: Vec<IpAddr>,
}

pub(super) type Answer = Result<Arc<Records>, Failure>;

/// One question that was asked on the way, for people who want to know why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The name.
    pub name: Arc<str>,
    /// The kind of record.
    pub kind: Kind,
    /// How many records came.
    pub outcome: Result<usize, Failure>,
}
