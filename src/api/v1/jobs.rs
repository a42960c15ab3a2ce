//! Jobs: how far they have come, what came of them, and taking them back.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringway_directory::{Code, Fault};
use ringway_store::csv;
use ringway_store::jobs::{Job, State, mode_word};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::files::complaint;
use super::rfc3339;
use crate::answer::{Complaint, Errors, Refusal};
use crate::body::{Asked, Named};
use crate::caller::Caller;
use crate::jobs::{self, Queue, Work};

/// Jobs of a page, unless another number is asked for.
const OF_A_PAGE: u16 = 100;
/// Jobs of a page at most.
const MOST_OF_A_PAGE: u16 = 200;

/// Faults and warnings that a job shows. Its result has a thousand.
const SHOWN: u16 = 100;
/// Faults of a result: as many as are kept.
const ALL: u16 = 1000;

/// Which jobs are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those before this one: `next` of the page before.
    cursor: Option<String>,
    /// So many at most (100).
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// A page of jobs, the latest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobPage {
    items: Vec<JobView>,
    /// The cursor of the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A job.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobView {
    #[schema(example = "01KBB8S1ZJ5V0Y7W3Q9M2N4P6R")]
    pub(super) id: String,
    /// `queued`, `running`, `done` or `failed`: one that has failed has changed nothing.
    #[schema(example = "running")]
    state: &'static str,
    /// Rows that are done so far.
    rows: u64,
    /// The first hundred things that are wrong. `/result` has a thousand of them. Missing in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Complaint>>,
    /// How many things are wrong.
    error_count: u64,
    /// What may be a mistake. Missing in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<Complaint>>,
    /// The domain of its tenant.
    tenant: String,
    /// `import` or `undo`.
    kind: &'static str,
    mode: &'static str,
    atomic: bool,
    dry_run: bool,
    /// Whether it has changed anything.
    applied: bool,
    created: u64,
    changed: u64,
    unchanged: u64,
    skipped: u64,
    removed: u64,
    /// Who wanted it, as they sign in.
    actor: String,
    queued_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    /// Until when `/result` tells the passwords that were drawn, once.
    secrets_until: Option<String>,
    /// Until when it can be taken back, unless something of it is changed.
    undo_until: Option<String>,
    /// The job that this one takes back.
    undoes: Option<String>,
    /// The job that has taken this one back.
    undone_by: Option<String>,
}

pub(super) fn view(job: Job, queue: &Queue) -> JobView {
    let (state, rows) = match queue.live(&job.id) {
        Some(live) => {
            let (state, rows) = live.progress();
            (state, rows.max(job.rows))
        }
        None => (job.state, job.rows),
    };
    JobView {
        undo_until: job.undo_until().map(rfc3339),
        id: job.id,
        state: state.as_str(),
        rows,
        errors: None,
        error_count: job.fault_count + u64::from(job.reason.is_some()),
        warnings: None,
        tenant: job.tenant,
        kind: job.kind.as_str(),
        mode: mode_word(job.mode),
        atomic: !job.keeps_good,
        dry_run: job.is_dry_run,
        applied: job.is_applied,
        created: job.created,
        changed: job.changed,
        unchanged: job.unchanged,
        skipped: job.skipped,
        removed: job.removed,
        actor: job.actor,
        queued_at: rfc3339(job.made),
        started_at: job.started.map(rfc3339),
        ended_at: job.ended.map(rfc3339),
        secrets_until: job.secrets_until.map(rfc3339),
        undoes: job.undoes,
        undone_by: job.undone_by,
    }
}

/// A job that is queued now.
pub(super) fn accepted(job: Job, queue: &Queue) -> Response {
    let location = format!("/api/v1/jobs/{}", job.id);
    let view = JobView { errors: Some(Vec::new()), warnings: Some(Vec::new()), ..view(job, queue) };
    let mut response = (StatusCode::ACCEPTED, Json(view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The job with this id, for whoever may manage its tenant.
async fn find(caller: &Caller, id: &str) -> Result<Job, Refusal> {
    let job = caller.directory.job(id).await?;
    let Some(job) = job else {
        // To whoever manages one tenant a job that is another's and one that is nobody's are the same.
        caller.may_manage_all()?;
        return Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no job {id}")));
    };
    caller.may_manage(&job.tenant)?;
    Ok(job)
}

/// A job: how far it has come, and what is wrong with its file.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn show(caller: Caller, queue: Queue, Named(id): Named<String>) -> Result<Json<JobView>, Refusal> {
    // Before the record: a job that ends in between is shown as one that is not over, and never the other way round.
    let live = queue.live(&id);
    let job = find(&caller, &id).await?;
    let mut errors = Vec::new();
    if let Some((code, reason)) = &job.reason {
        errors.push(Complaint { code: code_of(code), message: reason.clone(), pointer: None, line: None });
    }
    let faults = caller.directory.job_faults(&id, false, SHOWN).await?;
    errors.extend(faults.into_iter().map(complaint));
    let warnings = caller.directory.job_faults(&id, true, SHOWN).await?.into_iter().map(complaint).collect();
    let mut view = JobView { errors: Some(errors), warnings: Some(warnings), ..view(job, &queue) };
    if let Some(live) = live {
        let (state, rows) = live.progress();
        (view.state, view.rows) = (state.as_str(), rows.max(view.rows));
    }
    Ok(Json(view))
}

/// The codes of jobs that did not fail by their file are few, and stay the same.
fn code_of(code: &str) -> &'static str {
    let known = ["NODE_ENDED", "DATABASE", "INTERNAL", "CHANGED_SINCE", "NOT_UNDOABLE", "NOT_FOUND"];
    known.into_iter().find(|known| *known == code).unwrap_or("INTERNAL")
}

/// Some of a tenant's jobs, the latest first. The last two hundred are remembered.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/jobs", tag = "jobs", params(("domain" = String, Path), Wanted),
    responses((status = 200, body = JobPage), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 422, body = Errors)))]
pub(crate) async fn list(
    caller: Caller,
    queue: Queue,
    Named(domain): Named<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<JobPage>, Refusal> {
    caller.may_manage(&domain)?;
    let limit = wanted.limit.unwrap_or(OF_A_PAGE);
    if limit == 0 || limit > MOST_OF_A_PAGE {
        let message = format!("1 to {MOST_OF_A_PAGE} jobs a page");
        return Err(vec![Fault::new("limit", Code::BadFormat, message)].into());
    }
    let (jobs, has_more) = caller.directory.jobs(&domain, wanted.cursor.as_deref(), limit).await?;
    let next = jobs.last().filter(|_| has_more).map(|job| job.id.clone());
    Ok(Json(JobPage { items: jobs.into_iter().map(|job| view(job, &queue)).collect(), next }))
}

/// What came of a job as CSV: a row for each fault, and, until it was fetched once, one for each password that was drawn.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/result", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv", body = String), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 404, body = Errors), (status = 409, body = Errors)))]
pub(crate) async fn result(
    caller: Caller,
    queue: Queue,
    method: Method,
    Named(id): Named<String>,
) -> Result<Response, Refusal> {
    let is_live = queue.live(&id).is_some();
    let job = find(&caller, &id).await?;
    if is_live || !job.state.is_over() {
        return Err(Refusal::new(StatusCode::CONFLICT, "NOT_DONE", "the job is not over yet: ask again").after(1));
    }
    let faults = caller.directory.job_faults(&id, false, ALL).await?;
    // Whoever asks for the head alone would lose them, and a key that changes nothing would use them up.
    let secrets = if method == Method::GET && caller.may_write && job.state == State::Done {
        let log = || Some(caller.entry(Some(&job.tenant), "job.secrets", &format!("job {id}")));
        caller.directory.take_job_secrets(&id, log).await?
    } else {
        Vec::new()
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"job-{}.csv\"", job.id)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, csv::result(&faults, &secrets)).into_response())
}

/// Takes a job back, as a job: what it has made is removed, what it has changed is again as it was. Refused when something of it
/// was changed since; then nothing is undone.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/undo", tag = "jobs", params(("id" = String, Path)),
    responses((status = 202, body = JobView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 429, body = Errors)))]
pub(crate) async fn undo(caller: Caller, queue: Queue, Named(id): Named<String>) -> Result<Response, Refusal> {
    let job = find(&caller, &id).await?;
    if let Err(refusal) = caller.directory.can_undo(&id).await? {
        return Err(Refusal::new(StatusCode::CONFLICT, refusal.code, refusal.message));
    }
    let place = queue.place(&job.tenant)?;
    let wanted = jobs::Wanted { undoes: Some(id), mode: job.mode, keeps_good: false, is_dry_run: false };
    let undo = queue.add(&caller, wanted, Work::Undo, place).await?;
    Ok(accepted(undo, &queue))
}
