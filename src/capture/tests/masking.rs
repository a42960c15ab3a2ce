//! No secret is in a capture, and everything else is as it was.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use ringway_capture::mask;
use support::bytes;

fn masked(text: &str) -> String {
    let mut message = bytes(text);
    let length = message.len();
    mask(&mut message);
    assert_eq!(message.len(), length, "lengths and offsets stay true");
    String::from_utf8(message).unwrap().replace("\r\n", "\n")
}

#[track_caller]
fn check(before: &str, after: &str) {
    assert_eq!(masked(before), after);
}

#[test]
fn the_response_of_digest_credentials_is_masked_and_nothing_else_of_them() {
    check(
        "REGISTER sip:a.example SIP/2.0\nAuthorization: Digest username=\"101\", realm=\"a.example\", nonce=\"n\", \
         uri=\"sip:a.example\", response=\"0123456789abcdef0123456789abcdef\", algorithm=MD5\nCall-ID: 1\n\n",
        "REGISTER sip:a.example SIP/2.0\nAuthorization: Digest username=\"101\", realm=\"a.example\", nonce=\"n\", \
         uri=\"sip:a.example\", response=\"********************************\", algorithm=MD5\nCall-ID: 1\n\n",
    );
}

#[test]
fn credentials_are_masked_however_they_are_written() {
    check(
        "X a SIP/2.0\nPROXY-authorization \t: digest a=b,\n RESPONSE = \"0\n 1\",c=d\n\n",
        "X a SIP/2.0\nPROXY-authorization \t: digest a=b,\n RESPONSE = \"*\n*****,c=d\n\n"
            .replace("\n*****,", "\n**\",")
            .as_str(),
    );
    check(
        "X a SIP/2.0\nAuthorization: Digest response=abc,x=y\n\n",
        "X a SIP/2.0\nAuthorization: Digest response=***,x=y\n\n",
    );
    check(
        "X a SIP/2.0\nAuthorization: Digest response=\"abc\n\n",
        "X a SIP/2.0\nAuthorization: Digest response=\"***\n\n",
    );
    check("X a SIP/2.0\nAuthorization: Basic dTpw\n\n", "X a SIP/2.0\nAuthorization: Basic ****\n\n");
    check("X a SIP/2.0\nAuthorization: Bearer a.b c\n\n", "X a SIP/2.0\nAuthorization: Bearer *** *\n\n");
    check(
        "SIP/2.0 200 OK\nAuthentication-Info: qop=auth, rspauth=\"00ff\", nc=1\n\n",
        "SIP/2.0 200 OK\nAuthentication-Info: qop=auth, rspauth=\"****\", nc=1\n\n",
    );
    // Line ends that no parser takes.
    check("X\nAuthorization: Digest response=\"ab\"", "X\nAuthorization: Digest response=\"**\"");
}

#[test]
fn passwords_in_uris_and_the_signature_of_our_record_route_are_masked() {
    check(
        "INVITE sip:bob:secret@b.example SIP/2.0\nContact: \"x\" <SIPS:alice:pw@[2001:db8::1]:5061>\n\
         Via: SIP/2.0/UDP h:5060\nTo: <sip:b.example:5060>\n\n",
        "INVITE sip:bob:******@b.example SIP/2.0\nContact: \"x\" <SIPS:alice:**@[2001:db8::1]:5061>\n\
         Via: SIP/2.0/UDP h:5060\nTo: <sip:b.example:5060>\n\n",
    );
    check(
        "BYE sip:a@b SIP/2.0\nRoute: <sip:rw@192.0.2.1;lr>, <sip:rw.AAAAAAAAAABBBBBBBBBBCCCCCCC@192.0.2.1;lr>\n\n",
        "BYE sip:a@b SIP/2.0\nRoute: <sip:rw@192.0.2.1;lr>, <sip:rw.AAAAAAAAAA*****************@192.0.2.1;lr>\n\n",
    );
}

#[test]
fn the_keys_of_a_session_are_masked_and_its_lines_are_not() {
    check(
        "INVITE sip:a@b SIP/2.0\n\nv=0\nc=IN IP4 10.0.0.1\nk=base64:abcd\nm=audio 4000 RTP/SAVP 0\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVe/z==|2^20|1:32;inline:Zz+9 KDR=1\n\
         a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=key-mgmt:mikey AQAF\na=fingerprint:sha-256 AB:CD\n",
        "INVITE sip:a@b SIP/2.0\n\nv=0\nc=IN IP4 10.0.0.1\nk=base64:****\nm=audio 4000 RTP/SAVP 0\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:************|2^20|1:32;inline:**** KDR=1\n\
         a=ice-ufrag:8hhY\na=ice-pwd:**********************\na=key-mgmt:***** ****\na=fingerprint:sha-256 AB:CD\n",
    );
}

#[test]
fn what_people_write_and_the_digits_they_press_are_masked() {
    check(
        "MESSAGE sip:a@b SIP/2.0\nContent-Type: text/plain\n\nmy PIN\nis 1234\n",
        "MESSAGE sip:a@b SIP/2.0\nContent-Type: text/plain\n\n******\n*******\n",
    );
    check(
        "INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nSignal=5\nDuration=160\n",
        "INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nSignal=*\nDuration=160\n",
    );
    check(
        "INFO sip:a@b SIP/2.0\nContent-Type: application/DTMF\n\n7",
        "INFO sip:a@b SIP/2.0\nContent-Type: application/DTMF\n\n*",
    );
}

#[test]
fn digits_are_masked_in_whatever_form_an_info_or_kpml_has_them() {
    let info = |kind: &str, body: &str| format!("INFO sip:a@b SIP/2.0\n{kind}\n\n{body}");
    for kind in [
        "Content-Type: application/vnd.nortelnetworks.digits",
        "c: audio/telephone-event",
        "Content-Type:\n application/sdp",
        "Content-Type: application/sdp\nContent-Type: application/dtmf",
        "Content-Type: multipart/mixed;boundary=x",
        "Info-Package: dtmf",
    ] {
        check(&info(kind, "p=Digit-Collection\nd=5 6\n"), &info(kind, "******************\n*****\n"));
    }
    check(
        &info("Content-Type: application/dtmf-relay", "Digit = 5\n6"),
        &info("Content-Type: application/dtmf-relay", "Digit = *\n*"),
    );
    let sdp = info("Content-Type: application/SDP ;x=y", "v=0\nm=audio 4000 RTP/AVP 0\n");
    check(&sdp, &sdp);
    check(
        "NOTIFY sip:a@b SIP/2.0\nEvent: kpml\n\n<kpml-response code=\"200\"\n digits=\"1234\" tag='x' digits = '5\n6'/>\n",
        "NOTIFY sip:a@b SIP/2.0\nEvent: kpml\n\n<kpml-response code=\"200\"\n digits=\"****\" tag='x' digits = '*\n*'/>\n",
    );
    check("SIP/2.0 200 OK\nCSeq: 7 INFO\n\n12\n", "SIP/2.0 200 OK\nCSeq: 7 INFO\n\n**\n");
}

#[test]
fn a_message_within_a_message_is_masked_as_one() {
    check(
        "NOTIFY sip:a@b SIP/2.0\nContent-Type: message/sipfrag\n\nINVITE sip:c:pw@d SIP/2.0\nAuthorization: Digest response=\"ab\"\n",
        "NOTIFY sip:a@b SIP/2.0\nContent-Type: message/sipfrag\n\nINVITE sip:c:**@d SIP/2.0\nAuthorization: Digest response=\"**\"\n",
    );
    check(
        "NOTIFY sip:a@b SIP/2.0\n\nX\n\nMESSAGE sip:c@d SIP/2.0\nTo: e\n\nmy PIN\n\n1234\n",
        "NOTIFY sip:a@b SIP/2.0\n\nX\n\nMESSAGE sip:c@d SIP/2.0\nTo: e\n\n******\n\n****\n",
    );
}

/// Line ends as they are given, and not as `check` makes them.
#[track_caller]
fn check_raw(before: &str, after: &str) {
    let mut message = before.as_bytes().to_vec();
    mask(&mut message);
    assert_eq!(String::from_utf8(message).unwrap(), after);
}

#[test]
fn what_is_malformed_is_masked_as_well() {
    check_raw(
        "X a SIP/2.0\r\nVia: x\n\nAuthorization: Digest response=\"ab\"\r\n\r\nk=clear:pw",
        "X a SIP/2.0\r\nVia: x\n\nAuthorization: Digest response=\"**\"\r\n\r\nk=clear:**",
    );
    check_raw("X a SIP/2.0\r\nk=clear:pw\r\na=ice-pwd:pw", "X a SIP/2.0\r\nk=clear:**\r\na=ice-pwd:**");
    check_raw(
        "X a SIP/2.0\rVia: x\rAuthorization: Basic ab\r\rk=pw",
        "X a SIP/2.0\rVia: x\rAuthorization: Basic **\r\rk=**",
    );
    check_raw("X\r\nVia: x\r\n Authorization: Basic ab", "X\r\nVia: x\r\n Authorization: Basic **");
    check_raw(
        "Authorization: Digest response=\"\r\n Authentication-Info: rspauth=\"ab\"\r\nX",
        "Authorization: Digest response=\"\r\n******************************\"**\"\r\nX",
    );
    check_raw("X\r\nAuthorization: Digest,response=ab", "X\r\nAuthorization: Digest,response=**");
    check_raw("X\r\nAuthorization: token", "X\r\nAuthorization: *****");
    check_raw(r#"Authorization: Digest response="a\"b",x=y"#, r#"Authorization: Digest response="****",x=y"#);
    check_raw("MESSAGE sip:a@b SIP/2.0\r\nTo: x\r\nmy PIN\r\n", "MESSAGE sip:a@b SIP/2.0\r\nTo: x\r\n******\r\n");
    check_raw("a=crypto:1 AES inlined:key\nk=prompt", "a=crypto:* *** ***********\nk=prompt");
}

#[test]
fn a_message_without_secrets_is_as_it_was() {
    let invite = "INVITE sip:102@a.example SIP/2.0\nVia: SIP/2.0/TLS 10.0.0.1:5061;branch=z9hG4bK1;rport\n\
                  From: \"response=\\\"x\\\"\" <sip:101@a.example>;tag=1\nTo: <sip:102@a.example>\nCall-ID: 1@10.0.0.1\n\
                  CSeq: 1 INVITE\nSubject: k=a:b\nContent-Length: 5\n\nv=0\n\n";
    check(invite, invite);
}

proptest! {
    #[test]
    fn whatever_bytes_come_their_number_stays(text in r#"(MESSAGE |INFO |Authorization: |Digest |response=|"|sip:|rw\.|@|:|\r\n|\n|a=crypto:|inline:|dtmf|[ -~]){0,40}"#) {
        let mut message = text.clone().into_bytes();
        mask(&mut message);
        prop_assert_eq!(message.len(), text.len());
        let breaks = |bytes: &[u8]| bytes.iter().map(|byte| matches!(byte, b'\r' | b'\n')).collect::<Vec<_>>();
        prop_assert_eq!(breaks(&message), breaks(text.as_bytes()), "line ends stay where they are");
    }

    #[test]
    fn a_secret_in_a_line_that_is_known_survives_nowhere(
        lines in prop::collection::vec((line(), end()), 0..12),
        secret in (secret(), end()),
        at in any::<prop::sample::Index>(),
    ) {
        let mut lines = lines;
        lines.insert(at.index(lines.len() + 1), secret);
        let mut message: Vec<u8> = lines.iter().flat_map(|(line, end)| format!("{line}{end}").into_bytes()).collect();
        let before = String::from_utf8_lossy(&message).into_owned();
        mask(&mut message);
        let after = String::from_utf8_lossy(&message).into_owned();
        prop_assert!(!after.contains(SECRET), "{before:?} became {after:?}");
    }
}

const SECRET: &str = "5ec4e7c0ffee";

/// A line that holds the secret.
fn secret() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "Authorization: Digest username=\"a\", response=\"{}\", nc=1",
        "authorization:Digest response={}",
        "Proxy-Authorization : DIGEST a=b,response = '{}'",
        "Proxy-Authorization: Basic {}",
        "Authorization: {}",
        "Authentication-Info: rspauth=\"{}\"",
        "Contact: <sip:a:{}@b>",
        "INVITE sips:a:{}@b SIP/2.0",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{}|2^20",
        "a=key-mgmt:mikey {}",
        "a=ice-pwd:{}",
        "k=base64:{}",
        "k={}",
    ])
    .prop_map(|template| template.replace("{}", SECRET))
}

/// Any other line.
fn line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "INVITE sip:a@b SIP/2.0",
        "MESSAGE sip:a@b SIP/2.0",
        "INFO sip:a@b SIP/2.0",
        "SIP/2.0 200 OK",
        "Content-Type: application/sdp",
        "Content-Type: application/dtmf-relay",
        "Authorization: Digest response=\"",
        "a=crypto:1 x",
        "v=0",
        "",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "[ -~]{0,20}"]
}

fn end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\r\r", "\r\n ", "\n\t"])
}
