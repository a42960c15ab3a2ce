//! The streams of operations that a scenario means.

use crate::agent::{Challenges, Label, Phones, Stream};
use crate::cli::Arguments;
use crate::operation::Kind;
use crate::pace::{Arrivals, Pace, Turns};
use crate::scenario::{Scenario, Spread, Tenant, What};
use crate::users::Group;

/// Every user of the group registers once, so many at a time.
pub(super) fn registrations(group: Group, window: u64) -> Stream {
    let turns = Turns::new(group.first, group.count);
    Stream { left: Some(u64::from(group.count)), ..Stream::new(Kind::Register, turns, Pace::Closed(window)) }
}

/// The same at a rate.
pub(super) fn registrations_at(group: Group, rate: f64) -> Stream {
    let mut stream = registrations(group, 0);
    stream.pace = Pace::Open(Arrivals::new(rate, None, 0));
    stream
}

/// Calls of the first half of a group to the second.
pub(super) fn calls(group: Group, pace: Pace) -> Stream {
    let half = group.count / 2;
    Stream { callee_distance: half, ..Stream::new(Kind::Call, Turns::new(group.first, half), pace) }
}

/// Operations a second of all streams together, when the scenario itself has rates.
pub(super) fn total_rate(arguments: &Arguments, scenario: &Scenario) -> Option<f64> {
    let rates = scenario.tenant.iter().flat_map(Tenant::rates).map(|(_, rate)| rate);
    (scenario.operation == What::Mixed).then(|| arguments.rate.unwrap_or_else(|| rates.sum()))
}

/// The streams of a scenario but an avalanche, from `now` on.
pub(super) fn of(
    arguments: &Arguments,
    scenario: &Scenario,
    group: Group,
    phones: &mut Phones,
    now: u64,
) -> Result<Vec<Stream>, String> {
    if scenario.operation == What::Mixed {
        return mixed(arguments, scenario, phones, now);
    }
    let pace = match (arguments.rate, arguments.window) {
        (Some(rate), _) => Pace::Open(Arrivals::new(rate, seed(arguments, scenario, 0), now)),
        (None, Some(window)) => Pace::Closed(window),
        (None, None) => return Err("give --rate or --window".into()),
    };
    let mut stream = stream(scenario.operation, group, pace);
    stream.challenges = scenario.challenges;
    set_times(&mut stream, arguments, scenario);
    Ok(vec![stream])
}

fn stream(what: What, group: Group, pace: Pace) -> Stream {
    let turns = Turns::new(group.first, group.count);
    match what {
        What::Refresh => Stream::new(Kind::Refresh, turns, pace),
        What::Options => Stream::new(Kind::Options, turns, pace),
        What::Call => calls(group, pace),
        What::Register | What::Avalanche | What::Mixed => Stream::new(Kind::Register, turns, pace),
    }
}

fn seed(arguments: &Arguments, scenario: &Scenario, index: u64) -> Option<u64> {
    (scenario.arrivals == Spread::Random).then_some(arguments.seed.wrapping_add(index))
}

fn set_times(stream: &mut Stream, arguments: &Arguments, scenario: &Scenario) {
    let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
    stream.ring = nanoseconds(arguments.ring.unwrap_or(scenario.ring));
    stream.hold = nanoseconds(arguments.hold.unwrap_or(scenario.hold));
}

/// A stream for each tenant and kind of operation.
fn mixed(arguments: &Arguments, scenario: &Scenario, phones: &mut Phones, now: u64) -> Result<Vec<Stream>, String> {
    if arguments.window.is_some() {
        return Err("a mix has rates; give --rate to scale them, or neither".into());
    }
    let rates = scenario.tenant.iter().flat_map(Tenant::rates).map(|(_, rate)| rate);
    let scale = arguments.rate.map_or(1.0, |rate| rate / rates.sum::<f64>());
    let nanoseconds = (scenario.flood_begins * 1e9) as u64;
    let has_flood = scenario.tenant.iter().any(|tenant| tenant.flood);
    let mut streams = Vec::new();
    for tenant in &scenario.tenant {
        let group = phones.users.group(tenant.domain.as_bytes());
        let group = group.ok_or_else(|| format!("no user is of the domain {}", tenant.domain))?;
        if tenant.call > 0.0 && group.count < 2 {
            return Err(format!("tenant {}: a call takes two users", tenant.domain));
        }
        let label = label(tenant, if has_flood { nanoseconds } else { u64::MAX }, phones);
        for (what, rate) in tenant.rates().into_iter().filter(|(_, rate)| *rate > 0.0) {
            // The flood waits for its time, the others begin with the warm-up.
            let begins = if tenant.flood { now + nanoseconds + (arguments.warm_up * 1e9) as u64 } else { now };
            let arrivals = Arrivals::new(rate * scale, seed(arguments, scenario, streams.len() as u64), begins);
            let mut stream = stream(what, group, Pace::Open(arrivals));
            stream.challenges =
                if tenant.challenges == Challenges::Allowed { scenario.challenges } else { tenant.challenges };
            stream.label = Some(label.clone());
            set_times(&mut stream, arguments, scenario);
            streams.push(stream);
        }
    }
    Ok(streams)
}

fn label(tenant: &Tenant, flood: u64, phones: &mut Phones) -> Label {
    let mut measure = |when: &str| phones.recorder.measure(&format!("operation of {}{when}", tenant.domain));
    let (before, during) = match (flood, tenant.flood) {
        (u64::MAX, _) | (_, true) => (measure(""), measure("")),
        _ => (measure(" before the flood"), measure(" during the flood")),
    };
    Label { name: tenant.domain.clone(), before, during, flood }
}
