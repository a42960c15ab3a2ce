//! From the database to the snapshot of the hot path, whole at the start and by what changed later.

use std::collections::HashMap;

use ringway_directory::{Extension, HashSecret, Snapshot, SnapshotEdit, TenantId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::open::ROWS_AHEAD;
use super::{Directory, Error, SealedSecret, Secrets, changing, tenants};

/// Secrets that do not open are logged one by one up to this many.
const LOGGED_LOSSES: usize = 10;

impl Directory {
    /// Loads all tenants and extensions. The seed is that of the snapshot's hashes, to be drawn at random; `hash_secret`
    /// makes HA1s of passwords. An extension whose secret does not open is left out and logged.
    pub async fn load_snapshot(&self, seed: u64, hash_secret: &(dyn HashSecret + Sync)) -> Result<Snapshot, Error> {
        self.refresh_snapshot(&Snapshot::with_seed(seed), hash_secret).await
    }

    /// A snapshot that has, beyond `snapshot`, whatever was committed since that was loaded. It costs as much as there are
    /// changes.
    pub async fn refresh_snapshot(
        &self,
        snapshot: &Snapshot,
        hash_secret: &(dyn HashSecret + Sync),
    ) -> Result<Snapshot, Error> {
        let mut transaction = self.begin_read().await?;
        let change: i64 = sqlx::query_scalar("SELECT change FROM directory").fetch_one(&mut *transaction).await?;
        let version = u64::try_from(change).unwrap_or_default();
        if version == snapshot.version() {
            return Ok(snapshot.clone());
        }
        let after = i64::try_from(snapshot.version()).unwrap_or(i64::MAX);
        let mut refresh = Refresh {
            secrets: self.secrets(),
            hash_secret,
            before: snapshot,
            realm_of_changed: HashMap::new(),
            edit: snapshot.edit(),
            losses: 0,
        };
        for tenant in tenants::read_tenants(&mut transaction, after).await? {
            refresh.realm_of_changed.insert(tenant.id, tenant.domain.clone());
            refresh.edit.put_tenant(tenant);
        }
        for tenant in tenants::read_removed(&mut transaction, after).await? {
            refresh.edit.remove_tenant(tenant);
        }
        for (tenant, number) in changing::read_removed(&mut transaction, after).await? {
            refresh.edit.remove_extension(tenant, number.as_bytes());
        }
        refresh.extensions(&mut transaction, after).await?;
        if refresh.losses > LOGGED_LOSSES {
            tracing::error!(extensions = refresh.losses, "extensions are left out: their secrets do not open");
        }
        refresh.edit.set_version(version);
        Ok(refresh.edit.finish())
    }
}

struct Refresh<'a> {
    secrets: &'a Secrets,
    hash_secret: &'a (dyn HashSecret + Sync),
    before: &'a Snapshot,
    realm_of_changed: HashMap<TenantId, Box<str>>,
    edit: SnapshotEdit,
    losses: usize,
}

impl Refresh<'_> {
    /// Takes the extensions that changed after this change. While a page is decrypted and hashed here, SQLite's thread
    /// reads the next one.
    async fn extensions(&mut self, connection: &mut SqliteConnection, after: i64) -> Result<(), Error> {
        let mut last = after;
        let mut page = Vec::new();
        loop {
            let fetch = fetch_page(&mut *connection, last);
            let (next, taken) = tokio::join!(fetch, async { page.iter().try_for_each(|row| self.take(row)) });
            taken?;
            page = next?;
            let Some(row) = page.last() else { return Ok(()) };
            last = row.try_get("change")?;
        }
    }

    fn take(&mut self, row: &SqliteRow) -> Result<(), Error> {
        let tenant = TenantId(row.try_get(0)?);
        let (number, auth_name): (&str, &str) = (row.try_get(1)?, row.try_get(2)?);
        let secret = SealedSecret { password: row.try_get(3)?, hashes: row.try_get(4)? };
        let unchanged = || self.before.tenant(tenant).map(|tenant| &tenant.domain);
        let Some(realm) = self.realm_of_changed.get(&tenant).or_else(unchanged) else {
            return Ok(());
        };
        let hash = |password: &str| self.hash_secret.hash_secret(auth_name, realm, password);
        match self.secrets.hashes(tenant, number, &secret, hash) {
            Ok(hashes) => {
                let extension = Extension {
                    number: number.into(),
                    auth_name: auth_name.into(),
                    display_name: row.try_get::<&str, _>(5)?.into(),
                    enabled: row.try_get(6)?,
                    max_phones: row.try_get(7)?,
                    max_apps: row.try_get(8)?,
                    hashes,
                };
                self.edit.put_extension(tenant, extension);
            }
            Err(error) => {
                self.losses += 1;
                if self.losses <= LOGGED_LOSSES {
                    tracing::error!(tenant = %realm, number, %error, "an extension is left out");
                }
                self.edit.remove_extension(tenant, number.as_bytes());
            }
        }
        Ok(())
    }
}

/// The next rows in the order of their last changes.
async fn fetch_page(connection: &mut SqliteConnection, after: i64) -> Result<Vec<SqliteRow>, Error> {
    let sql = "SELECT tenant_id, number, auth_name, sealed_password, sealed_hashes, display_name, enabled, \
               max_phones, max_apps, change \
               FROM extensions WHERE change > ? ORDER BY change LIMIT ?";
    Ok(sqlx::query(sql).bind(after).bind(ROWS_AHEAD).fetch_all(connection).await?)
}
