//! What a response must be, and what happens to one that isn't.

use super::scene::{Scene, field, response};
use crate::operation::Kind;

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"acme.example\", nonce=\"n1\", qop=\"auth\"";
const BINDING: &str = "Contact: <sip:101@192.0.2.1:4001>;expires=600\r\n";

#[test]
fn a_registration_answers_its_challenge_with_the_same_call_id_and_the_next_cseq() {
    let mut scene = Scene::new(Kind::Register);
    let first = scene.sent_one();
    assert!(!first.contains("Authorization"));
    scene.hear(0, &response(&first, "401 Unauthorized", &format!("{CHALLENGE}\r\n")));
    let second = scene.sent_one();
    assert_eq!(field(&second, "Call-ID"), field(&first, "Call-ID"));
    assert_eq!((field(&first, "CSeq"), field(&second, "CSeq")), ("1 REGISTER", "2 REGISTER"));
    assert!(field(&second, "Authorization").contains("nc=00000001"));
    scene.hear(0, &response(&second, "200 OK", BINDING));
    scene.expect_success();

    // A refresh goes on where the registration ended.
    scene.phones.streams[0].kind = Kind::Refresh;
    scene.phones.streams[0].left = Some(1);
    let third = scene.sent_one();
    assert_eq!((field(&third, "Call-ID"), field(&third, "CSeq")), (field(&first, "Call-ID"), "3 REGISTER"));
    assert!(field(&third, "Authorization").contains("nonce=\"n1\""));
    assert!(field(&third, "Authorization").contains("nc=00000002"));
    // A nonce that is too old costs a second transaction, no more.
    scene.hear(0, &response(&third, "401 Unauthorized", &format!("{}, stale=true\r\n", CHALLENGE.replace("n1", "n2"))));
    let fourth = scene.sent_one();
    assert!(field(&fourth, "Authorization").contains("nonce=\"n2\""));
    assert!(field(&fourth, "Authorization").contains("nc=00000001"));
    scene.hear(0, &response(&fourth, "200 OK", BINDING));
    assert_eq!(scene.operations().succeeded, 2);
}

#[test]
fn a_binding_must_be_ours_and_not_longer_than_was_asked() {
    for (contact, expected) in [
        ("", "our binding is not in the 200 to REGISTER"),
        ("Contact: <sip:101@192.0.2.7:4001>;expires=600\r\n", "our binding is not in the 200 to REGISTER"),
        ("Contact: <sip:101@192.0.2.1:4001>\r\n", "our binding in the 200 to REGISTER has no expires"),
        ("Contact: <sip:101@192.0.2.1:4001>;expires=601\r\n", "our binding was granted for longer than was asked"),
        ("Contact: <sip:101@192.0.2.1:4001>;expires=0\r\n", "our binding was granted for 0 seconds"),
    ] {
        let mut scene = Scene::new(Kind::Register);
        let register = scene.sent_one();
        scene.hear(0, &response(&register, "200 OK", contact));
        scene.expect_failure(expected);
    }
    for contact in [
        "Contact: \"a, b\" <sip:x@y>, <sip:101@192.0.2.1:4001>;q=0.5;expires=60\r\n",
        "m: <sip:101@192.0.2.1:4001>\r\nExpires: 600\r\n",
    ] {
        let mut scene = Scene::new(Kind::Register);
        let register = scene.sent_one();
        scene.hear(0, &response(&register, "200 OK", contact));
        scene.expect_success();
    }
}

#[test]
fn a_response_that_says_something_else_than_was_sent_is_a_failure_in_words() {
    for (from, to, expected) in [
        ("CSeq: 1 ", "CSeq: 2 ", "another CSeq than was sent in the 200 to OPTIONS"),
        ("1 OPTIONS", "1 INVITE", "another CSeq than was sent in the 200 to OPTIONS"),
        ("Call-ID: ", "Call-ID: x", "another Call-ID than was sent in the 200 to OPTIONS"),
        (">;tag=", ">;tag=x", "another From tag than was sent in the 200 to OPTIONS"),
        (";tag=server", "", "no To tag in the 200 to OPTIONS"),
        ("192.0.2.1:4001;rport", "192.0.2.1:4009;rport", "the sent-by of Via is not ours in the 200 to OPTIONS"),
        (";rport", ";rport=4009", "rport is not our port in the 200 to OPTIONS"),
        ("SIP/2.0/UDP", "SIP/2.0/TCP", "the sent-by of Via is not ours in the 200 to OPTIONS"),
        ("From:", "Via: SIP/2.0/UDP a;branch=b\r\nFrom:", "more than one Via in the 200 to OPTIONS"),
        ("200 OK", "503 Service Unavailable", "503 Service Unavailable to OPTIONS"),
        ("200 OK", "302 Moved", "302 Moved to OPTIONS"),
    ] {
        let mut scene = Scene::new(Kind::Options);
        let options = scene.sent_one();
        scene.hear(0, &response(&options, "200 OK", "").replacen(from, to, 1));
        scene.expect_failure(expected);
    }
}

#[test]
fn a_response_on_another_socket_is_a_failure() {
    let mut scene = Scene::new(Kind::Options);
    let options = scene.sent_one();
    scene.hear(1, &response(&options, "200 OK", ""));
    scene.expect_failure("the 200 to OPTIONS came to another socket than asked");
}

#[test]
fn what_nobody_asked_for_is_counted_and_shown() {
    let mut scene = Scene::new(Kind::Options);
    let options = scene.sent_one();
    let stranger = response(&options, "200 OK", "").replace("branch=z9hG4bK", "branch=z9hG4bKx");
    scene.hear(0, &stranger);
    scene.hear(0, "\r\n\r\n");
    scene.hear(0, "NOTIFY sip:101@192.0.2.1 SIP/2.0\r\nCall-ID: other\r\n\r\n");
    assert_eq!(scene.phones.recorder.messages.unexpected, 3);
    assert_eq!(scene.phones.curiosities.len(), 3);
    assert_eq!(scene.operations().unfinished, 1);
    // A server may ask a phone whether it is there.
    scene.hear(0, &options.replace("z9hG4bK", "z9hG4bKx").replace("Call-ID: ", "Call-ID: x"));
    assert!(scene.sent_one().starts_with("SIP/2.0 200 OK\r\n"));
}

#[test]
fn a_scenario_that_wants_a_challenge_or_none_gets_what_it_wants() {
    use crate::agent::Challenges;
    let mut scene = Scene::new(Kind::Register);
    scene.phones.streams[0].challenges = Challenges::Required;
    let register = scene.sent_one();
    scene.hear(0, &response(&register, "200 OK", BINDING));
    scene.expect_failure("no challenge to REGISTER, but the scenario wants one");
    let mut scene = Scene::new(Kind::Register);
    scene.phones.streams[0].challenges = Challenges::Refused;
    let register = scene.sent_one();
    scene.hear(0, &response(&register, "401 Unauthorized", &format!("{CHALLENGE}\r\n")));
    scene.expect_failure("401 to REGISTER, but the scenario wants to be trusted");
}

#[test]
fn a_user_who_may_try_again_does_so_when_the_server_says() {
    let mut scene = Scene::new(Kind::Register);
    scene.phones.streams[0].retry = Some(5_000_000_000);
    let register = scene.sent_one();
    scene.hear(0, &response(&register, "503 Service Unavailable", "Retry-After: 2 (soon)\r\n"));
    assert_eq!(scene.sent(), []);
    scene.now += 1_999_000_000;
    assert_eq!(scene.sent(), []);
    scene.now += 1_000_000;
    let again = scene.sent_one();
    assert_eq!(field(&again, "CSeq"), "2 REGISTER");
}
