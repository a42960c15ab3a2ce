//! The same bytes to our parser and to `rsip` 0.4: inside the subset that rsip reads, both see the same message.
//!
//! Where they don't, the difference has a name and a reason in [`Difference`], says which facts it touches, and is only
//! accepted for those; a difference that is gone fails the test too.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use ringway_sip::{ContactSet, Message, Uri};
use rsip::message::HeadersExt;
use rsip::prelude::*;

/// What both parsers are asked for.
const FACTS: [&str; 19] = [
    "method",
    "request user",
    "request host",
    "request port",
    "via host",
    "via port",
    "branch",
    "from user",
    "from host",
    "from tag",
    "to user",
    "to host",
    "to tag",
    "call-id",
    "cseq",
    "max-forwards",
    "contact user",
    "contact host",
    "expires",
];

/// One message's facts; `-` stands for what is absent, `refused` for what a parser calls malformed.
type Facts = BTreeMap<&'static str, String>;

const ABSENT: &str = "-";
const REFUSED: &str = "refused";

/// Where the two read differently on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// rsip ends the user part at its first dot and then takes the whole of `user@host` for the host. RFC 3261 section
    /// 25.1 has the dot among the unreserved characters of a user.
    DotInUser,
    /// rsip reads methods in any case. RFC 3261 section 7.1: "The method name is case-sensitive", so `invite` is an
    /// extension method.
    MethodCase,
    /// rsip takes any 32-bit CSeq. RFC 3261 section 8.1.1.5: it MUST be less than 2^31.
    LargeCSeq,
    /// rsip takes any 32-bit Max-Forwards. RFC 3261 section 20.22: 0 to 255.
    LargeMaxForwards,
    /// rsip takes the CSeq as it comes. RFC 3261 section 8.1.1.5: its method MUST match that of the request.
    CSeqMethod,
    /// rsip looks for the first `<`, be it within a quoted display name (RFC 3261 section 20.10).
    BracketInDisplayName,
    /// rsip knows no compact forms (RFC 3261 section 7.3.3), so it misses From.
    CompactForm,
    /// rsip does not allow the white space before the colon that HCOLON has (RFC 3261 section 7.3.1).
    SpaceBeforeColon,
    /// rsip keeps the white space behind a value, which LWS is no part of (RFC 3261 section 7.3.1).
    SpaceBehindValue,
    /// rsip stops at white space around a semicolon, which SEMI has on both sides (RFC 3261 section 25.1).
    SpaceAroundSemicolon,
    /// rsip takes the first of two From; we refuse the message (RFC 4475 section 3.3.8).
    RepeatedFrom,
    /// rsip never compares Content-Length with the body; we refuse a larger one (RFC 3261 section 18.3).
    LargeContentLength,
    /// rsip takes an empty tag for no tag's value; we refuse it, since no dialog could be told by it (section 19.3).
    EmptyTag,
    /// rsip takes a Contact field for one contact, and refuses the comma of a second (RFC 3261 section 20.10).
    SeveralContacts,
}

impl Difference {
    const ALL: [Self; 14] = [
        Self::DotInUser,
        Self::MethodCase,
        Self::LargeCSeq,
        Self::LargeMaxForwards,
        Self::CSeqMethod,
        Self::BracketInDisplayName,
        Self::CompactForm,
        Self::SpaceBeforeColon,
        Self::SpaceBehindValue,
        Self::SpaceAroundSemicolon,
        Self::RepeatedFrom,
        Self::LargeContentLength,
        Self::EmptyTag,
        Self::SeveralContacts,
    ];

    /// The facts on which the two may, and must, differ.
    fn touches(self) -> &'static [&'static str] {
        match self {
            Self::DotInUser => &["from user", "from host"],
            Self::MethodCase => &["method"],
            Self::BracketInDisplayName | Self::CompactForm => &["from user", "from host", "from tag"],
            Self::SpaceBehindValue => &["call-id"],
            Self::SpaceAroundSemicolon => &["from tag"],
            Self::SeveralContacts => &["contact user", "contact host", "expires"],
            Self::LargeCSeq
            | Self::LargeMaxForwards
            | Self::CSeqMethod
            | Self::SpaceBeforeColon
            | Self::RepeatedFrom
            | Self::LargeContentLength
            | Self::EmptyTag => &FACTS,
        }
    }
}

/// The parts of a message, as text.
#[derive(Clone, Debug)]
struct Plan {
    method: String,
    request_uri: String,
    via: String,
    from: String,
    to: String,
    call_id: String,
    cseq: String,
    max_forwards: String,
    contact: Option<String>,
    others: Vec<String>,
    body: String,
}

impl Plan {
    fn bytes(&self, difference: Option<Difference>) -> Vec<u8> {
        let mut plan = self.clone();
        let mut from_name = "From";
        let mut from_colon = ":";
        let mut length = plan.body.len();
        match difference {
            Some(Difference::DotInUser) => plan.from = "<sip:first.last@example.com>;tag=1".into(),
            Some(Difference::MethodCase) => {
                plan.method.make_ascii_lowercase();
                plan.cseq = plan.cseq.replace(&self.method, &plan.method);
            }
            Some(Difference::LargeCSeq) => plan.cseq = format!("2147483648 {}", plan.method),
            Some(Difference::LargeMaxForwards) => plan.max_forwards = "256".into(),
            Some(Difference::CSeqMethod) => plan.cseq = "1 PUBLISH".into(),
            Some(Difference::BracketInDisplayName) => plan.from = "\"a <b\" <sip:a@example.com>;tag=1".into(),
            Some(Difference::CompactForm) => from_name = "f",
            Some(Difference::SpaceBeforeColon) => from_colon = " :",
            Some(Difference::SpaceBehindValue) => plan.call_id.push_str("  "),
            Some(Difference::SpaceAroundSemicolon) => plan.from = "sip:a@example.com ; tag=1".into(),
            Some(Difference::RepeatedFrom) => plan.others.push("From: <sip:other@example.com>;tag=9".into()),
            Some(Difference::LargeContentLength) => length += 1,
            Some(Difference::EmptyTag) => plan.from = "<sip:a@example.com>;tag=".into(),
            Some(Difference::SeveralContacts) => {
                plan.contact = Some("sip:a@192.0.2.1,sip:b@192.0.2.2".into());
            }
            None => {}
        }
        let mut text = format!("{} {} SIP/2.0\r\n", plan.method, plan.request_uri);
        for (name, value) in [("Via", &plan.via), ("To", &plan.to), ("Call-ID", &plan.call_id), ("CSeq", &plan.cseq)] {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("{from_name}{from_colon} {}\r\nMax-Forwards: {}\r\n", plan.from, plan.max_forwards));
        for line in plan.contact.iter().map(|contact| format!("Contact: {contact}")).chain(plan.others.iter().cloned())
        {
            text.push_str(&line);
            text.push_str("\r\n");
        }
        text.push_str(&format!("Content-Length: {length}\r\n\r\n{}", plan.body));
        text.into_bytes()
    }
}

prop_compose! {
    fn host()(labels in prop::collection::vec("[a-z][a-z0-9]{0,6}", 1..4), ip in any::<[u8; 4]>(), is_ip in any::<bool>()) -> String {
        if is_ip { std::net::Ipv4Addr::from(ip).to_string() } else { labels.join(".") }
    }
}

prop_compose! {
    fn host_port()(host in host(), port in prop::option::of(1u16..)) -> String {
        port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }
}

prop_compose! {
    fn uri()(
        scheme in select(vec!["sip", "sips"]),
        user in prop::option::of("[a-zA-Z0-9_+*-]{1,12}"),
        at in host_port(),
        params in prop::collection::vec(select(vec!["transport=udp", "transport=tcp", "lr", "user=phone", "ob", "x=y"]), 0..2),
    ) -> String {
        let user = user.map_or(String::new(), |user| format!("{user}@"));
        let params: String = params.iter().map(|param| format!(";{param}")).collect();
        format!("{scheme}:{user}{at}{params}")
    }
}

prop_compose! {
    fn name_addr()(
        display in prop::option::of(select(vec!["\"Alice Example\" ", "Bob ", "\"Zoë\" ", "\"semi;colon\" ", "Two Words "])),
        uri in uri(),
        tag in prop::option::of("[a-zA-Z0-9.-]{1,16}"),
    ) -> String {
        let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
        format!("{}<{uri}>{tag}", display.unwrap_or_default())
    }
}

prop_compose! {
    fn contact()(uri in uri(), expires in prop::option::of(any::<u32>()), q in prop::option::of(select(vec!["1", "0.5", "0.25"]))) -> String {
        let expires = expires.map_or(String::new(), |expires| format!(";expires={expires}"));
        let q = q.map_or(String::new(), |q| format!(";q={q}"));
        format!("<{uri}>{q}{expires}")
    }
}

prop_compose! {
    fn via()(transport in select(vec!["UDP", "TCP", "TLS", "WS"]), at in host_port(), branch in "[a-zA-Z0-9.-]{1,20}", rport in any::<bool>()) -> String {
        format!("SIP/2.0/{transport} {at};{}branch=z9hG4bK{branch}", if rport { "rport;" } else { "" })
    }
}

prop_compose! {
    fn plan()(
        method in select(vec![
            "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE",
        ]),
        request_uri in uri(),
        via in via(),
        from in name_addr(),
        to in name_addr(),
        call_id in "[a-zA-Z0-9-]{1,20}(@[a-z0-9.]{1,10})?",
        cseq in 0u32..1 << 31,
        max_forwards in any::<u8>(),
        contact in prop::option::of(contact()),
        others in prop::collection::vec(
            select(vec!["User-Agent: X/1.0 (é)", "Supported: path, outbound", "X-Any: <;,\"", "Subject:", "Allow: INVITE,ACK"]),
            0..4,
        ),
        body in select(vec!["", "v=0\r\n", "plain text\r\n\r\nwith an empty line"]),
    ) -> Plan {
        Plan {
            method: method.into(),
            request_uri,
            via,
            from,
            to,
            call_id,
            cseq: format!("{cseq} {method}"),
            max_forwards: max_forwards.to_string(),
            contact,
            others: others.into_iter().map(Into::into).collect(),
            body: body.into(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn inside_the_common_subset_both_see_the_same_message(plan in plan()) {
        let bytes = plan.bytes(None);
        let ours = our_facts(&bytes);
        prop_assert!(!ours.values().any(|fact| fact == REFUSED), "{ours:?}");
        prop_assert_eq!(ours, rsip_facts(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn each_named_difference_touches_the_facts_that_it_says_and_no_others(
        plan in plan(),
        difference in select(Difference::ALL.to_vec()),
    ) {
        let bytes = plan.bytes(Some(difference));
        let (ours, theirs) = (our_facts(&bytes), rsip_facts(&bytes));
        let mut is_seen = false;
        for fact in FACTS {
            let differs = ours.get(fact) != theirs.get(fact);
            is_seen |= differs;
            prop_assert!(
                !differs || difference.touches().contains(&fact),
                "{fact}: {:?} {:?} {difference:?} {}", ours.get(fact), theirs.get(fact), bytes.escape_ascii()
            );
        }
        prop_assert!(is_seen, "{difference:?} is gone: {}", bytes.escape_ascii());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(|| ABSENT.into(), |value| value.to_string())
}

fn refused() -> Facts {
    FACTS.into_iter().map(|fact| (fact, REFUSED.into())).collect()
}

fn our_facts(bytes: &[u8]) -> Facts {
    let Ok(message) = Message::parse(bytes) else { return refused() };
    let Ok(essentials) = message.essentials() else { return refused() };
    let uri_facts = |bytes| match Uri::parse(bytes) {
        Ok(uri) => (optional(uri.user.map(text)), text(uri.host), optional(uri.port)),
        Err(_) => (REFUSED.into(), REFUSED.into(), REFUSED.into()),
    };
    let (request_user, request_host, request_port) = uri_facts(message.request_uri());
    let (from_user, from_host, _) = uri_facts(essentials.from.uri);
    let (to_user, to_host, _) = uri_facts(essentials.to.uri);
    let contact = match message.contacts() {
        Ok(ContactSet::List(mut contacts)) => contacts.next(),
        _ => None,
    };
    let (contact_user, contact_host) = contact
        .map(|contact| uri_facts(contact.name_addr.uri))
        .map_or((ABSENT.into(), ABSENT.into()), |(user, host, _)| (user, host));
    FACTS
        .into_iter()
        .zip([
            text(message.method_token()),
            request_user,
            request_host,
            request_port,
            text(essentials.via.host),
            optional(essentials.via.port),
            optional(essentials.via.branch.map(text)),
            from_user,
            from_host,
            optional(essentials.from_tag.map(text)),
            to_user,
            to_host,
            optional(essentials.to_tag.map(text)),
            text(essentials.call_id),
            format!("{} {}", essentials.cseq.number, text(essentials.cseq.token)).to_uppercase(),
            optional(essentials.max_forwards),
            contact_user,
            contact_host,
            optional(contact.and_then(|contact| contact.expires)),
        ])
        .collect()
}

fn rsip_facts(bytes: &[u8]) -> Facts {
    let Ok(rsip::SipMessage::Request(request)) = rsip::SipMessage::try_from(bytes) else { return refused() };
    let user = |uri: &rsip::Uri| optional(uri.user());
    let host = |uri: &rsip::Uri| uri.host().to_string();
    let refused = || REFUSED.to_owned();
    let via = request.via_header().and_then(|header| header.typed()).ok();
    let from = request.from_header().and_then(|header| header.typed()).ok();
    let to = request.to_header().and_then(|header| header.typed()).ok();
    let cseq = request.cseq_header().and_then(|header| header.typed()).ok();
    let contact = request.contact_header().ok().map(|header| header.typed().ok());
    FACTS
        .into_iter()
        .zip([
            request.method.to_string(),
            user(&request.uri),
            host(&request.uri),
            optional(request.uri.port().map(|port| *port.value())),
            via.as_ref().map_or_else(refused, |via| host(&via.uri)),
            via.as_ref().map_or_else(refused, |via| optional(via.uri.port().map(|port| *port.value()))),
            via.as_ref().map_or_else(refused, |via| optional(via.branch().map(|branch| branch.value()))),
            from.as_ref().map_or_else(refused, |from| user(&from.uri)),
            from.as_ref().map_or_else(refused, |from| host(&from.uri)),
            from.as_ref().map_or_else(refused, |from| optional(from.tag().map(|tag| tag.value()))),
            to.as_ref().map_or_else(refused, |to| user(&to.uri)),
            to.as_ref().map_or_else(refused, |to| host(&to.uri)),
            to.as_ref().map_or_else(refused, |to| optional(to.tag().map(|tag| tag.value()))),
            request.call_id_header().map_or_else(|_| refused(), |header| header.value().to_owned()),
            cseq.map_or_else(refused, |cseq| format!("{} {}", cseq.seq, cseq.method)),
            request
                .max_forwards_header()
                .and_then(|header| header.num())
                .map_or_else(|_| refused(), |hops| hops.to_string()),
            contact_fact(&contact, |contact| user(&contact.uri)),
            contact_fact(&contact, |contact| host(&contact.uri)),
            contact_fact(&contact, |contact| optional(contact.expires().and_then(|expires| expires.seconds().ok()))),
        ])
        .collect()
}

fn contact_fact(
    contact: &Option<Option<rsip::typed::Contact>>,
    fact: impl Fn(&rsip::typed::Contact) -> String,
) -> String {
    match contact {
        None => ABSENT.into(),
        Some(None) => REFUSED.into(),
        Some(Some(contact)) => fact(contact),
    }
}
