//! Tables of URIs: the standard's own, and ours.

use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn every_part_is_cut_where_the_grammar_says() {
    let found = uri("sips:alice:secret@[2001:db8::1]:5061;transport=tcp;lr?subject=x&priority=urgent");
    assert_eq!(found.scheme, Scheme::Sips);
    assert_eq!(found.user.map(text), Some("alice"));
    assert_eq!(found.password.map(text), Some("secret"));
    assert_eq!((text(found.host), found.port), ("[2001:db8::1]", Some(5061)));
    assert_eq!(found.ip(), "2001:db8::1".parse().ok());
    assert_eq!(found.transport(), Some(Transport::Tcp));
    assert!(found.params.has(b"lr"));
    assert_eq!(text(found.headers), "subject=x&priority=urgent");
    assert_eq!(
        found.header_pairs().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>(),
        [("subject", "x"), ("priority", "urgent")]
    );
}

#[test]
fn a_user_part_may_have_semicolons_question_marks_and_escapes_in_it() {
    let found = uri("sip:user;par=u%40example.net@example.com");
    assert_eq!(found.user.map(text), Some("user;par=u%40example.net"));
    assert_eq!(&*found.user_unescaped(), b"user;par=u@example.net");
    let found = uri(
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
    );
    assert_eq!(found.user.map(text), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(found.password.map(text), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
    assert_eq!(&*uri("sip:null-%00-null@example.com").user_unescaped(), b"null-\0-null");
}

#[test]
fn a_telephone_number_is_the_user_of_a_tel_uri() {
    let found = uri("tel:+49-30-1234;phone-context=example.com");
    assert_eq!((found.scheme, found.user.map(text), found.host), (Scheme::Tel, Some("+49-30-1234"), &b""[..]));
    assert_eq!(found.params.value(b"phone-context").map(text), Some("example.com"));
    let found = uri("soap.beep://192.0.2.103:3002");
    assert_eq!((found.scheme, found.user), (Scheme::Other, None));
}

#[test]
fn malformed_uris_say_what_is_malformed() {
    for (wrong, error) in [
        ("", UriError::Scheme),
        ("alice", UriError::Scheme),
        (":alice", UriError::Scheme),
        ("1sip:a", UriError::Scheme),
        ("sip:", UriError::Host),
        ("sip:a b", UriError::Character),
        ("sip:<a>", UriError::Character),
        ("sip:a\0", UriError::Character),
        ("sip:@a", UriError::User),
        ("sip::x@a", UriError::User),
        ("sip:a@b@c", UriError::User),
        ("sip:a@b;x=@", UriError::User),
        ("sip:a@", UriError::Host),
        ("sip:a@b:", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b:x", UriError::Port),
        ("sip:a@b/c", UriError::Host),
        ("sip:[::1", UriError::Host),
        ("sip:[::1]x", UriError::Host),
        ("sip:[fe80::1%25eth0]", UriError::Host),
        ("sip:::1", UriError::Host),
        ("sip:%Z%45@a", UriError::Escape),
        ("sip:a%4@a", UriError::Escape),
        ("tel:", UriError::User),
        ("tel:1@a", UriError::User),
    ] {
        assert_eq!(Uri::parse(wrong.as_bytes()).map(|found| found.scheme), Err(error), "{wrong}");
    }
    let many = format!("sip:a{}", ";x".repeat(MAX_URI_PARAMETERS + 1));
    assert_eq!(Uri::parse(many.as_bytes()).map(|_| ()), Err(UriError::TooManyParameters));
    assert!(Uri::parse(&many.as_bytes()[..many.len() - 2]).is_ok());
    let many = format!("sip:a?{}", "x&".repeat(MAX_URI_PARAMETERS));
    assert_eq!(Uri::parse(many.as_bytes()).map(|_| ()), Err(UriError::TooManyParameters));
}

/// Asserted both ways round.
fn assert_equivalence(one: &str, other: &str, expected: bool) {
    assert_eq!(uri(one).is_equivalent(&uri(other)), expected, "{one} {other}");
    assert_eq!(uri(other).is_equivalent(&uri(one)), expected, "{other} {one}");
}

#[test]
fn the_uris_that_rfc_3261_calls_equivalent_are() {
    for (one, other) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ] {
        assert_equivalence(one, other, true);
    }
}

#[test]
fn the_uris_that_rfc_3261_calls_different_are() {
    for (one, other) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ] {
        assert_equivalence(one, other, false);
    }
}

#[test]
fn each_rule_of_section_19_1_4_is_kept() {
    for (one, other, expected) in [
        ("sip:a@b", "sips:a@b", false),
        ("sip:a@b", "sip:b", false),
        ("sip:a:p@b", "sip:a@b", false),
        ("sip:a:p@b", "sip:a:P@b", false),
        ("sip:a:@b", "sip:a@b", false),
        ("sip:a%3Bb@c", "sip:a;b@c", false),
        ("sip:a%3bb@c", "sip:a%3Bb@c", true),
        ("sip:a%2db@c", "sip:a-b@c", true),
        ("sip:a@b;user=phone", "sip:a@b", false),
        ("sip:a@b;ttl=1", "sip:a@b", false),
        ("sip:a@b;method=INVITE", "sip:a@b", false),
        ("sip:a@b;maddr=192.0.2.1", "sip:a@b", false),
        ("sip:a@b;user=PHONE", "sip:a@b;USER=phone", true),
        ("sip:a@b;lr", "sip:a@b", true),
        ("sip:a@b;lr", "sip:a@b;lr=true", false),
        ("sip:a@b;x=1;y=2", "sip:a@b;y=2;x=1", true),
        ("sip:a@b;%78=1", "sip:a@b;x=2", false),
        ("sip:a@b:5060", "sip:a@b:05060", true),
        ("sip:a@b?x=1", "sip:a@b?x=1&x=1", false),
        ("sip:a@b?x=1&y=2", "sip:a@b?x=1", false),
        ("sip:a@b?Call-ID=x", "sip:a@b?call-id=X", false),
        ("sip:a@b?Priority=x", "sip:a@b?priority=X", true),
        ("urn:service:sos", "urn:service:sos", true),
        ("urn:service:sos", "urn:service:fire", false),
    ] {
        assert_equivalence(one, other, expected);
    }
}

#[test]
fn ipv6_addresses_are_compared_as_addresses() {
    for (one, other, expected) in [
        ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:DB8:0:0:0:0:9:01]", true),
        ("sip:bob@[::ffff:192.0.2.128]", "sip:bob@[::ffff:c000:280]", true),
        ("sip:bob@[2001:db8::9:1]", "sip:bob@[2001:db8::9:2]", false),
        ("sip:bob@[::ffff:192.0.2.128]", "sip:bob@192.0.2.128", false),
    ] {
        assert_equivalence(one, other, expected);
    }
}

#[test]
fn telephone_numbers_are_equal_without_their_separators() {
    for (one, other, expected) in [
        ("tel:+1-201-555-0123", "tel:+1(201)555.0123", true),
        ("tel:+12015550123", "tel:+12015550124", false),
        ("tel:7042;phone-context=example.com", "TEL:7042;phone-context=Example.com", true),
        ("tel:7042;phone-context=example.com", "tel:7042", false),
        ("tel:7042;a=1;b=2", "tel:7042;b=2;a=1", true),
    ] {
        assert_equivalence(one, other, expected);
    }
}

#[test]
fn equivalence_is_symmetric_and_reflexive_even_where_a_parameter_stands_twice() {
    for (one, other) in [("sip:b;a=1;a=2", "sip:b;a=1"), ("tel:1;a=;a", "tel:1;a"), ("tel:1;a=;a", "tel:1;a=;a")] {
        let (one, other) = (Uri::parse(one.as_bytes()).unwrap(), Uri::parse(other.as_bytes()).unwrap());
        assert_eq!(one.is_equivalent(&other), other.is_equivalent(&one));
        assert!(one.is_equivalent(&one) && other.is_equivalent(&other));
    }
}
