//! Two nodes on one machine that share registrations by a real Redis.

use crate::harness::{Node, Options, Phone, Redis, wait_for};

const DOMAIN: &str = "cluster.example";

/// A node with the tenant and two extensions, as each node has its own copy of the directory.
fn node(redis: &Redis, name: &str) -> Node {
    let config = redis.config(name);
    let mut node = Node::prepare(Options { demo: false, tls: true, config, ..Options::default() });
    node.run("tenant", &["add", DOMAIN]);
    let file = node.path("extensions.csv");
    let rows = ["101", "102"].map(|number| format!("{number},{number},secret-{number},{number}@{DOMAIN}\n")).concat();
    std::fs::write(&file, format!("extension_number,auth_name,extension_password,email\n{rows}")).unwrap();
    node.run("extension", &["import", "--tenant", DOMAIN, file.to_str().unwrap()]);
    node.launch();
    node
}

fn phone(node: &Node, number: &str) -> Phone {
    Phone::start(node, number, DOMAIN, &format!("secret-{number}"), &[])
}

/// How many devices of a number a node knows.
fn known(node: &Node, number: &str) -> usize {
    node.run("extension", &["registrations", "--tenant", DOMAIN, number]).lines().count() - 1
}

#[test]
fn a_phone_of_one_node_is_called_by_way_of_the_other_and_still_when_its_own_is_killed() {
    let redis = Redis::start();
    let (mut a, b) = (node(&redis, "a"), node(&redis, "b"));
    let (mut callee, mut caller) = (phone(&a, "101"), phone(&b, "102"));
    callee.register();
    caller.register();
    wait_for("both nodes to know both phones", || {
        ["101", "102"].iter().all(|number| known(&a, number) == 1 && known(&b, number) == 1).then_some(())
    });
    assert_eq!((a.metric("ringway_redis_current"), b.metric("ringway_redis_current")), (1.0, 1.0));
    for round in 0..2 {
        caller.tell(&format!("call sip:101@{DOMAIN}"));
        callee.expect("incoming", |_| true);
        callee.tell("answer 200");
        caller.expect_state("CONFIRMED");
        caller.tell("hangup");
        callee.expect_end(200);
        if round == 0 {
            // Nothing is waited for: what b knows it has in its own memory.
            a.kill();
        }
    }
}

#[test]
fn a_phone_whose_connection_is_at_the_other_node_is_called_through_it_and_talks() {
    let redis = Redis::start();
    let (mut a, b) = (node(&redis, "a"), node(&redis, "b"));
    let by_tls = format!("127.0.0.1:{}", a.tls_port);
    let further = ["--transport", "tls", "--proxy", &by_tls];
    let mut callee = Phone::start(&a, "101", DOMAIN, "secret-101", &further);
    let mut caller = phone(&b, "102");
    callee.register();
    caller.register();
    wait_for("b to know the phone, and a", || {
        (known(&b, "101") == 1 && b.metric("ringway_nodes") == 1.0).then_some(())
    });
    let listed = |node: &Node| node.run("extension", &["registrations", "--tenant", DOMAIN, "101"]);
    assert!(listed(&a).contains(" flow ") && listed(&b).contains(" node "), "{}", listed(&b));
    for caller_hangs_up in [true, false] {
        caller.tell(&format!("call sip:101@{DOMAIN}"));
        callee.expect("incoming", |_| true);
        callee.tell("answer 200");
        caller.expect_state("CONFIRMED");
        callee.expect_state("CONFIRMED");
        wait_for("RTP both ways", || {
            let heard = [caller.packets(), callee.packets()].map(|(received, _)| received);
            heard.iter().all(|received| *received > 10).then_some(())
        });
        let active = format!("ringway_calls_active{{tenant=\"{DOMAIN}\"}}");
        assert_eq!((a.metric(&active), b.metric(&active)), (0.0, 1.0), "it is b's call");
        let (hangs_up, hears) = if caller_hangs_up { (&mut caller, &mut callee) } else { (&mut callee, &mut caller) };
        hangs_up.tell("hangup");
        hears.expect_end(200);
        hangs_up.expect_state("DISCONNECTED");
        wait_for("the end of the call", || (b.metric(&active) == 0.0).then_some(()));
    }
    // Without its node the phone is not there, and the caller hears so at once.
    a.kill();
    wait_for("b to see that a is gone", || (b.metric("ringway_nodes") == 0.0).then_some(()));
    caller.tell(&format!("call sip:101@{DOMAIN}"));
    caller.expect_end(480);
}

#[test]
fn a_tenant_that_asks_for_it_is_told_of_a_registration_when_redis_has_it_and_else_that_it_has_not() {
    let redis = Redis::start();
    let (a, b) = (node(&redis, "a"), node(&redis, "b"));
    a.run("tenant", &["set", DOMAIN, "--acknowledge", "redis"]);
    let mut one = phone(&a, "101");
    one.register();
    wait_for("b to know it", || (known(&b, "101") == 1).then_some(()));
    drop(redis);
    let mut other = phone(&a, "102");
    other.tell("register");
    other.expect("registration", |event| event["code"] == 503);
    // It is known here all the same, and other tenants' phones notice nothing.
    assert_eq!(known(&a, "102"), 1);
}

#[test]
fn a_limit_holds_over_both_nodes() {
    let redis = Redis::start();
    let (a, b) = (node(&redis, "a"), node(&redis, "b"));
    let mut phones = [phone(&a, "101"), phone(&a, "101"), phone(&b, "101")];
    phones.iter_mut().for_each(Phone::register);
    wait_for("each node to know all three", || (known(&a, "101") == 3 && known(&b, "101") == 3).then_some(()));
    let mut fourth = phone(&b, "101");
    fourth.tell("register");
    fourth.expect("registration", |event| event["code"] == 403);
}

#[test]
fn while_redis_says_nothing_phones_register_and_metrics_say_how_far_behind_each_node_is() {
    let redis = Redis::start();
    let (a, b) = (node(&redis, "a"), node(&redis, "b"));
    let (mut one, mut other) = (phone(&a, "101"), phone(&a, "102"));
    one.register();
    wait_for("b to know it", || (known(&b, "101") == 1).then_some(()));
    let numbers = ["ringway_redis_lag_seconds", "ringway_redis_queue_depth", "ringway_redis_behind_seconds"];
    let of = |node: &Node| numbers.map(|number| node.metric(number));
    wait_for("nothing to wait", || (of(&a) == [0.0; 3] && of(&b) == [0.0; 3]).then_some(()));
    assert!(a.metric("ringway_redis_sections_total{direction=\"published\"}") >= 1.0);
    assert!(b.metric("ringway_redis_sections_total{direction=\"learned\"}") >= 1.0);
    assert!(b.metric("ringway_redis_reconciliations_total") >= 1.0);
    redis.pause();
    other.register();
    wait_for("a to say how late it is, and b how far behind", || {
        let ([lag, depth, _], [.., behind]) = (of(&a), of(&b));
        (lag >= 2.0 && depth >= 1.0 && behind >= 2.0).then_some(())
    });
    redis.resume();
    wait_for("both to have caught up", || {
        (of(&a) == [0.0; 3] && of(&b) == [0.0; 3] && known(&b, "102") == 1).then_some(())
    });
}
