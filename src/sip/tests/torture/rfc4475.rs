//! RFC 4475, in the order of its sections.

use ringway_sip::digest::{Credentials, CredentialsError};
use ringway_sip::header::ContactSet;
use ringway_sip::message::{Essentials, Message, Problem};
use ringway_sip::{Contact, Method, Name, Scheme, Transport, Uri, Via};

use crate::Outcome::{self, Accepted, Dropped, Elsewhere, Refused};

pub fn rows() -> Vec<(&'static str, Outcome)> {
    vec![
        // 3.1.1 Valid messages
        ("rfc4475/wsinv", Accepted(wsinv)),
        ("rfc4475/intmeth", Accepted(intmeth)),
        ("rfc4475/esc01", Accepted(esc01)),
        ("rfc4475/escnull", Accepted(escnull)),
        ("rfc4475/esc02", Accepted(esc02)),
        ("rfc4475/lwsdisp", Accepted(lwsdisp)),
        ("rfc4475/longreq", Accepted(longreq)),
        ("rfc4475/dblreq", Accepted(dblreq)),
        ("rfc4475/semiuri", Accepted(semiuri)),
        ("rfc4475/transports", Accepted(transports)),
        ("rfc4475/mpart01", Accepted(mpart01)),
        ("rfc4475/unreason", Accepted(unreason)),
        ("rfc4475/noreason", Accepted(noreason)),
        // 3.1.2 Invalid messages
        ("rfc4475/badinv01", Refused(400, Problem::Malformed(Name::Via))),
        ("rfc4475/clerr", Refused(400, Problem::ContentLengthTooLarge)),
        ("rfc4475/ncl", Refused(400, Problem::ContentLength)),
        ("rfc4475/scalar02", Refused(400, Problem::CSeqNumber)),
        ("rfc4475/scalarlg", Dropped(Problem::CSeqNumber)),
        ("rfc4475/quotbal", Refused(400, Problem::Malformed(Name::To))),
        ("rfc4475/ltgtruri", Refused(400, Problem::RequestUri)),
        ("rfc4475/lwsruri", Refused(400, Problem::RequestUri)),
        ("rfc4475/lwsstart", Refused(400, Problem::RequestUri)),
        ("rfc4475/trws", Refused(400, Problem::StartLine)),
        ("rfc4475/escruri", Elsewhere("400: the Request-URI has headers", escruri)),
        // "An element could choose to be liberal": nothing that we do depends on the Date of an INVITE.
        ("rfc4475/baddate", Accepted(baddate)),
        ("rfc4475/regbadct", Elsewhere("400: the registrar reads the Contact", regbadct)),
        ("rfc4475/badaspec", Refused(400, Problem::Malformed(Name::To))),
        ("rfc4475/baddn", Refused(400, Problem::Malformed(Name::From))),
        ("rfc4475/badvers", Refused(505, Problem::Version)),
        ("rfc4475/mismatch01", Refused(400, Problem::CSeqMethod)),
        ("rfc4475/mismatch02", Refused(400, Problem::CSeqMethod)),
        ("rfc4475/bigcode", Dropped(Problem::StatusCode)),
        // 3.2 Transaction layer semantics
        ("rfc4475/badbranch", Elsewhere("matched as RFC 2543 has it: the branch names no transaction", badbranch)),
        // 3.3 Application layer semantics
        ("rfc4475/insuf", Refused(400, Problem::Missing(Name::From))),
        ("rfc4475/unkscm", Elsewhere("416: no such scheme", unkscm)),
        ("rfc4475/novelsc", Elsewhere("416: no such scheme", novelsc)),
        ("rfc4475/unksm2", Elsewhere("the registrar knows no such address-of-record", unksm2)),
        ("rfc4475/bext01", Elsewhere("420: Proxy-Require is not supported", bext01)),
        ("rfc4475/invut", Elsewhere("415 by the callee; a proxy forwards it", invut)),
        ("rfc4475/regaut01", Elsewhere("401: the credentials are of an unknown scheme", regaut01)),
        ("rfc4475/multi01", Refused(400, Problem::Repeated(Name::CSeq))),
        ("rfc4475/mcl01", Refused(400, Problem::ContentLengthsDiffer)),
        (
            "rfc4475/bcast",
            Elsewhere("dropped: the top Via is not ours; nothing is ever sent to a broadcast address", bcast),
        ),
        ("rfc4475/zeromf", Elsewhere("483, or 200 when the request is for us", zeromf)),
        ("rfc4475/cparam01", Accepted(cparam01)),
        ("rfc4475/cparam02", Accepted(cparam02)),
        ("rfc4475/regescrt", Accepted(regescrt)),
        ("rfc4475/sdp01", Elsewhere("406 by the callee; a proxy forwards it", sdp01)),
        // 3.4 Backward compatibility
        ("rfc4475/inv2543", Accepted(inv2543)),
    ]
}

fn wsinv(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(message.method(), Method::Invite);
    assert_eq!(message.request_uri(), b"sip:vivekg@chair-dnrc.example.com;unknownparam");
    assert_eq!(essentials.to.uri, b"sip:vivekg@chair-dnrc.example.com");
    assert_eq!(essentials.to.tag(), Some(b"1918181833n".as_slice()));
    assert_eq!(essentials.from.display, br#""J Rosenberg \\\"""#);
    assert_eq!(essentials.from.tag(), Some(b"98asjd8".as_slice()));
    assert_eq!(essentials.max_forwards, Some(68));
    assert_eq!((essentials.cseq.number, essentials.cseq.method), (9, Method::Invite));
    assert_eq!(essentials.via.host, b"192.0.2.2");
    assert_eq!(essentials.via.branch, Some(b"390skdjuw".as_slice()));
    let vias: Vec<_> = vias(message).iter().map(|via| (via.transport, via.host, via.branch)).collect();
    assert_eq!(
        vias[1..],
        [
            (Some(Transport::Tcp), b"spindle.example.com".as_slice(), Some(b"z9hG4bK9ikj8".as_slice())),
            (Some(Transport::Udp), b"192.168.255.111", Some(b"z9hG4bK30239")),
        ]
    );
    assert_eq!(message.field(Name::Subject).unwrap().value, b"");
    let unusual = message.other_fields(b"unknownheaderwithunusualvalue").next().unwrap();
    assert_eq!(unusual.value, b";;,,;;,;");
    assert_eq!(message.values(Name::Route).count(), 1);
    let contact = contacts(message)[0];
    assert_eq!((contact.q, contact.name_addr.params.value(b"newparam")), (Some(330), Some(b"newvalue".as_slice())));
    assert_eq!(contact.name_addr.params.get(b"secondparam"), Some(None));
    assert_eq!(message.body().len(), 150);
}

fn intmeth(message: &Message<'_>, essentials: &Essentials<'_>) {
    let method = b"!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!((message.method(), message.method_token()), (Method::Other, method.as_slice()));
    assert_eq!(essentials.cseq.number, 139_122_385);
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!(uri.user, Some(b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*".as_slice()));
    assert_eq!(uri.password, Some(b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)".as_slice()));
    assert_eq!(uri.host, b"example.com");
    assert_eq!(essentials.from.tag(), Some(b"_token~1'+`*%!-.".as_slice()));
    assert_eq!(essentials.call_id, br#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#);
    assert_eq!(essentials.max_forwards, Some(255));
    assert_eq!(message.other_fields(b"extensionHeader-!.%*+_`'~").count(), 1);
}

fn esc01(message: &Message<'_>, essentials: &Essentials<'_>) {
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!((uri.scheme, uri.host), (Scheme::Sip, b"example.net".as_slice()));
    assert_eq!(*uri.user_unescaped(), *b"sips:user@example.com");
    assert_eq!(*Uri::parse(essentials.to.uri).unwrap().user_unescaped(), *b"user");
    assert_eq!(*Uri::parse(essentials.from.uri).unwrap().user_unescaped(), *b"I have spaces");
}

fn escnull(message: &Message<'_>, _: &Essentials<'_>) {
    let contacts = contacts(message);
    let users: Vec<_> = contacts.iter().map(|contact| user(contact)).collect();
    assert_eq!(users, [vec![0], vec![0, 0]]);
}

fn esc02(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!((message.method(), message.method_token()), (Method::Other, b"RE%47IST%45R".as_slice()));
    assert_eq!(essentials.to.display, br#""%Z%45""#);
    let users: Vec<_> = contacts(message).iter().map(user).collect();
    assert_eq!(users, [b"alias1", b"alias3"]);
    assert_eq!(message.other_fields(b"C%6Fntact").count(), 1);
}

fn lwsdisp(_: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(
        (essentials.from.display, essentials.from.uri),
        (b"caller".as_slice(), b"sip:caller@example.com".as_slice())
    );
}

fn longreq(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(essentials.via.host, b"sip33.example.com");
    assert_eq!(essentials.via.branch, None);
    assert_eq!(message.values(Name::Via).count(), 34);
    assert_eq!(message.fields_named(Name::Via).count(), 34);
    assert_eq!(essentials.from.tag().unwrap().len(), 155);
    assert_eq!(message.body().len(), 150);
}

/// In a datagram what follows the first message is ignored (RFC 3261 section 18.3).
fn dblreq(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(message.method(), Method::Register);
    assert_eq!(essentials.call_id, b"dblreq.0ha0isndaksdj99sdfafnl3lk233412");
    assert!(message.bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
}

fn semiuri(message: &Message<'_>, _: &Essentials<'_>) {
    let uri = Uri::parse(message.request_uri()).unwrap();
    assert_eq!(uri.user, Some(b"user;par=u%40example.net".as_slice()));
    assert_eq!((uri.host, uri.params.iter().count()), (b"example.com".as_slice(), 0));
}

fn transports(message: &Message<'_>, _: &Essentials<'_>) {
    let vias = vias(message);
    let tokens: Vec<_> = vias.iter().map(|via| via.transport_token).collect();
    assert_eq!(tokens, [b"UDP".as_slice(), b"SCTP", b"TLS", b"UNKNOWN", b"TCP"]);
    let known: Vec<_> = vias.iter().filter_map(|via| via.transport).collect();
    assert_eq!(known, [Transport::Udp, Transport::Tls, Transport::Tcp]);
}

fn mpart01(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(essentials.via.rport, Some(None));
    assert_eq!(message.body().len(), 553);
    assert!(message.body().contains(&0));
}

fn unreason(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!((message.status(), message.method()), (200, Method::Invite));
    assert_eq!(message.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое".as_bytes());
}

fn noreason(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!((message.status(), message.reason()), (100, b"".as_slice()));
}

fn escruri(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(Uri::parse(message.request_uri()).unwrap().headers, b"Route=%3Csip:example.com%3E");
}

fn baddate(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.field(Name::Date).unwrap().value, b"Fri, 01 Jan 2010 16:00:00 EST");
}

fn regbadct(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.contacts().unwrap_err(), Problem::Malformed(Name::Contact));
}

fn badbranch(_: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(essentials.via.branch, Some(b"z9hG4bK".as_slice()));
}

fn unkscm(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.request_uri(), b"nobodyKnowsThisScheme:totallyopaquecontent");
    assert_eq!(Uri::parse(message.request_uri()).unwrap().scheme, Scheme::Other);
}

fn novelsc(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(Uri::parse(message.request_uri()).unwrap().scheme, Scheme::Other);
}

fn unksm2(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(Uri::parse(essentials.to.uri).unwrap().scheme, Scheme::Other);
    assert_eq!(essentials.from.uri, b"http://www.example.com");
    assert_eq!(contacts(message)[0].name_addr.uri, b"name:John_Smith");
}

fn bext01(message: &Message<'_>, _: &Essentials<'_>) {
    let required: Vec<_> = message.values(Name::ProxyRequire).collect();
    assert_eq!(required, [b"noProxiesSupportThis".as_slice(), b"norDoAnyProxiesSupportThis"]);
    assert_eq!(message.values(Name::Require).count(), 2);
}

fn invut(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.field(Name::ContentType).unwrap().value, b"application/unknownformat");
    assert_eq!(message.body().len(), 40);
}

fn regaut01(message: &Message<'_>, _: &Essentials<'_>) {
    let value = message.field(Name::Authorization).unwrap().value;
    assert_eq!(Credentials::parse(value).unwrap_err(), CredentialsError::NotDigest);
}

fn bcast(message: &Message<'_>, _: &Essentials<'_>) {
    let vias = vias(message);
    assert_eq!(vias[0].host, b"192.0.2.198");
    assert_eq!(vias[1].host, b"255.255.255.255");
}

fn zeromf(_: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!(essentials.max_forwards, Some(0));
}

/// Without angle brackets the parameter is the contact's.
fn cparam01(message: &Message<'_>, _: &Essentials<'_>) {
    let contact = contacts(message)[0];
    assert_eq!(contact.name_addr.uri, b"sip:+19725552222@gw1.example.net");
    assert_eq!(contact.name_addr.params.get(b"unknownparam"), Some(None));
}

/// Within them it is the URI's.
fn cparam02(message: &Message<'_>, _: &Essentials<'_>) {
    let contact = contacts(message)[0];
    assert_eq!(contact.name_addr.params.iter().count(), 0);
    assert_eq!(Uri::parse(contact.name_addr.uri).unwrap().params.get(b"unknownparam"), Some(None));
}

fn regescrt(message: &Message<'_>, _: &Essentials<'_>) {
    let contact = contacts(message)[0];
    assert_eq!(Uri::parse(contact.name_addr.uri).unwrap().headers, b"Route=%3Csip:sip.example.com%3E");
}

fn sdp01(message: &Message<'_>, _: &Essentials<'_>) {
    assert_eq!(message.values(Name::Accept).next(), Some(b"text/nobodyKnowsThis".as_slice()));
}

/// Neither a branch nor a From tag nor Max-Forwards nor Content-Length: RFC 2543 had none of them.
fn inv2543(message: &Message<'_>, essentials: &Essentials<'_>) {
    assert_eq!((essentials.via.branch, essentials.from.tag(), essentials.max_forwards), (None, None, None));
    assert_eq!(essentials.to.params.value(b"user"), Some(b"phone".as_slice()));
    assert_eq!(message.body().len(), 105);
}

fn vias<'a>(message: &Message<'a>) -> Vec<Via<'a>> {
    message.values(Name::Via).map(|via| Via::parse(via).unwrap()).collect()
}

fn contacts<'a>(message: &Message<'a>) -> Vec<Contact<'a>> {
    match message.contacts().unwrap() {
        ContactSet::List(contacts) => contacts.collect(),
        ContactSet::Star => panic!("a star"),
    }
}

fn user(contact: &Contact<'_>) -> Vec<u8> {
    Uri::parse(contact.name_addr.uri).unwrap().user_unescaped().into_owned()
}
