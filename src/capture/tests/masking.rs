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
    let other = "INFO sip:a@b SIP/2.0\nContent-Type: text/x\n\nSignal=5\n";
    check(other, other);
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
}
