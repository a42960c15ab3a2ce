//! The load generator's program.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use ringway_load::cli::Arguments;
use ringway_load::report::{RunReport, Verdict, html, text};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match ringway_load::run::run(&arguments).and_then(|report| tell(&arguments, &report)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("ringway-load: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints and writes the report. Whether its figures are not to be used.
fn tell(arguments: &Arguments, report: &RunReport) -> Result<bool, String> {
    if arguments.json {
        complain(&text(report));
        say(&serde_json::to_string_pretty(report).map_err(|error| error.to_string())?);
    } else {
        say(&text(report));
    }
    if let Some(path) = &arguments.report {
        std::fs::write(path, html(report)?).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let is_incomplete = arguments.setup_only && report.operations.succeeded < report.operations.started;
    Ok(is_incomplete || matches!(report.verdict, Verdict::Invalid { .. }))
}

/// That nobody reads it is no error of ours.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
