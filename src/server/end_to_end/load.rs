//! The load generator against the real binary: every operation of each scenario must succeed.

use clap::Parser as _;
use ringway_load::cli::Arguments;
use ringway_load::report::RunReport;

use crate::harness::{Node, Options};

/// Extensions of each tenant.
const EXTENSIONS: usize = 40;

/// A node with a tenant that challenges and one that trusts, and files of their users.
fn node() -> Node {
    let node = Node::start(Options { demo: false, ..Options::default() });
    for (domain, trust) in [("auth.example", None), ("trust.example", Some("127.0.0.0/8"))] {
        let rows: String =
            (0..EXTENSIONS).map(|row| format!("{},user-{row},pw-{row:06},{row}@x.example,10\n", 100 + row)).collect();
        let path = node.path(domain);
        // Each run registers from ports of its own.
        std::fs::write(&path, format!("extension_number,auth_name,extension_password,email,max_phones\n{rows}"))
            .unwrap();
        let trust = trust.map_or(vec![], |network| vec!["--trust", network]);
        node.run("tenant", &[&["add", domain], &trust[..]].concat());
        node.run("extension", &["import", "--tenant", domain, path.to_str().unwrap()]);
    }
    node
}

/// Runs a scenario as the command line has it. Whatever is not measured in operations must be right, too.
#[track_caller]
fn run(node: &Node, scenario: &str, domain: &str, further: &str) -> RunReport {
    let users = node.path(domain);
    let (target, users) = (node.address(), users.to_str().unwrap());
    let fixed = ["ringway-load", scenario, "--target", &target, "--domain", domain, "--users", users, "--sockets", "4"];
    let arguments = Arguments::try_parse_from(fixed.into_iter().chain(further.split(' '))).unwrap();
    let report = ringway_load::run::run(&arguments).unwrap_or_else(|error| panic!("{scenario} {further}: {error}"));
    let operations = &report.operations;
    assert_eq!(
        (operations.failed, operations.unfinished, report.messages.unexpected),
        (0, 0, 0),
        "{scenario} {further}: {operations:?} {:?}",
        report.notes
    );
    assert_eq!(operations.succeeded, operations.started, "{scenario} {further}");
    report
}

#[test]
fn each_scenario_succeeds_to_the_last_operation_over_udp_and_tcp() {
    let node = node();
    for transport in ["udp", "tcp"] {
        for (scenario, domain) in [
            ("options", "auth.example"),
            ("register", "auth.example"),
            ("register", "trust.example"),
            ("refresh", "auth.example"),
            ("call-auth", "auth.example"),
            ("call", "trust.example"),
        ] {
            // Each transport has its own ports, so that there is one Contact for each user and no call is forked.
            let report = run(&node, scenario, domain, &format!("--transport {transport} --window 8 --operations 100"));
            assert_eq!(report.operations.succeeded, 100, "{scenario} over {transport}");
        }
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_tells_transactions_apart() {
    let node = node();
    let report = run(&node, "call-auth", "auth.example", "--rate 100 --operations 50");
    for measure in ["operation", "INVITE to 407", "INVITE to 100", "INVITE to 180", "INVITE to 200", "BYE"] {
        assert_eq!(report.latencies[measure].count, 50, "{measure}");
    }
    // INVITE, ACK of the 407, INVITE, 180, 200, ACK, BYE, 200 went out, unless something had to be repeated.
    assert_eq!(report.messages.sent - report.messages.retransmissions_sent, 50 * 8);
}

#[test]
fn everybody_is_registered_and_told_of_in_a_set_up() {
    let node = node();
    let report = run(&node, "register", "auth.example", "--setup-only");
    assert_eq!(report.operations.succeeded, EXTENSIONS as u64);
    assert_eq!(node.metric("ringway_registrations{tenant=\"auth.example\"}"), EXTENSIONS as f64);
}

#[test]
fn in_an_avalanche_all_are_bound_and_calls_that_stood_are_hung_up_meanwhile_and_after() {
    let node = node();
    let report = run(&node, "avalanche", "auth.example", "--duration 0.2 --calls 5");
    assert_eq!(report.operations.succeeded, EXTENSIONS as u64 + 5);
    assert!(report.notes.iter().any(|note| note.starts_with("All 40 users were bound ")), "{:?}", report.notes);
    assert_eq!(report.latencies["BYE"].count, 5);
    // Up to half of them in the middle of it; it may be over before the second is due.
    let calls = report.notes.iter().find(|note| note.starts_with("Of 5 calls, ")).expect("a note of the calls");
    assert!(calls.starts_with("Of 5 calls, 1 ") || calls.starts_with("Of 5 calls, 2 "), "{calls}");
    assert!(calls.ends_with(" and 5 were hung up as they should be."), "{calls}");
}

#[test]
fn a_mix_tells_its_tenants_apart() {
    let node = node();
    let tenants = [
        ("auth.example", "refresh = 50.0\noptions = 50.0\ncall = 20.0\n"),
        ("trust.example", "register = 100.0\ncall = 20.0\n"),
    ];
    let tenants =
        tenants.map(|(domain, rates)| format!("[[tenant]]\ndomain = \"{domain}\"\nusers = \"{domain}\"\n{rates}"));
    let scenario = node.path("two.toml");
    std::fs::write(&scenario, format!("operation = \"mixed\"\nregistered = \"everybody\"\n{}", tenants.concat()))
        .unwrap();
    let target = node.address();
    let arguments = ["ringway-load", scenario.to_str().unwrap(), "--target", &target, "--operations", "100"];
    let report = ringway_load::run::run(&Arguments::try_parse_from(arguments).unwrap()).unwrap();
    assert_eq!((report.operations.failed, report.operations.unfinished), (0, 0), "{:?}", report.operations);
    for domain in ["auth.example", "trust.example"] {
        assert!(report.latencies[&format!("operation of {domain}")].count > 0, "{domain}");
    }
}

#[test]
fn a_tenant_that_floods_from_its_own_address_is_held_to_its_budget_and_costs_the_other_nothing() {
    let node = node();
    let path = node.path("flood.example");
    std::fs::copy(node.path("auth.example"), &path).unwrap();
    node.run("tenant", &["add", "flood.example", "--rps", "20"]);
    node.run("extension", &["import", "--tenant", "flood.example", path.to_str().unwrap()]);
    let scenario = node.path("flood.toml");
    let text = "operation = \"mixed\"\nregistered = \"nobody\"\narrivals = \"random\"\nflood_begins = 0.5\n\
                [[tenant]]\ndomain = \"auth.example\"\nusers = \"auth.example\"\nregister = 50.0\noptions = 50.0\n\
                [[tenant]]\ndomain = \"flood.example\"\nusers = \"flood.example\"\nbind = \"127.0.0.2\"\nflood = true\noptions = 2000.0\n";
    std::fs::write(&scenario, text).unwrap();
    let target = node.address();
    let arguments = ["ringway-load", scenario.to_str().unwrap(), "--target", &target, "--duration", "1.5"];
    let report = ringway_load::run::run(&Arguments::try_parse_from(arguments).unwrap()).unwrap();
    let victim = report.operations.failures.iter().find(|failure| format!("{failure:?}").contains("auth.example"));
    assert!(victim.is_none() && report.operations.unfinished == 0, "{:?}", report.operations);
    for when in ["before", "during"] {
        assert!(report.latencies[&format!("operation of auth.example {when} the flood")].count > 0, "{when}");
    }
    let refused = node.metric("ringway_tenant_refusals_total{tenant=\"flood.example\"}");
    assert!(refused > 500.0, "{refused}");
    assert_eq!(node.metric("ringway_rejects_total{reason=\"tenant-rate\"}"), refused);
    assert_eq!(node.metric("ringway_tenant_refusals_total{tenant=\"auth.example\"}"), 0.0);
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let node = Node::prepare(Options::default());
    std::fs::write(node.path("users"), "extension_number,extension_password\n101,p\n").unwrap();
    let (target, users) = (node.address(), node.path("users"));
    let arguments = ["ringway-load", "register", "--transport", "tcp", "--target", &target, "--domain", "acme.example"];
    let further = ["--users", users.to_str().unwrap(), "--window", "1", "--operations", "1"];
    let arguments = Arguments::try_parse_from(arguments.into_iter().chain(further)).unwrap();
    let fault = ringway_load::run::run(&arguments).unwrap_err();
    assert!(fault.starts_with(&format!("can't connect to {target}: ")), "{fault}");
}
