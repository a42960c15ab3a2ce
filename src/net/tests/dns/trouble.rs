//! Servers that fail, lie or say nothing, and answers that grow old.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::proto::rr::RecordType;
use ringway_net::dns::{Failure, LocateError, Resolver, ResolverOptions};
use tokio::time::timeout;

use super::server::{Reply, Server, a, cname, srv};
use super::{destination, locate, options, targets};

async fn host(server: &Server, name: &str, ttl: u32) {
    server.says(name, RecordType::A, Reply::Records(vec![a(name, ttl, "192.0.2.1")]));
}

fn dns(error: LocateError) -> Failure {
    match error {
        LocateError::Dns(_, failure) => failure,
        other => panic!("{other}"),
    }
}

/// Far more than any deadline here: who waits so long has none.
const FOREVER: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_after_the_deadline() {
    let server = Server::start().await;
    server.says_of_all_others(Reply::Silence);
    // No attempt ends in time, so only the deadline can.
    let options = ResolverOptions { attempt: FOREVER * 100, ..options(&server) };
    let resolver = Resolver::start(&options).unwrap();
    let begun = Instant::now();
    let located = timeout(FOREVER, locate(&resolver, "sip:hole.example")).await.expect("there is a deadline");
    assert_eq!(dns(located.unwrap_err()), Failure::TimedOut);
    assert!(begun.elapsed() >= options.deadline, "it was waited for");
}

#[tokio::test]
async fn a_question_is_put_twice_and_no_oftener() {
    let server = Server::start().await;
    server.says_of_all_others(Reply::Failure);
    let resolver = Resolver::start(&options(&server)).unwrap();
    assert!(locate(&resolver, "sip:h.example:5060").await.is_err());
    assert_eq!(server.asked("h.example", "udp"), 2);
}

#[tokio::test]
async fn services_that_are_not_answered_leave_time_for_the_host_s_address() {
    let server = Server::start().await;
    server.says_of_all_others(Reply::Silence);
    host(&server, "hole.example", 300).await;
    let options = ResolverOptions { attempt: FOREVER, ..options(&server) };
    let resolver = Resolver::start(&options).unwrap();
    let located = resolver.locate(&destination("sip:hole.example")).await.unwrap();
    assert_eq!(located.targets[0].address, "192.0.2.1:5060".parse().unwrap());
    let silent = located.asked.iter().filter(|asked| asked.outcome == Err(Failure::TimedOut)).count();
    assert_eq!(silent, 4, "NAPTR and three SRV: {:?}", located.asked);
}

#[tokio::test]
async fn targets_that_were_found_are_given_at_the_deadline_though_others_were_not() {
    let server = Server::start().await;
    let name = "_sip._udp.half.example";
    let records = ["hole", "good"].map(|host| srv(name, 1, 1, 5070, &format!("{host}.half.example"))).to_vec();
    server.says(name, RecordType::SRV, Reply::Records(records));
    server.says("hole.half.example", RecordType::A, Reply::Silence);
    host(&server, "good.half.example", 300).await;
    let options = ResolverOptions { attempt: FOREVER, ..options(&server) };
    let resolver = Resolver::start(&options).unwrap();
    let found =
        timeout(FOREVER, targets(&resolver, "sip:half.example;transport=udp")).await.expect("there is a deadline");
    assert_eq!(found, ["udp 192.0.2.1:5070"]);
}

#[tokio::test]
async fn what_was_asked_in_vain_is_told_with_the_failure() {
    let server = Server::start().await;
    let resolver = Resolver::start(&options(&server)).unwrap();
    let unlocated = resolver.locate(&destination("sip:none.example;transport=udp")).await.unwrap_err();
    let asked: Vec<_> = unlocated.asked.iter().map(|asked| format!("{} {}", asked.kind, asked.name)).collect();
    assert_eq!(asked, ["SRV _sip._udp.none.example", "A none.example"]);
}

#[tokio::test]
async fn a_server_that_fails_does_not_hide_one_that_knows() {
    for is_first in [true, false] {
        let (failing, server) = (Server::start().await, Server::start().await);
        failing.says_of_all_others(Reply::Failure);
        // It would answer with less delay than the failing one only by chance, and is never asked alone by the library.
        for number in 0..8 {
            host(&server, &format!("h{number}.example"), 300).await;
        }
        let mut servers = vec![server.address, failing.address];
        if is_first {
            servers.reverse();
        }
        let resolver = Resolver::start(&ResolverOptions { servers, ..options(&server) }).unwrap();
        for number in 0..8 {
            assert_eq!(targets(&resolver, &format!("sip:h{number}.example:5060")).await, ["udp 192.0.2.1:5060"]);
        }
        let missing = locate(&resolver, "sip:none.example:5060").await.unwrap_err();
        assert_eq!(
            missing,
            LocateError::NoAddress("none.example".to_owned()),
            "that there is nothing is an answer too"
        );
    }
}

#[tokio::test]
async fn while_a_server_says_nothing_what_is_known_is_told_at_once() {
    let server = Server::start().await;
    host(&server, "known.example", 300).await;
    server.says_of_all_others(Reply::Silence);
    // No answer and no deadline is near: whoever waited for the open questions would wait for an hour.
    let hour = Duration::from_secs(3600);
    let options = ResolverOptions { attempt: hour, deadline: hour, open_questions: 3, ..options(&server) };
    let resolver = Arc::new(Resolver::start(&options).unwrap());
    targets(&resolver, "sip:known.example:5060").await;
    let stuck: Vec<_> = (0..3)
        .map(|number| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { locate(&resolver, &format!("sip:hole{number}.example:5060")).await.is_ok() })
        })
        .collect();
    for number in 0..3 {
        while server.asked(&format!("hole{number}.example"), "udp") == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(targets(&resolver, "sip:known.example:5060").await, ["udp 192.0.2.1:5060"]);
    assert_eq!(targets(&resolver, "sip:192.0.2.5").await, ["udp 192.0.2.5:5060"]);
    let refused = locate(&resolver, "sip:one-more.example:5060").await.unwrap_err();
    assert_eq!(dns(refused), Failure::Busy, "it is refused, not queued behind them");
    assert!(stuck.iter().all(|task| !task.is_finished()));
}

#[tokio::test]
async fn a_question_that_many_have_is_put_once() {
    let server = Server::start().await;
    host(&server, "h.example", 300).await;
    let resolver = Arc::new(Resolver::start(&options(&server)).unwrap());
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { targets(&resolver, "sip:h.example:5060").await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), ["udp 192.0.2.1:5060"]);
    }
    assert_eq!(server.asked_in_all(), 1);
}

#[tokio::test]
async fn a_failing_server_is_told_of_and_is_not_asked_again_at_once() {
    let server = Server::start().await;
    server.says_of_all_others(Reply::Failure);
    let resolver = Resolver::start(&options(&server)).unwrap();
    let failure = dns(locate(&resolver, "sip:h.example:5060").await.unwrap_err());
    assert!(matches!(failure, Failure::Server(_)), "{failure}");
    let asked = server.asked_in_all();
    assert_eq!(dns(locate(&resolver, "sip:h.example:5060").await.unwrap_err()), failure);
    assert_eq!(server.asked_in_all(), asked);
}

#[tokio::test]
async fn the_second_server_is_asked_when_the_first_says_nothing() {
    let (silent, server) = (Server::start().await, Server::start().await);
    silent.says_of_all_others(Reply::Silence);
    host(&server, "h.example", 300).await;
    let options = ResolverOptions { servers: vec![silent.address, server.address], ..options(&server) };
    let resolver = Resolver::start(&options).unwrap();
    assert_eq!(targets(&resolver, "sip:h.example:5060").await, ["udp 192.0.2.1:5060"]);
}

#[tokio::test]
async fn an_answer_that_did_not_fit_is_asked_for_by_tcp() {
    let server = Server::start().await;
    let name = "_sip._udp.many.example";
    let records = (0..40).map(|number| srv(name, number, 0, 5060, &format!("h{number}.many.example"))).collect();
    server.says(name, RecordType::SRV, Reply::Large(records));
    for number in 0..40 {
        let name = format!("h{number}.many.example");
        let address = format!("192.0.2.{number}");
        server.says(&name, RecordType::A, Reply::Records(vec![a(&name, 60, &address)]));
    }
    let resolver = Resolver::start(&options(&server)).unwrap();
    let targets = targets(&resolver, "sip:many.example;transport=udp").await;
    let expected: Vec<_> = (0..40).map(|number| format!("udp 192.0.2.{number}:5060")).collect();
    assert_eq!(targets, expected);
    assert_eq!((server.asked(name, "udp"), server.asked(name, "tcp")), (1, 1));
}

#[tokio::test]
async fn more_records_than_anybody_needs_are_cut_off_and_the_first_are_used() {
    let server = Server::start().await;
    let records = (0..200).map(|number| a("h.example", 60, &format!("192.0.2.{number}"))).collect();
    server.says("h.example", RecordType::A, Reply::Large(records));
    let resolver = Resolver::start(&options(&server)).unwrap();
    let found: BTreeSet<_> = targets(&resolver, "sip:h.example:5060").await.into_iter().collect();
    assert_eq!(found.len(), 64);
}

#[tokio::test]
async fn aliases_are_followed_to_their_end() {
    let server = Server::start().await;
    server.says("one.example", RecordType::A, Reply::Records(vec![cname("one.example", "two.example")]));
    server.says("two.example", RecordType::A, Reply::Records(vec![cname("two.example", "three.example")]));
    host(&server, "three.example", 60).await;
    let resolver = Resolver::start(&options(&server)).unwrap();
    assert_eq!(targets(&resolver, "sip:one.example:5060").await, ["udp 192.0.2.1:5060"]);
}

#[tokio::test]
async fn aliases_in_a_circle_come_to_an_end() {
    let server = Server::start().await;
    server.says("one.example", RecordType::A, Reply::Records(vec![cname("one.example", "two.example")]));
    server.says("two.example", RecordType::A, Reply::Records(vec![cname("two.example", "one.example")]));
    server.says("self.example", RecordType::A, Reply::Records(vec![cname("self.example", "self.example")]));
    let resolver = Resolver::start(&options(&server)).unwrap();
    for uri in ["sip:one.example:5060", "sip:self.example:5060"] {
        assert!(locate(&resolver, uri).await.is_err(), "{uri}");
    }
    assert!(server.asked_in_all() < 40, "{} questions", server.asked_in_all());
}

#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_its_records_live_and_no_longer() {
    let server = Server::start().await;
    host(&server, "long.example", 300).await;
    host(&server, "short.example", 1).await;
    host(&server, "now.example", 0).await;
    let resolver = Resolver::start(&options(&server)).unwrap();
    for uri in ["sip:long.example:5060", "sip:short.example:5060", "sip:now.example:5060"] {
        targets(&resolver, uri).await;
    }
    targets(&resolver, "sip:now.example:5060").await;
    assert_eq!(server.asked("now.example", "udp"), 2, "what lives no second is kept for none");
    // Its second passes in earnest: the records' lives are counted by the library's clock.
    while server.asked("short.example", "udp") < 2 {
        targets(&resolver, "sip:short.example:5060").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    targets(&resolver, "sip:long.example:5060").await;
    assert_eq!(server.asked("long.example", "udp"), 1);
}

#[tokio::test]
async fn that_there_is_nothing_is_remembered_too() {
    let server = Server::start().await;
    server.says_of_all_others(Reply::Missing(300));
    let resolver = Resolver::start(&options(&server)).unwrap();
    for _ in 0..3 {
        let error = locate(&resolver, "sip:none.example").await.unwrap_err();
        assert_eq!(error, LocateError::NoAddress("none.example".to_owned()));
    }
    assert_eq!(server.asked("none.example", "udp"), 2, "NAPTR and A, each once");
}

#[tokio::test]
async fn answers_that_are_kept_are_bounded() {
    let server = Server::start().await;
    for number in 0..20 {
        host(&server, &format!("h{number}.example"), 300 + number).await;
    }
    let options = ResolverOptions { kept_answers: 10, ..options(&server) };
    let resolver = Resolver::start(&options).unwrap();
    for number in 0..20 {
        targets(&resolver, &format!("sip:h{number}.example:5060")).await;
    }
    let before = server.asked_in_all();
    targets(&resolver, "sip:h19.example:5060").await;
    assert_eq!(server.asked_in_all(), before, "the last one is kept");
    targets(&resolver, "sip:h0.example:5060").await;
    assert_eq!(server.asked_in_all(), before + 1, "the one that lives shortest has made room");
}
