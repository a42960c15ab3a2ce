//! A run from its start to its report: set-up, warm-up, the measured part, the wait for what is in flight.

mod avalanche;
mod runner;
mod setting;
mod streams;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::cli::Arguments;
use crate::report::{Arrivals, GeneratorCpu, RunReport, ServerWatch, Setup, rfc3339};
use crate::scenario::{Registered, Scenario, What};
use crate::users::Group;
use runner::Runner;

/// Registrations in flight when everybody is registered at once, unless `--window` says otherwise.
const SETUP_WINDOW: u64 = 128;

/// Runs what was asked for.
///
/// # Errors
/// A sentence for a person.
pub fn run(arguments: &Arguments) -> Result<RunReport, String> {
    let scenario = Scenario::load(&arguments.scenario)?;
    let watch = match (&arguments.server_pid[..], &arguments.metrics) {
        ([], None) => None,
        (pids, metrics) => Some(ServerWatch::new(pids, metrics.as_deref())?),
    };
    let (phones, wire) = setting::prepare(arguments, &scenario)?;
    let group = setting::group(arguments, &scenario, &phones.users)?;
    let mut runner = Runner::new(phones, wire, watch, arguments.spin);

    if !arguments.setup_only
        && let Some(group) = registered(arguments, &scenario, group)
    {
        runner.set_up(streams::registrations(group, SETUP_WINDOW))?;
    }
    let started_at = rfc3339(SystemTime::now());
    let mut arrivals = match (arguments.rate, arguments.window) {
        (Some(rate), _) => Arrivals::Open { rate },
        (None, window) => Arrivals::Closed { window: window.unwrap_or(SETUP_WINDOW) },
    };
    if arguments.setup_only {
        let stream = match arguments.rate {
            Some(rate) => streams::registrations_at(group, rate),
            None => streams::registrations(group, arguments.window.unwrap_or(SETUP_WINDOW)),
        };
        runner.phones.streams = vec![stream];
        runner.measure(arguments, Some(u64::from(group.count)))?;
    } else if scenario.operation == What::Avalanche {
        arrivals = avalanche::run(&mut runner, arguments, &scenario, group)?;
    } else {
        let now = runner.now();
        if let Some(rate) = streams::total_rate(arguments, &scenario) {
            arrivals = Arrivals::Open { rate };
        }
        runner.phones.streams = streams::of(arguments, &scenario, group, &mut runner.phones, now)?;
        runner.warm_up(arguments)?;
        runner.measure(arguments, arguments.operations)?;
    }

    let setup = Setup {
        scenario: scenario.name.clone(),
        target: arguments.target.to_string(),
        transport: arguments.transport.as_str().to_owned(),
        arrivals,
        started_at,
        users: runner.phones.users.len() as u64,
        configuration: configuration(arguments, &scenario, runner.phones.endpoints.len()),
    };
    let cpu = GeneratorCpu { threads: 1, seconds: runner.measured_cpu as f64 / 1e9 };
    let server = runner.watch.take().map(ServerWatch::share);
    let mut report = RunReport::new(setup, &runner.phones.recorder, cpu, server);
    report.notes.extend(runner.notes());
    Ok(report)
}

/// Who registers before.
fn registered(arguments: &Arguments, scenario: &Scenario, group: Group) -> Option<Group> {
    let callees = Group { first: group.first + group.count / 2, count: group.count / 2 };
    match scenario.registered {
        _ if arguments.no_setup => None,
        _ if arguments.register_first => Some(group),
        Registered::Everybody => Some(group),
        // The callees of a mix are spread over its tenants.
        Registered::Callees if scenario.operation == What::Mixed => Some(group),
        Registered::Callees => Some(callees),
        Registered::Nobody => None,
    }
}

/// Every other flag and key that shaped the run.
fn configuration(arguments: &Arguments, scenario: &Scenario, endpoints: usize) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut note = |name: &str, value: String| found.insert(name.to_owned(), value);
    note("description", scenario.description.clone());
    note("sockets", endpoints.to_string());
    note("warm_up", arguments.warm_up.to_string());
    note("expires", arguments.expires.unwrap_or(scenario.expires).to_string());
    if scenario.has_calls() {
        note("ring", arguments.ring.unwrap_or(scenario.ring).to_string());
        note("hold", arguments.hold.unwrap_or(scenario.hold).to_string());
    }
    if let Some(operations) = arguments.operations {
        note("operations", operations.to_string());
    }
    if let Some(limit) = arguments.limit_users {
        note("limit_users", limit.to_string());
    }
    if scenario.operation == What::Avalanche {
        note("calls", arguments.calls.unwrap_or(scenario.calls).to_string());
    }
    note("drain", arguments.drain.to_string());
    note("seed", arguments.seed.to_string());
    let switches = [
        ("floor", arguments.floor),
        ("setup_only", arguments.setup_only),
        ("register_first", arguments.register_first),
        ("no_setup", arguments.no_setup),
        ("spin", arguments.spin),
        ("part_trains", arguments.part_trains),
    ];
    for (name, is_set) in switches {
        if is_set {
            note(name, "true".to_owned());
        }
    }
    found
}
