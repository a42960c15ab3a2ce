//! A call through a proxy, and what a proxy may not do to it.

use super::scene::{Scene, field, forwarded, handed_back, response};
use crate::operation::Kind;

const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"acme.example\", nonce=\"n1\", qop=\"auth\"\r\n";

/// Plays the call up to its end; `spoil` may change each request that reaches the callee.
fn call(scene: &mut Scene, spoil: impl Fn(String) -> String) {
    let invite = scene.sent_one();
    scene.hear(0, &response(&invite, "100 Trying", ""));
    scene.hear(1, &spoil(forwarded(&invite)));
    let [ringing, ok] = &scene.sent()[..] else { return };
    let (ringing, ok) = (handed_back(&ringing.1), handed_back(&ok.1));
    scene.hear(0, &ringing);
    scene.hear(0, &ok);
    let ack = scene.sent_one();
    assert_eq!(field(&ack, "Route"), "<sip:192.0.2.9;lr>");
    assert!(ack.starts_with("ACK sip:102@192.0.2.1:4002 SIP/2.0\r\n"), "{ack}");
    assert_eq!(field(&ack, "CSeq").replace("ACK", "INVITE"), field(&ok, "CSeq"));
    scene.hear(1, &spoil(forwarded(&ack)));
    let [(0, bye)] = &scene.sent()[..] else { return };
    assert!(bye.starts_with("BYE sip:102@192.0.2.1:4002 SIP/2.0\r\n"), "{bye}");
    scene.hear(1, &spoil(forwarded(bye)));
    let answer = scene.sent_one();
    scene.hear(0, &handed_back(&answer));
}

#[test]
fn a_call_goes_from_invite_to_the_answer_to_its_bye() {
    let mut scene = Scene::new(Kind::Call);
    call(&mut scene, |request| request);
    scene.expect_success();
    assert_eq!((scene.phones.outbox.count, scene.phones.recorder.messages.received), (6, 7));
}

#[test]
fn a_challenge_is_acknowledged_and_answered_in_the_same_call() {
    let mut scene = Scene::new(Kind::Call);
    let first = scene.sent_one();
    let challenge = response(&first, "407 Proxy Authentication Required", CHALLENGE);
    scene.hear(0, &challenge);
    let sent = scene.sent();
    let [(0, ack), (0, second)] = &sent[..] else { panic!("{sent:?}") };
    assert!(ack.starts_with("ACK sip:102@acme.example SIP/2.0\r\n"), "{ack}");
    assert_eq!(field(ack, "Via"), field(&first, "Via"), "the ACK of a refusal is of the same transaction");
    assert_eq!(field(ack, "To"), field(&challenge, "To"));
    assert_eq!(field(ack, "CSeq"), "1 ACK");
    assert_eq!(field(second, "CSeq"), "2 INVITE");
    assert_ne!(field(second, "Via"), field(&first, "Via"));
    for name in ["Call-ID", "From", "To"] {
        assert_eq!(field(second, name), field(&first, name));
    }
    assert!(field(second, "Proxy-Authorization").contains("uri=\"sip:102@acme.example\""));
    // The 407 comes again: the ACK was lost.
    let ack = ack.clone();
    scene.hear(0, &challenge);
    assert_eq!(scene.sent_one(), ack);
}

#[test]
fn wrong_credentials_are_not_sent_again() {
    let mut scene = Scene::new(Kind::Call);
    for _ in 0..2 {
        let invite = scene.sent().pop().unwrap().1;
        scene.hear(0, &response(&invite, "407 Proxy Authentication Required", CHALLENGE));
    }
    scene.expect_failure("407 to INVITE with credentials: user or password is wrong");
}

#[test]
fn what_a_proxy_spoils_is_a_failure_in_words() {
    type Spoil = fn(&str) -> String;
    let cases: [(&str, Spoil); 10] = [
        ("another Request-URI than the callee's Contact in the INVITE at the callee", |request| {
            request.replacen("INVITE sip:102@192.0.2.1:4002", "INVITE sip:102@192.0.2.1", 1)
        }),
        ("no Via of the server above ours in the INVITE at the callee", |request| {
            request
                .lines()
                .filter(|line| !line.contains("192.0.2.9;branch"))
                .map(|line| format!("{line}\r\n"))
                .collect()
        }),
        ("a Max-Forwards that is not less than was sent in the INVITE at the callee", |request| {
            request.replace("Max-Forwards: 69", "Max-Forwards: 70")
        }),
        ("another From tag than was sent in the INVITE at the callee", |request| {
            request.replacen(">;tag=", ">;tag=x", 1)
        }),
        ("another CSeq than was sent in the INVITE at the callee", |request| request.replace("CSeq: 1 I", "CSeq: 9 I")),
        ("another body than the caller's in the INVITE at the callee", |request| request.replace("PCMA", "PCMB")),
        ("another Contact than the caller's in the INVITE at the callee", |request| {
            request.replace("Contact: <sip:101@192.0.2.1:4001>", "Contact: <sip:101@192.0.2.9>")
        }),
        ("a Route that the server should have taken away in the ACK at the callee", |request| {
            request.replace("ACK\r\n", "ACK\r\nRoute: <sip:192.0.2.9;lr>\r\n")
        }),
        ("another To tag than the callee's in the BYE at the callee", |request| {
            if request.starts_with("BYE") {
                request.replace("To: <sip:102@acme.example>;tag=", "To: <sip:102@acme.example>;tag=x")
            } else {
                request.to_owned()
            }
        }),
        ("another CSeq than was sent in the BYE at the callee", |request| {
            request.replace("CSeq: 2 BYE", "CSeq: 1 BYE")
        }),
    ];
    for (expected, spoil) in cases {
        let mut scene = Scene::new(Kind::Call);
        call(&mut scene, |request| spoil(&request));
        scene.expect_failure(expected);
    }
}

#[test]
fn a_refusal_is_acknowledged_and_told() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(0, &response(&invite, "486 Busy Here", "Warning: 399 node \"busy: in a call\"\r\n"));
    assert!(scene.sent_one().starts_with("ACK sip:102@acme.example SIP/2.0\r\n"));
    scene.expect_failure("486 Busy Here to INVITE (busy: in a call)");
}

#[test]
fn a_200_that_the_callee_never_sent_is_a_failure() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(0, &response(&invite, "200 OK", "Contact: <sip:102@192.0.2.1:4002>\r\n"));
    scene.expect_failure("a 2xx to INVITE that the callee has not sent");
}
