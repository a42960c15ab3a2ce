//! RFC 3261 sections 17.1.1.2, 17.1.2.2 and 13.3.1.4.

use super::scene::{MILLISECOND, Scene, forwarded, handed_back, response};
use crate::operation::Kind;

/// When the one request was sent again, in milliseconds, until it was given up.
fn times(scene: &mut Scene, first: &str) -> Vec<u64> {
    let begin = scene.now;
    let mut times = Vec::new();
    while let Some(at) = scene.fire(begin) {
        let again = scene.sent();
        if let Some((_, text)) = again.first() {
            assert_eq!((again.len(), text.as_str()), (1, first), "a retransmission is the same, byte for byte");
            times.push(at);
        } else if scene.operations().failed == 1 {
            times.push(at);
        }
    }
    times
}

#[test]
fn a_request_without_an_answer_is_sent_again_as_timers_e_and_f_say() {
    for (kind, method) in [(Kind::Options, "OPTIONS"), (Kind::Register, "REGISTER")] {
        let mut scene = Scene::new(kind);
        let first = scene.sent_one();
        let expected = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000];
        assert_eq!(times(&mut scene, &first), expected);
        scene.expect_failure(&format!("no response to {method} within 32 s"));
        assert_eq!(scene.phones.recorder.messages.retransmissions_sent, 10);
    }
}

#[test]
fn an_invite_without_an_answer_is_sent_again_as_timers_a_and_b_say() {
    let mut scene = Scene::new(Kind::Call);
    let first = scene.sent_one();
    assert_eq!(times(&mut scene, &first), [500, 1500, 3500, 7500, 15500, 31500, 32000]);
    scene.expect_failure("no response to INVITE within 32 s");
}

#[test]
fn a_provisional_response_ends_the_retransmissions_of_an_invite() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(0, &response(&invite, "100 Trying", ""));
    scene.advance(scene.now + 179_000 * MILLISECOND);
    assert_eq!(scene.sent(), []);
    assert_eq!(scene.operations().unfinished, 1);
    scene.advance(scene.now + 6_000 * MILLISECOND);
    scene.expect_failure("no final response to INVITE within 180 s of a provisional one");
}

#[test]
fn a_late_answer_counts_once_and_its_copies_are_told() {
    let mut scene = Scene::new(Kind::Options);
    let options = scene.sent_one();
    scene.advance(scene.now + 600 * MILLISECOND);
    assert_eq!(scene.sent_one(), options);
    scene.hear(0, &response(&options, "200 OK", ""));
    scene.hear(0, &response(&options, "200 OK", ""));
    scene.expect_success();
    assert_eq!(scene.phones.recorder.messages.retransmissions_received, 1);
}

#[test]
fn the_callee_repeats_its_200_until_the_ack_comes() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(1, &forwarded(&invite));
    let answers = scene.sent();
    let ok = answers[1].1.clone();
    assert!(ok.starts_with("SIP/2.0 200 OK\r\n"), "{ok}");
    let begin = scene.now;
    let mut count = 0;
    while scene.now < begin + 31_900 * MILLISECOND {
        scene.fire(begin);
        count += scene.sent().iter().filter(|(_, text)| *text == ok).count();
    }
    assert_eq!(count, 10);
}

#[test]
fn a_lost_ack_is_sent_again_when_the_200_comes_again() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(1, &forwarded(&invite));
    let ok = handed_back(&scene.sent()[1].1);
    scene.hear(0, &ok);
    let ack = scene.sent_one();
    scene.hear(0, &ok);
    assert_eq!(scene.sent_one(), ack);
    assert_eq!(scene.phones.recorder.messages.retransmissions_received, 1);
}

#[test]
fn an_invite_that_comes_again_is_answered_again() {
    let mut scene = Scene::new(Kind::Call);
    let invite = forwarded(&scene.sent_one());
    scene.hear(1, &invite);
    let ok = scene.sent()[1].1.clone();
    scene.hear(1, &invite);
    assert_eq!(scene.sent_one(), ok);
}

#[test]
fn a_bye_that_comes_again_after_the_call_is_answered_again() {
    let mut scene = Scene::new(Kind::Call);
    let invite = scene.sent_one();
    scene.hear(1, &forwarded(&invite));
    let ok = handed_back(&scene.sent()[1].1);
    scene.hear(0, &ok);
    let ack = scene.sent_one();
    scene.hear(1, &forwarded(&ack));
    let bye = forwarded(&scene.sent_one());
    scene.hear(1, &bye);
    let answer = scene.sent_one();
    scene.hear(0, &handed_back(&answer));
    scene.expect_success();
    scene.hear(1, &bye);
    assert_eq!(scene.sent_one(), answer);
}
