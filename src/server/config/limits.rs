//! `[limits]`: bounds of tables and budgets of sources. Nothing that the network fills is without one.

use std::time::Duration;

use ringway_directory::validation::parse_network;
use ringway_edge::settings::{Limits as EdgeLimits, SourceBudgets, TenantBudgets};
use ringway_net::StreamOptions;
use ringway_sip::frame::FrameLimits;

use super::reader::Reader;

/// Bytes of receive buffer that each UDP socket asks for, in KiB.
pub const UDP_RECEIVE_BUFFER_KIB: u32 = 4096;

/// The most entries that a table may be given.
const LARGEST_TABLE: u32 = 100_000_000;

/// Bounds and budgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Of the SIP decisions.
    pub edge: EdgeLimits,
    /// Connections, of all shards together.
    pub max_connections: usize,
    /// Connections of one source.
    pub source_connections: usize,
    /// After this long without a byte a connection is closed.
    pub stream_idle: Duration,
    /// Bytes of the largest body that a stream may bring.
    pub max_body: usize,
    /// Bytes of receive buffer that each UDP socket asks for.
    pub udp_receive_buffer: usize,
}

pub(super) fn read(reader: &Reader<'_>) -> Limits {
    let section = reader.section("limits");
    let parse = |text: &str| parse_network("trusted", text).map_err(|fault| fault.message.into_owned());
    let trusted = section.list("trusted", "[\"192.0.2.0/24\"]", parse).unwrap_or_default();
    let table = |key, default| size(section.number(key, 1..=LARGEST_TABLE, "", number(default)));
    let budget = |key, default| section.number(key, 0..=1_000_000, "a second; 0: no budget", default);
    let edge = EdgeLimits::default();
    let edge = EdgeLimits {
        source: SourceBudgets {
            requests: budget("source_rps", edge.source.requests),
            registers: budget("source_registers_ps", edge.source.registers),
            calls: budget("source_calls_ps", edge.source.calls),
        },
        max_transactions: table("max_transactions", edge.max_transactions),
        max_dialogs: table("max_dialogs", edge.max_dialogs),
        max_nonces: table("max_nonces", edge.max_nonces),
        max_sources: table("max_sources", edge.max_sources),
        tenant: TenantBudgets {
            requests: budget("tenant_rps", 0),
            registers: budget("tenant_registers_ps", 0),
            calls: budget("tenant_calls_ps", 0),
            connections: budget("tenant_connections", 0),
        },
        max_waiting: Duration::from_millis(
            section.number("max_waiting_ms", 0..=10_000, "milliseconds; 0: no bound", millis(edge.max_waiting)).into(),
        ),
        emergency_numbers: section
            .list("emergency_numbers", "[\"112\"]", emergency_number)
            .unwrap_or(edge.emergency_numbers),
        ban_seconds: section.number("ban_seconds", 0..=31_536_000, "seconds; 0: nobody is banned", edge.ban_seconds),
        max_bans: table("max_bans", edge.max_bans),
        scanners: section
            .list("scanners", "[\"sipvicious\"]", beginning_of_agent)
            .map_or(edge.scanners, FromIterator::from_iter),
        max_branches: size(section.number("max_branches", 1..=1000, "", number(edge.max_branches))),
        trusted,
    };
    let streams = StreamOptions::default();
    let idle = u32::try_from(streams.idle_timeout.as_secs()).unwrap_or(u32::MAX);
    Limits {
        max_connections: table("max_connections", streams.connections),
        source_connections: table("source_connections", streams.connections_by_source),
        stream_idle: Duration::from_secs(section.number("stream_idle_seconds", 1..=604_800, "seconds", idle).into()),
        max_body: size(section.number("max_body_bytes", 1024..=16_777_216, "bytes", number(streams.frame.body))),
        udp_receive_buffer: 1024
            * size(section.number("udp_receive_buffer_kib", 64..=1_048_576, "KiB", UDP_RECEIVE_BUFFER_KIB)),
        edge,
    }
}

/// What is dialled.
fn emergency_number(text: &str) -> Result<Box<str>, String> {
    let is_number =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#'));
    if is_number { Ok(text.into()) } else { Err(format!("{text} is no number; write digits, such as \"112\"")) }
}

/// A duration as the file writes it.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// A beginning of User-Agent headers. An empty one would be everybody's.
fn beginning_of_agent(text: &str) -> Result<Box<str>, String> {
    if text.trim().is_empty() { Err("write how the User-Agent begins".to_owned()) } else { Ok(text.trim().into()) }
}

impl Limits {
    /// The limits of streams, as the sockets read them.
    pub fn streams(&self) -> StreamOptions {
        let default = StreamOptions::default();
        StreamOptions {
            frame: FrameLimits { body: self.max_body, ..default.frame },
            connections: self.max_connections,
            connections_by_source: self.source_connections,
            trusted: self.edge.trusted.clone(),
            idle_timeout: self.stream_idle,
            ..default
        }
    }
}

/// A default as the file writes it.
fn number(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
