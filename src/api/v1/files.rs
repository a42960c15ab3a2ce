//! Extensions in files: CSV in and out.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::time::Duration;

use axum::Json;
use axum::body::Body as Stream;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use ringway_store::csv::{ImportLimits, ImportOptions, ImportReport, Mode, RowFault, has_more_rows};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::jobs::{JobView, accepted};
use crate::answer::{Complaint, Errors, Refusal};
use crate::body::{Asked, Named};
use crate::caller::Caller;
use crate::jobs::{self, Queue, Work};
use crate::router::Publisher;

/// The largest file: 100,000 extensions are some ten times less.
const LARGEST_FILE: usize = 64 << 20;

/// How long a file may take to come.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of a file that are taken in at a time.
const PIECE: usize = 256 << 10;

/// Rows of a file that is imported while its sender waits. One with more is a job.
const AT_ONCE: u64 = 200;

/// How a file is taken.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// What becomes of a number that is there already: `create` refuses it (the default), `skip` leaves it, `upsert` changes it.
    mode: Option<String>,
    /// Look and tell, and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// `true`: one fault keeps everything out (the default). `false`: rows with a fault are left out, the others are kept.
    atomic: Option<bool>,
}

/// What came of a file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Imported {
    /// Whether it was done: a file with a fault changes nothing, unless its good rows were to be kept.
    applied: bool,
    rows: u64,
    created: u64,
    changed: u64,
    unchanged: u64,
    skipped: u64,
    errors: Vec<Complaint>,
    warnings: Vec<Complaint>,
    /// Passwords that were drawn: shown this once.
    generated: Vec<Generated>,
}

/// A password that was drawn.
#[derive(Serialize, ToSchema)]
pub(crate) struct Generated {
    extension_number: String,
    auth_name: String,
    /// Missing when it was not drawn.
    #[serde(skip_serializing_if = "String::is_empty")]
    extension_password: String,
    /// Missing when it was not drawn.
    #[serde(skip_serializing_if = "String::is_empty")]
    voicemail_pin: String,
}

pub(super) fn complaint(fault: RowFault) -> Complaint {
    // The codes of a file are as stable as those of values, and as few.
    let code = ringway_directory::Code::ALL
        .iter()
        .map(|code| code.as_str())
        .chain(ringway_store::csv::FileCode::ALL.iter().map(|code| code.as_str()))
        .find(|code| *code == fault.code)
        .unwrap_or("BAD_FORMAT");
    let pointer = Some(fault.column).filter(|column| !column.is_empty()).map(|column| format!("/{column}"));
    Complaint { code, message: fault.message.into_owned(), pointer, line: Some(fault.line) }
}

fn told(report: ImportReport) -> Imported {
    let generated = report.generated.into_iter().map(|secret| Generated {
        extension_number: secret.extension_number,
        auth_name: secret.auth_name,
        extension_password: secret.extension_password,
        voicemail_pin: secret.voicemail_pin,
    });
    Imported {
        applied: report.is_applied,
        rows: report.rows,
        created: report.created,
        changed: report.changed,
        unchanged: report.unchanged,
        skipped: report.skipped,
        errors: report.faults.into_iter().map(complaint).collect(),
        warnings: report.warnings.into_iter().map(complaint).collect(),
        generated: generated.collect(),
    }
}

/// Imports extensions from CSV. Each fault is told with its line. One of them keeps everything out, unless `atomic=false` keeps
/// the good rows. A file with more than 200 rows is a job: it is answered before it is imported.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/extensions:import", tag = "extensions", params(("domain" = String, Path), Wanted),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported), (status = 202, body = JobView), (status = 400, body = Errors), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors), (status = 422, body = Imported), (status = 429, body = Errors)))]
pub(crate) async fn import(
    caller: Caller,
    publisher: Publisher,
    queue: Queue,
    Named(domain): Named<String>,
    Asked(wanted): Asked<Wanted>,
    body: Stream,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let mode = match wanted.mode.as_deref() {
        None | Some("create") => Mode::Create,
        Some("skip") => Mode::Skip,
        Some("upsert") => Mode::Upsert,
        Some(_) => {
            let message = "mode is create, skip or upsert";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "BAD_MODE", message));
        }
    };
    let tenant = caller.directory.tenant(&domain).await?;
    let place = queue.place(&tenant.domain)?;
    // The whole of it first: an import holds the one connection that writes, and a slow sender would hold it with it.
    let file = caller.directory.nameless_file().map_err(unwritable)?;
    let file = tokio::time::timeout(PATIENCE, spool(body, file)).await.unwrap_or_else(|_| {
        let message = format!("the file did not come within {} s; nothing was imported", PATIENCE.as_secs());
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "TOO_SLOW", message))
    })?;
    let (mut file, is_large) = blocking(move || {
        let mut file = file;
        file.rewind()?;
        let is_large = has_more_rows(&file, AT_ONCE)?;
        file.rewind()?;
        Ok((file, is_large))
    })
    .await?;
    let keeps_good = wanted.atomic == Some(false);
    if is_large {
        let wanted = jobs::Wanted { undoes: None, mode, keeps_good, is_dry_run: wanted.dry_run };
        let job = queue.add(&caller, wanted, Work::Import(file), place).await?;
        return Ok(accepted(job, &queue));
    }
    let options = ImportOptions { mode, is_dry_run: wanted.dry_run, keeps_good, limits: ImportLimits::default() };
    let mut import = caller.directory.import(&tenant.domain, options).await?;
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let (same_file, piece) = blocking(move || {
            (&file).take(PIECE as u64).read_to_end(&mut piece)?;
            Ok((file, piece))
        })
        .await?;
        if piece.is_empty() {
            break;
        }
        import.push(&piece).await?;
        file = same_file;
    }
    let log = |report: &ImportReport| {
        let entry = caller.entry(Some(&tenant.domain), "extensions.import", &format!("{} rows", report.rows));
        let left_out = ("errors", report.fault_count);
        let counts = [("created", report.created), ("changed", report.changed), ("skipped", report.skipped), left_out];
        Some(entry.is_now(&std::collections::BTreeMap::from(counts)))
    };
    let report = import.finish(log).await?;
    let status = if report.is_good(keeps_good) { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let late = if report.is_applied { publisher.publish().await.err() } else { None };
    // Passwords that were drawn are told now or never.
    let mut told = told(report);
    told.warnings.extend(late.into_iter().flat_map(|late| late.complaints));
    Ok((status, Json(told)).into_response())
}

/// Writes a file to the disk as it comes, as long as it is no larger than it may be.
async fn spool(mut body: Stream, mut file: File) -> Result<File, Refusal> {
    let mut length = 0;
    let mut buffer = Vec::with_capacity(PIECE);
    loop {
        let frame = match body.frame().await {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => {
                let message = "the file ended too early; nothing was imported";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "CUT_OFF", message));
            }
            None => break,
        };
        let Some(piece) = frame.data_ref() else { continue };
        length += piece.len();
        if length > LARGEST_FILE {
            let message = format!("a file has {} MB at most; import it in parts", LARGEST_FILE >> 20);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message));
        }
        buffer.extend_from_slice(piece);
        if buffer.len() >= PIECE {
            (file, buffer) = written(file, buffer).await?;
        }
    }
    written(file, buffer).await.map(|(file, _)| file)
}

async fn written(mut file: File, mut buffer: Vec<u8>) -> Result<(File, Vec<u8>), Refusal> {
    blocking(move || {
        file.write_all(&buffer)?;
        buffer.clear();
        Ok((file, buffer))
    })
    .await
}

/// Does what waits for the disk where nobody else waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).map_err(unwritable)
}

fn unwritable(error: io::Error) -> Refusal {
    tracing::error!(%error, "a file that is to be imported can't be kept in the data directory");
    let message = "the file can't be kept at the moment; the log of the node says why";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SPOOL", message)
}

/// Exports all extensions of a tenant as CSV. Secrets are left blank; the file can be imported again with `mode=upsert`.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/extensions:export", tag = "extensions", params(("domain" = String, Path)),
    responses((status = 200, content_type = "text/csv", body = String), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors)))]
pub(crate) async fn export(caller: Caller, Named(domain): Named<String>) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let tenant = caller.directory.tenant(&domain).await?;
    let mut text = Vec::new();
    caller.directory.export(&tenant.domain, &mut text).await?;
    let name = format!("attachment; filename=\"{}-extensions.csv\"", tenant.domain);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)], text)
        .into_response())
}
