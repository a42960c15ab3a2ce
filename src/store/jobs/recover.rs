//! What an earlier run has left behind, and what is kept no longer.

use ringway_directory::TenantId;
use sqlx::{Row, SqlitePool, SqliteTransaction};

use super::end::log;
use super::{MOST_IMAGES, MOST_JOBS, UNDO_FOR, expect};
use crate::directory::{Error, now};

/// Ends the jobs that were under way when the node ended, and forgets what is too old. Whoever calls this has the database alone.
pub(crate) async fn recover(writer: &SqlitePool) -> Result<(), Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let sql = "UPDATE jobs SET state = 'failed', ended = ?, reason_code = 'NODE_ENDED', \
               reason = 'the node ended before the job did; nothing was changed: send the file again' \
               WHERE state IN ('queued', 'running') RETURNING id";
    let ended: Vec<String> = sqlx::query_scalar(sql).bind(now()).fetch_all(&mut *transaction).await?;
    for id in ended {
        let job = expect(&mut transaction, &id).await?;
        log(&mut transaction, &job).await?;
    }
    forget_secrets(&mut transaction).await?;
    let sql = "SELECT id FROM jobs WHERE has_images AND ended < ?";
    let old: Vec<String> = sqlx::query_scalar(sql).bind(now() - UNDO_FOR).fetch_all(&mut *transaction).await?;
    for id in old {
        forget_images(&mut transaction, &id).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Forgets what is too old or too much of a tenant's.
pub(super) async fn tidy(transaction: &mut SqliteTransaction<'_>, tenant: TenantId) -> Result<(), Error> {
    forget_secrets(transaction).await?;
    // Room for one more.
    let sql = "DELETE FROM jobs WHERE tenant_id = ?1 AND state IN ('done', 'failed') AND id <= \
               (SELECT id FROM jobs WHERE tenant_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    sqlx::query(sql).bind(tenant.0).bind(MOST_JOBS - 1).execute(&mut **transaction).await?;
    let sql = "SELECT id, created + changed, coalesce(ended, 0) FROM jobs WHERE tenant_id = ? AND has_images ORDER BY id DESC";
    let rows = sqlx::query(sql).bind(tenant.0).fetch_all(&mut **transaction).await?;
    let mut images = 0;
    for (place, row) in rows.iter().enumerate() {
        images += row.try_get::<i64, _>(1)?.unsigned_abs();
        let is_old = row.try_get::<i64, _>(2)? < now() - UNDO_FOR;
        if is_old || (place > 0 && images > MOST_IMAGES) {
            forget_images(transaction, row.try_get(0)?).await?;
        }
    }
    Ok(())
}

/// Forgets what takes a job back.
pub(super) async fn forget_images(transaction: &mut SqliteTransaction<'_>, id: &str) -> Result<(), Error> {
    let sql = "UPDATE jobs SET has_images = 0, secrets_until = NULL WHERE id = ?";
    sqlx::query(sql).bind(id).execute(&mut **transaction).await?;
    sqlx::query("DELETE FROM job_changes WHERE job_id = ?").bind(id).execute(&mut **transaction).await?;
    Ok(())
}

/// Forgets passwords that were not asked for in time.
async fn forget_secrets(transaction: &mut SqliteTransaction<'_>) -> Result<(), Error> {
    let sql = "UPDATE jobs SET secrets_until = NULL WHERE secrets_until < ? RETURNING id";
    let late: Vec<String> = sqlx::query_scalar(sql).bind(now()).fetch_all(&mut **transaction).await?;
    for id in late {
        let sql = "UPDATE job_changes SET drawn = NULL WHERE job_id = ? AND drawn IS NOT NULL";
        sqlx::query(sql).bind(id).execute(&mut **transaction).await?;
    }
    Ok(())
}
