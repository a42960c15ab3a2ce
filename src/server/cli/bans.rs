//! `ringway bans list`, `ringway bans add` and `ringway bans remove`.

use super::grammar::BansAddArguments;
use super::reach;
use super::table::table;
use crate::config::Overrides;
use crate::console::say;
use crate::control::protocol::{BanRow, BansRequest};
use crate::control::{Event, Request};
use crate::failure::Failure;

pub(super) fn list(overrides: &Overrides, is_json: bool) -> Result<(), Failure> {
    let mut rows = Vec::new();
    ask(overrides, BansRequest::List, |event| {
        if let Event::Ban(ban) = event {
            if is_json {
                say(serde_json::to_string(&ban).map_err(Failure::of)?);
            } else {
                rows.push(row(ban));
            }
        }
        Ok(())
    })?;
    if is_json {
        return Ok(());
    }
    for line in lines(rows) {
        say(line);
    }
    Ok(())
}

/// What a person reads of these bans.
fn lines(mut rows: Vec<[String; 6]>) -> Vec<String> {
    if rows.is_empty() {
        return vec!["nobody is banned".to_owned()];
    }
    rows.insert(0, ["SOURCE", "REASON", "SINCE", "UNTIL", "HITS", "DETAIL"].map(str::to_owned));
    table(&rows)
}

pub(super) fn add(overrides: &Overrides, arguments: BansAddArguments) -> Result<(), Failure> {
    let BansAddArguments { source, seconds, reason } = arguments;
    ask(overrides, BansRequest::Add { source, seconds, reason }, |_| Ok(()))
}

pub(super) fn remove(overrides: &Overrides, source: String) -> Result<(), Failure> {
    ask(overrides, BansRequest::Remove { source }, |event| {
        if let Event::BansRemoved { count } = event {
            say(format_args!("removed={count}"));
        }
        Ok(())
    })
}

fn ask(
    overrides: &Overrides,
    request: BansRequest,
    show: impl FnMut(Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    reach::run(overrides, Request::Bans(request), tokio::io::empty(), show)
}

/// What came from the network can't drive the terminal.
fn row(ban: BanRow) -> [String; 6] {
    let detail = if ban.detail.is_empty() { "-".to_owned() } else { ban.detail.escape_debug().to_string() };
    [ban.source, ban.reason, ban.since, ban.until, ban.hits.to_string(), detail]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_nobody_is_banned_it_is_said() {
        assert_eq!(lines(Vec::new()), ["nobody is banned"]);
        let row = ["192.0.2.7", "manual", "a", "b", "0", "-"].map(str::to_owned);
        let lines = lines(vec![row]);
        assert!(lines.len() == 2 && lines[0].starts_with("SOURCE") && lines[1].starts_with("192.0.2.7"), "{lines:?}");
    }

    #[test]
    fn a_name_from_the_network_can_not_drive_the_terminal() {
        let ban = BanRow {
            source: "192.0.2.7".to_owned(),
            reason: "brute-force".to_owned(),
            detail: "\x1b[2J101\r\n@acme.example".to_owned(),
            since: String::new(),
            until: String::new(),
            hits: 3,
        };
        assert_eq!(row(ban)[5], "\\u{1b}[2J101\\r\\n@acme.example");
    }
}
