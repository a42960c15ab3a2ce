//! `ringway tenant add`, `list` and `set`.

use super::grammar::{TenantAddArguments, TenantSetArguments};
use super::reach;
use super::table::table;
use crate::config::{Config, Overrides};
use crate::console::{complain, say};
use crate::control::protocol::{BudgetWords, NO_LIMIT, NewTenant, TenantRow, TenantSettings};
use crate::control::{Event, Request};
use crate::environment::environment;
use crate::failure::Failure;

pub(super) fn add(overrides: &Overrides, arguments: TenantAddArguments) -> Result<(), Failure> {
    let new = NewTenant {
        domain: arguments.domain,
        name: arguments.name.unwrap_or_default(),
        aliases: arguments.alias,
        trust: arguments.trust,
        max_extensions: arguments.max_extensions,
        max_calls: arguments.max_calls,
        when_full: arguments.when_full.unwrap_or_default(),
        media: arguments.media.unwrap_or_default(),
        max_media: arguments.max_media,
        max_call_seconds: arguments.max_call_seconds,
        acknowledge: arguments.acknowledge.unwrap_or_default(),
        budgets: BudgetWords {
            rps: arguments.rps,
            registers_ps: arguments.registers_ps,
            calls_ps: arguments.calls_ps,
            connections: arguments.connections,
            weight: arguments.weight,
        },
    };
    reach::run(overrides, Request::TenantAdd(new), tokio::io::empty(), |event| {
        if let Event::Tenant(tenant) = event {
            say(format_args!("tenant={}", tenant.domain));
            mind_redis(overrides, &tenant.acknowledge)?;
        }
        Ok(())
    })
}

/// Says so when registrations are to be acknowledged by a Redis that this node does not have.
fn mind_redis(overrides: &Overrides, acknowledge: &str) -> Result<(), Failure> {
    if acknowledge == "redis" && Config::load(overrides, environment())?.redis.address.is_none() {
        complain(
            "warning: acknowledge=redis means nothing on this node before redis.url names a Redis (docs/clustering.md)",
        );
    }
    Ok(())
}

pub(super) fn set(overrides: &Overrides, arguments: TenantSetArguments) -> Result<(), Failure> {
    let TenantSetArguments {
        domain,
        when_full,
        media,
        max_media,
        max_call_seconds,
        acknowledge,
        rps,
        registers_ps,
        calls_ps,
        connections,
        weight,
    } = arguments;
    let settings = TenantSettings {
        domain,
        when_full: when_full.unwrap_or_default(),
        media: media.unwrap_or_default(),
        max_media: max_media.unwrap_or_default(),
        max_call_seconds,
        acknowledge: acknowledge.unwrap_or_default(),
        rps: rps.unwrap_or_default(),
        registers_ps: registers_ps.unwrap_or_default(),
        calls_ps: calls_ps.unwrap_or_default(),
        connections: connections.unwrap_or_default(),
        weight,
    };
    reach::run(overrides, Request::TenantSet(settings), tokio::io::empty(), |event| {
        if let Event::Tenant(TenantRow {
            domain,
            when_full,
            media,
            max_media,
            max_call_seconds,
            acknowledge,
            budgets,
            ..
        }) = event
        {
            let max_media = max_media.map_or_else(|| NO_LIMIT.to_owned(), |most| most.to_string());
            let longest = max_call_seconds.map(|seconds| format!(" max_call_seconds={seconds}")).unwrap_or_default();
            let acknowledged = Some(&acknowledge).filter(|word| *word == "redis");
            let acknowledged = acknowledged.map(|word| format!(" acknowledge={word}")).unwrap_or_default();
            let budgets = told(&budgets).map(|budget| format!(" {budget}")).collect::<String>();
            say(format_args!(
                "tenant={domain} when_full={when_full} media={media} max_media={max_media}{longest}{acknowledged}{budgets}"
            ));
            mind_redis(overrides, &acknowledge)?;
        }
        Ok(())
    })
}

pub(super) fn list(overrides: &Overrides) -> Result<(), Failure> {
    let head = ["DOMAIN", "EXTENSIONS", "CALLS", "BUDGETS", "WHEN FULL", "ACK", "MEDIA", "ALIASES", "TRUST", "NAME"];
    let mut rows = vec![head.map(str::to_owned)];
    reach::run(overrides, Request::TenantList, tokio::io::empty(), |event| {
        if let Event::Tenant(tenant) = event {
            rows.push(row(tenant));
        }
        Ok(())
    })?;
    for line in table(&rows) {
        say(line);
    }
    Ok(())
}

fn row(tenant: TenantRow) -> [String; 10] {
    let or_dash = |texts: Vec<String>| if texts.is_empty() { "-".to_owned() } else { texts.join(",") };
    let extensions = match tenant.max_extensions {
        Some(most) => format!("{} of {most}", tenant.extensions),
        None => tenant.extensions.to_string(),
    };
    let calls = match (tenant.max_calls, tenant.max_call_seconds) {
        (None, None) => "-".to_owned(),
        (Some(most), None) => format!("at most {most}"),
        (None, Some(seconds)) => format!("of {seconds} s"),
        (Some(most), Some(seconds)) => format!("at most {most} of {seconds} s"),
    };
    let media = match tenant.max_media {
        Some(most) => format!("{}, at most {most}", tenant.media),
        None => tenant.media,
    };
    let (aliases, trust) = (or_dash(tenant.aliases), or_dash(tenant.trust));
    let budgets = budgets(&tenant.budgets);
    let TenantRow { domain, when_full, acknowledge, name, .. } = tenant;
    [domain, extensions, calls, budgets, when_full, acknowledge, media, aliases, trust, name]
}

fn budgets(words: &BudgetWords) -> String {
    let told: Vec<_> = told(words).collect();
    if told.is_empty() { "-".to_owned() } else { told.join(",") }
}

/// What of its budgets is the tenant's own, as it is written on the command line.
fn told(words: &BudgetWords) -> impl Iterator<Item = String> {
    let BudgetWords { rps, registers_ps, calls_ps, connections, weight } = *words;
    let words = [
        ("rps", rps),
        ("registers-ps", registers_ps),
        ("calls-ps", calls_ps),
        ("connections", connections),
        ("weight", weight.map(u32::from)),
    ];
    words.into_iter().filter_map(|(word, number)| Some(format!("{word}={}", number?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_line_for_each_tenant_with_its_columns_below_each_other() {
        let tenant = |domain: &str, most| TenantRow {
            domain: domain.to_owned(),
            name: "Acme Ltd".to_owned(),
            aliases: vec!["a.example".to_owned(), "b.example".to_owned()],
            trust: Vec::new(),
            extensions: 3,
            max_extensions: most,
            max_calls: most,
            when_full: "reject".to_owned(),
            media: "auto".to_owned(),
            max_media: most,
            max_call_seconds: most.map(|_| 600),
            acknowledge: "memory".to_owned(),
            budgets: BudgetWords { rps: most, weight: most.map(|_| 3), ..BudgetWords::default() },
        };
        let rows = [row(tenant("acme.example", Some(5))), row(tenant("x.example", None))];
        assert_eq!(
            table(&rows),
            [
                "acme.example  3 of 5  at most 5 of 600 s  rps=5,weight=3  reject  memory  auto, at most 5  a.example,b.example  -  Acme Ltd",
                "x.example     3       -                   -               reject  memory  auto             a.example,b.example  -  Acme Ltd",
            ]
        );
    }
}
