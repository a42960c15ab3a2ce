//! What is registered now, as `ringway extension registrations` shows it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ringway_directory::Snapshot;
use ringway_edge::Location;
use ringway_edge::location::{Aor, Binding, unpack};
use ringway_net::Clock;

use crate::control::protocol::RegistrationRow;

/// The location of a running node, with the clock that its bindings live by.
#[derive(Clone, Debug)]
pub(crate) struct Registrations {
    location: Arc<Location>,
    clock: Clock,
}

impl Registrations {
    pub(crate) fn new(location: Arc<Location>, clock: Clock) -> Self {
        Self { location, clock }
    }

    /// The live bindings of a tenant's extension, or of all its extensions, by number.
    ///
    /// # Errors
    /// When there is no such tenant or extension.
    pub(crate) fn of(
        &self,
        snapshot: &Snapshot,
        domain: &str,
        number: Option<&str>,
    ) -> Result<Vec<RegistrationRow>, String> {
        let tenant = snapshot
            .tenant_by_host(domain.as_bytes())
            .ok_or_else(|| format!("there is no tenant {domain}; `ringway tenant list` shows those that there are"))?;
        let now = self.clock.now().wall;
        let seconds = u32::try_from(now.as_seconds()).unwrap_or(u32::MAX);
        let mut rows = Vec::new();
        let mut add = |number: &[u8], record: &[u8]| {
            let bindings = unpack(record).unwrap_or_default();
            rows.extend(
                bindings
                    .iter()
                    .filter(|binding| binding.is_live(seconds) && !binding.is_removed)
                    .map(|binding| row(number, binding)),
            );
        };
        if let Some(number) = number {
            let extension = snapshot.extension(tenant.id, number.as_bytes());
            let extension = extension.ok_or_else(|| format!("{} has no extension {number}", tenant.domain))?;
            let mut record = Vec::new();
            let aor = Aor { tenant: tenant.id, number: extension.number.as_bytes() };
            self.location.fetch(&aor, &mut record);
            add(aor.number, &record);
        } else {
            for stripe in 0..Location::STRIPES {
                self.location.visit(now, stripe, |aor, _, _, record| {
                    if aor.tenant == tenant.id {
                        add(aor.number, record);
                    }
                });
            }
            rows.sort_by(|one, other| (one.number.len(), &one.number).cmp(&(other.number.len(), &other.number)));
        }
        Ok(rows)
    }
}

fn row(number: &[u8], binding: &Binding<'_>) -> RegistrationRow {
    let pulse = binding.pulse;
    RegistrationRow {
        number: shown(number),
        contact: shown(binding.uri),
        user_agent: shown(binding.user_agent),
        source: binding.flow.source().to_string(),
        port: binding.flow.remote.port(),
        transport: binding.flow.transport.to_string(),
        registered_at: time(binding.registered_at),
        expires_at: time(binding.expires_at),
        last_ping: pulse.filter(|pulse| pulse.sent > 0).map(|pulse| time(pulse.sent)),
        round_trip_ms: pulse.and_then(|pulse| pulse.round_trip).map(|tenths| f64::from(tenths) / 10.0),
        unanswered_pings: pulse.map_or(0, |pulse| pulse.unanswered),
        is_natted: binding.is_natted,
        reached_by: binding.reached_by().as_str().to_owned(),
        mark: binding.mark(),
        is_app: binding.is_app(),
        has_push_token: binding.has_push_token,
        node: binding.home.map(|node| node.0),
    }
}

/// What a device has sent, without anything that a terminal would obey.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|letter| !letter.is_control()).collect()
}

fn time(seconds: u32) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.into())).to_string()
}

#[cfg(test)]
mod tests {
    use ringway_edge::location::Pulse;
    use ringway_sip::{Flow, ListenerId, Transport};

    use super::*;

    #[test]
    fn a_row_tells_who_is_registered_from_where_since_when_and_how_its_pings_go() {
        let flow = Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), "198.51.100.7:40000".parse().unwrap());
        let pulse = Pulse { due: 0, sent: 1_800_000_040, round_trip: Some(123), unanswered: 1 };
        let binding = Binding {
            uri: b"sip:101@10.0.0.7",
            parameters: b"",
            path: b"",
            user_agent: b"Phone\x1b[31m \xff2",
            q: None,
            registered_at: 1_800_000_000,
            expires_at: 1_800_000_300,
            cseq: 1,
            call_id: 2,
            flow,
            is_natted: true,
            is_connection_lost: false,
            instance: None,
            reg_id: None,
            has_push_token: false,
            pulse: Some(pulse),
            home: None,
            came_with_others: false,
            is_removed: false,
        };
        let row = row(b"101", &binding);
        assert_eq!(row.user_agent, "Phone[31m \u{fffd}2", "nothing that a terminal would obey");
        assert_eq!((&*row.source, row.port, &*row.transport), ("198.51.100.7", 40_000, "udp"));
        assert_eq!(row.registered_at, "2027-01-15T08:00:00Z");
        assert_eq!(row.expires_at, "2027-01-15T08:05:00Z");
        assert_eq!(row.last_ping.as_deref(), Some("2027-01-15T08:00:40Z"));
        assert_eq!((row.round_trip_ms, row.unanswered_pings, row.is_natted), (Some(12.3), 1, true));
        assert_eq!(row.reached_by, "flow");
    }

    #[test]
    fn a_row_tells_what_leads_to_the_device_and_when_nothing_does() {
        let local = "192.0.2.1:5060".parse().unwrap();
        let udp = Flow::udp(ListenerId(0), local, "198.51.100.7:5060".parse().unwrap());
        let device = Binding {
            uri: b"sip:101@198.51.100.7",
            parameters: b"",
            path: b"",
            user_agent: b"",
            q: None,
            registered_at: 1_800_000_000,
            expires_at: 1_800_000_300,
            cseq: 1,
            call_id: 2,
            flow: udp,
            is_natted: false,
            is_connection_lost: false,
            instance: None,
            reg_id: None,
            has_push_token: false,
            pulse: None,
            home: None,
            came_with_others: false,
            is_removed: false,
        };
        let tls = Flow { transport: Transport::Tls, ..udp };
        let tcp = Flow { transport: Transport::Tcp, ..udp };
        for (binding, expected) in [
            (device, "contact"),
            (Binding { is_natted: true, ..device }, "flow"),
            (Binding { uri: b"sip:101@phone.example", ..device }, "flow"),
            (Binding { flow: tls, ..device }, "flow"),
            (Binding { path: b"<sip:edge.example;lr>", ..device }, "path"),
            (Binding { flow: tcp, is_connection_lost: true, ..device }, "contact"),
            (Binding { flow: tcp, is_connection_lost: true, is_natted: true, ..device }, "nothing"),
            (Binding { flow: tls, is_connection_lost: true, ..device }, "nothing"),
        ] {
            assert_eq!(row(b"101", &binding).reached_by, expected, "{binding:?}");
        }
    }
}
