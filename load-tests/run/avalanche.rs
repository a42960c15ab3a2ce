//! Everybody registers anew at once, as after a restart, while calls stand: half of them are hung up meanwhile, the others
//! afterwards.

use std::process::{Command, Stdio};

use super::runner::{Runner, after};
use super::streams;
use crate::agent::{FOR_EVER, Stream};
use crate::cli::Arguments;
use crate::operation::Kind;
use crate::pace::{self, Pace, Turns};
use crate::report::Arrivals;
use crate::scenario::{Scenario, Spread};
use crate::users::Group;

/// The places of the two streams.
const CALLS: usize = 0;
const REGISTERS: usize = 1;
/// Calls that are set up at once.
const WINDOW: u64 = 32;
/// Seconds that all calls may take to stand.
const CALLS_PATIENCE: f64 = 60.0;

/// Sets up the calls, runs the command, registers everybody, hangs up. How the registrations arrived.
pub(super) fn run(
    runner: &mut Runner,
    arguments: &Arguments,
    scenario: &Scenario,
    group: Group,
) -> Result<Arrivals, String> {
    let duration = arguments.duration.ok_or("an avalanche comes within a time: give --duration")?;
    let calls = arguments.calls.unwrap_or(scenario.calls);
    if calls > u64::from(group.count / 2) {
        return Err(format!("{calls} calls take {} users, and there are {}", calls * 2, group.count));
    }
    set_up_calls(runner, group, calls)?;
    if let Some(command) = &arguments.between {
        between(command)?;
    }

    let rate = f64::from(group.count) / duration;
    let now = runner.begin();
    let seed = (scenario.arrivals == Spread::Random).then_some(arguments.seed);
    let pace = Pace::Open(pace::Arrivals::new(rate, seed, now));
    let mut stream = Stream::new(Kind::Register, Turns::new(group.first, group.count), pace);
    stream.challenges = scenario.challenges;
    stream.retry = Some((scenario.retry_after * 1e9) as u64);
    stream.left = Some(u64::from(group.count));
    runner.phones.streams.push(stream);
    let end = after(now, duration + scenario.give_up);
    let all = u64::from(group.count);
    let mut meanwhile = 0;
    runner.until(end, "avalanche", Some(rate), |phones, moment| {
        let passed = (moment.saturating_sub(now) as f64 / 1e9 / duration).min(1.0);
        let due = (passed * (calls / 2) as f64) as u64 - meanwhile;
        if due > 0 {
            let standing = phones.standing();
            let most = usize::try_from(due).unwrap_or(usize::MAX);
            meanwhile += standing - phones.hang_up_some(most, moment);
        }
        phones.streams[REGISTERS].succeeded >= all
    })?;
    runner.end();

    let stream = &runner.phones.streams[REGISTERS];
    let (bound, last) = (stream.succeeded, stream.last_success.saturating_sub(now) as f64 / 1e9);
    let operations = runner.phones.recorder.operations();
    let again = operations.failed.saturating_sub(runner.phones.streams[CALLS].failed);
    runner.phones.notes.push(match bound {
        _ if bound == all => format!(
            "All {all} users were bound {last:.1} s after the first REGISTER; {again} REGISTERs failed and were tried again."
        ),
        _ => format!("Only {bound} of {all} users were bound when the rest was given up; {again} REGISTERs failed."),
    });

    let standing = runner.phones.standing();
    let left = after(runner.now(), arguments.drain);
    runner.until(left, "hanging up", None, |phones, now| phones.hang_up_some(usize::MAX, now) == 0)?;
    runner.drain(arguments)?;
    if calls > 0 {
        let ended = runner.phones.streams[CALLS].succeeded;
        runner.phones.notes.push(format!(
            "Of {calls} calls, {meanwhile} were hung up meanwhile, {standing} stood at the end, and {ended} were hung up as they should be."
        ));
    }
    Ok(Arrivals::Open { rate })
}

fn set_up_calls(runner: &mut Runner, group: Group, calls: u64) -> Result<(), String> {
    let mut stream = streams::calls(group, Pace::Closed(WINDOW));
    stream.left = Some(calls);
    stream.hold = FOR_EVER;
    runner.phones.streams = vec![stream];
    let end = after(runner.now(), CALLS_PATIENCE);
    let mut standing = 0;
    runner.until(end, "calls", None, |phones, _| {
        standing = phones.standing();
        // Those that stand keep their place in the window, so it grows with them.
        phones.streams[CALLS].pace = Pace::Closed(standing + WINDOW);
        standing == calls || (phones.streams[CALLS].left == Some(0) && phones.operations.in_flight() as u64 == standing)
    })?;
    runner.forget()?;
    if standing < calls {
        return Err(format!("only {standing} of {calls} calls stood after {CALLS_PATIENCE} s"));
    }
    runner.phones.free_callers();
    Ok(())
}

/// Runs a command of the shell, such as one that restarts the server.
fn between(command: &str) -> Result<(), String> {
    let status = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("--between: `{command}` ended with {status}")),
        Err(error) => Err(format!("--between: `{command}` could not be run: {error}")),
    }
}
