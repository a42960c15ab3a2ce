//! Nodes that share by a real Redis, which is cut off, killed, filled and lied to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::{Cluster, Link, Node, Redis, Sentinels, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_of_one_node_is_known_to_the_other_a_moment_later_and_gone_when_it_unregisters() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101") == ["sip:101@198.51.100.7"]).await;
    assert_eq!(redis.keys("rw:{b*}:acme.example:101").await, 1);
    a.register("101", 2, 0);
    eventually("the phone is gone", || b.found("101").is_empty()).await;
    assert_eq!(redis.keys("rw:{b*}:acme.example:101").await, 0);
    assert!(a.counters.is_current() && b.counters.is_current());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_late_or_was_away_knows_what_it_has_missed() {
    let redis = Redis::start(&[]).await;
    let a = Node::start("a", &redis.url());
    for number in 1000..3000 {
        a.register(&number.to_string(), 1, 300);
    }
    eventually("all is published", || a.unpublished() == 0).await;
    let link = Link::to(redis.port).await;
    let b = Node::start("b", &link.url());
    eventually("b has learned all", || (1000..3000).all(|number| b.found(&number.to_string()).len() == 1)).await;
    link.cut();
    eventually("b is cut off", || !b.counters.is_connected()).await;
    a.register("1000", 2, 0);
    a.register("4000", 1, 300);
    eventually("a has published", || a.unpublished() == 0).await;
    assert_eq!((b.found("1000").len(), b.found("4000").len()), (1, 0), "b knows what it knew");
    link.mend();
    eventually("b has caught up", || b.found("1000").is_empty() && b.found("4000").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_changes_than_a_stream_keeps_are_made_good_by_comparing_everything() {
    let redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &link.url()));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    let before = b.counters.reconciled.get();
    link.cut();
    eventually("b is cut off", || !b.counters.is_connected()).await;
    a.register("101", 2, 0);
    eventually("a has published", || a.unpublished() == 0).await;
    redis.fill_streams().await;
    link.mend();
    eventually("b has compared", || b.counters.reconciled.get() > before && b.found("101").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_and_comes_back_empty_is_filled_again_by_all_nodes() {
    let mut redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    b.register("102", 1, 300);
    eventually("both know both", || a.found("102").len() == 1 && b.found("101").len() == 1).await;
    redis.kill();
    eventually("Redis is lost", || !a.counters.is_connected() && !b.counters.is_connected()).await;
    a.register("103", 1, 300);
    assert_eq!(a.found("101").len() + a.found("102").len() + a.found("103").len(), 3, "phones go on");
    redis.restart().await;
    eventually("b learns what came meanwhile", || b.found("103").len() == 1).await;
    eventually("all three are in Redis", || a.unpublished() + b.unpublished() == 0).await;
    assert_eq!(redis.keys("rw:{b*}:acme.example:*").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_holed_redis_takes_no_memory_and_loses_nothing() {
    let redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    let (a, b) = (Node::start("a", &link.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    link.black_hole();
    for cseq in 2..500 {
        a.register("101", cseq, if cseq % 2 == 0 { 0 } else { 300 });
    }
    assert!(a.unpublished() <= 1, "{} wait", a.unpublished());
    link.mend();
    a.register("101", 500, 0);
    eventually("b has heard the last word", || b.found("101").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_under_way_when_the_connection_failed_is_published_again() {
    let redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    let (a, b) = (Node::start("a", &link.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    link.black_hole();
    a.register("102", 1, 300);
    eventually("it is under way", || a.unpublished() == 0).await;
    eventually("Redis is given up", || !a.counters.is_connected()).await;
    link.mend();
    eventually("b has heard of it", || b.found("102").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_an_acl_needs_no_more_than_the_page_says() {
    let rights = "--user ringway on >secret ~rw:* +evalsha +script|load +get +set +del +xadd +xlen +xread +xrange +xrevrange +scan +hset +hgetall +hdel +expire";
    let redis = Redis::start(&rights.split(' ').collect::<Vec<_>>()).await;
    let url = format!("redis://ringway:secret@127.0.0.1:{}", redis.port);
    let (a, b) = (Node::start("a", &url), Node::start("b", &url));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    a.register("101", 2, 0);
    eventually("and hears of the end", || b.found("101").is_empty()).await;
    eventually("they know each other", || a.asks(&b).is_some() && b.asks(&a).is_some()).await;
    assert_eq!((a.counters.failed.get(), b.counters.failed.get()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_redis_is_late_and_nothing_more() {
    let redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    link.delay(Duration::from_millis(750));
    let (a, b) = (Node::start("a", &link.url()), Node::start("b", &redis.url()));
    for number in 1000..2000 {
        a.register(&number.to_string(), 1, 300);
    }
    eventually("b has heard of all", || (1000..2000).all(|number| b.found(&number.to_string()).len() == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_is_tried_again_until_it_has_room() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    eventually("both are there", || a.asks(&b).is_some() && b.asks(&a).is_some()).await;
    redis.set("maxmemory", "1").await;
    a.register("101", 1, 300);
    eventually("Redis refuses", || a.counters.failed.get() > 0).await;
    assert!(b.found("101").is_empty() && a.found("101").len() == 1);
    eventually("it refuses again and again", || a.counters.failed.get() >= 4).await;
    assert_eq!((a.gone(), b.gone()), (0, 0), "nobody's beat gets in, so nobody has fallen silent");
    redis.set("maxmemory", "0").await;
    eventually("it has got through", || b.found("101").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_written_over_and_a_newer_blob_left_alone() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    for number in ["101", "102", "103"] {
        a.register(number, 1, 300);
    }
    eventually("b follows", || ["101", "102", "103"].iter().all(|number| b.found(number).len() == 1)).await;
    redis.put("101", b"no blob at all").await;
    redis.put("102", b"\x02of a version to come").await;
    redis.put_list("103").await;
    for number in ["101", "102", "103"] {
        b.register_elsewhere(number, 1, 300);
    }
    eventually("what can be written is", || a.found("101").len() == 2 && a.found("103").len() == 2).await;
    eventually("and what can't is counted", || b.counters.newer.get() > 0).await;
    assert_eq!(redis.get("102").await, b"\x02of a version to come");
    assert_eq!((a.found("102").len(), b.found("102").len()), (1, 2), "each node knows its own at least");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_and_a_wrong_one_is_no_reason_to_stop() {
    let redis = Redis::start(&["--requirepass", "secret"]).await;
    let wrong = Node::start("w", &format!("redis://:wrong@127.0.0.1:{}", redis.port));
    let right = Node::start("r", &format!("redis://:secret@127.0.0.1:{}", redis.port));
    eventually("the right one is let in", || right.counters.is_current()).await;
    wrong.register("101", 1, 300);
    assert!(!wrong.counters.is_connected() && wrong.found("101").len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls_the_server_has_to_be_who_it_should_be() {
    let redis = Redis::by_tls().await;
    let (a, b) = (redis.node("a"), redis.node("b"));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    let other = Redis::by_tls().await;
    let deceived = Node::with_authorities("c", &redis.tls_url(), Some(other.authority.clone().into_bytes()));
    let in_clear = Node::start("d", &redis.tls_url().replace("rediss", "redis"));
    for node in [&deceived, &in_clear] {
        node.register("102", 1, 300);
    }
    let late = redis.node("e");
    eventually("one that has come after them is in", || late.counters.is_current()).await;
    for node in [&deceived, &in_clear] {
        assert!(!node.counters.is_connected() && node.unpublished() == 1);
    }
    assert!(a.found("102").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_cluster_of_three_serves_as_one_server_does() {
    let cluster = Cluster::start().await;
    let (a, b) = (Node::start("a", &cluster.url()), Node::start("b", &cluster.url()));
    for number in 1000..1100 {
        a.register(&number.to_string(), 1, 300);
    }
    eventually("b has heard of all", || (1000..1100).all(|number| b.found(&number.to_string()).len() == 1)).await;
    // One that comes later scans all three.
    let c = Node::start("c", &cluster.url());
    eventually("c has learned all", || (1000..1100).all(|number| c.found(&number.to_string()).len() == 1)).await;
    a.register("1000", 2, 0);
    eventually("the phone is gone", || b.found("1000").is_empty() && c.found("1000").is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_master_of_a_cluster_dies_its_replica_takes_its_place_and_lacks_nothing() {
    let mut cluster = Cluster::start().await;
    cluster.add_replica().await;
    let (a, b) = (Node::start("a", &cluster.url()), Node::start("b", &cluster.url()));
    for number in 1000..1100 {
        a.register(&number.to_string(), 1, 300);
    }
    eventually("b follows", || (1000..1100).all(|number| b.found(&number.to_string()).len() == 1)).await;
    cluster.kill_first_master();
    // Some of them are the dead master's, each third.
    for number in 1000..1050 {
        a.register(&number.to_string(), 2, 0);
        a.register(&(number + 1000).to_string(), 1, 300);
    }
    cluster.wait_for_promotion().await;
    eventually("b has heard of all", || {
        (1000..1050).all(|number| b.found(&number.to_string()).is_empty())
            && (2000..2050).all(|number| b.found(&number.to_string()).len() == 1)
    })
    .await;
    // And one that comes now learns from those that are left.
    let c = Node::start("c", &cluster.url());
    eventually("c knows all", || (1050..1100).all(|number| c.found(&number.to_string()).len() == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_nodes_that_write_at_once_each_learns_all_that_the_others_write() {
    let redis = Redis::start(&[]).await;
    let nodes = ["a", "b", "c"].map(|name| Node::start(name, &redis.url()));
    eventually("all are there", || nodes.iter().all(|node| node.counters.is_current())).await;
    // More than go out at once, and each third of them again: with another device, or no more at all.
    let numbers = 10_000..25_000;
    let writer = |number: usize| number % nodes.len();
    for number in numbers.clone() {
        nodes[writer(number)].register(&number.to_string(), 1, 300);
        if number.is_multiple_of(1000) {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let before = number - 500;
        if before < numbers.start {
            continue;
        }
        match before % 9 {
            0 => nodes[writer(before)].register(&before.to_string(), 2, 0),
            3 => nodes[writer(before + 1)].register_elsewhere(&before.to_string(), 1, 300),
            _ => {}
        }
    }
    let expected = |number: usize| match number % 9 {
        _ if number + 500 >= numbers.end => 1,
        0 => 0,
        3 => 2,
        _ => 1,
    };
    for (at, node) in nodes.iter().enumerate() {
        let knows = |number: &usize| node.found(&number.to_string()).len() == expected(*number);
        eventually(&format!("node {at} knows all"), || numbers.clone().all(|number| knows(&number))).await;
    }
    assert_eq!(
        redis.keys("rw:{b*}:acme.example:*").await,
        numbers.clone().filter(|number| expected(*number) > 0).count()
    );
    assert!(nodes.iter().all(|node| node.counters.failed.get() + node.counters.garbage.get() == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_master_dies_the_one_that_sentinels_name_takes_its_place_and_lacks_nothing() {
    let mut sentinels = Sentinels::start().await;
    let (a, b) = (Node::start("a", &sentinels.url()), Node::start("b", &sentinels.url()));
    a.register("101", 1, 300);
    eventually("b follows", || b.found("101").len() == 1).await;
    sentinels.kill_master();
    a.register("101", 2, 0);
    a.register("102", 1, 300);
    eventually("b has heard of both", || b.found("101").is_empty() && b.found("102").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_without_its_journal_takes_over_what_redis_knows_of_it() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101").len() == 1).await;
    drop(a);
    let again = Node::start("a", &redis.url());
    eventually("it knows its phone again", || again.found("101").len() == 1).await;
    again.register("102", 1, 300);
    eventually("b hears of the next", || b.found("102").len() == 1).await;
    assert_eq!(b.found("101").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_emptied_redis_says_nothing_of_is_not_forgotten_with_the_node_that_would_say_it() {
    let mut redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101").len() == 1).await;
    a.stop();
    redis.kill();
    eventually("Redis is lost", || !b.counters.is_connected()).await;
    let before = b.counters.reconciled.get();
    redis.restart().await;
    eventually("b has compared", || b.counters.reconciled.get() > before && b.counters.is_current()).await;
    assert_eq!(b.found("101").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_stream_is_removed_and_the_nodes_go_on() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    eventually("both are there", || a.counters.is_current() && b.counters.is_current()).await;
    for partition in 0..=u8::MAX {
        redis.spoil_stream(partition).await;
    }
    a.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101").len() == 1).await;
    assert!(a.counters.garbage.get() + b.counters.garbage.get() >= 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_added_later_has_the_phones_that_others_know() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.add_tenant();
    a.register_with_another("101");
    a.register("102", 1, 300);
    eventually("b follows", || b.found("102").len() == 1).await;
    assert_eq!(b.found_with_another("101").len(), 0);
    b.add_tenant();
    eventually("b knows the phone", || b.found_with_another("101").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_with_one_name_neither_removes_what_the_other_has() {
    let redis = Redis::start(&[]).await;
    let (first, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    first.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101").len() == 1).await;
    let second = Node::start("a", &redis.url());
    eventually("both have seen it", || second.has_namesake() && first.has_namesake()).await;
    second.register("101", 2, 0);
    second.register("102", 1, 300);
    redis.disconnect_all().await;
    eventually("all are back", || first.counters.is_current() && second.counters.is_current()).await;
    assert_eq!((b.found("101").len(), b.found("102").len()), (1, 0));
    first.stop();
    eventually("one of them is gone", || b.found("102").len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bindings_that_a_phone_has_taken_elsewhere_are_no_longer_kept_here() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    a.register("101", 1, 300);
    eventually("b knows the phone", || b.found("101").len() == 1).await;
    b.register("101", 2, 300);
    eventually("a has let it go", || a.gave_way() > 0).await;
    assert_eq!(b.gave_way(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_own_way_to_redis_is_slow_is_asked_for_its_phones_still() {
    let redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    let (a, b) = (Node::start("a", &link.url()), Node::start("b", &redis.url()));
    eventually("they know each other", || a.asks(&b).is_some() && b.asks(&a).is_some()).await;
    link.delay(Duration::from_millis(750));
    let mut gone = Vec::new();
    for cseq in 1..9 {
        a.register("101", cseq, if cseq % 2 == 1 { 300 } else { 0 });
        eventually("b hears of it", || b.found("101").len() == (cseq % 2) as usize).await;
        gone.push(b.gone());
    }
    // It may fall silent once, until b knows how slow it is.
    assert!(gone[2] <= 1 && gone[7] == gone[2], "{gone:?}");
    assert_eq!(b.asks(&a), a.address());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_know_of_each_other_while_they_live_and_of_none_that_has_another_secret() {
    let redis = Redis::start(&[]).await;
    let (a, b) = (Node::start("a", &redis.url()), Node::start("b", &redis.url()));
    let stranger = Node::with_secret("c", &redis.url(), 2);
    eventually("a and b know each other", || a.asks(&b).is_some() && b.asks(&a).is_some()).await;
    eventually("the stranger beats", || stranger.counters.is_current()).await;
    assert_eq!((a.asks(&stranger), stranger.asks(&a)), (None, None));
    assert_eq!((a.counters.nodes(), a.gone()), (1, 0));
    let address = b.asks(&a);
    b.stop();
    eventually("b is gone", || a.asks(&b).is_none()).await;
    assert_eq!((a.counters.nodes(), a.gone(), address), (0, 1, a.address()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_node_is_taken_for_dead_because_redis_is_slow_or_away() {
    let mut redis = Redis::start(&[]).await;
    let link = Link::to(redis.port).await;
    let (a, b) = (Node::start("a", &link.url()), Node::start("b", &link.url()));
    eventually("a and b know each other", || a.asks(&b).is_some() && b.asks(&a).is_some()).await;
    link.delay(Duration::from_millis(750));
    let published = a.counters.published.get();
    for cseq in 1..6 {
        a.register("101", cseq, 300 + cseq * 60);
        a.register_elsewhere("102", 2 * cseq - 1, 300);
        a.register_elsewhere("102", 2 * cseq, 0);
        eventually("a change goes round", || a.unpublished() == 0).await;
    }
    assert!(a.counters.published.get() > published);
    link.delay(Duration::ZERO);
    redis.kill();
    eventually("Redis is lost", || !a.counters.is_connected() && !b.counters.is_connected()).await;
    assert!(a.asks(&b).is_some() && b.asks(&a).is_some(), "who was there is taken to be");
    redis.restart().await;
    eventually("Redis is back", || a.counters.is_current() && b.counters.is_current()).await;
    assert_eq!((a.gone(), b.gone()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_know_all_yet_asks_for_the_number_that_somebody_calls() {
    let redis = Redis::start(&[]).await;
    let a = Node::start("a", &redis.url());
    for number in 1000..3000 {
        a.register(&number.to_string(), 1, 300);
    }
    eventually("all is published", || a.unpublished() == 0).await;
    let link = Link::to(redis.port).await;
    // So slow that what is asked for comes before the rest.
    link.delay(Duration::from_millis(100));
    let b = Node::start("b", &link.url());
    assert!(eventually_asks(&b, "2500").await && b.ask("9999"));
    eventually("both are answered", || b.looked_up().len() == 2).await;
    assert_eq!((b.found("2500").len(), b.found("9999").len()), (1, 0));
    assert!(!b.counters.is_current(), "it does not know the rest yet");
    eventually("b knows all", || b.counters.is_current() && b.found("1500").len() == 1).await;
    eventually("nothing has to be asked for", || !b.ask("9999")).await;
    link.cut();
    eventually("b is cut off", || !b.counters.is_connected()).await;
    assert!(!b.ask("9999"), "there is nobody to ask");
}

/// Asks as soon as the node does.
async fn eventually_asks(node: &Node, number: &str) -> bool {
    eventually("it asks", || node.ask(number)).await;
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_long_for_a_section_stops_none_of_those_beside_it() {
    let redis = Redis::start(&[]).await;
    let section = |length: usize| [&[0; 12][..], &vec![b'r'; length]].concat();
    let outcomes = redis.publish(&[("1", section(65_536)), ("2", section(65_535)), ("3", section(0))]).await;
    assert_eq!(outcomes, "BWW");
    assert_eq!(redis.keys("rw:{b0}:acme.example:*").await, 1);
}
