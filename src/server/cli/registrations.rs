//! `ringway extension registrations`.

use super::grammar::ExtensionRegistrationsArguments;
use super::reach;
use super::table::table;
use crate::config::Overrides;
use crate::console::say;
use crate::control::protocol::RegistrationRow;
use crate::control::{Event, Request};
use crate::failure::Failure;

const HEAD: [&str; 12] = [
    "NUMBER",
    "SOURCE",
    "PORT",
    "TRANSPORT",
    "NAT",
    "REACHED BY",
    "REGISTERED AT",
    "EXPIRES",
    "LAST PING",
    "ROUND TRIP",
    "CONTACT",
    "USER-AGENT",
];

pub(super) fn show(overrides: &Overrides, arguments: ExtensionRegistrationsArguments) -> Result<(), Failure> {
    let ExtensionRegistrationsArguments { tenant, number } = arguments;
    let mut rows = vec![HEAD.map(str::to_owned)];
    reach::run(overrides, Request::ExtensionRegistrations { tenant, number }, tokio::io::empty(), |event| {
        if let Event::Registration(registration) = event {
            rows.push(row(registration));
        }
        Ok(())
    })?;
    for line in table(&rows) {
        say(line);
    }
    Ok(())
}

fn row(registration: RegistrationRow) -> [String; HEAD.len()] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let nat = if registration.is_natted { "yes" } else { "no" };
    let round_trip = match (registration.round_trip_ms, registration.unanswered_pings) {
        (Some(milliseconds), 0) => Some(format!("{milliseconds:.1} ms")),
        // The last one may be under way.
        (round_trip, 1) => round_trip.map(|milliseconds| format!("{milliseconds:.1} ms")),
        (_, 0) => None,
        (_, unanswered) => Some(format!("{unanswered} unanswered")),
    };
    [
        registration.number,
        registration.source,
        registration.port.to_string(),
        registration.transport,
        nat.to_owned(),
        registration.reached_by,
        registration.registered_at,
        registration.expires_at,
        or_dash(registration.last_ping),
        or_dash(round_trip),
        registration.contact,
        registration.user_agent,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_a_device_how_it_is_reached_and_whether_it_answers() {
        let registration = RegistrationRow {
            number: "101".to_owned(),
            contact: "sip:101@10.0.0.7".to_owned(),
            user_agent: "Phone 2".to_owned(),
            source: "198.51.100.7".to_owned(),
            port: 40_000,
            transport: "udp".to_owned(),
            registered_at: "2027-01-15T08:00:00Z".to_owned(),
            expires_at: "2027-01-15T08:05:00Z".to_owned(),
            last_ping: Some("2027-01-15T08:00:40Z".to_owned()),
            round_trip_ms: Some(12.3),
            unanswered_pings: 1,
            is_natted: true,
            reached_by: "flow".to_owned(),
            mark: 0xa7,
            is_app: false,
            has_push_token: false,
            node: None,
        };
        let silent = RegistrationRow { unanswered_pings: 4, ..registration.clone() };
        let direct =
            RegistrationRow { last_ping: None, round_trip_ms: None, unanswered_pings: 0, ..registration.clone() };
        let line = |registration| row(registration).join(" ");
        assert_eq!(
            line(registration),
            "101 198.51.100.7 40000 udp yes flow 2027-01-15T08:00:00Z 2027-01-15T08:05:00Z 2027-01-15T08:00:40Z 12.3 ms \
             sip:101@10.0.0.7 Phone 2"
        );
        assert!(line(silent).contains(" 2027-01-15T08:00:40Z 4 unanswered "));
        assert!(line(direct).contains(" 2027-01-15T08:05:00Z - - "));
    }
}
