//! The end of a job: its counts, its faults, and the entry in the log.

use sqlx::SqliteTransaction;

use super::{Job, Kind, SECRETS_FOR, expect, find, mode_word, number};
use crate::csv::{ImportReport, RowFault};
use crate::directory::audit::{self, Entry};
use crate::directory::{Directory, Error, now};

impl Directory {
    /// A job has failed for another reason than its file, and has changed nothing. One that is over already stays as it is.
    pub async fn fail_job(&self, id: &str, code: &str, reason: &str) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE jobs SET state = 'failed', ended = ?, reason_code = ?, reason = ? \
                   WHERE id = ? AND state IN ('queued', 'running')";
        let failed = sqlx::query(sql).bind(now()).bind(code).bind(reason).bind(id).execute(&mut *transaction).await?;
        if failed.rows_affected() > 0
            && let Some(job) = find(&mut transaction, id).await?
        {
            log(&mut transaction, &job).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Writes what an import has come to. `drawn` passwords can be told for a while.
pub(crate) async fn end_import(
    transaction: &mut SqliteTransaction<'_>,
    id: &str,
    report: &ImportReport,
    drawn: u64,
) -> Result<(), Error> {
    let sql = "UPDATE jobs SET state = iif(?2 OR is_dry_run, 'done', 'failed'), is_applied = ?2, ended = ?3, rows = ?4, \
               created = ?5, changed = ?6, unchanged = ?7, skipped = ?8, faults = ?9, secrets_until = ?10, \
               has_images = ?2 AND ?5 + ?6 > 0 WHERE id = ?1";
    let until = (report.is_applied && drawn > 0).then(|| now() + SECRETS_FOR);
    sqlx::query(sql)
        .bind(id)
        .bind(report.is_applied)
        .bind(now())
        .bind(number(report.rows))
        .bind(number(report.created))
        .bind(number(report.changed))
        .bind(number(report.unchanged))
        .bind(number(report.skipped))
        .bind(number(report.fault_count))
        .bind(until)
        .execute(&mut **transaction)
        .await?;
    keep(transaction, id, false, &report.faults).await?;
    keep(transaction, id, true, &report.warnings).await?;
    let job = expect(transaction, id).await?;
    log(transaction, &job).await
}

async fn keep(
    transaction: &mut SqliteTransaction<'_>,
    id: &str,
    are_warnings: bool,
    faults: &[RowFault],
) -> Result<(), Error> {
    let sql =
        "INSERT INTO job_faults (job_id, is_warning, place, line, name, code, message) VALUES (?, ?, ?, ?, ?, ?, ?)";
    for (place, fault) in faults.iter().enumerate() {
        sqlx::query(sql)
            .bind(id)
            .bind(are_warnings)
            .bind(i64::try_from(place).unwrap_or(i64::MAX))
            .bind(number(fault.line))
            .bind(&fault.column)
            .bind(&*fault.code)
            .bind(&*fault.message)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Says in the log how a job has ended. One that was only to look has nothing to say.
pub(super) async fn log(transaction: &mut SqliteTransaction<'_>, job: &Job) -> Result<(), Error> {
    if job.is_dry_run {
        return Ok(());
    }
    let action = match (job.kind, job.is_applied) {
        (Kind::Import, true) => "extensions.import",
        (Kind::Import, false) => "extensions.import-failed",
        (Kind::Undo, true) => "extensions.undo",
        (Kind::Undo, false) => "extensions.undo-failed",
    };
    let reason = job.reason.as_ref().map(|(_, reason)| reason);
    let after = serde_json::json!({
        "mode": mode_word(job.mode), "rows": job.rows, "created": job.created, "changed": job.changed,
        "skipped": job.skipped, "removed": job.removed, "errors": job.fault_count, "reason": reason, "undoes": job.undoes,
    });
    let entry = Entry {
        actor: job.actor.clone(),
        source: job.source.clone(),
        tenant: Some(job.tenant.clone()),
        action: action.to_owned(),
        subject: format!("job {}", job.id),
        before: None,
        after: Some(after.to_string()),
    };
    audit::write(transaction, &entry).await
}
