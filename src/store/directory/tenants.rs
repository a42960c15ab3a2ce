//! Adding and listing tenants.

mod change;

use std::collections::HashMap;

use ringway_directory::validation::Domain;
use ringway_directory::{NewTenant, Tenant, TenantDraft, TenantId};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, SqliteTransaction};

use super::audit::{self, Entry};
use super::rows::{TENANT_COLUMNS, complete_tenant, read_tenant};
use super::settings::TenantSettings;
use super::{Directory, Error, MOST_OF_A_PAGE, hosts, next_change, now};

pub use change::{ChangedTenant, TenantChange};

/// A tenant with everything that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRow {
    /// What calls are judged by.
    pub tenant: Tenant,
    /// What else is set.
    pub settings: TenantSettings,
    /// Whether whoever signs in needs a second factor.
    pub require_totp: bool,
    /// Whether there is a password for its mail server.
    pub has_smtp_password: bool,
    /// How many extensions it has.
    pub extensions: u32,
    /// Grows by one with each change of the tenant itself.
    pub version: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created: i64,
    /// When it was changed last.
    pub updated: i64,
}

/// The columns of a [`TenantRow`] behind those of the tenant.
const ROW_COLUMNS: &str =
    "settings, require_totp, smtp_password IS NOT NULL, extension_count, version, created, updated";

impl Directory {
    /// Adds a tenant. A domain or alias that another tenant has, under either name, is refused.
    pub async fn add_tenant(
        &self,
        draft: &TenantDraft,
        log: impl FnOnce(&TenantRow) -> Option<Entry>,
    ) -> Result<TenantRow, Error> {
        let new = draft.validate()?;
        let mut transaction = self.begin_write().await?;
        let mut faults = Vec::new();
        faults.extend(hosts::clash(&mut transaction, "domain", &new.domain).await?);
        for alias in &new.aliases {
            faults.extend(hosts::clash(&mut transaction, "alias", alias).await?);
        }
        if !faults.is_empty() {
            return Err(Error::Refused(faults));
        }
        insert(&mut transaction, &new).await?;
        let row = find_row(&mut transaction, new.domain.as_str()).await?;
        audit::write_all(&mut transaction, log(&row)).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// All tenants, by domain.
    pub async fn list_tenants(&self) -> Result<Vec<Tenant>, Error> {
        let mut transaction = self.begin_read().await?;
        let mut tenants = read_tenants(&mut transaction, 0).await?;
        tenants.sort_by(|one, other| one.domain.cmp(&other.domain));
        Ok(tenants)
    }

    /// The tenant whose domain or alias this is.
    pub async fn tenant(&self, domain: &str) -> Result<Tenant, Error> {
        let mut transaction = self.begin_read().await?;
        find(&mut transaction, domain).await
    }

    /// The tenant whose domain or alias this is, with everything that is kept of it.
    pub async fn tenant_row(&self, domain: &str) -> Result<TenantRow, Error> {
        let mut transaction = self.begin_read().await?;
        find_row(&mut transaction, domain).await
    }

    /// Some tenants: those behind this domain, by domain, and whether there are more.
    pub async fn tenant_rows(&self, after: Option<&str>, limit: u16) -> Result<(Vec<TenantRow>, bool), Error> {
        let limit = usize::from(limit.clamp(1, MOST_OF_A_PAGE));
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT domain FROM tenants WHERE domain > ? ORDER BY domain LIMIT ?";
        let domains: Vec<String> = sqlx::query_scalar(sql)
            .bind(after.unwrap_or_default())
            .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
        let mut rows = Vec::with_capacity(limit.min(domains.len()));
        for domain in domains.iter().take(limit) {
            rows.push(find_row(&mut transaction, domain).await?);
        }
        Ok((rows, domains.len() > limit))
    }

    /// When this tenant was made, in milliseconds since the Unix epoch.
    pub async fn tenant_created(&self, tenant: TenantId) -> Result<i64, Error> {
        let mut transaction = self.begin_read().await?;
        let sql = "SELECT created FROM tenants WHERE id = ?";
        Ok(sqlx::query_scalar(sql).bind(tenant.0).fetch_one(&mut *transaction).await?)
    }

    /// How many extensions this tenant has.
    pub async fn extension_count(&self, tenant: TenantId) -> Result<u32, Error> {
        let mut transaction = self.begin_read().await?;
        count_extensions(&mut transaction, tenant).await
    }
}

/// The tenant whose domain or alias this is.
pub(crate) async fn find(connection: &mut SqliteConnection, domain: &str) -> Result<Tenant, Error> {
    let unknown = || Error::UnknownTenant(domain.to_owned());
    let host = Domain::parse("tenant", domain).map_err(|_| unknown())?;
    let TenantId(id) = hosts::tenant_of(connection, &host).await?.ok_or_else(unknown)?;
    let sql = AssertSqlSafe(format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE id = ?"));
    let mut tenant = read_tenant(&sqlx::query(sql).bind(id).fetch_one(&mut *connection).await?)?;
    let sql = "SELECT domain FROM tenant_aliases WHERE tenant_id = ? ORDER BY domain";
    let aliases = sqlx::query_scalar(sql).bind(id).fetch_all(&mut *connection).await?;
    let sql = "SELECT network FROM tenant_trust WHERE tenant_id = ? ORDER BY network";
    let networks: Vec<String> = sqlx::query_scalar(sql).bind(id).fetch_all(&mut *connection).await?;
    complete_tenant(&mut tenant, aliases, &networks)?;
    Ok(tenant)
}

/// The tenant whose domain or alias this is, with everything that is kept of it.
pub(super) async fn find_row(connection: &mut SqliteConnection, domain: &str) -> Result<TenantRow, Error> {
    let tenant = find(&mut *connection, domain).await?;
    let sql = AssertSqlSafe(format!("SELECT {ROW_COLUMNS} FROM tenants WHERE id = ?"));
    let row = sqlx::query(sql).bind(tenant.id.0).fetch_one(connection).await?;
    let settings: &str = row.try_get(0)?;
    let damaged = |error| Error::Corrupt(format!("the settings of tenant {}: {error}", tenant.domain));
    let version: i64 = row.try_get(4)?;
    Ok(TenantRow {
        settings: serde_json::from_str(settings).map_err(damaged)?,
        require_totp: row.try_get(1)?,
        has_smtp_password: row.try_get(2)?,
        extensions: row.try_get(3)?,
        version: version.unsigned_abs(),
        created: row.try_get(5)?,
        updated: row.try_get(6)?,
        tenant,
    })
}

/// The emergency numbers of a tenant, which no extension of it may have.
pub(crate) async fn emergency_numbers(
    connection: &mut SqliteConnection,
    tenant: TenantId,
) -> Result<Vec<String>, Error> {
    let sql = "SELECT settings FROM tenants WHERE id = ?";
    let settings: String = sqlx::query_scalar(sql).bind(tenant.0).fetch_one(connection).await?;
    let settings: TenantSettings = serde_json::from_str(&settings)
        .map_err(|error| Error::Corrupt(format!("the settings of tenant row {}: {error}", tenant.0)))?;
    Ok(settings.emergency_numbers)
}

/// The tenants that were removed after this change of the directory.
pub(super) async fn read_removed(connection: &mut SqliteConnection, after: i64) -> Result<Vec<TenantId>, Error> {
    let sql = "SELECT tenant_id FROM removed_tenants WHERE change > ?";
    let ids: Vec<u32> = sqlx::query_scalar(sql).bind(after).fetch_all(connection).await?;
    Ok(ids.into_iter().map(TenantId).collect())
}

/// How many extensions this tenant has.
pub(crate) async fn count_extensions(connection: &mut SqliteConnection, tenant: TenantId) -> Result<u32, Error> {
    let sql = "SELECT extension_count FROM tenants WHERE id = ?";
    Ok(sqlx::query_scalar(sql).bind(tenant.0).fetch_optional(connection).await?.unwrap_or_default())
}

/// The tenants that changed after this change of the directory.
pub(super) async fn read_tenants(connection: &mut SqliteConnection, after: i64) -> Result<Vec<Tenant>, Error> {
    let sql = AssertSqlSafe(format!("SELECT {TENANT_COLUMNS} FROM tenants WHERE change > ? ORDER BY id"));
    let rows = sqlx::query(sql).bind(after).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT tenant_id, domain FROM tenant_aliases ORDER BY domain";
    let mut aliases_by_tenant = texts_by_tenant(connection, sql).await?;
    let sql = "SELECT tenant_id, network FROM tenant_trust ORDER BY network";
    let mut networks_by_tenant = texts_by_tenant(connection, sql).await?;
    let mut tenants = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut tenant = read_tenant(row)?;
        let aliases = aliases_by_tenant.remove(&tenant.id).unwrap_or_default();
        let networks = networks_by_tenant.remove(&tenant.id).unwrap_or_default();
        complete_tenant(&mut tenant, aliases, &networks)?;
        tenants.push(tenant);
    }
    Ok(tenants)
}

async fn texts_by_tenant(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<HashMap<TenantId, Vec<String>>, Error> {
    let mut texts: HashMap<TenantId, Vec<String>> = HashMap::new();
    for row in sqlx::query(sql).fetch_all(connection).await? {
        texts.entry(TenantId(row.try_get(0)?)).or_default().push(row.try_get(1)?);
    }
    Ok(texts)
}

async fn insert(transaction: &mut SqliteTransaction<'_>, new: &NewTenant) -> Result<TenantId, Error> {
    let change = next_change(transaction).await?;
    let sql = "INSERT INTO tenants (domain, name, auth_name_equals_number, max_extensions, max_calls, created, updated, change, \
               when_full, media, max_media, requests_ps, registers_ps, calls_ps, \
               connections, weight, max_call_seconds, acknowledge) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) RETURNING id";
    let id: u32 = sqlx::query_scalar(sql)
        .bind(new.domain.as_str())
        .bind(new.name.as_str())
        .bind(new.auth_name_equals_number)
        .bind(new.max_extensions)
        .bind(new.max_calls)
        .bind(now())
        .bind(change)
        .bind(new.when_full.as_str())
        .bind(new.media.as_str())
        .bind(new.max_media)
        .bind(new.budgets.requests)
        .bind(new.budgets.registers)
        .bind(new.budgets.calls)
        .bind(new.budgets.connections)
        .bind(new.budgets.weight)
        .bind(new.max_call_seconds)
        .bind(new.acknowledge.as_str())
        .fetch_one(&mut **transaction)
        .await?;
    let aliases: Vec<_> = new.aliases.iter().map(Domain::as_str).collect();
    insert_hosts(transaction, id, &aliases, &new.trust).await?;
    Ok(TenantId(id))
}

/// Writes the aliases and trusted networks of a tenant that has none.
async fn insert_hosts(
    transaction: &mut SqliteTransaction<'_>,
    id: u32,
    aliases: &[&str],
    trust: &[ipnet::IpNet],
) -> Result<(), Error> {
    for alias in aliases {
        let sql = "INSERT INTO tenant_aliases (domain, tenant_id) VALUES (?, ?)";
        sqlx::query(sql).bind(alias).bind(id).execute(&mut **transaction).await?;
    }
    for network in trust {
        let sql = "INSERT INTO tenant_trust (tenant_id, network) VALUES (?, ?)";
        sqlx::query(sql).bind(id).bind(network.to_string()).execute(&mut **transaction).await?;
    }
    Ok(())
}
