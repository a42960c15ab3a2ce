//! The passwords that a job has drawn: told once, by whoever asks first within the hour.
//!
//! They are read from their extensions. Beside the job's changes lie the same sealed bytes until then, by which an extension that
//! has another password by now is known.

use ringway_directory::TenantId;
use sqlx::Row;

use crate::csv::GeneratedSecret;
use crate::directory::audit::{self, Entry};
use crate::directory::{Directory, Error, now};

impl Directory {
    /// The passwords that a job has drawn and that are still in force. Afterwards nobody can ask for them any more.
    pub async fn take_job_secrets(
        &self,
        id: &str,
        log: impl FnOnce() -> Option<Entry>,
    ) -> Result<Vec<GeneratedSecret>, Error> {
        let mut transaction = self.begin_write().await?;
        let sql = "UPDATE jobs SET secrets_until = NULL WHERE id = ? AND secrets_until >= ? RETURNING tenant_id";
        let tenant: Option<u32> =
            sqlx::query_scalar(sql).bind(id).bind(now()).fetch_optional(&mut *transaction).await?;
        let Some(tenant) = tenant.map(TenantId) else { return Ok(Vec::new()) };
        let sql = "SELECT extensions.number, auth_name, sealed_password FROM job_changes \
                   JOIN extensions ON extensions.id = extension_id AND sealed_password = drawn \
                   WHERE job_id = ? ORDER BY place";
        let rows = sqlx::query(sql).bind(id).fetch_all(&mut *transaction).await?;
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            let extension_number: String = row.try_get(0)?;
            let sealed: &[u8] = row.try_get(2)?;
            // One that does not open is lost for everybody.
            let Ok(extension_password) = self.secrets().password(tenant, &extension_number, sealed) else { continue };
            told.push(GeneratedSecret {
                extension_number,
                auth_name: row.try_get(1)?,
                extension_password,
                voicemail_pin: String::new(),
            });
        }
        let sql = "UPDATE job_changes SET drawn = NULL WHERE job_id = ? AND drawn IS NOT NULL";
        sqlx::query(sql).bind(id).execute(&mut *transaction).await?;
        audit::write_all(&mut transaction, log().filter(|_| !told.is_empty())).await?;
        transaction.commit().await?;
        Ok(told)
    }
}
