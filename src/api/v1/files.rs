//! Extensions in files: CSV in and out.

use std::time::Duration;

use axum::Json;
use axum::body::Body as Stream;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use ringway_store::csv::{ImportLimits, ImportOptions, ImportReport, Mode, RowFault};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Complaint, Errors, Refusal};
use crate::body::{Asked, Named};
use crate::caller::Caller;
use crate::router::Publisher;

/// The largest file: 100,000 extensions are some ten times less.
const LARGEST_FILE: usize = 64 << 20;

/// How long a file may take to come.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of a file that are taken in at a time.
const PIECE: usize = 64 << 10;

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
    extension_password: String,
}

fn complaint(fault: RowFault) -> Complaint {
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
/// the good rows.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/extensions:import", tag = "extensions", params(("domain" = String, Path), Wanted),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported), (status = 400, body = Errors), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors), (status = 422, body = Imported)))]
pub(crate) async fn import(
    caller: Caller,
    publisher: Publisher,
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
    // The whole of it first: an import holds the one connection that writes, and a slow sender would hold it with it.
    let file = tokio::time::timeout(PATIENCE, whole(body)).await.unwrap_or_else(|_| {
        let message = format!("the file did not come within {} s; nothing was imported", PATIENCE.as_secs());
        Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "TOO_SLOW", message))
    })?;
    let keeps_good = wanted.atomic == Some(false);
    let options = ImportOptions { mode, is_dry_run: wanted.dry_run, keeps_good, limits: ImportLimits::default() };
    let mut import = caller.directory.import(&tenant.domain, options).await?;
    for piece in file.chunks(PIECE) {
        import.push(piece).await?;
    }
    let report = import.finish().await?;
    let status = if report.is_good(keeps_good) { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    if report.is_applied {
        let mut entry = caller.entry(Some(&tenant.domain), "extensions.import", &format!("{} rows", report.rows));
        let left_out = ("errors", report.fault_count);
        let counts = [("created", report.created), ("changed", report.changed), ("skipped", report.skipped), left_out];
        entry.after = serde_json::to_string(&std::collections::BTreeMap::from(counts)).ok();
        publisher.publish().await?;
        caller.directory.log(&entry).await?;
    }
    Ok((status, Json(told(report))).into_response())
}

/// A file as it comes, as long as it is no larger than it may be.
async fn whole(mut body: Stream) -> Result<Vec<u8>, Refusal> {
    let mut file = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Refusal::new(StatusCode::BAD_REQUEST, "CUT_OFF", "the file ended too early; nothing was imported")
        })?;
        let Some(piece) = frame.data_ref() else { continue };
        if file.len() + piece.len() > LARGEST_FILE {
            let message = format!("a file has {} MB at most; import it in parts", LARGEST_FILE >> 20);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", message));
        }
        file.extend_from_slice(piece);
    }
    Ok(file)
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
