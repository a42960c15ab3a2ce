//! The report as one page that needs nothing besides itself: no script, no font, no picture from elsewhere.

use super::run::{Arrivals, RunReport, ServerShare};
use super::verdict::Verdict;
use super::{plots, text, units};

const STYLE: &str = include_str!("html/style.css");

/// The report of a run as a page with plots.
///
/// # Errors
/// When a plot could not be drawn.
pub fn html(report: &RunReport) -> Result<String, String> {
    let drawn = |plot: Result<Option<String>, plots::Fault>| {
        plot.map(Option::unwrap_or_default).map_err(|fault| format!("a plot could not be drawn: {fault}"))
    };
    let [scenario, driven] = text::headlines(report);
    let title = escape(&scenario);
    let sections = [
        verdict(&report.verdict),
        section("", &figures(report)),
        section("Latency by percentile", &(drawn(plots::percentiles(report))? + &latencies(report))),
        section("Latency over time", &drawn(plots::latencies_over_time(report))?),
        section("Throughput over time", &drawn(plots::throughput_over_time(report))?),
        section("Failures", &failures(report)),
        section("The run", &facts(report)),
        section("The server's own share of a request", &report.server.as_ref().map(server_share).unwrap_or_default()),
        section("Configuration", &configuration(report)),
    ];
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>\n{STYLE}{}</style>\n</head>\n<body>\n<header><h1>{title}</h1><p>{}</p></header>\n{}\
         <footer>Written by ringway-load {}.</footer>\n</body>\n</html>\n",
        plots::STYLE,
        escape(&driven),
        sections.concat(),
        env!("CARGO_PKG_VERSION"),
    ))
}

fn verdict(verdict: &Verdict) -> String {
    let (class, sentence) = match verdict {
        Verdict::Valid => ("valid", "Valid: the generator kept up, so the figures are the server's.".to_owned()),
        Verdict::GeneratorBound { .. } => ("generator_bound", capital(&verdict.sentence())),
        Verdict::Invalid { .. } => ("invalid", capital(&verdict.sentence())),
    };
    format!("<section class=\"verdict {class}\">{}</section>\n", escape(&sentence))
}

/// The figures that are looked for first.
fn figures(report: &RunReport) -> String {
    let mut figures = vec![("operations/s", units::rate(report.throughput))];
    if let Some(latency) = report.operation_latency() {
        figures.push(("p50", duration(latency.p50)));
        figures.push(("p99", duration(latency.p99)));
        figures.push(("p99.9", duration(latency.p999)));
        figures.push(("longest", duration(latency.max)));
    }
    let failed = report.operations.failed as f64 / report.operations.started.max(1) as f64;
    figures.push(("failed", units::share(failed)));
    if let Some(cost) = report.server.as_ref().and_then(|server| server.cpu_seconds_per_operation) {
        figures.push(("CPU an operation", duration(cost)));
    }
    let tiles = figures.iter().map(|(name, value)| format!("<div><dt>{}</dt><dd>{value}</dd></div>", escape(name)));
    format!("<dl class=\"figures\">{}</dl>", tiles.collect::<String>())
}

fn latencies(report: &RunReport) -> String {
    let rows = text::in_order(report).map(|(name, latency)| {
        let figures = [latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999, latency.max];
        row(&[vec![escape(name), units::count(latency.count)], figures.map(duration).to_vec()].concat())
    });
    let head = ["measure", "count", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let measured = match report.setup.arrivals {
        Arrivals::Open { .. } => {
            "Measured from when each was due, not from when it was sent: a server that stalls can't hide it."
        }
        Arrivals::Closed { .. } => {
            "Measured from when each was sent: in a closed loop that is mostly the queue of the generator's own making."
        }
    };
    table(&head, rows).map(|table| format!("{table}<p>{measured}</p>")).unwrap_or_default()
}

fn failures(report: &RunReport) -> String {
    let rows = text::failure_rows(report).into_iter();
    let rows = rows.map(|(reason, count, share)| row(&[escape(reason), units::count(count), units::share(share)]));
    table(&["reason", "count", "share"], rows).unwrap_or_default()
}

fn facts(report: &RunReport) -> String {
    let summary = text::summary(report).into_iter().map(|(name, value)| (name.to_owned(), value));
    let rows = summary.chain(report.server.iter().flat_map(text::server_summary));
    let notes = report.notes.iter().chain(report.server.iter().flat_map(|server| &server.notes));
    let notes = notes.map(|note| format!("<p>{}</p>", escape(note)));
    two_columns(rows) + &notes.collect::<String>()
}

fn server_share(server: &ServerShare) -> String {
    let rows = server.requests.iter().map(|(method, latency)| {
        let figures = [latency.mean, latency.p50, latency.p99, latency.p999];
        row(&[vec![escape(method), units::count(latency.count)], figures.map(duration).to_vec()].concat())
    });
    let table = table(&["method", "count", "mean", "p50", "p99", "p99.9"], rows);
    let told = "From the kernel's receipt of a request to the send of what follows from it, by the server's histogram: known to \
                the width of its buckets.";
    table.map(|table| format!("{table}<p>{told}</p>")).unwrap_or_default()
}

fn configuration(report: &RunReport) -> String {
    let setup = &report.setup;
    let asked = [
        ("scenario", setup.scenario.clone()),
        ("target", setup.target.clone()),
        ("transport", setup.transport.clone()),
        ("arrivals", text::arrivals(&setup.arrivals)),
        ("users", units::count(setup.users)),
    ];
    let asked = asked.into_iter().map(|(name, value)| (name.to_owned(), value));
    two_columns(asked.chain(setup.configuration.clone()))
}

/// A part of the page; nothing when there is nothing to show.
fn section(heading: &str, content: &str) -> String {
    match (heading, content) {
        (_, "") => String::new(),
        ("", _) => format!("<section>{content}</section>\n"),
        _ => format!("<section><h2>{}</h2>{content}</section>\n", escape(heading)),
    }
}

fn table(head: &[&str], rows: impl Iterator<Item = String>) -> Option<String> {
    let rows: String = rows.collect();
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    (!rows.is_empty()).then(|| format!("<div class=\"scroll\"><table><tr>{head}</tr>{rows}</table></div>"))
}

/// A row of cells that are HTML already.
fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>")
}

fn two_columns(rows: impl Iterator<Item = (String, String)>) -> String {
    let rows: String = rows.map(|(name, value)| row(&[escape(&name), micro(&escape(&value))])).collect();
    format!("<table class=\"facts\">{rows}</table>")
}

fn duration(seconds: f64) -> String {
    micro(&units::duration(seconds))
}

/// A page can show the letter that a terminal may not have.
fn micro(text: &str) -> String {
    text.replace(" us", " µs")
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Text as it may stand in a page. Reasons of failure come from the server.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
