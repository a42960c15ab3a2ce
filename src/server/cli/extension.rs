//! `ringway extension add`, `import` and `export`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use ringway_store::csv::{ImportReport, RowFault};

use super::grammar::{ExtensionAddArguments, ExtensionExportArguments, ExtensionImportArguments};
use super::passwords::PasswordFile;
use super::progress::Progress;
use super::reach;
use crate::config::Overrides;
use crate::console::{complain, say};
use crate::control::protocol::{NewExtension, NewExtensions};
use crate::control::{Event, Request};
use crate::failure::Failure;

pub(super) fn add(overrides: &Overrides, arguments: ExtensionAddArguments) -> Result<(), Failure> {
    let password = arguments.password_file.as_deref().map(read_password).transpose()?;
    let new = NewExtension {
        tenant: arguments.tenant,
        number: arguments.number,
        email: arguments.email,
        auth_name: arguments.auth_name,
        password,
        display_name: arguments.display_name,
        max_phones: arguments.max_phones,
        max_apps: arguments.max_apps,
    };
    reach::run(overrides, Request::ExtensionAdd(new), tokio::io::empty(), |event| {
        if let Event::Extension(added) = event {
            let password = added.password.map(|password| format!(" password={password}")).unwrap_or_default();
            say(format_args!(
                "extension={} domain={} auth_name={}{password}",
                added.number, added.domain, added.auth_name
            ));
        }
        Ok(())
    })
}

/// The first line of a file, or of standard input.
fn read_password(path: &Path) -> Result<String, Failure> {
    let mut line = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_line(&mut line)
    } else {
        File::open(path).and_then(|file| BufReader::new(file).read_line(&mut line))
    };
    read.map_err(|error| Failure::Failed(format!("{}: the password can't be read: {error}", path.display())))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        let reason =
            format!("{}: there is no password in it; leave --password-file out to have one generated", path.display());
        return Err(Failure::Failed(reason));
    }
    Ok(password.to_owned())
}

pub(super) fn import(overrides: &Overrides, arguments: &ExtensionImportArguments) -> Result<(), Failure> {
    let path = &arguments.file;
    let failed = |error: io::Error| Failure::Failed(format!("{}: the file can't be read: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::Failed(format!("{}: this is no file; an import needs one", path.display())));
    }
    let passwords =
        if arguments.dry_run { None } else { Some(PasswordFile::create(arguments.passwords.as_deref(), path)?) };
    let request = Request::ExtensionImport(NewExtensions {
        tenant: arguments.tenant.clone(),
        mode: arguments.mode,
        is_dry_run: arguments.dry_run,
        keeps_good: arguments.keep_good,
        bytes: metadata.len(),
    });
    let progress = Progress::new(metadata.len());
    let started = Instant::now();
    let mut report = None;
    let outcome = reach::run(overrides, request, tokio::fs::File::from_std(file), |event| {
        match event {
            Event::Progress { bytes, rows } => progress.set(bytes, rows),
            Event::Imported(imported) => report = Some(imported),
            _ => {}
        }
        Ok(())
    });
    progress.clear();
    let generated = report.as_ref().map_or(&[][..], |report| &report.generated);
    // Written also when the import is stored and not in force yet: nothing else knows these passwords.
    let written = passwords.map(|file| file.write(generated)).transpose();
    outcome?;
    let Some(report) = report else {
        return Err(Failure::Failed("the import ended without a report".to_owned()));
    };
    for line in faults(path, &report) {
        complain(line);
    }
    let mistakes = format!("{} in {}", counted(report.fault_count, "mistake"), counted(report.rows, "row"));
    if !report.is_good(arguments.keep_good) {
        return Err(Failure::Failed(format!("nothing was imported: {mistakes}")));
    }
    say(summary(&report, started.elapsed()));
    match written {
        Ok(Some(Some(file))) => say(format_args!(
            "{} generated, in {}: nothing else knows them. Hand them out, then delete the file.",
            counted(report.generated.len() as u64, "password"),
            file.display()
        )),
        Ok(_) => {}
        Err(error) => {
            let reason = format!("the generated passwords can't be written: {error}; import again with --mode upsert");
            return Err(Failure::Failed(reason));
        }
    }
    if report.is_clean() {
        return Ok(());
    }
    // Whoever goes by the exit code learns that there are rows to mend.
    Err(Failure::Failed(format!("rows with a mistake are left out: {mistakes}")))
}

/// What is wrong with the file, and what may be, as `FILE:LINE: column: message`.
fn faults(path: &Path, report: &ImportReport) -> Vec<String> {
    let line = |fault: &RowFault, kind: &str| {
        let column = if fault.column.is_empty() { String::new() } else { format!("{}: ", fault.column) };
        format!("{}:{}: {column}{kind}{}", path.display(), fault.line, fault.message)
    };
    let mut lines: Vec<_> = report.warnings.iter().map(|warning| line(warning, "warning: ")).collect();
    lines.extend(report.faults.iter().map(|fault| line(fault, "")));
    let further = report.fault_count.saturating_sub(report.faults.len() as u64);
    if further > 0 {
        lines.push(format!("and {}", counted(further, "further mistake")));
    }
    lines
}

fn summary(report: &ImportReport, took: Duration) -> String {
    let did = if report.is_applied { "" } else { "dry run, nothing was changed: " };
    let ImportReport { created, changed, unchanged, skipped, .. } = report;
    let seconds = took.as_secs_f64();
    format!("{did}{created} created, {changed} changed, {unchanged} unchanged, {skipped} skipped in {seconds:.1} s")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn export(overrides: &Overrides, arguments: &ExtensionExportArguments) -> Result<(), Failure> {
    let mut out: Box<dyn Write> = match &arguments.output {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            Box::new(file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?)
        }
    };
    let request = Request::ExtensionExport { tenant: arguments.tenant.clone() };
    reach::run(overrides, request, tokio::io::empty(), |event| match event {
        Event::Text { text } => out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::Failed(format!("the export can't be written: {error}"))),
        _ => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: u64, column: &str, message: &'static str) -> RowFault {
        RowFault { line, column: column.to_owned(), code: "X".into(), message: message.into() }
    }

    #[test]
    fn mistakes_of_a_file_are_told_with_file_line_and_column() {
        let report = ImportReport {
            fault_count: 3,
            faults: vec![fault(7, "email", "write an address"), fault(9, "", "the row is too short")],
            warnings: vec![fault(1, "colour", "nobody knows this column")],
            ..ImportReport::default()
        };
        assert_eq!(
            faults(Path::new("staff.csv"), &report),
            [
                "staff.csv:1: colour: warning: nobody knows this column",
                "staff.csv:7: email: write an address",
                "staff.csv:9: the row is too short",
                "and 1 further mistake",
            ]
        );
    }

    #[test]
    fn an_import_is_summed_up_in_one_line() {
        let report =
            ImportReport { is_applied: true, rows: 7, created: 2, unchanged: 4, skipped: 1, ..ImportReport::default() };
        assert_eq!(
            summary(&report, Duration::from_millis(1500)),
            "2 created, 0 changed, 4 unchanged, 1 skipped in 1.5 s"
        );
        let dry = ImportReport { is_applied: false, ..report };
        assert!(summary(&dry, Duration::ZERO).starts_with("dry run, nothing was changed: 2 created"));
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        std::fs::write(&path, "s3 cret\r\nsecond line\n").unwrap();
        assert_eq!(read_password(&path).unwrap(), "s3 cret");
        std::fs::write(&path, "\n").unwrap();
        assert!(read_password(&path).is_err());
        assert!(read_password(&folder.path().join("none")).is_err());
    }
}
