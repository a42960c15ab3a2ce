//! Calls between two runs of SIPp.

use crate::harness::{Node, Options, Sipp, free_port};

/// 102 registers and takes calls on one port; 101 calls it from another.
fn call(node: &Node, callee: &str, caller: &str) {
    let (to, from) = (free_port(), free_port());
    Sipp::run(node, "register", "102", &node.demo_password("102"), to, &[]);
    let answering = Sipp::start(node, callee, "102", &node.demo_password("102"), to, &[]);
    Sipp::run(node, caller, "101", &node.demo_password("101"), from, &["-key", "callee", "102"]);
    answering.expect_success();
}

#[test]
fn sipp_registers_and_is_called() {
    let node = Node::start(Options::default());
    call(&node, "callee", "caller");
    assert_eq!(node.metric("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"answered\"}"), 1.0);
    assert_eq!(node.metric("ringway_calls_active{tenant=\"demo.ringway.test\"}"), 0.0);
}

#[test]
fn sipp_hears_busy() {
    let node = Node::start(Options::default());
    call(&node, "callee_who_is_busy", "caller_who_hears_busy");
    assert_eq!(node.metric("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"busy\"}"), 1.0);
}

#[test]
fn sipp_gives_up_while_it_rings() {
    let node = Node::start(Options::default());
    call(&node, "callee_who_rings", "caller_who_gives_up");
    assert_eq!(node.metric("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"cancelled\"}"), 1.0);
}

#[test]
fn sipp_hears_that_nobody_answers() {
    let node = Node::start(Options::default());
    let port = free_port();
    Sipp::run(&node, "register", "102", &node.demo_password("102"), port, &[]);
    // The phone is gone without a word: its INVITE is repeated until Timer B, 32 s.
    let password = node.demo_password("101");
    let further = ["-key", "callee", "102", "-timeout", "60"];
    Sipp::start(&node, "caller_who_hears_no_answer", "101", &password, free_port(), &further)
        .expect_success_within(std::time::Duration::from_secs(60));
    assert_eq!(node.metric("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"no-answer\"}"), 1.0);
}

#[test]
fn a_phone_on_ipv4_calls_one_on_ipv6() {
    let node = Node::start(Options { ipv6: true, ..Options::default() });
    let (to, password) = (free_port(), node.demo_password("102"));
    Sipp::start_on_ipv6(&node, "register", "102", &password, to).expect_success();
    let answering = Sipp::start_on_ipv6(&node, "callee", "102", &password, to);
    Sipp::run(&node, "caller", "101", &node.demo_password("101"), free_port(), &["-key", "callee", "102"]);
    answering.expect_success();
}
