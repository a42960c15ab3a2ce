//! RFC 5118, in the order of its sections.

use std::net::Ipv6Addr;

use ringway_sip::message::{Essentials, Message};
use ringway_sip::{Method, Name, Uri, UriError, Via};

use crate::Outcome::{self, Accepted, RefusedUri};

pub fn rows() -> Vec<(&'static str, Outcome)> {
    vec![
        ("rfc5118/ipv6-good", Accepted(ipv6_good)),
        ("rfc5118/ipv6-bad", RefusedUri(UriError::Port)),
        ("rfc5118/port-ambiguous", Accepted(port_ambiguous)),
        ("rfc5118/port-unambiguous", Accepted(port_unambiguous)),
        ("rfc5118/via-received-param-with-delim", Accepted(via_received)),
        ("rfc5118/via-received-param-no-delim", Accepted(via_received)),
        ("rfc5118/ipv6-in-sdp", Accepted(ipv6_in_sdp)),
        ("rfc5118/mult-ip-in-header", Accepted(mult_ip_in_header)),
        ("rfc5118/mult-ip-in-sdp", Accepted(mult_ip_in_sdp)),
        ("rfc5118/ipv4-mapped-ipv6", Accepted(ipv4_mapped_ipv6)),
        // "An implementation must tolerate both": RFC 3261's grammar lets three colons stand before an IPv4 address.
        ("rfc5118/ipv6-bug-abnf-3-colons", Accepted(before_an_ipv4_address)),
        ("rfc5118/ipv6-correct-abnf-2-colons", Accepted(before_an_ipv4_address)),
    ]
}

fn ipv6_good(message: &Message<'_>, essentials: &Essentials<'_>) {
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.host, uri.port, uri.user), (b"[2001:db8::10]".as_slice(), None, None));
    assert_eq!(essentials.via.host, b"[2001:db8::9:1]");
}

fn port_ambiguous(message: &Message<'_>, _: &Essentials<'_>) {
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.ip(), uri.port), (Some("2001:db8::10:5070".parse().unwrap()), None));
}

fn port_unambiguous(message: &Message<'_>, _: &Essentials<'_>) {
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.ip(), uri.port), (Some("2001:db8::10".parse().unwrap()), Some(5070)));
}

fn via_received(_: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(essentials.via.received, Some("2001:db8::9:255".parse().unwrap()));
}

fn ipv6_in_sdp(message: &Message<'_>, _: &Essentials<'_>) {
    assert!(message.body().ends_with(b"a=rtpmap:107 H263-1998/90000\r\n"));
}

fn mult_ip_in_header(message: &Message<'_>, _: &Essentials<'_>) {
    let vias: Vec<_> = message.values(Name::Via).map(|via| Via::parse(via).unwrap()).collect();
    let sent_by: Vec<_> = vias.iter().map(|via| (via.host, via.port)).collect();
    assert_eq!(
        sent_by,
        [(b"[2001:db8::9:1]".as_slice(), Some(6050)), (b"192.0.2.1", None), (b"[2001:db8::9:255]", None)]
    );
    assert_eq!(vias[2].received, Some("192.0.2.200".parse().unwrap()));
}

fn mult_ip_in_sdp(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.method(), Method::Invite);
    assert!(message.body().ends_with(b"a=rtpmap:107 H263-1998/90000\r\n"));
}

fn ipv4_mapped_ipv6(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!((essentials.via.host, essentials.via.port), (b"[::ffff:192.0.2.10]".as_slice(), Some(19823)));
    assert_eq!(message.values(Name::Via).count(), 2);
    assert!(message.body().ends_with(b"a=rtpmap:107 H263-1998/90000\r\n"));
}

/// It reads and is forwarded as it is. To send to it is for whoever knows the address.
fn before_an_ipv4_address(message: &Message<'_>, essentials: &Essentials<'_>) {
    let address: Ipv6Addr = "2001:db8::192.0.2.1".parse().unwrap();
    for uri in [message.request_uri(), essentials.to.uri] {
        assert_eq!(Uri::parse(uri).unwrap().ip(), Some(address.into()));
    }
}
