//! How a user agent is reached: by its flow, or at the address in its Contact.

use std::net::{IpAddr, SocketAddr};

use ringway_sip::{Flow, Scheme, Transport, Uri, Via};

use crate::settings::Settings;

/// Whether a user agent is behind a NAT, as far as its request shows: its Contact's or its Via's host is not where the
/// request came from, or over UDP the Via asked for `rport` (RFC 3581) and names another port than the source's.
pub(crate) fn is_behind_nat(contact: Option<&Uri<'_>>, via: Option<&Via<'_>>, flow: &Flow) -> bool {
    via.is_some_and(|via| is_via_behind_nat(via, flow)) || contact.is_some_and(|contact| !is_source(contact.ip(), flow))
}

/// Whether a user agent is behind a NAT, as far as its Via shows.
pub(crate) fn is_via_behind_nat(via: &Via<'_>, flow: &Flow) -> bool {
    !is_source(via.ip(), flow)
        // The port that a connection comes from is not the one that is listened at.
        || (via.rport.is_some()
            && !flow.transport.is_reliable()
            && via.port.unwrap_or_else(|| flow.transport.default_port()) != flow.remote.port())
}

/// Whether a host, which is this address if it is one, is where the request came from.
pub(crate) fn is_source(address: Option<IpAddr>, flow: &Flow) -> bool {
    address.is_some_and(|address| address.to_canonical() == flow.source())
}

/// Where requests for this Contact go. A NAT'd or connected user agent is reached on its flow, and so is one whose
/// Contact has a name: a name that somebody else chose is never resolved. One that asks for it with `ob` (RFC 5626
/// section 5.3.2) is reached so, too. Any other is reached where its Contact says, and by the transport that it says as
/// far as we open connections of that and listen for it: of TCP. Nothing goes by UDP to a port of another transport.
pub(crate) fn reach(contact: &Uri<'_>, flow: &Flow, behind_nat: bool, settings: &Settings) -> Flow {
    if behind_nat || flow.transport.is_reliable() {
        return *flow;
    }
    let Some(ip) = contact.ip() else { return *flow };
    let here =
        Flow { remote: SocketAddr::new(ip, contact.port.unwrap_or_else(|| flow.transport.default_port())), ..*flow };
    // Mostly there is nothing more to look at.
    if contact.params.is_empty() {
        return here;
    }
    match contact.transport() {
        None | Some(Transport::Udp) if here.remote == flow.remote => here,
        _ if contact.params.has(b"ob") => *flow,
        None | Some(Transport::Udp) => here,
        Some(Transport::Tcp) => match settings.listener_of(Transport::Tcp, ip.is_ipv4()) {
            Some((listener, bound)) => {
                let local = SocketAddr::new(flow.local.ip(), bound.port());
                let port = contact.port.unwrap_or_else(|| Transport::Tcp.default_port());
                let remote = SocketAddr::new(ip, port);
                Flow { transport: Transport::Tcp, listener, local, remote, connection: None }
            }
            None => *flow,
        },
        Some(_) => *flow,
    }
}

/// A connection of our own to where a Contact says, for a user agent whose own connection is closed. `None` when none can
/// be opened: TCP can, to an address, unless the user agent wants to be reached by its flow only.
pub(crate) fn call_back(contact: &Uri<'_>, flow: &Flow) -> Option<Flow> {
    let transport = contact.transport().unwrap_or(flow.transport);
    if transport != Transport::Tcp || contact.scheme != Scheme::Sip || contact.params.has(b"ob") {
        return None;
    }
    let remote = SocketAddr::new(contact.ip()?, contact.port.unwrap_or_else(|| transport.default_port()));
    Some(Flow { transport, remote, connection: None, ..*flow })
}
