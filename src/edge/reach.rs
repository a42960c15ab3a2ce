//! How a user agent is reached: by its flow, or at the address in its Contact.

use std::net::SocketAddr;

use ringway_sip::{Flow, Uri, Via};

/// Whether a user agent is behind a NAT, as far as its request shows: its Contact's or its Via's host is not where the
/// request came from, or over UDP the Via asked for `rport` (RFC 3581) and names another port than the source's.
pub(crate) fn is_behind_nat(contact: Option<&Uri<'_>>, via: Option<&Via<'_>>, flow: &Flow) -> bool {
    let source = flow.source();
    let via_differs = via.is_some_and(|via| {
        via.ip().map(|ip| ip.to_canonical()) != Some(source)
            // The port that a connection comes from is not the one that is listened at.
            || (via.rport.is_some()
                && !flow.transport.is_reliable()
                && via.port.unwrap_or_else(|| flow.transport.default_port()) != flow.remote.port())
    });
    via_differs || contact.is_some_and(|contact| contact.ip().map(|ip| ip.to_canonical()) != Some(source))
}

/// Where requests for this Contact go. A NAT'd or connected user agent is reached on its flow, and so is one whose
/// Contact has a name: a name that somebody else chose is never resolved. One that asks for it with `ob` (RFC 5626
/// section 5.3.2) is reached so, too. Any other is reached where its Contact says.
pub(crate) fn reach(contact: &Uri<'_>, flow: &Flow, behind_nat: bool) -> Flow {
    if behind_nat || flow.transport.is_reliable() || contact.params.has(b"ob") {
        return *flow;
    }
    match contact.ip() {
        Some(ip) => {
            let port = contact.port.unwrap_or_else(|| flow.transport.default_port());
            Flow { remote: SocketAddr::new(ip, port), ..*flow }
        }
        None => *flow,
    }
}
