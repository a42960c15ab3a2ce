//! Writing extensions within one transaction: many at a time when they are new.

use ringway_directory::{Profile, TenantId};
use serde_json::Value;
use sqlx::{QueryBuilder, Sqlite, SqliteTransaction};

use super::secrets::SealedSecret;
use super::{Error, now};

/// An extension that is to be written for the first time.
pub(crate) struct NewRow {
    pub(crate) profile: Profile,
    pub(crate) secret: SealedSecret,
    /// What is kept of its PIN.
    pub(crate) pin: Option<Vec<u8>>,
}

/// What all rows of one transaction have in common.
pub(crate) struct Writing {
    tenant: TenantId,
    /// The directory's last change.
    change: i64,
    now: i64,
}

impl Writing {
    /// Begins in a transaction that nobody else can write beside.
    pub(crate) async fn begin(transaction: &mut SqliteTransaction<'_>, tenant: TenantId) -> Result<Self, Error> {
        let sql = "SELECT change FROM directory";
        let change = sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?;
        Ok(Self { tenant, change, now: now() })
    }

    /// Ends before the transaction is committed: the directory remembers its last change, if there was one.
    pub(crate) async fn finish(&self, transaction: &mut SqliteTransaction<'_>) -> Result<(), Error> {
        let sql = "UPDATE directory SET change = ?1 WHERE change <> ?1";
        sqlx::query(sql).bind(self.change).execute(&mut **transaction).await?;
        Ok(())
    }

    /// Inserts new extensions. There may be 1,900 of them: SQLite takes 32,766 values in one statement.
    pub(crate) async fn insert(
        &mut self,
        transaction: &mut SqliteTransaction<'_>,
        extensions: &[NewRow],
    ) -> Result<(), Error> {
        if extensions.is_empty() {
            return Ok(());
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO extensions (number, auth_name, email, display_name, first_name, last_name, enabled, \
             max_phones, max_apps, settings, pin, sealed_password, sealed_hashes, tenant_id, change, created, updated) ",
        );
        query.push_values(extensions, |mut row, NewRow { profile, secret, pin }| {
            self.change += 1;
            row.push_bind(profile.number.as_str())
                .push_bind(profile.auth_name.as_str())
                .push_bind(profile.email.as_str())
                .push_bind(profile.display_name.as_str())
                .push_bind(profile.first_name.as_ref().map(|name| name.as_str()))
                .push_bind(profile.last_name.as_ref().map(|name| name.as_str()))
                .push_bind(profile.enabled)
                .push_bind(profile.max_phones)
                .push_bind(profile.max_apps)
                .push_bind(kept(profile))
                .push_bind(pin.as_deref())
                .push_bind(secret.password.as_deref())
                .push_bind(secret.hashes.as_deref())
                .push_bind(self.tenant.0)
                .push_bind(self.change)
                .push_bind(self.now)
                .push_bind(self.now);
        });
        let inserted = query.build().execute(&mut **transaction).await?.rows_affected();
        let sql = "UPDATE tenants SET extension_count = extension_count + ? WHERE id = ?";
        let inserted = i64::try_from(inserted).unwrap_or(i64::MAX);
        sqlx::query(sql).bind(inserted).bind(self.tenant.0).execute(&mut **transaction).await?;
        Ok(())
    }

    /// Writes the changed data of the extension with this number, and its secret and PIN when it has new ones.
    pub(crate) async fn update(
        &mut self,
        transaction: &mut SqliteTransaction<'_>,
        profile: &Profile,
        secret: Option<&SealedSecret>,
        pin: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.change += 1;
        let sql = "UPDATE extensions SET auth_name = ?3, email = ?4, display_name = ?5, first_name = ?6, last_name = ?7, \
             enabled = ?8, sealed_password = iif(?9, ?10, sealed_password), sealed_hashes = iif(?9, ?11, sealed_hashes), \
             updated = ?12, change = ?13, max_phones = ?14, max_apps = ?15, settings = ?16, pin = coalesce(?17, pin), version = version + 1 WHERE tenant_id = ?1 AND number = ?2";
        sqlx::query(sql)
            .bind(self.tenant.0)
            .bind(profile.number.as_str())
            .bind(profile.auth_name.as_str())
            .bind(profile.email.as_str())
            .bind(profile.display_name.as_str())
            .bind(profile.first_name.as_ref().map(|name| name.as_str()))
            .bind(profile.last_name.as_ref().map(|name| name.as_str()))
            .bind(profile.enabled)
            .bind(secret.is_some())
            .bind(secret.and_then(|secret| secret.password.as_deref()))
            .bind(secret.and_then(|secret| secret.hashes.as_deref()))
            .bind(self.now)
            .bind(self.change)
            .bind(profile.max_phones)
            .bind(profile.max_apps)
            .bind(kept(profile))
            .bind(pin)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    /// Removes the extension with this number. A number that comes back later is another extension.
    pub(crate) async fn remove(&mut self, transaction: &mut SqliteTransaction<'_>, number: &str) -> Result<(), Error> {
        self.change += 1;
        let sql = "DELETE FROM extensions WHERE tenant_id = ? AND number = ?";
        sqlx::query(sql).bind(self.tenant.0).bind(number).execute(&mut **transaction).await?;
        let sql = "UPDATE tenants SET extension_count = extension_count - 1 WHERE id = ?";
        sqlx::query(sql).bind(self.tenant.0).execute(&mut **transaction).await?;
        let sql = "INSERT INTO removed_extensions (tenant_id, number, change) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (tenant_id, number) DO UPDATE SET change = ?3";
        sqlx::query(sql).bind(self.tenant.0).bind(number).bind(self.change).execute(&mut **transaction).await?;
        Ok(())
    }
}

/// The settings as the row has them.
fn kept(profile: &Profile) -> Option<String> {
    let members = profile.settings.kept();
    (!members.is_empty()).then(|| Value::Object(members).to_string())
}
